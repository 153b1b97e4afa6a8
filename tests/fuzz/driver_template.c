/* SPDX-License-Identifier: MIT */
/*
 * Runs the template target without a fuzzer: over templates of our own that
 * are put together anew, word by word, and over the files that are named. The
 * same every time.
 *
 *     fuzz-template COPIES [FILE...]
 */
#include "fuzz.h"
#include "test.h"

static long copies;
static char **files;

static const char *const seeds[] = {
    "{%- for m in messages %}{{ '<|' ~ m.role ~ '|>' }}{{ m['content'] | trim }}{% if not "
    "loop.last "
    "%}\n{% endif %}{% else %}none{%- endfor -%}{% if add_generation_prompt %}<|a|>{% endif %}",
    "{% macro f(a, b=2, c=a ~ b) %}{{ a }}{{ b }}{{ caller() if caller else varargs }}{{ kwargs }}"
    "{% endmacro %}{{ f(1, c=3) }}{% call(x) f(n) %}{{ x }}{% endcall %}{{ f(1, 2, 3, 4, k=5) }}",
    "{% set ns = namespace(x='', y=[]) %}{% for t in tools %}{% set ns.x = ns.x ~ t | "
    "tojson(indent=2) "
    "%}{% set ns.y = ns.y + [t.function.name] %}{% endfor %}{{ ns.x }}{{ ns.y | join(', ') }}",
    "{{ a | sort(reverse=true) | map('string') | join('-') }}{{ s[::-1] }}{{ s[1:-1].split('l') }}"
    "{{ '%5s|%-5d|%.2f' | format(s, n, 2.5) }}{{ '{:>8}{!r}'.format(s, s) }}{{ a | batch(2) | list "
    "}}",
    "{% set x | upper | replace('A', 'b') %} a {{ n }} {% endset %}{{ x | indent(2) }}{% filter "
    "trim %} q "
    "{% endfilter %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{% raw %}{{ x }}{% endraw "
    "%}{# c #}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{% if x == 3 %}{% "
    "break "
    "%}{% else %}{% continue %}{% endif %}{% endfor %}{{ range(3) | list }}{{ strftime_now('%d %b "
    "%Y') }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}{{ "
    "messages "
    "| groupby('role') }}{{ messages[0] | dictsort }}{{ x.y if x is defined else x | default('d', "
    "true) }}",
    "{{ (1 + 2 * 3 - 4) // 2 % 3 ** 2 / 1.5 }}{{ 1 < 2 <= 3 != 4 }}{{ not (a and n or 0) in [1, 2] "
    "}}{{ -n "
    "| abs | round(1) | int }}{{ '3.5' | float }}{{ raise_exception('no') if n == 8 }}{{ '[1]' | "
    "from_json }}",
};

/* Where the next word begins: letters and digits together, others alone. */
static size_t word_end(const char *text, size_t at)
{
    size_t end = at + 1;
    if (strchr("{%}-+", text[at]))
        while (text[end] && strchr("{%}-+", text[end]))
            end++;
    else
        while (text[end] >= 'a' && text[end] <= 'z')
            end++;
    return end;
}

/* Copies a text word by word; now and then a word is left out, doubled,
 * replaced by one of another text, or changed. */
static size_t change(char *out, size_t room, const char *text, size_t length, uint64_t *random)
{
    static const char values[] = {0, 1, '\n', '"', '\\', '{', '}', '%', -1, -61};
    size_t written = 0;
    uint32_t rate = 4 + test_random(random) % 400;
    for (size_t at = 0, end; at < length && written + 600 < room; at = end) {
        end = word_end(text, at);
        size_t word = end - at < 200 ? end - at : 200;
        uint32_t kind = test_random(random) % rate;
        const char *from = text + at;
        if (kind == 0)
            continue;
        if (kind == 1) {
            const char *other = seeds[test_random(random) % (sizeof seeds / sizeof seeds[0])];
            size_t place = test_random(random) % strlen(other);
            from = other + place;
            word = word_end(other, place) - place;
        }
        for (uint32_t times = kind == 2 ? 2 : 1; times > 0; times--) {
            memcpy(out + written, from, word);
            written += word;
        }
        if (kind == 3)
            out[written - 1] = values[test_random(random) % sizeof values];
    }
    return written;
}

static void change_copies(const char *text, size_t length, long count, uint64_t *random)
{
    static char copy[1 << 16];
    LLVMFuzzerTestOneInput((const uint8_t *)text, length);
    for (long i = 0; i < count; i++)
        LLVMFuzzerTestOneInput((const uint8_t *)copy,
                               change(copy, sizeof copy, text, length, random));
}

static void changed_templates_do_no_harm(void)
{
    uint64_t random = 1;
    size_t count = sizeof seeds / sizeof seeds[0];
    for (size_t i = 0; i < count; i++)
        change_copies(seeds[i], strlen(seeds[i]), copies / (long)count, &random);
}

static void files_do_no_harm(void)
{
    uint64_t random = 2;
    for (char **name = files; *name; name++) {
        size_t size;
        char *bytes = (char *)test_read(*name, &size);
        REQUIRE(bytes);
        change_copies(bytes, size, copies / 50, &random);
        free(bytes);
    }
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    files = arguments + (count > 1 ? 2 : 1);
    RUN(files_do_no_harm);
    RUN(changed_templates_do_no_harm);
    return test_end();
}
