/* SPDX-License-Identifier: MIT */
/* Hostile templates and contexts: steps, memory, depth and stack have bounds,
 * and every allocation may fail. */
#include "fault/host.h"
#include "template/render.h"
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>

static const struct render_options usual = {.steps = 2000000, .memory = 8 << 20, .calls = 100};

/* Compiles and renders; what is made is given back. */
static loam_status try(struct memory *memory, const char *source, size_t length,
                       const char *context, const struct render_options *options, loam_error *error)
{
    struct program program;
    struct rendered rendered;
    loam_status status = loam_program_compile(&program, memory, source, length, error);
    if (status)
        return status;
    status = loam_render_run(&rendered, &program, memory, context, strlen(context), options, error);
    if (!status)
        loam_render_end(&rendered);
    loam_program_end(&program);
    return status;
}

static loam_status run(const char *source, const char *context)
{
    loam_error error = {.struct_size = sizeof error};
    struct memory memory;
    loam_memory_init(&memory, NULL, 0);
    loam_status status = try(&memory, source, strlen(source), context, &usual, &error);
    if (status)
        CHECK(error.message[0] != 0);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    CHECK(atomic_load(&memory.peak) < 16 << 20);
    return status;
}

static void steps_are_counted(void)
{
    static const char *const endless[] = {
        "{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) "
        "}}",
        "{% set x = 'a' * 2000000 %}{% for i in range(9999) %}{{ x.find('b') }}{% endfor %}",
        "{% set x = 'a' * 1000000 %}{{ (x ~ x).find(x ~ 'b' ~ x) }}{% for i in range(999) %}"
        "{{ (x ~ 'c').count(x[1:] ~ 'b') }}{% endfor %}",
        "{{ '' * 9 }}{{ 'x'.center(9999999999) }}",
        "{{ 'x' | indent(9999999999) }}",
        "{{ ([1] * 1000000) | sort | unique | list | length }}",
        "{% for i in range(99999) %}{{ [1,2,3,4,5,6,7,8,9] | map('string') | join }}{% endfor %}",
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(endless); i++) {
        loam_status status = run(endless[i], "{}");
        if (status != LOAM_UNSUPPORTED && status != LOAM_MEMORY)
            printf("# %s: %s\n", endless[i], loam_status_name(status));
        CHECK(status == LOAM_UNSUPPORTED || status == LOAM_MEMORY);
    }
}

static void memory_is_limited(void)
{
    static const char *const large[] = {
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}"
        "{% endfor %}",
        "{{ 'abc' * 9000000 }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}"
        "{% endfor %}",
        "{% for i in range(99999) %}{{ "
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% "
        "endfor %}",
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(large); i++)
        CHECK_EQUAL(run(large[i], "{}"), LOAM_MEMORY);
    /* A text put together piece by piece is not copied each time. */
    CHECK_EQUAL(run("{% set ns = namespace(x='') %}{% for i in range(20000) %}{% set ns.x = ns.x ~ "
                    "'0123456789' %}{% endfor %}{{ ns.x | length }}",
                    "{}"),
                LOAM_OK);
}

/* `count` times the one, the middle, `count` times the other. */
static char *nest(const char *before, const char *middle, const char *after, size_t count)
{
    size_t room = count * (strlen(before) + strlen(after)) + strlen(middle) + 1;
    char *text = malloc(room), *at = text;
    if (!text)
        abort();
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s", before);
    at += sprintf(at, "%s", middle);
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s", after);
    return text;
}

static const struct {
    const char *begin, *before, *middle, *after, *end;
} nests[] = {
    {"{{ ", "(", "1", ")", " }}"},
    {"{{ ", "[", "1", "]", " }}"},
    {"{{ ", "{1:", "1", "}", " }}"},
    {"{{ ", "a[", "1", "]", " }}"},
    {"{{ ", "f(", "1", ")", " }}"},
    {"{{ ", "1 + (2 * ", "1", ")", " }}"},
    {"{{ ", "not ", "1", "", " }}"},
    {"{{ ", "-", "1", "", " }}"},
    {"{{ ", "1 if 1 else ", "1", "", " }}"},
    {"{{ 1", " if 1", "", "", " }}"},
    {"{{ ", "1 or 1 and 1 == 1 + 1 ~ 1 * 1 ** (", "1", ")", " }}"},
    {"{{ 1", " | default(1", "", ")", " }}"},
    {"{{ 1 ", " is eq(1", "", ")", " }}"},
    {"", "{% if 1 %}", "1", "{% endif %}", ""},
    {"", "{% for x in [1] %}", "1", "{% endfor %}", ""},
    {"", "{% with %}", "1", "{% endwith %}", ""},
    {"", "{% macro m() %}", "1", "{% endmacro %}", ""},
    {"", "{% call m() %}", "1", "{% endcall %}", ""},
    {"", "{% filter upper %}", "1", "{% endfilter %}", ""},
    {"", "{% set x %}", "1", "{% endset %}", ""},
    {"{% set ", "(", "x", ",)", " = 1 %}"},
    {"{{ 1 ", "+ 1 ", "", "", "}}"},
    {"{{ a", ".b", "", "", " }}"},
    {"{{ a", "[1]", "", "", " }}"},
    {"{{ a", "()", "", "", " }}"},
    {"{{ 1", "|string", "", "", " }}"},
    {"{{ 1", " == 1", "", "", " }}"},
    {"{{ 1", " and 1", "", "", " }}"},
};

static const char *const recursive[] = {
    "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
    "{% set l = [] %}{% set m = [] %}{% set _ = l.append(m) %}{% set _ = m.append(l) %}{{ l == m "
    "}}",
    "{% set l = [] %}{% set m = [] %}{% set _ = l.append(m) %}{% set _ = m.append(l) %}{{ l < m }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}"
    "{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{% for i in range(5000) %}{% set ns.x = {'a': ns.x} %}{% endfor "
    "%}"
    "{{ ns.x | tojson(sort_keys=true, indent=2) }}",
    "{% set ns = namespace(x=()) %}{% for i in range(5000) %}{% set ns.x = (ns.x,) %}{% endfor %}"
    "{{ {ns.x: 1} }}{{ {1: 1, ns.x: 2} }}",
    "{{ [[[1]]] | map('map', 'map', 'string') | map('list') | list }}",
    "{{ [1] | map('map', 'map', 'map', 'map', 'map', 'map', 'map', 'map', 'map', 'map') | list }}",
    "{{ 3.3 | round(5) }}{{ '%.300f' | format(1e-300) }}{{ 1e300 | int }}",
    "{{ '{:.99f}|{:e}'.format(1.1, 2.2) }}{{ 1e308 }}{{ '1e-400' | float }}{{ strftime_now('%c') "
    "}}",
};

static void *deep_inputs(void *context)
{
    static char source[1 << 20];
    int *refused = context;
    for (size_t i = 0; i < LOAM_COUNT_OF(nests); i++)
        for (size_t count = 1; count <= 10000; count = count < 30 ? count + 1 : count * 3 / 2) {
            char *middle = nest(nests[i].before, nests[i].middle, nests[i].after, count);
            snprintf(source, sizeof source, "%s%s%s", nests[i].begin, middle, nests[i].end);
            loam_status status = run(source, "{\"a\": [[1, 2]]}");
            CHECK(status == LOAM_OK || status == LOAM_UNSUPPORTED || status == LOAM_FORMAT);
            *refused += status == LOAM_UNSUPPORTED;
            free(middle);
        }
    for (size_t i = 0; i < LOAM_COUNT_OF(recursive); i++)
        run(recursive[i], "{}");
    for (size_t count = 1; count < 100000; count *= 2) {
        char *json = nest("[", "", "]", count), *objects = nest("{\"a\":", "1", "}", count);
        snprintf(source, sizeof source, "{\"v\": %s}", json);
        CHECK_EQUAL(run("{{ v }}{{ v | tojson }}{{ v == v[0] }}{{ v < v }}", source),
                    count < VALUE_DEPTH - 1 ? LOAM_OK : LOAM_FORMAT);
        snprintf(source, sizeof source, "{\"v\": %s}", objects);
        CHECK_EQUAL(run("{{ v }}{{ v | tojson }}{{ v == v.a }}", source),
                    count < VALUE_DEPTH - 1 ? LOAM_OK : LOAM_FORMAT);
        free(json);
        free(objects);
    }
    return NULL;
}

/* On the uppermost 64 KB of a stack whose rest can't be touched. */
static void stack_of_64_kb_suffices(void)
{
    enum { WHOLE = 256 * 1024, SUFFICES = 64 * 1024 };
    pthread_attr_t attributes;
    pthread_t thread;
    int refused = 0;
#if TEST_SANITIZED
    deep_inputs(&refused);
    SKIP("sanitizers need more stack than the code");
#endif
    char *stack = mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(stack != MAP_FAILED && mprotect(stack, WHOLE - SUFFICES, PROT_NONE) == 0);
    pthread_attr_init(&attributes);
    REQUIRE(pthread_attr_setstack(&attributes, stack, WHOLE) == 0);
    REQUIRE(pthread_create(&thread, &attributes, deep_inputs, &refused) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    munmap(stack, WHOLE);
    CHECK(refused > 50);
}

/* Reasonable templates are not refused. */
static void ordinary_depth_works(void)
{
    static const char *const pairs[][3] = {{"(", "1", ")"},
                                           {"[", "1", "]"},
                                           {"{% if 1 %}", "x", "{% endif %}"},
                                           {"{% for x in [1] %}", "x", "{% endfor %}"}};
    char source[4096];
    for (size_t i = 0; i < 4; i++) {
        char *middle = nest(pairs[i][0], pairs[i][1], pairs[i][2], 40);
        snprintf(source, sizeof source, i < 2 ? "{{ %s }}" : "%s", middle);
        CHECK_EQUAL(run(source, "{}"), LOAM_OK);
        free(middle);
    }
    CHECK_EQUAL(
        run("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}", "{}"),
        LOAM_OK);
}

/* ---- memory that fails ------------------------------------------------------------------- */

static const char whole[] =
    "{% macro m(a, b='x') %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}"
    "{% set ns = namespace(t='') %}{% for x in messages if x.role != 'z' %}{{ loop.index }}"
    "{% set ns.t = ns.t ~ x.role | upper ~ '.' %}{{ x.content | trim | replace('a', 'bb') }}"
    "{% endfor %}{{ ns.t }}{{ messages | tojson(indent=2) }}{{ messages }}"
    "{% call m(1, 2, 3, k=4) %}body{% endcall %}{{ messages | map(attribute='role') | list | sort "
    "}}"
    "{{ 'a,b'.split(',') }}{{ '{:>5}'.format(3) }}{{ '%s' % 'x' }}{{ [1.5, 'x'] ~ '<' | e }}"
    "{{ messages[0] | dictsort }}{% filter upper %}q{% endfilter %}{{ 'abc'[::-1] }}"
    "{{ messages | groupby('role') }}{{ '[1]' | from_json }}{% with a = 1 %}{{ a }}{% endwith %}";
static const char whole_context[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \" a\\u00e9a \"}, {\"role\": \"b\", "
    "\"content\": \"x\", \"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,"
    "\"10\":1,\"11\":1,\"12\":1,\"13\":1}]}";

static void every_allocation_may_fail(void)
{
    struct host plain = {0};
    loam_error error = {.struct_size = sizeof error};
    loam_allocator allocator = host_allocator(&plain);
    struct memory memory;
    loam_memory_init(&memory, &allocator, 0);
    CHECK_EQUAL(try(&memory, whole, strlen(whole), whole_context, &usual, &error), LOAM_OK);
    if (test_failed_here)
        printf("# %s\n", error.message);
    long calls = atomic_load(&plain.calls);
    printf("# %ld allocations\n", calls);
    CHECK(calls > 5);
    for (long n = 1; n <= calls; n++) {
        struct host host = {.fail_from = n, .fail_to = n};
        allocator = host_allocator(&host);
        loam_memory_init(&memory, &allocator, 0);
        CHECK_EQUAL(try(&memory, whole, strlen(whole), whole_context, &usual, &error), LOAM_MEMORY);
        CHECK_EQUAL(atomic_load(&host.blocks), 0);
        CHECK_EQUAL(atomic_load(&host.wrong), 0);
    }
}

/* The same, finer: each limit in bytes of the rendering's memory. */
static void every_limit_is_kept(void)
{
    int worked = 0, refused = 0;
    for (uint64_t limit = 1; limit < 200000; limit = limit * 9 / 8 + 1) {
        struct memory memory;
        struct render_options options = usual;
        options.memory = limit;
        loam_memory_init(&memory, NULL, 0);
        loam_status status = try(&memory, whole, strlen(whole), whole_context, &options, NULL);
        CHECK(status == LOAM_OK || status == LOAM_MEMORY);
        *(status ? &refused : &worked) += 1;
        CHECK_EQUAL(atomic_load(&memory.held), 0);
    }
    for (uint64_t steps = 1; steps < 4000; steps = steps * 9 / 8 + 1) {
        struct memory memory;
        struct render_options options = usual;
        options.steps = steps;
        loam_memory_init(&memory, NULL, 0);
        loam_status status = try(&memory, whole, strlen(whole), whole_context, &options, NULL);
        CHECK(status == LOAM_OK || status == LOAM_UNSUPPORTED);
        *(status ? &refused : &worked) += 1;
    }
    CHECK(worked > 1 && refused > 20);
}

/* ---- memory that is used again ------------------------------------------------------------- */

/* A rendering with what the one before left: the same text and the same limits. */
static void spare_memory_changes_nothing(void)
{
    struct memory memory;
    struct program program;
    loam_memory_init(&memory, NULL, 0);
    REQUIRE(loam_program_compile(&program, &memory, whole, strlen(whole), NULL) == LOAM_OK);
    uint64_t compiled = atomic_load(&memory.held);
    int worked = 0;
    for (uint64_t limit = 20000; limit < 200000; limit += 1999) {
        struct render_options options = usual;
        struct rendered fresh, again;
        struct heap_chunk *spare = NULL;
        options.memory = 8 << 20; /* chunks of a rendering with more room, first */
        REQUIRE(!loam_render_run(&fresh, &program, &memory, whole_context, strlen(whole_context),
                                 &options, NULL));
        spare = loam_render_end_keeping(&fresh);
        CHECK(spare != NULL);
        options.memory = limit;
        loam_status status = loam_render_run(&fresh, &program, &memory, whole_context,
                                             strlen(whole_context), &options, NULL);
        options.spare = spare;
        loam_status repeated = loam_render_run(&again, &program, &memory, whole_context,
                                               strlen(whole_context), &options, NULL);
        CHECK_EQUAL(repeated, status);
        if (!status && !repeated) {
            CHECK(again.length == fresh.length &&
                  memcmp(again.bytes, fresh.bytes, fresh.length) == 0);
            CHECK_EQUAL(again.heap.held, fresh.heap.held);
            loam_heap_free_spare(&memory, loam_render_end_keeping(&again));
            loam_render_end(&fresh);
            worked++;
        }
        CHECK_EQUAL(atomic_load(&memory.held), compiled);
    }
    CHECK(worked > 5);
    loam_program_end(&program);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

int main(void)
{
    RUN(spare_memory_changes_nothing);
    RUN(steps_are_counted);
    RUN(memory_is_limited);
    RUN(ordinary_depth_works);
    RUN(stack_of_64_kb_suffices);
    RUN(every_allocation_may_fail);
    RUN(every_limit_is_kept);
    return test_end();
}
