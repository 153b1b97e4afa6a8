/* SPDX-License-Identifier: MIT */
/*
 * One model, one answer: the bits of the logits do not depend on the CPU
 * level, on threads, on how a prompt is cut, or on what else is in the step.
 * memcmp, no tolerance. And they are those of digests.txt, the same on every
 * machine and compiler and since they were written down:
 *
 *     conformance-bit_exact            compares
 *     conformance-bit_exact --thin     compares in a few ways, for an emulator
 *     conformance-bit_exact --write    writes digests.txt, where the definition was changed on
 * purpose
 *
 * Thin or not, each model and KV type has its digest and meets every level.
 */
#include "common.h"

#include <stdbool.h>

/* THIN_PROMPT: more than a KV page, and no multiple of what kernels take at once. */
enum { PROMPT = 150, SHORT_PROMPT = 117, THIN_PROMPT = 71, STEPS = 8 };
enum { MOST_DIGESTS = 64, LEVELS = LOAM_CPU_LEVEL_COUNT };

static int combinations, models; /* so far */
static size_t prompt = PROMPT;   /* tokens of it that fit in the model's context */
static bool writing, thin;

/* ---- digests ------------------------------------------------------------------- */

struct digest {
    char model[32];
    char kv[8];
    unsigned long long value;
};

static struct digest digests[MOST_DIGESTS];
static size_t digest_count;

static const char *digests_path(void)
{
    static char path[4096];
    const char *source = getenv("LOAM_SOURCE");
    snprintf(path, sizeof path, "%s/tests/conformance/digests.txt", source ? source : ".");
    return path;
}

static void read_digests(void)
{
    char line[128];
    FILE *file = fopen(digests_path(), "r");
    while (file && fgets(line, sizeof line, file) && digest_count < MOST_DIGESTS) {
        struct digest *digest = &digests[digest_count];
        if (line[0] != '#' &&
            sscanf(line, "%31s %7s %llx", digest->model, digest->kv, &digest->value) == 3)
            digest_count++;
    }
    if (file)
        fclose(file);
}

static void write_digests(void)
{
    FILE *file = fopen(digests_path(), "w");
    if (!file)
        return;
    fprintf(file,
            "# Logits of every model and KV type of conformance-bit_exact (FNV-1a, 64 bits).\n"
            "# A change of this file is a change of the numeric contract.\n");
    for (size_t i = 0; i < digest_count; i++)
        fprintf(file, "%-24s %-5s %016llx\n", digests[i].model, digests[i].kv, digests[i].value);
    fclose(file);
}

/* Of the bits of floats, whatever the machine's byte order. */
static unsigned long long digest_of(const float *values, size_t count, unsigned long long digest)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            digest = (digest ^ (bits >> 8 * byte & 255)) * 0x100000001B3ull;
    }
    return digest;
}

static void check_digest(const char *model, const char *kv, unsigned long long value)
{
    struct digest *digest = NULL;
    for (size_t i = 0; i < digest_count; i++)
        if (strcmp(digests[i].model, model) == 0 && strcmp(digests[i].kv, kv) == 0)
            digest = &digests[i];
    if (writing && !digest && digest_count < MOST_DIGESTS) {
        digest = &digests[digest_count++];
        snprintf(digest->model, sizeof digest->model, "%s", model);
        snprintf(digest->kv, sizeof digest->kv, "%s", kv);
    }
    if (writing && digest)
        digest->value = value;
    if (!digest || digest->value != value) {
        printf("# %s, KV %s: the digest is %016llx, not %016llx\n", model, kv, value,
               digest ? digest->value : 0);
        CHECK(digest && digest->value == value);
    }
}

/* ---- one way of computing --------------------------------------------------------- */

struct run {
    const char *path;
    int32_t kv_type, level, threads;
    loam_engine *engine;
    loam_model *model;
    int32_t tokens[PROMPT];
};

static void open_run(struct run *run, int32_t level, int32_t threads)
{
    loam_engine_options options = {.struct_size = sizeof options};
    loam_model_options model_options = {.struct_size = sizeof model_options};
    options.threads = run->threads = threads;
    options.cpu_level = run->level = level;
    model_options.kv_type = run->kv_type;
    run->engine = NULL;
    run->model = NULL;
    CHECK_OK(loam_engine_create(&run->engine, &options, &test_error));
    if (run->engine)
        CHECK_OK(loam_model_open(&run->model, run->engine, run->path, LOAM_NUL_TERMINATED,
                                 &model_options, &test_error));
}

static void close_run(struct run *run)
{
    loam_model_release(run->model);
    loam_engine_release(run->engine);
}

/* Logits of the first tokens, read in pieces. */
static void read_in_pieces(float *logits, const struct run *run, size_t tokens, size_t piece)
{
    size_t vocabulary = test_vocabulary(run->model);
    loam_session *session = test_session(run->model);
    for (size_t done = 0; done < tokens; done += piece) {
        size_t rows = tokens - done < piece ? tokens - done : piece;
        CHECK_OK(loam_session_evaluate(session, run->tokens + done, rows,
                                       logits + done * vocabulary, rows, &test_error));
    }
    loam_session_release(session);
}

/* Generates STEPS tokens in steps with `partners` other sessions; the logits
 * of each step go to out[STEPS][vocabulary]. */
static void generate(float *out, const struct run *run, size_t partners)
{
    size_t vocabulary = test_vocabulary(run->model), generated = 0;
    loam_session *sessions[3];
    loam_event events[3] = {{.struct_size = sizeof events[0]}};
    loam_generation_options options = {.struct_size = sizeof options};
    options.ignore_end = 1;
    for (size_t i = 0; i <= partners; i++) {
        sessions[i] = test_session(run->model);
        CHECK_OK(loam_session_configure(sessions[i], &options, &test_error));
        /* Partners are out of step: other prompts, of other lengths. */
        CHECK_OK(
            loam_session_prompt_tokens(sessions[i], run->tokens + i, prompt - 40 * i, &test_error));
    }
    while (generated < STEPS && test_failed_here == 0) {
        const float *logits;
        size_t logit_count;
        CHECK_OK(loam_step(events, sessions, partners + 1, &test_error));
        for (size_t i = 0; i <= partners; i++)
            CHECK_EQUAL(events[i].status, LOAM_OK);
        if (events[0].type != LOAM_EVENT_TOKEN)
            continue;
        CHECK_OK(loam_session_logits(&logits, &logit_count, sessions[0], &test_error));
        REQUIRE(logit_count == vocabulary);
        memcpy(out + generated++ * vocabulary, logits, vocabulary * sizeof *out);
    }
    for (size_t i = 0; i <= partners; i++)
        loam_session_release(sessions[i]);
}

/* ---- all ways ----------------------------------------------------------------------- */

struct answer {
    float *prompt, *steps; /* [PROMPT][vocabulary], [STEPS][vocabulary] */
    size_t vocabulary;
};

/* A way of computing: the prompt in pieces of that many tokens, or, behind
 * these, generation among that many partners. */
static const size_t ways[] = {PROMPT, 64, 7, 1, 0, 2};
enum { PIECES = 4, WAYS = 6 };

/* The scalar level is slow, and the definition anyhow: it takes fewer ways.
 * Thin, each of the other levels takes one, another one for each level and KV
 * type of a model, and another one for the next model: so levels and KV types
 * meet all ways and all numbers of threads. */
static bool wanted(const struct run *run, int32_t level, int32_t threads, size_t way)
{
    if (thin)
        return level != LOAM_CPU_SCALAR && threads == 1 + (models + level) % 4 &&
               way == (size_t)(models + run->kv_type + level) % WAYS;
    if (level == LOAM_CPU_SCALAR)
        return threads == 3 && way != 1 && way != 3;
    return true;
}

static void compare_way(const struct answer *expected, const struct answer *found,
                        const struct run *run, size_t way)
{
    size_t tokens = thin ? THIN_PROMPT : prompt, row_bytes = expected->vocabulary * sizeof(float);
    bool same;
    if (way < PIECES) {
        read_in_pieces(found->prompt, run, tokens, ways[way]);
        same = memcmp(found->prompt, expected->prompt, tokens * row_bytes) == 0;
    } else {
        generate(found->steps, run, ways[way]);
        same = memcmp(found->steps, expected->steps, STEPS * row_bytes) == 0;
    }
    combinations++;
    if (!same) {
        printf("# level %s, %d threads, %s %zu: other bits\n", loam_cpu_level_name(run->level),
               (int)run->threads, way < PIECES ? "pieces of" : "partners", ways[way]);
        CHECK(!"the same bits");
    }
}

static void compare_level(const struct answer *expected, const struct answer *found,
                          struct run *run, int32_t level)
{
    for (int32_t threads = 1; threads <= 4; threads++) {
        bool is_open = false;
        for (size_t way = 0; way < WAYS; way++) {
            if (!wanted(run, level, threads, way))
                continue;
            if (!is_open)
                open_run(run, level, threads);
            is_open = true;
            REQUIRE(run->model);
            compare_way(expected, found, run, way);
        }
        if (is_open)
            close_run(run);
    }
}

static void allocate(struct answer *answer, size_t vocabulary)
{
    answer->vocabulary = vocabulary;
    answer->prompt = malloc(PROMPT * vocabulary * sizeof(float));
    answer->steps = malloc(STEPS * vocabulary * sizeof(float));
}

static void compare_all(const char *path, const char *model, int32_t kv_type, const char *kv)
{
    struct run run = {.path = path, .kv_type = kv_type};
    struct answer expected, found;
    uint64_t state = 7;
    open_run(&run, LOAM_CPU_SCALAR, 2);
    REQUIRE(run.model);
    size_t vocabulary = test_vocabulary(run.model);
    for (size_t i = 0; i < PROMPT; i++)
        run.tokens[i] = (int32_t)(test_random(&state) % vocabulary);
    allocate(&expected, vocabulary);
    allocate(&found, vocabulary);
    REQUIRE(expected.prompt && expected.steps && found.prompt && found.steps);
    read_in_pieces(expected.prompt, &run, prompt, PROMPT);
    generate(expected.steps, &run, 0);
    close_run(&run);
    unsigned long long digest =
        digest_of(expected.prompt, prompt * vocabulary, 0xCBF29CE484222325ull);
    check_digest(model, kv, digest_of(expected.steps, STEPS * vocabulary, digest));
    for (int32_t level = LOAM_CPU_SCALAR; level < LEVELS; level++)
        if (loam_cpu_level_available(level))
            compare_level(&expected, &found, &run, level);
    free(expected.prompt);
    free(expected.steps);
    free(found.prompt);
    free(found.steps);
}

static void check_model(const char *path, const char *model)
{
    static const char *const names[] = {"", "f32", "f16", "q8_0"};
    for (int32_t kv_type = LOAM_KV_F32; kv_type <= LOAM_KV_Q8_0; kv_type++)
        compare_all(path, model, kv_type, names[kv_type]);
    models++;
}

/* ---- the models ----------------------------------------------------------------------- */

static void check_made(const char *type)
{
    char path[4096], model[32];
    const char *build = getenv("LOAM_BUILD");
    snprintf(model, sizeof model, "tiny-256-%s", type);
    snprintf(path, sizeof path, "%s/tests/tools/%s.gguf", build ? build : ".", model);
    check_model(path, model);
}

static void check_given(const char *model)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "models/%s.gguf", model);
    if (!test_data(name))
        SKIP("no reference data: models");
    snprintf(path, sizeof path, "%s", test_data(name));
    check_model(path, model);
}

/* Models of one layer, a vocabulary of 64, in types that have no other model. */
static void check_quantised(const char *type)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "quant/model-%s.gguf", type);
    if (!test_data(name))
        SKIP("no reference data: quant");
    snprintf(path, sizeof path, "%s", test_data(name));
    snprintf(name, sizeof name, "quant-%s", type);
    prompt = SHORT_PROMPT;
    check_model(path, name);
    prompt = PROMPT;
}

#define MADE(function, type)                                                                       \
    static void function(void)                                                                     \
    {                                                                                              \
        check_made(type);                                                                          \
    }
#define GIVEN(function, model)                                                                     \
    static void function(void)                                                                     \
    {                                                                                              \
        check_given(model);                                                                        \
    }
#define QUANTISED(function, type)                                                                  \
    static void function(void)                                                                     \
    {                                                                                              \
        check_quantised(type);                                                                     \
    }
MADE(made_f32, "F32")
MADE(made_f16, "F16")
MADE(made_bf16, "BF16")
MADE(made_q8_0, "Q8_0")
MADE(made_q4_0, "Q4_0")
MADE(made_q4_k_m, "Q4_K_M")
MADE(made_q5_k_m, "Q5_K_M")
MADE(made_q6_k, "Q6_K")
GIVEN(given_f32, "stories260K")
GIVEN(given_q8_0, "stories260K-Q8_0")
GIVEN(given_q4_0, "stories260K-Q4_0")
QUANTISED(quantised_q2_k, "Q2_K")
QUANTISED(quantised_q3_k, "Q3_K")
QUANTISED(quantised_iq3_s, "IQ3_S")
QUANTISED(quantised_iq4_xs, "IQ4_XS")
QUANTISED(quantised_mxfp4, "MXFP4")

int main(int count, char **arguments)
{
    writing = count == 2 && strcmp(arguments[1], "--write") == 0;
    thin = count == 2 && strcmp(arguments[1], "--thin") == 0;
    if (count > 1 && !writing && !thin) {
        fprintf(stderr, "usage: conformance-bit_exact [--thin | --write]\n");
        return 2;
    }
    read_digests();
    RUN(made_f32);
    RUN(made_f16);
    RUN(made_bf16);
    RUN(made_q8_0);
    RUN(made_q4_0);
    RUN(made_q4_k_m);
    RUN(made_q5_k_m);
    RUN(made_q6_k);
    RUN(given_f32);
    RUN(given_q8_0);
    RUN(given_q4_0);
    RUN(quantised_q2_k);
    RUN(quantised_q3_k);
    RUN(quantised_iq3_s);
    RUN(quantised_iq4_xs);
    RUN(quantised_mxfp4);
    if (writing)
        write_digests();
    printf("# %d combinations compared%s\n", combinations,
           thin ? ", thin: one for each level" : "");
    return test_end();
}
