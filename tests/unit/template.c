/* SPDX-License-Identifier: MIT */
/* The template language, feature by feature, and its errors; what Python's
 * Jinja2 gives was written down by hand. */
#include "template/render.h"
#include "test.h"

static const char context[] =
    "{\"a\": [3, 1, 2], \"s\": \"Hello World\", \"n\": 7, \"none_\": null, \"d\": {\"b\": 1, "
    "\"a\": [1, 2]}, \"w\": \"  pad \\n\", \"uni\": \"na\\u00efve \\u65e5\\u672c\", \"u\": "
    "[{\"name\": "
    "\"Bob\", \"age\": 30, \"ok\": true}, {\"name\": \"al\", \"age\": 25}]}";

/* What the template gives, or "line 1, column 2: message"; static. */
static const char *render(const char *source)
{
    static char out[4096];
    const struct template_time time = {2026, 1, 15, 9, 30, 45};
    const struct render_options options = {
        .time = &time, .steps = 1000000, .memory = 16 << 20, .calls = 50};
    loam_error error = {.struct_size = sizeof error};
    struct memory memory;
    struct program program;
    struct rendered rendered;
    loam_memory_init(&memory, NULL, 0);
    loam_status status = loam_program_compile(&program, &memory, source, strlen(source), &error);
    if (!status) {
        status = loam_render_run(&rendered, &program, &memory, context, strlen(context), &options,
                                 &error);
        if (!status) {
            snprintf(out, sizeof out, "%s", rendered.bytes);
            loam_render_end(&rendered);
        }
        loam_program_end(&program);
    }
    if (status)
        snprintf(out, sizeof out, "%s", error.message);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    return out;
}

struct pair {
    const char *source, *expected;
};

static void check_pairs(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = render(pairs[i].source);
        if (strcmp(got, pairs[i].expected) != 0)
            printf("# %s\n", pairs[i].source);
        CHECK_TEXT(got, pairs[i].expected);
    }
}

#define CHECK_PAIRS(...)                                                                           \
    do {                                                                                           \
        static const struct pair pairs[] = {__VA_ARGS__};                                          \
        check_pairs(pairs, sizeof pairs / sizeof pairs[0]);                                        \
    } while (0)

static void values_are_shown_as_in_python(void)
{
    CHECK_PAIRS(
        {"{{ [1, 'a', none, true, 2.0, {'k': 'v'}] }}", "[1, 'a', None, True, 2.0, {'k': 'v'}]"},
        {"{{ (1,) }}{{ () }}{{ {} }}{{ range(1, 5, 2) }}", "(1,)(){}range(1, 5, 2)"},
        {"{{ [\"it's\"] }}{{ ['say \"hi\"'] }}", "[\"it's\"]['say \"hi\"']"},
        {"{{ ['\\t\\x00\\x7f\\u200b'] }}", "['\\t\\x00\\x7f\\u200b']"},
        {"{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 5e-324 }}",
         "1e+16 1000000000000000.0 0.0001 1e-05 0.30000000000000004 5e-324"},
        {"{{ 1e300 * 1e10 }} {{ -1e300 * 1e10 }}", "inf -inf"},
        {"{{ d.items() }}{{ d.keys() }}",
         "dict_items([('b', 1), ('a', [1, 2])])dict_keys(['b', 'a'])"},
        {"{{ namespace(a=1) }}", "<Namespace {'a': 1}>"});
}

static void operators_follow_python(void)
{
    CHECK_PAIRS(
        {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 % -2 }} {{ 7 / 2 }} {{ 2 ** 3 ** 2 }}",
         "3 -4 2 -0.5 3.5 64"},
        {"{{ 'a' ~ 1 + 2 ~ 'b' if false else 'a' ~ n }}", "a7"},
        {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 == 2 }} {{ not 1 in [2] }}",
         "True False True True"},
        {"{{ 0 or '' or 'x' }} {{ 5 and 0 }} {{ none is none and 'y' }}", "x 0 y"},
        {"{{ 'a' if 0 else 'b' if 0 else 'c' }}|{{ 'x' if false }}|", "c||"},
        {"{{ s[::-1] }} {{ s[-3:] }} {{ s[20:] }}{{ a[1:] }} {{ uni[-2:] }}",
         "dlroW olleH rld [1, 2] \xE6\x97\xA5\xE6\x9C\xAC"},
        {"{{ [1] + [2] }} {{ 'ab' * 2 }} {{ (1, 2) == (1, 2) }} {{ [1, 2] < [1, 3] }}",
         "[1, 2] abab True True"},
        {"{{ '%s-%03d %r %.2f' % ('a', 5, 'b', 2.5) }}", "a-005 'b' 2.50"},
        {"{{ 'a' 'b' }}{{ \"\\x41\\u00e9\\101\\q\" }}", "abA\xC3\xA9\x41\\q"});
}

static void white_space_control(void)
{
    CHECK_PAIRS({"a  {%- if true -%}  b  {%- endif -%}  c", "abc"},
                {"  {% if true %}\n    keep\n  {% endif %}\nend", "    keep\nend"},
                {"x\n  {%+ if true %}y{% endif +%}\nz", "x\n  y\nz"},
                {"l1\n{# c #}\nl2 {#- c -#}   x", "l1\nl2x"}, {"{{ n }}\n{{ n }}\r\n", "7\n7"},
                {"a\r\nb\rc\n\n", "a\nb\nc\n"}, {"{% raw %}{{ x }}{% endraw %}\n|", "{{ x }}|"},
                {"a {%- raw -%} {{ x }} {%- endraw -%} b", "a{{ x }}b"},
                {"  {{ n }} {{- n -}} \n x", "  77x"});
}

static void loops(void)
{
    CHECK_PAIRS(
        {"{% for x in a %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} "
         "{% endfor %}",
         "12TrueFalse 21FalseFalse 30FalseTrue "},
        {"{% for x in a if x > 1 %}{{ loop.length }}{{ x }}{% else %}e{% endfor %}", "2322"},
        {"{% for x in a if x > 9 %}{{ x }}{% else %}e{% endfor %}", "e"},
        {"{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}"
         "{% break %}{% endif %}{{ x }}{% endfor %}",
         "13"},
        {"{% for x in a %}{{ loop.previtem }}<{{ loop.nextitem }}{{ loop.cycle('o', 'e') }};"
         "{% endfor %}",
         "<1o;3<2e;1<o;"},
        {"{% for x in [1,1,2] %}{{ loop.changed(x) }} {% endfor %}", "True False True "},
        {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=[1, 2];"},
        {"{% for x in [1, [2, [3]]] recursive %}{% if x is number %}{{ x }}@{{ loop.depth }}"
         "{% else %}({{ loop(x) }}){% endif %}{% endfor %}",
         "1@1(2@2(3@3))"},
        {"{% for i in [1,2] %}{% if loop.first %}{% set z = 'z' %}{% endif %}[{{ z }}]{% endfor %}",
         "[z][]"},
        {"{% for x in 'ab' %}{% set o = loop %}{% for y in 'cd' %}{{ o.index }}{{ loop.index }} "
         "{% endfor %}{% endfor %}",
         "11 12 21 22 "});
}

static void macros_and_scopes(void)
{
    CHECK_PAIRS(
        {"{% macro g(a, b='d', c=a ~ b) %}<{{ a }},{{ b }},{{ c }}>{% endmacro %}{{ g(1) }}"
         "{{ g(c=3, a=1) }}",
         "<1,d,1d><1,d,3>"},
        {"{% macro g(x) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ g(1, 2, k=4) }}",
         "(2,){'k': 4}"},
        {"{% macro m(x) %}{{ caller(x) }}{% endmacro %}{% call(v) m(2) %}[{{ v }}]{% endcall %}",
         "[2]"},
        {"{% macro f(x) %}{{ x }}{% if x %}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
         "3210"},
        {"{% macro f() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ f() }}", "2"},
        {"{% set v = 1 %}{% for i in a %}{% set v = v + i %}{% endfor %}{{ v }}", "1"},
        {"{% set ns = namespace(x=1) %}{% for i in a %}{% set ns.x = ns.x + i %}{% endfor %}"
         "{{ ns.x }}",
         "7"},
        {"{% with p = 1, q = 2 %}{{ p }}{{ q }}{% endwith %}{{ p }}", "12"},
        {"{% set x | upper %}ab{{ n }}{% endset %}{{ x }}", "AB7"},
        {"{% filter upper | replace('B', '-') %}abc{% endfilter %}", "A-C"},
        {"{% generation %}g{{ n }}{% endgeneration %}", "g7"},
        {"{% set x, (y, z) = 1, (2, 3) %}{{ x }}{{ y }}{{ z }}", "123"},
        {"{% set l = [] %}{% set _ = l.append(1) %}{{ l }}", "[1]"});
}

static void filters(void)
{
    CHECK_PAIRS(
        {"{{ w | trim }}|{{ s | replace('l', 'L', 1) }}|{{ s | title }}|{{ 'aB' | capitalize }}",
         "pad|HeLlo World|Hello World|Ab"},
        {"{{ a | sort }}{{ a | sort(reverse=true) }}{{ a | join('-') }}{{ a | sum }}{{ a | max }}",
         "[1, 2, 3][3, 2, 1]3-1-263"},
        {"{{ u | map(attribute='name') | join(',') }} {{ u | selectattr('ok') | list | length }} "
         "{{ u | rejectattr('age', 'gt', 26) | map(attribute='name') | list }}",
         "Bob,al 1 ['al']"},
        {"{{ u | sort(attribute='age') | map(attribute='age') | list }}", "[25, 30]"},
        {"{{ d | dictsort }}{{ d | items | list }}",
         "[('a', [1, 2]), ('b', 1)][('b', 1), ('a', [1, 2])]"},
        {"{{ d | tojson }}{{ [1, 'x\\n\"'] | tojson }}{{ {'a': []} | tojson(indent=1) }}",
         "{\"b\": 1, \"a\": [1, 2]}[1, \"x\\n\\\"\"]{\n \"a\": []\n}"},
        {"{{ uni | tojson(ensure_ascii=true) }}", "\"na\\u00efve \\u65e5\\u672c\""},
        {"{{ '{\"x\": [1, null]}' | from_json }}", "{'x': [1, None]}"},
        {"{{ x | default('d') }}{{ '' | default('e', true) }}{{ none_ | default('f') }}", "deNone"},
        {"{{ '3.7' | int }} {{ 'x' | int(5) }} {{ '0x1f' | int(0, 16) }} {{ '2.5' | float }}",
         "3 5 31 2.5"},
        {"{{ 2.675 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(0, 'ceil') }} {{ 7 | round }}",
         "2.67 2.0 3.0 7"},
        {"{{ 'a\\nb' | indent(2) }}|{{ [1,2,3] | batch(2) | list }}|{{ a | unique | list }}",
         "a\n  b|[[1, 2], [3]]|[3, 1, 2]"},
        {"{{ '<b>' | e }}{{ '<b>' | e | e }}{{ ('<' | e) + '>' }}", "&lt;b&gt;&lt;b&gt;&lt;&gt;"},
        {"{% for k, g in u | groupby('age') %}{{ k }}:{{ g | length }};{% endfor %}",
         "25:1;30:1;"});
}

static void methods_and_functions(void)
{
    CHECK_PAIRS(
        {"{{ ' a b  c '.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}",
         "['a', 'b', 'c']['a', 'b,c']['a,b', 'c']"},
        {"{{ 'xxaxx'.strip('x') }}{{ 'ab'.startswith(('x', 'a')) }}{{ 'ab'.endswith('b') }}",
         "aTrueTrue"},
        {"{{ 'abcb'.find('b') }}{{ 'abcb'.rfind('b') }}{{ 'aaa'.count('a') }}{{ uni.find('v') }}",
         "1333"},
        {"{{ '{}-{0}'.format(1) if false else '{}-{}'.format(1, 'x') }} {{ "
         "'{:>4}|{:.1f}'.format(5, "
         "2.25) }}",
         "1-x    5|2.2"},
        {"{{ ', '.join(['a', 'b']) }} {{ d.get('zz', 9) }} {{ 'ab'.upper() }}", "a, b 9 AB"},
        {"{{ strftime_now('%d %b %Y %H:%M %A %j %-d') }}", "15 Jan 2026 09:30 Thursday 015 15"},
        {"{{ dict(a=1) }}{% set c = cycler('x', 'y') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}",
         "{'a': 1}xyx"},
        {"{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "a|b"});
}

static void tests_of_values(void)
{
    CHECK_PAIRS(
        {"{{ x is defined }}{{ x is undefined }}{{ none_ is defined }}{{ none_ is none }}",
         "FalseTrueTrueTrue"},
        {"{{ d is mapping }}{{ a is sequence }}{{ s is string }}{{ s is iterable }}{{ n is number "
         "}}",
         "TrueTrueTrueTrueTrue"},
        {"{{ true is boolean }}{{ 1 is boolean }}{{ 1.0 is float }}{{ 9 is divisibleby 3 }}",
         "TrueFalseTrueTrue"},
        {"{{ 3 is in a }}{{ 3 is not in(a) }}{{ n is eq 7 }}{{ 'A' is upper }}",
         "TrueFalseTrueTrue"});
}

static void undefined_values(void)
{
    CHECK_PAIRS(
        {"[{{ x }}{{ x ~ 'a' }}{{ x | length }}{{ x | join }}{{ d.zz }}{{ none_.x }}]", "[a0]"},
        {"{{ d.nope.deeper }}", "line 1, column 11: 'dict object' has no attribute 'nope'"},
        {"{{ x.y }}", "line 1, column 6: 'x' is undefined"},
        {"{{ x + 1 }}", "line 1, column 6: 'x' is undefined"});
}

static void errors_name_their_place(void)
{
    CHECK_PAIRS(
        {"a\n {% do x %}", "line 2, column 5: unknown tag 'do'"},
        {"{% include 'x' %}", "line 1, column 4: this tag is not supported: 'include'"},
        {"{{ n | nope }}", "line 1, column 8: no filter named 'nope'"},
        {"{{ n is nope }}", "line 1, column 9: no test named 'nope'"},
        {"{{ 1 +", "line 1, column 1: the print tag is not closed, expected '}}'"},
        {"{% if n %}x", "line 1, column 12: unexpected end of the template"},
        {"{% endfor %}", "line 1, column 4: unknown tag 'endfor'"},
        {"{{ (1] }}", "line 1, column 6: unexpected ']'"},
        {"{# x", "line 1, column 1: missing end of comment tag"},
        {"{{ f(*a) }}", "line 1, column 6: arguments by * and ** are not supported"},
        {"{% break %}", "line 1, column 4: break and continue stand in loops only, and not in a "
                        "block whose text is kept"},
        {"\xC3\xA9{{ 1 / 0 }}", "line 1, column 7: division by zero"},
        {"{{ 'a' + 1 }}", "line 1, column 8: can only concatenate str (not \"int\") to str"},
        {"{{ 9223372036854775807 + 1 }}", "line 1, column 24: an integer of more than 64 bits"},
        {"{{ none_ | length }}", "line 1, column 12: object of type 'NoneType' has no len()"},
        {"{{ [1] | map('nope') | list }}", "line 1, column 10: no filter named 'nope'"},
        {"{{ d.update({}) }}",
         "line 1, column 12: a method that changes a 'dict' object is unsafe"},
        {"{{ a.append(1) }}",
         "line 1, column 12: access to attribute 'append' of 'list' object is unsafe"},
        {"{{ raise_exception('boom ' ~ n) }}", "boom 7"});
}

/* ---- reading JSON ------------------------------------------------------------------ */

static loam_status read_json(const char *json, char *message)
{
    const struct render_options options = {.steps = 100000, .memory = 1 << 20, .calls = 5};
    loam_error error = {.struct_size = sizeof error};
    struct memory memory;
    struct program program;
    struct rendered rendered;
    loam_memory_init(&memory, NULL, 0);
    CHECK_EQUAL(loam_program_compile(&program, &memory, "{{ v }}", 7, NULL), LOAM_OK);
    loam_status status =
        loam_render_run(&rendered, &program, &memory, json, strlen(json), &options, &error);
    snprintf(message, 496, "%s", status ? error.message : rendered.bytes);
    if (!status)
        loam_render_end(&rendered);
    loam_program_end(&program);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    return status;
}

static void contexts(void)
{
    static const struct pair good[] = {
        {"{\"v\": [1, -2, 3.5, 1e2, \"x\", true, false, null, {}]}",
         "[1, -2, 3.5, 100.0, 'x', True, False, None, {}]"},
        {" {\"v\" : \"\\ud83d\\ude00\\u00e9\\/\"} ", "\xF0\x9F\x98\x80\xC3\xA9/"},
        {"{\"v\": 1, \"v\": 2}", "2"},
        {"{}", ""},
    };
    static const struct pair bad[] = {
        {"[]", "context: is a JSON list, expected an object"},
        {"", "context: line 1, column 1: the text ends before the value"},
        {"{\"v\": 1,}", "context: line 1, column 9: expected a key in quotes"},
        {"{\"v\": [1 2]}", "context: line 1, column 10: expected ',' or ']'"},
        {"{\"v\": \"\\ud800\"}",
         "context: line 1, column 8: half of a surrogate pair stands alone"},
        {"{\"v\": 01}", "context: line 1, column 7: not a JSON value"},
        {"{\"v\": 99999999999999999999}",
         "context: line 1, column 7: an integer of more than 64 bits"},
        {"{\"v\": 1} x", "context: line 1, column 10: more text behind the value"},
        {"{\"v\": \"\xFF\"}", "context: is not valid UTF-8"},
        {"{\"v\": \"a\nb\"}", "context: line 1, column 9: a control character inside a string"},
    };
    char message[496];
    for (size_t i = 0; i < LOAM_COUNT_OF(good); i++) {
        CHECK_EQUAL(read_json(good[i].source, message), LOAM_OK);
        CHECK_TEXT(message, good[i].expected);
    }
    for (size_t i = 0; i < LOAM_COUNT_OF(bad); i++) {
        CHECK_EQUAL(read_json(bad[i].source, message), LOAM_FORMAT);
        CHECK_TEXT(message, bad[i].expected);
    }
}

int main(void)
{
    RUN(values_are_shown_as_in_python);
    RUN(operators_follow_python);
    RUN(white_space_control);
    RUN(loops);
    RUN(macros_and_scopes);
    RUN(filters);
    RUN(methods_and_functions);
    RUN(tests_of_values);
    RUN(undefined_values);
    RUN(errors_name_their_place);
    RUN(contexts);
    return test_end();
}
