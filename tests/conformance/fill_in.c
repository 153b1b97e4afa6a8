/* SPDX-License-Identifier: MIT */
/* Prompts for filling a gap, on published vocabularies, and what a session does
 * with them. Families whose vocabularies are not there: unit/fill. */
#include "common.h"
#include "model/builtin.h"

enum { ROOM = 4096 };

static loam_tokenizer *open_vocabulary(loam_engine *engine, const char *name)
{
    loam_source source = {.struct_size = sizeof source};
    loam_tokenizer *tokenizer = NULL;
    source.path.data = name ? test_data(name) : NULL;
    source.path.length = LOAM_NUL_TERMINATED;
    if (name && !source.path.data)
        return NULL;
    if (!name)
        builtin_source(&source, NULL, NULL);
    CHECK_OK(loam_tokenizer_open(&tokenizer, engine, &source, &test_error));
    return tokenizer;
}

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (text), LOAM_NUL_TERMINATED                                                                \
    }

/* The prompt as text, "#ID" for a token with a role and the texts between them.
 * Roles are checked by id, texts by what they decode to. */
static char *show(loam_tokenizer *tokenizer, const loam_fill_in *fill_in, loam_fill_in_info *info)
{
    static int32_t ids[ROOM];
    static char shown[8 * ROOM];
    size_t count = 0, at = 0;
    CHECK_OK(
        loam_tokenizer_encode_fill_in(ids, ROOM, &count, info, tokenizer, fill_in, &test_error));
    for (size_t i = 0; i < count; i++) {
        loam_token_info token = {.struct_size = sizeof token};
        size_t length = 0;
        CHECK_OK(loam_tokenizer_token(&token, tokenizer, ids[i], &test_error));
        if (token.flags & LOAM_TOKEN_CONTROL) {
            at += (size_t)sprintf(shown + at, "#%d ", (int)ids[i]);
            continue;
        }
        CHECK_OK(loam_tokenizer_decode(shown + at, sizeof shown - 16 - at, &length, tokenizer,
                                       &ids[i], 1, 0, &test_error));
        at += length;
    }
    shown[at] = 0;
    return shown;
}

static const loam_fill_in_file helpers[] = {{TEXT("lib/a.py"), TEXT("A = 1\n")},
                                            {TEXT("b.c"), TEXT("int b;")}};

static void starcoder2(void)
{
    loam_engine *engine = test_engine(1);
    loam_tokenizer *tokenizer = open_vocabulary(engine, "tokenizer/starcoder.gguf");
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = TEXT("def f(x):\n    "),
                            .suffix = TEXT("\n    return y\n"),
                            .path = TEXT("f.py")};
    loam_fill_in_tokens tokens = {.struct_size = sizeof tokens};
    if (!tokenizer) {
        loam_engine_release(engine);
        SKIP("no reference data: tokenizer/starcoder.gguf");
    }
    CHECK_OK(loam_tokenizer_get_fill_in(&tokens, tokenizer, &test_error));
    CHECK_TEXT(tokens.family.data, "starcoder2");
    CHECK(tokens.prefix == 1 && tokens.middle == 2 && tokens.suffix == 3 && tokens.pad == 4);
    CHECK(tokens.repository == 5 && tokens.separator == 6 && tokens.end == -1);
    CHECK_TEXT(show(tokenizer, &fill_in, NULL), "#1 def f(x):\n    #3 \n    return y\n#2 ");
    /* By hand, from the vocabulary: def, f behind a space, (, x, ):, a line and three
     * spaces, ... */
    int32_t ids[64];
    size_t count = 0;
    static const int32_t wanted[] = {1, 610, 315, 45, 125, 731, 294, 3, 303, 461, 553, 222, 2};
    CHECK_OK(
        loam_tokenizer_encode_fill_in(ids, 64, &count, NULL, tokenizer, &fill_in, &test_error));
    CHECK_EQUAL(count, sizeof wanted / sizeof *wanted);
    CHECK(memcmp(ids, wanted, sizeof wanted) == 0);
    for (size_t i = 0; test_failed_here && i < count; i++)
        printf("#   %d\n", (int)ids[i]);
    fill_in.files = helpers;
    fill_in.file_count = 2;
    fill_in.repository = (loam_string)TEXT("tools");
    CHECK_TEXT(show(tokenizer, &fill_in, NULL),
               "#5 tools#6 lib/a.py\nA = 1\n#6 b.c\nint b;#6 #1 f.py\ndef f(x):\n    "
               "#3 \n    return y\n#2 ");
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

static void deepseek(void)
{
    loam_engine *engine = test_engine(1);
    loam_tokenizer *tokenizer = open_vocabulary(engine, "tokenizer/deepseek-coder.gguf");
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = TEXT("int a = "),
                            .suffix = TEXT(";\n"),
                            .path = TEXT("f.c")};
    loam_fill_in_tokens tokens = {.struct_size = sizeof tokens};
    if (!tokenizer) {
        loam_engine_release(engine);
        SKIP("no reference data: tokenizer/deepseek-coder.gguf");
    }
    CHECK_OK(loam_tokenizer_get_fill_in(&tokens, tokenizer, &test_error));
    CHECK_TEXT(tokens.family.data, "deepseek");
    CHECK(tokens.prefix == 32016 && tokens.suffix == 32015 && tokens.middle == 32017);
    CHECK_TEXT(show(tokenizer, &fill_in, NULL), "#32013 #32016 int a = #32015 ;\n#32017 ");
    fill_in.files = helpers;
    fill_in.file_count = 2;
    CHECK_TEXT(show(tokenizer, &fill_in, NULL),
               "#32013 #32016 #lib/a.py\nA = 1\n//b.c\nint b;\n//f.c\nint a = #32015 ;\n#32017 ");
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

static void none(void)
{
    loam_engine *engine = test_engine(1);
    loam_tokenizer *tokenizer = open_vocabulary(engine, "tokenizer/gpt-2.gguf");
    loam_fill_in fill_in = {.struct_size = sizeof fill_in};
    loam_fill_in_tokens tokens = {.struct_size = sizeof tokens};
    size_t count = 7;
    if (!tokenizer) {
        loam_engine_release(engine);
        SKIP("no reference data: tokenizer/gpt-2.gguf");
    }
    CHECK_EQUAL(loam_tokenizer_get_fill_in(&tokens, tokenizer, &test_error), LOAM_UNSUPPORTED);
    CHECK_EQUAL(
        loam_tokenizer_encode_fill_in(NULL, 0, &count, NULL, tokenizer, &fill_in, &test_error),
        LOAM_UNSUPPORTED);
    CHECK(strstr(test_error.message, "filling in"));
    CHECK_EQUAL(count, 0);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

/* ---- budgets --------------------------------------------------------------------------- */

static const char long_prefix[] = "int one;\nint two;\nint three;\nint four;\nint five;\n    x = ";
static const char long_suffix[] = ";\n}\nint six;\nint seven;\nint eight;\n";

static void far_lines_go_first(void)
{
    loam_engine *engine = test_engine(1);
    loam_tokenizer *tokenizer = open_vocabulary(engine, NULL);
    REQUIRE(tokenizer);
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = TEXT(long_prefix),
                            .suffix = TEXT(long_suffix),
                            .path = TEXT("f.c"),
                            .files = helpers,
                            .file_count = 2};
    loam_fill_in_info info = {.struct_size = sizeof info}, whole = {.struct_size = sizeof whole};
    char *shown = show(tokenizer, &fill_in, &whole);
    CHECK_TEXT(shown, "#0 #3 # lib/a.py\nA = 1\n// b.c\nint b;\n// f.c\nint one;\nint two;\nint "
                      "three;\nint four;\nint five;\n    x = #4 ;\n}\nint six;\nint seven;\nint "
                      "eight;\n#5 ");
    CHECK_EQUAL(whole.file_count, 2);
    CHECK_EQUAL(whole.file_bytes, 6);
    CHECK_EQUAL(whole.prefix_bytes, strlen(long_prefix));
    CHECK_EQUAL(whole.suffix_bytes, strlen(long_suffix));
    size_t before = 0;
    for (uint32_t limit = 1; limit <= whole.token_count + 1 && test_failed_here == 0; limit++) {
        fill_in.max_tokens = limit;
        size_t count = 0;
        loam_status status =
            loam_tokenizer_encode_fill_in(NULL, 0, &count, &info, tokenizer, &fill_in, &test_error);
        if (status == LOAM_CONTEXT_FULL) { /* four marks and the line with the path */
            CHECK_EQUAL(before, 0);
            CHECK(limit < 16);
            continue;
        }
        CHECK_EQUAL(status, LOAM_TOO_SMALL);
        shown = show(tokenizer, &fill_in, &info);
        CHECK(info.token_count <= limit);
        CHECK_EQUAL(info.token_count, count);
        /* Whole lines, as soon as one fits. */
        const char *prefix = long_prefix + strlen(long_prefix) - info.prefix_bytes;
        CHECK(info.prefix_bytes <= 8 || prefix == long_prefix || prefix[-1] == '\n');
        CHECK(info.suffix_bytes <= 2 || long_suffix[info.suffix_bytes - 1] == '\n');
        CHECK(strstr(shown, "// f.c\n"));
        CHECK(info.prefix_bytes == strlen(long_prefix) || info.file_count == 0);
        before = info.token_count;
    }
    CHECK_EQUAL(before, whole.token_count);
    CHECK_EQUAL(info.file_count, 2);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

static void a_line_that_is_too_long_is_cut_in_characters(void)
{
    loam_engine *engine = test_engine(1);
    loam_tokenizer *tokenizer = open_vocabulary(engine, NULL);
    REQUIRE(tokenizer);
    char line[1024] = "";
    for (int i = 0; i < 200; i++)
        strcat(line, "a\xC3\xA9");
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = TEXT(line),
                            .suffix = TEXT(line),
                            .max_tokens = 60};
    loam_fill_in_info info = {.struct_size = sizeof info};
    char *shown = show(tokenizer, &fill_in, &info);
    CHECK(info.token_count <= 60 && info.token_count > 50);
    CHECK(info.prefix_bytes > info.suffix_bytes && info.suffix_bytes > 10);
    CHECK(!strstr(shown, "#4 \xA9") && !strstr(shown, "#3 \xA9"));
    CHECK(!strstr(shown, "\xC3#5"));
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

/* ---- sessions -------------------------------------------------------------------------- */

static void control_tokens_end_what_is_filled_in(void)
{
    loam_engine *engine = test_engine(2);
    loam_source source;
    loam_model *model = NULL;
    builtin_source(&source, NULL, NULL);
    CHECK_OK(loam_model_open_source(&model, engine, &source, NULL, &test_error));
    REQUIRE(model);
    loam_session *session = test_session(model);
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = TEXT("int a<|fim_suffix|> = "),
                            .suffix = TEXT(";\n")};
    loam_fill_in_info info = {.struct_size = sizeof info};
    loam_timings timings = {.struct_size = sizeof timings};
    loam_event event = {.struct_size = sizeof event};
    /* Bias makes the model choose a control token that ends nothing by itself. */
    const loam_logit_bias bias = {4, 1000};
    loam_generation_options options = {
        .struct_size = sizeof options, .logit_bias = &bias, .logit_bias_count = 1, .max_tokens = 3};
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_OK(loam_session_fill_in(session, &info, &fill_in, &test_error));
    CHECK_OK(loam_session_get_timings(&timings, session, &test_error));
    CHECK_EQUAL(timings.prompt_tokens, info.token_count);
    while (event.type != LOAM_EVENT_STOP && test_failed_here == 0)
        CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK_EQUAL(event.stop_reason, LOAM_STOP_END);
    CHECK_EQUAL(event.token, 4);
    /* Another prompt knows nothing of it. */
    CHECK_OK(loam_session_prompt(session, "int a", LOAM_NUL_TERMINATED, &test_error));
    do {
        CHECK_OK(loam_session_next(session, &event, &test_error));
    } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
    CHECK_EQUAL(event.stop_reason, LOAM_STOP_LENGTH);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

/* ---- where it ends ------------------------------------------------------------------------ */

static void check_end(int32_t until, const char *prefix, const char *text, size_t length, int ended)
{
    loam_fill_in fill_in = {.struct_size = sizeof fill_in, .prefix = TEXT(prefix), .until = until};
    size_t found = 99;
    int32_t found_ended = 99;
    CHECK_OK(
        loam_fill_in_end(&found, &found_ended, &fill_in, text, LOAM_NUL_TERMINATED, &test_error));
    if (found != length || found_ended != ended)
        printf("#   in \"%s\" after \"%s\"\n", text, prefix);
    CHECK_EQUAL(found, length);
    CHECK_EQUAL(found_ended, ended);
}

static void ends_of_lines_and_blocks(void)
{
    check_end(LOAM_FILL_TO_END, "", "a\nb", 3, 0);
    check_end(LOAM_FILL_TO_LINE, "", "ab", 2, 0);
    check_end(LOAM_FILL_TO_LINE, "", "ab\nc", 2, 1);
    check_end(LOAM_FILL_TO_LINE, "", "\nc", 0, 1);
    check_end(LOAM_FILL_TO_BLOCK, "if (a) {\n    ", "b();\n    c();\n}\nd", 13, 1);
    check_end(LOAM_FILL_TO_BLOCK, "if (a) {\n    ", "b();\n    c();\n  ", 13, 0);
    check_end(LOAM_FILL_TO_BLOCK, "if (a) {\n    ", "b();\n\n    c();", 14, 0);
    check_end(LOAM_FILL_TO_BLOCK, "if (a) {\n\t", "b();\n        c();\n    d", 17, 1);
    check_end(LOAM_FILL_TO_BLOCK, "if (a) {\n", "    b();\n}", 8, 1);
    check_end(LOAM_FILL_TO_BLOCK, "", "int f(void)\n{\n}\n\nint g", 15, 1);
    check_end(LOAM_FILL_TO_BLOCK, "", "\n\nint a;", 8, 0);
    check_end(LOAM_FILL_TO_BLOCK, "  x =", " 1;", 3, 0);
    check_end(LOAM_FILL_TO_BLOCK, "  x =", " 1;\n  y\nz", 7, 1);
    loam_fill_in fill_in = {.struct_size = sizeof fill_in, .until = 3};
    size_t length;
    int32_t ended;
    CHECK_EQUAL(loam_fill_in_end(&length, &ended, &fill_in, "a", 1, &test_error),
                LOAM_INVALID_ARGUMENT);
}

int main(void)
{
    RUN(starcoder2);
    RUN(deepseek);
    RUN(none);
    RUN(far_lines_go_first);
    RUN(a_line_that_is_too_long_is_cut_in_characters);
    RUN(control_tokens_end_what_is_filled_in);
    RUN(ends_of_lines_and_blocks);
    return test_end();
}
