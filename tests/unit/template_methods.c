/* SPDX-License-Identifier: MIT */
/* Methods, tests, filters and formats of the template language. What is expected
 * is the output of Jinja2 3.1 with Python 3.11 in Hugging Face's setting. */
#include "template/render.h"
#include "test.h"

static const struct {
    const char *source, *expected;
} cases[] = {
    {"{{ 'hello wORLD'.capitalize() }}|{{ 'hello wORLD'.swapcase() }}|{{ \"they're "
     "bill's\".title() }}",
     "Hello world|HELLO World|They'Re Bill'S"},
    {"{{ 'ab'.center(7, '*') }}|{{ 'ab'.center(6) }}|{{ 'abc'.ljust(6, '.') }}|{{ 'abc'.rjust(6) "
     "}}|{{ 'abc'.center(2) }}",
     "***ab**|  ab  |abc...|   abc|abc"},
    {"{{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '+4'.zfill(4) }} {{ 'abc'.zfill(2) }}",
     "00042 -0042 +004 abc"},
    {"{{ 'banana'.count('an') }} {{ 'banana'.count('') }} {{ 'banana'.count('a', 2) }} {{ "
     "'banana'.count('a', 0, 3) }}",
     "2 7 2 1"},
    {"{{ 'banana'.find('an') }} {{ 'banana'.rfind('an') }} {{ 'banana'.find('x') }} {{ "
     "'banana'.find('a', -2) }} {{ 'banana'.rfind('a', 0, -1) }}",
     "1 3 -1 5 3"},
    {"{{ 'banana'.index('n') }} {{ 'banana'.rindex('n') }}", "2 4"},
    {"{{ 'na\xC3\xAFve caf\xC3\xA9'.find('c') }} {{ 'na\xC3\xAFve caf\xC3\xA9'.rfind('\xC3\xA9') "
     "}} {{ 'na\xC3\xAFve'.index('v') }}",
     "6 9 3"},
    {"{{ 'x'.startswith(('y', 'x')) }} {{ 'xyz'.startswith('yz', 1) }} {{ 'xyz'.endswith('y', 0, "
     "2) }} {{ 'xyz'.endswith(('a', 'b')) }}",
     "True True True False"},
    {"{{ 'abc'.isalpha() }} {{ 'ab1'.isalpha() }} {{ ''.isalpha() }} {{ 'ab1'.isalnum() }} {{ 'a "
     "b'.isalnum() }}",
     "True False False True False"},
    {"{{ '12'.isdigit() }} {{ '1\xC2\xB2'.isdigit() }} {{ '1\xC2\xB2'.isdecimal() }} {{ "
     "'12'.isdecimal() }} {{ ''.isdigit() }}",
     "True True False True False"},
    {"{{ 'abc'.islower() }} {{ 'aBc'.islower() }} {{ '12'.islower() }} {{ 'AB1'.isupper() }} {{ "
     "'Ab'.isupper() }}",
     "True False False True False"},
    {"{{ ' \\t\\n'.isspace() }} {{ ''.isspace() }} {{ ' a'.isspace() }} {{ 'abc'.isascii() }} {{ "
     "'\xC3\xA9'.isascii() }} {{ ''.isascii() }}",
     "True False False True False True"},
    {"{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }} {{ "
     "'abc'.rpartition('=') }}",
     "('a', '=', 'b=c') ('a=b', '=', 'c') ('abc', '', '') ('', '', 'abc')"},
    {"{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x'.removeprefix('yy') }} {{ "
     "'file.txt'.removesuffix('.txt') }} {{ 'x'.removesuffix('') }}",
     "x x file x"},
    {"{{ 'a,b,,c'.split(',') }} {{ 'a,b,,c'.split(',', 1) }} {{ 'a,b,,c'.rsplit(',', 1) }} {{ "
     "'a,b,c'.rsplit(',') }}",
     "['a', 'b', '', 'c'] ['a', 'b,,c'] ['a,b,', 'c'] ['a', 'b', 'c']"},
    {"{{ '  a  b c '.split() }} {{ '  a  b c '.split(none, 1) }} {{ '  a  b c '.rsplit(none, 1) }} "
     "{{ ''.split() }} {{ ''.split(',') }}",
     "['a', 'b', 'c'] ['a', 'b c '] ['  a  b', 'c'] [] ['']"},
    {"{{ 'one\\ntwo\\r\\nthree\\rfour\\n'.splitlines() }} {{ 'one\\ntwo\\n'.splitlines(true) }} {{ "
     "''.splitlines() }}",
     "['one', 'two', 'three', 'four'] ['one\\n', 'two\\n'] []"},
    {"{{ 'xxabcxx'.strip('x') }} {{ 'xyabcxy'.lstrip('xy') }} {{ 'abcxx'.rstrip('x') }} [{{ '  a "
     "'.lstrip() }}] [{{ '  a '.rstrip() }}]",
     "abc abcxy abc [a ] [  a]"},
    {"{{ 'aaa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'bb', 2) }} {{ 'abc'.replace('', '-') }} "
     "{{ 'abc'.replace('', '-', 2) }}",
     "bbb bbbba -a-b-c- -a-bc"},
    {"{{ '-'.join(['a', 'b', 'c']) }} {{ ''.join('xyz') }} {{ ', '.join({'k': 1, 'l': 2}) }}",
     "a-b-c xyz k, l"},
    {"{{ '\xC3\x84\xC3\x96'.lower() }} {{ 'stra\xC3\x9F"
     "e'.upper() }} {{ '\xC5\x89'.upper() }} {{ '\xC3\x80\xC3\x89'.swapcase() }}",
     "\xC3\xA4\xC3\xB6 STRASSE \xCA\xBCN \xC3\xA0\xC3\xA9"},
    {"{{ {'a': 1, 'b': 2}.copy() }} {{ {'a': 1}.get('b', 3) }} {{ {'a': 1}.get('b') }} {{ {'a': 1, "
     "'b': 2}.values() | list }}",
     "{'a': 1, 'b': 2} 3 None [1, 2]"},
    {"{{ [1, 2, 1].count(1) }} {{ [1, 2, 1].index(2) }} {{ (1, 2).index(2) }} {{ (1, 1).count(1) "
     "}} {{ [1, 2].copy() }}",
     "2 1 1 2 [1, 2]"},
    {"{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }} {% endfor %}",
     "Truea Falseb Truea "},
    {"{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ "
     "c.reset() }}{{ c.current }}",
     "abaaNonea"},
    {"{% set j = joiner(', ') %}{{ j() }}a{{ j() }}b{{ j() }}c", "a, b, c"},
    {"{{ 'abc' is string }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ true is "
     "boolean }} {{ none is none }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is iterable }}",
     "True True True True True True True True True"},
    {"{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby(3) }} {{ 'a' is lower }} {{ 'A' is upper "
     "}} {{ 1 is sameas 1 }} {{ 2 is in [1, 2] }} {{ 1 is eq 1 }} {{ 1 is ne 2 }}",
     "True True True True True True True True True"},
    {"{{ 1 is lt 2 }} {{ 1 is le 1 }} {{ 2 is gt 1 }} {{ 2 is ge 3 }} {{ 'x' is filter }} {{ "
     "'upper' is filter }} {{ 'odd' is test }} {{ range is callable }} {{ x is undefined }} {{ 1 "
     "is defined }}",
     "True True True False False True True True True True"},
    {"{{ 'x' is escaped }} {{ ('<' | e) is escaped }} {{ true is true }} {{ false is false }} {{ 1 "
     "is true }}",
     "False True True True False"},
    {"{{ '%5.1f|%-6s|%+d|%x|%o|%e|%%' % (3.14159, 'ab', 5, 255, 8, 12345.678) }}",
     "  3.1|ab    |+5|ff|10|1.234568e+04|%"},
    {"{{ '%s %r' % ('a', 'b') }} {{ '%(k)s' % {'k': 'v'} }} {{ '%c' % 'z' }} {{ '%05d' % -42 }} {{ "
     "'%.3s' % 'abcdef' }}",
     "a 'b' v z -0042 abc"},
    {"{{ '{} {}'.format('a', 1) }} {{ '{1}{0}'.format('a', 'b') }} {{ '{k}'.format(k='v') }} {{ "
     "'{:>6}|{:<6}|{:^6}|{:*^7}'.format('a', 'b', 'c', 'd') }}",
     "a 1 ba v      a|b     |  c   |***d***"},
    {"{{ '{:05d} {:+d} {:x} {:#x} {:b} {:o} {:,}'.format(42, 42, 255, 255, 5, 8, 1234567) }} {{ "
     "'{:.2f} {:8.3f} {:e} {:g} {:%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.25) }}",
     "00042 +42 ff 0xff 101 10 1,234,567 3.14    2.500 1.234568e+04 0.0001 25.000000%"},
    {"{{ '{0[0]} {1.x}'.format([1], {'x': 2}) if false else 'ok' }} {{ '{{}}'.format() }} {{ '{!r} "
     "{!s}'.format('a', 'b') }}",
     "ok {} 'a' b"},
    {"{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | "
     "sort(case_sensitive=true) }} {{ [1, 2, 3] | reverse | list }} {{ 'abc' | reverse }}",
     "[1, 2, 3] ['A', 'b', 'c'] ['A', 'b'] [3, 2, 1] cba"},
    {"{{ [1, 2, 3, 4, 5] | batch(2, 0) | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 1, "
     "2] | unique | list }} {{ ['a', 'A'] | unique | list }}",
     "[[1, 2], [3, 4], [5, 0]] [[1, 2, 3], [4, 5]] [1, 2] ['a']"},
    {"{{ [1, 2, 3] | min }} {{ [1, 2, 3] | max }} {{ ['b', 'A'] | min }} {{ [1, 2] | sum }} {{ "
     "[{'v': 1}, {'v': 2}] | sum('v') }} {{ [1.5, 2] | sum }}",
     "1 3 A 3 3 3.5"},
    {"{{ 3.7 | round }} {{ 3.14159 | round(2) }} {{ 3.2 | round(0, 'ceil') }} {{ 3.7 | "
     "round(method='floor') }} {{ -3 | abs }} {{ '7' | int }} {{ 'x' | int(5) }} {{ 'ff' | int(0, "
     "16) }} {{ '1.5' | float }}",
     "4.0 3.14 4.0 3.0 3 7 5 255 1.5"},
    {"{{ 'a b c' | wordcount }} {{ '<a>' | e "
     "}} {{ 'x' | center(5) }} {{ 'a\\nb' | indent(2, true) }}",
     "3 &lt;a&gt;   x     a\n  b"},
    {"{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }} {{ {'b': 1, "
     "'a': 2} | dictsort(reverse=true) }} {{ {'a': 1} | items | list }}",
     "[('a', 2), ('b', 1)] [('b', 1), ('a', 2)] [('b', 1), ('a', 2)] [('a', 1)]"},
    {"{{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('odd') | list }} {{ ['a', ''] | "
     "select | list }} {{ [{'a': 1}, {'b': 2}] | selectattr('a') | list }} {{ [{'a': 1}, {'b': 2}] "
     "| rejectattr('a') | list }}",
     "[1, 3] [2] ['a'] [{'a': 1}] [{'b': 2}]"},
    {"{{ [1, 2, 3] | first }} {{ [1, 2, 3] | last }} {{ 'abc' | length }} {{ [1] | count }} {{ "
     "'abc' | list }} {{ none | default('d') }} {{ '' | default('d', true) }} {{ x | default('d') "
     "}}",
     "1 3 3 1 ['a', 'b', 'c'] None d d"},
    {"{{ 'a-b' | replace('-', '+') }} {{ 'aBc' | upper }} {{ 'aBc' | lower }} {{ ' x ' | trim }} "
     "{{ 'xax' | trim('x') }} {{ 'abc' | title }} {{ [1, 2] | string }} {{ 'x' | format }} {{ "
     "'%s!' | format('hi') }}",
     "a+b ABC abc x a Abc [1, 2] x hi!"},
};

static void outputs_are_those_of_jinja2(void)
{
    const struct render_options options = {.steps = 1000000, .memory = 1 << 20, .calls = 50};
    loam_error error = {.struct_size = sizeof error};
    struct memory memory;
    loam_memory_init(&memory, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program program;
        struct rendered rendered;
        const char *source = cases[i].source;
        error.message[0] = 0;
        loam_status status =
            loam_program_compile(&program, &memory, source, strlen(source), &error);
        if (!status) {
            status = loam_render_run(&rendered, &program, &memory, "{}", 2, &options, &error);
            loam_program_end(&program);
        }
        if (status || strcmp(rendered.bytes, cases[i].expected) != 0)
            printf("# %s: %s\n", source, error.message);
        CHECK_EQUAL(status, LOAM_OK);
        if (!status) {
            CHECK_TEXT(rendered.bytes, cases[i].expected);
            loam_render_end(&rendered);
        }
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* What the sandbox of the reference forbids too. */
static void methods_that_change_are_forbidden(void)
{
    static const char *const sources[] = {
        "{{ {}.clear() }}",          "{{ {}.pop('a') }}",      "{{ {}.popitem() }}",
        "{{ {}.setdefault('a') }}",  "{{ {}.update({}) }}",    "{{ [1].clear() }}",
        "{{ [1].extend([2]) }}",     "{{ [1].insert(0, 1) }}", "{{ [1].pop() }}",
        "{{ [1].remove(1) }}",       "{{ [1].reverse() }}",    "{{ [1].sort() }}",
        "{{ a.append(1) }}",         "{{ [1].index(2) }}",     "{{ 'a'.index('b') }}",
        "{{ 'a'.rindex('b') }}",     "{{ 'a'.split('') }}",    "{{ 'a'.partition('') }}",
        "{{ 'a'.center(3, 'xy') }}", "{{ 'a'.nothing() }}",    "{{ '%d' % 'x' }}",
        "{{ '%s %s' % 'x' }}",       "{{ '%y' % 1 }}",         "{{ '{'.format() }}",
        "{{ '{1}'.format(1) }}",     "{{ '{:y}'.format(1) }}"};
    const struct render_options options = {.steps = 10000, .memory = 1 << 20, .calls = 50};
    struct memory memory;
    loam_memory_init(&memory, NULL, 0);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        static const char context[] = "{\"a\": [1]}";
        loam_error error = {.struct_size = sizeof error};
        struct program program;
        struct rendered rendered;
        loam_status status =
            loam_program_compile(&program, &memory, sources[i], strlen(sources[i]), &error);
        if (!status) {
            status = loam_render_run(&rendered, &program, &memory, context, sizeof context - 1,
                                     &options, &error);
            loam_program_end(&program);
            if (!status) {
                printf("# %s gave \"%s\"\n", sources[i], rendered.bytes);
                loam_render_end(&rendered);
            }
        }
        CHECK(status != LOAM_OK && strstr(error.message, "line 1, column "));
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

int main(void)
{
    RUN(outputs_are_those_of_jinja2);
    RUN(methods_that_change_are_forbidden);
    return test_end();
}
