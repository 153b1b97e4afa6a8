/* SPDX-License-Identifier: MIT */
/*
 * The files of tests/tools/make-model, in each type: they open, text goes in
 * and comes out, logits are sensible and the same bits on every level and with
 * any number of threads. And make-model itself, right and wrong.
 *
 *     conformance-made_models MAKE_MODEL
 */
#include "common.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *tool;

/* PATH of a file in the build directory. */
static const char *place(const char *name)
{
    static char path[4096];
    const char *build = getenv("LOAM_BUILD");
    snprintf(path, sizeof path, "%s/made-%s.gguf", build ? build : ".", name);
    return path;
}

/* The program and arguments that run programs of a cross build, as meson tells
 * it its tests; returns their number, 0 on the machine's own. */
static size_t put_wrapper(const char *argv[], size_t capacity)
{
    static char words[1024];
    const char *wrapper = getenv("MESON_EXE_WRAPPER");
    size_t count = 0;
    snprintf(words, sizeof words, "%s", wrapper ? wrapper : "");
    for (char *word = strtok(words, " "); word && count < capacity; word = strtok(NULL, " "))
        argv[count++] = word;
    return count;
}

/* Runs the tool, which may write files of at most `limit` bytes (0: of any
 * size); what it says on stderr goes to message[512]. Returns its exit status. */
static int run_tool(char message[512], const char *const arguments[], rlim_t limit)
{
    const char *argv[16] = {NULL};
    int ends[2], status = -1;
    size_t size = 0, count = put_wrapper(argv, 8);
    argv[count++] = tool;
    for (size_t i = 0; i < 6 && arguments[i]; i++)
        argv[count++] = arguments[i];
    message[0] = 0;
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit most = {limit, limit};
        signal(SIGXFSZ, SIG_IGN); /* writing beyond is then an error, as on a full disk */
        if (limit && setrlimit(RLIMIT_FSIZE, &most) != 0)
            _exit(99);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(98);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], message + size, 511 - size)) > 0;)
        size += (size_t)got;
    message[size] = 0;
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static bool make(const char *type, const char *path, const char *seed)
{
    char message[512];
    const char *const arguments[] = {"tiny-256", type, path, seed ? "--seed" : NULL, seed, NULL};
    int status = run_tool(message, arguments, 0);
    if (status != 0)
        printf("# make-model tiny-256 %s: exit status %d: %s\n", type, status, message);
    return status == 0;
}

/* ---- models ------------------------------------------------------------------ */

enum { MOST_TOKENS = 200, VOCABULARY = 512 };

struct opened {
    loam_engine *engine;
    loam_model *model;
};

static void open_model(struct opened *out, const char *path, int32_t level, int32_t threads)
{
    loam_engine_options options = {.struct_size = sizeof options};
    options.cpu_level = level;
    options.threads = threads;
    out->engine = NULL;
    out->model = NULL;
    CHECK_OK(loam_engine_create(&out->engine, &options, &test_error));
    if (out->engine)
        CHECK_OK(loam_model_open(&out->model, out->engine, path, LOAM_NUL_TERMINATED, NULL,
                                 &test_error));
}

static void close_model(struct opened *opened)
{
    loam_model_release(opened->model);
    loam_engine_release(opened->engine);
}

/* Tokens of a text that has bytes, pieces and spaces; and the text of them. */
static size_t check_text(loam_model *model, int32_t tokens[MOST_TOKENS])
{
    static const char text[] =
        "The nation's attention,\n 42  tests of \xC3\xA4\xC3\xB6 in the rain.";
    char back[512];
    size_t count = 0, length = 0;
    loam_tokenizer *tokenizer = NULL;
    CHECK_OK(loam_model_tokenizer(&tokenizer, model, &test_error));
    if (!tokenizer)
        return 0;
    CHECK_OK(loam_tokenizer_encode(tokens, MOST_TOKENS, &count, tokenizer, text, sizeof text - 1, 0,
                                   &test_error));
    CHECK(count > 20 && count < sizeof text); /* pieces of more than one letter are used */
    CHECK_OK(loam_tokenizer_decode(back, sizeof back, &length, tokenizer, tokens, count, 0,
                                   &test_error));
    CHECK(length == sizeof text - 1 && memcmp(back, text, length) == 0);
    loam_tokenizer_release(tokenizer);
    return count;
}

/* Finite, different from each other and from row to row, of a size that
 * leaves a choice. */
static void check_sense(const float *logits, size_t rows)
{
    double sum = 0, squares = 0, change = 0;
    size_t count = rows * VOCABULARY, finite = 0;
    for (size_t i = 0; i < count; i++) {
        double value = (double)logits[i];
        finite += isfinite(value) != 0;
        sum += value;
        squares += value * value;
        if (i >= VOCABULARY)
            change +=
                (value - (double)logits[i - VOCABULARY]) * (value - (double)logits[i - VOCABULARY]);
    }
    double spread = sqrt(squares / (double)count - sum * sum / ((double)count * (double)count));
    change = sqrt(change / (double)(count - VOCABULARY));
    printf("# spread of logits %.2f, from row to row %.2f\n", spread, change);
    CHECK_EQUAL(finite, count);
    CHECK(spread > 2 && spread < 8 && change > 1);
}

/* Logits after each token, read in pieces of that many. */
static void evaluate(float *logits, loam_model *model, const int32_t *tokens, size_t count,
                     size_t piece)
{
    loam_session *session = test_session(model);
    for (size_t done = 0; done < count; done += piece) {
        size_t rows = count - done < piece ? count - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, logits + done * VOCABULARY,
                                       rows, &test_error));
    }
    loam_session_release(session);
}

/* 40 tokens, the likeliest each time; the number of different ones. */
static size_t generate(loam_model *model, int32_t out[40])
{
    loam_session *session = test_session(model);
    loam_generation_options options = {.struct_size = sizeof options};
    loam_event event = {.struct_size = sizeof event};
    size_t count = 0, different = 0;
    options.ignore_end = 1;
    options.max_tokens = 40;
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_OK(loam_session_prompt(session, "the test", LOAM_NUL_TERMINATED, &test_error));
    do {
        CHECK_OK(loam_session_next(session, &event, &test_error));
        if (event.type != LOAM_EVENT_TOKEN || count == 40)
            continue;
        bool is_new = true;
        for (size_t i = 0; i < count; i++)
            is_new = is_new && out[i] != event.token;
        different += is_new;
        out[count++] = event.token;
    } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
    CHECK_EQUAL(count, 40);
    loam_session_release(session);
    return different;
}

static void check_type(const char *type)
{
    static float expected[MOST_TOKENS * VOCABULARY], found[MOST_TOKENS * VOCABULARY];
    const char *path = place(type);
    int32_t tokens[MOST_TOKENS], first[40], again[40];
    struct opened opened;
    REQUIRE(make(type, path, NULL));
    open_model(&opened, path, LOAM_CPU_SCALAR, 1);
    REQUIRE(opened.model);
    CHECK_EQUAL(test_vocabulary(opened.model), VOCABULARY);
    size_t count = check_text(opened.model, tokens);
    REQUIRE(count);
    evaluate(expected, opened.model, tokens, count, count);
    check_sense(expected, count);
    size_t different = generate(opened.model, first);
    printf("# %zu different tokens of 40\n", different);
    CHECK(different >= 8);
    close_model(&opened);
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++) {
        if (!loam_cpu_level_available(level))
            continue;
        open_model(&opened, path, level, 2);
        REQUIRE(opened.model);
        evaluate(found, opened.model, tokens, count, 7);
        CHECK(memcmp(found, expected, count * VOCABULARY * sizeof *found) == 0);
        generate(opened.model, again);
        CHECK(memcmp(again, first, sizeof first) == 0);
        close_model(&opened);
    }
    remove(path);
}

#define TYPE(function, name)                                                                       \
    static void function(void)                                                                     \
    {                                                                                              \
        check_type(name);                                                                          \
    }
TYPE(type_f32, "F32")
TYPE(type_f16, "F16")
TYPE(type_bf16, "BF16")
TYPE(type_q8_0, "Q8_0")
TYPE(type_q4_0, "Q4_0")
TYPE(type_q4_k_m, "Q4_K_M")
TYPE(type_q5_k_m, "Q5_K_M")
TYPE(type_q6_k, "Q6_K")

/* ---- the tool ---------------------------------------------------------------- */

static void the_seed_decides(void)
{
    unsigned char *bytes[3];
    size_t sizes[3];
    static const char *const seeds[] = {NULL, "1", "18446744073709551615"};
    for (int i = 0; i < 3; i++) {
        const char *path = place("seed");
        REQUIRE(make("Q4_K_M", path, seeds[i]));
        bytes[i] = test_read(path, &sizes[i]);
        REQUIRE(bytes[i] && sizes[i] > 1 << 20);
        remove(path);
    }
    CHECK(sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0);
    size_t at = sizes[0] / 2, equal = 0; /* of random bytes one in 256 is the same */
    for (size_t i = at; i < at + 10000; i++)
        equal += bytes[0][i] == bytes[2][i + sizes[2] - sizes[0]];
    CHECK(equal < 1000);
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
}

/* The file does not depend on the machine: a checksum (FNV-1a) of each type,
 * made once. */
static void files_are_the_same_everywhere(void)
{
    static const struct {
        const char *type;
        uint64_t sum;
    } known[] = {{"F32", 0xCECB5A92D34E32C0},    {"F16", 0xD04D7326FE5E7578},
                 {"BF16", 0x2ECBF32841C900E0},   {"Q8_0", 0xCF20AB799273320D},
                 {"Q4_0", 0x9E4ABC4448C614E1},   {"Q4_K_M", 0xDCB69FD74276AABE},
                 {"Q5_K_M", 0xA9E30F2B2A6F6A70}, {"Q6_K", 0xCCAC76C05AFF347A}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *path = place("sum");
        size_t size;
        REQUIRE(make(known[i].type, path, NULL));
        unsigned char *bytes = test_read(path, &size);
        uint64_t sum = 0xCBF29CE484222325u;
        for (size_t j = 0; j < size; j++)
            sum = (sum ^ bytes[j]) * 0x100000001B3u;
        if (sum != known[i].sum)
            printf("# %s: 0x%016llX\n", known[i].type, (unsigned long long)sum);
        CHECK(sum == known[i].sum);
        free(bytes);
        remove(path);
    }
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void expect_failure(const char *const arguments[], rlim_t limit, int status,
                           const char *word, const char *other)
{
    char message[512];
    CHECK_EQUAL(run_tool(message, arguments, limit), status);
    if (!strstr(message, word) || !strstr(message, other)) {
        printf("# \"%s\" or \"%s\" is not in: %s\n", word, other, message);
        CHECK(false);
    }
}

static void wrong_calls_say_what_is_right(void)
{
    const char *path = place("wrong");
    expect_failure((const char *[]){"gpt-5", "Q8_0", path, NULL}, 0, 2, "\"gpt-5\"",
                   "tiny-256 qwen2.5-0.5b tinyllama-1.1b llama-3.2-3b mistral-7b olmoe-1b-7b");
    expect_failure((const char *[]){"tiny-256", "Q9_K", path, NULL}, 0, 2, "\"Q9_K\"",
                   "F32 F16 BF16 Q8_0 Q4_0 Q4_K_M Q5_K_M Q6_K");
    expect_failure((const char *[]){"tiny-256", "Q8_0", NULL}, 0, 2, "usage", "SHAPE TYPE OUT");
    expect_failure((const char *[]){"tiny-256", "Q8_0", path, "--seed", "-1", NULL}, 0, 2, "usage",
                   "--seed");
    expect_failure((const char *[]){"tiny-256", "Q8_0", path, "--seed", NULL}, 0, 2, "usage",
                   "--seed");
    expect_failure((const char *[]){"tiny-256", "Q8_0", path, "more", NULL}, 0, 2, "usage", "");
    CHECK(!is_there(path));
    expect_failure((const char *[]){"tiny-256", "Q8_0", "/no/such/folder/a.gguf", NULL}, 0, 1,
                   "/no/such/folder/a.gguf", strerror(ENOENT));
}

/* A limit on the size of files is what a full disk is, at any point of it. */
static void a_full_disk_leaves_no_file(void)
{
    static const rlim_t limits[] = {100, 5000, 100000, 1900000};
    char part[4096 + 8];
    const char *path = place("full");
    snprintf(part, sizeof part, "%s.part", path);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        expect_failure((const char *[]){"tiny-256", "Q8_0", path, NULL}, limits[i], 1, path,
                       strerror(EFBIG));
        CHECK(!is_there(path) && !is_there(part));
    }
    REQUIRE(make("Q8_0", path, NULL)); /* a file that was there stays as it was */
    size_t size, size_after;
    unsigned char *before = test_read(path, &size);
    expect_failure((const char *[]){"tiny-256", "Q4_0", path, NULL}, 100000, 1, path,
                   strerror(EFBIG));
    unsigned char *after = test_read(path, &size_after);
    CHECK(before && after && size == size_after && memcmp(before, after, size) == 0);
    CHECK(!is_there(part));
    free(before);
    free(after);
    remove(path);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: conformance-made_models MAKE_MODEL\n");
        return 2;
    }
    tool = argv[1];
    RUN(type_f32);
    RUN(type_f16);
    RUN(type_bf16);
    RUN(type_q8_0);
    RUN(type_q4_0);
    RUN(type_q4_k_m);
    RUN(type_q5_k_m);
    RUN(type_q6_k);
    RUN(the_seed_decides);
    RUN(files_are_the_same_everywhere);
    RUN(wrong_calls_say_what_is_right);
    RUN(a_full_disk_leaves_no_file);
    return test_end();
}
