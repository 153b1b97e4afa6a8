/* SPDX-License-Identifier: MIT */
/* The tiny model that the programs carry: what its card claims.
 *
 *     tiny_model FILL_IN HELD_OUT
 *
 * Both files are written by tests/tools/corpus/corpus.py at build time: cases of
 * prefix, suffix and line, each with a NUL behind it; and documents with the
 * end-of-text token behind each. Neither was in the training text. */
#include "common.h"
#include "model/builtin.h"

#include <math.h>

enum { CASES = 200, GOOD_CASES = 120, BATCH = 16, ROOM = 512, HELD_OUT_TOKENS = 11160 };

/* What an interpolated 5-gram model of the same tokens, trained on the same
 * text, gives for the held-out documents: the mean of -ln P of a token.
 * tests/tools/train/evaluate.py computes it. */
#define FIVE_GRAM_SURPRISE 0.6616

static const char *fill_in_path, *held_out_path;

static loam_model *open_builtin(loam_engine *engine)
{
    loam_source source;
    loam_model *model = NULL;
    builtin_source(&source, NULL, NULL);
    CHECK_OK(loam_model_open_source(&model, engine, &source, NULL, &test_error));
    return model;
}

static void it_is_as_small_as_its_card_says(void)
{
    loam_engine *engine = test_engine(1);
    loam_model *model = open_builtin(engine);
    loam_model_info info = {.struct_size = sizeof info};
    loam_source source;
    REQUIRE(model);
    builtin_source(&source, NULL, NULL);
    CHECK_OK(loam_model_get_info(&info, model, &test_error));
    CHECK(source.size <= 3000000);
    CHECK(info.parameters <= 3000000);
    CHECK_EQUAL(info.embedding_length % 256, 0);
    CHECK_EQUAL(info.vocabulary_size % 256, 0);
    loam_model_release(model);
    loam_engine_release(engine);
}

static size_t encode(int32_t *out, loam_tokenizer *tokenizer, const char *text, size_t length)
{
    size_t count = 0;
    CHECK_OK(loam_tokenizer_encode(out, ROOM, &count, tokenizer, text, length,
                                   LOAM_ENCODE_ADD_SPECIAL | LOAM_ENCODE_PARSE_SPECIAL,
                                   &test_error));
    return count;
}

/* ---- a line of a function, filled in ---------------------------------------- */

struct fill_in {
    const char *prefix, *suffix, *line;
    char found[ROOM];
    size_t length;
};

static loam_session *begin_case(const struct fill_in *one, loam_model *model,
                                loam_tokenizer *tokenizer)
{
    char text[4096];
    int32_t tokens[ROOM];
    loam_generation_options options = {.struct_size = sizeof options, .max_tokens = 64};
    loam_session *session = test_session(model);
    int length = snprintf(text, sizeof text, "<|fim_prefix|>%s<|fim_suffix|>%s<|fim_middle|>",
                          one->prefix, one->suffix);
    CHECK(length > 0 && (size_t)length < sizeof text);
    size_t count = encode(tokens, tokenizer, text, (size_t)length);
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_OK(loam_session_prompt_tokens(session, tokens, count, &test_error));
    return session;
}

/* All cases of a batch at temperature 0, in steps that they share. */
static void run_batch(struct fill_in *cases, size_t count, loam_model *model,
                      loam_tokenizer *tokenizer)
{
    loam_session *sessions[BATCH], *active[BATCH];
    struct fill_in *whose[BATCH];
    size_t running = count;
    for (size_t i = 0; i < count; i++) {
        active[i] = sessions[i] = begin_case(&cases[i], model, tokenizer);
        whose[i] = &cases[i];
    }
    while (running > 0 && test_failed_here == 0) {
        loam_event events[BATCH] = {{.struct_size = sizeof events[0]}};
        size_t left = 0;
        CHECK_OK(loam_step(events, active, running, &test_error));
        for (size_t i = 0; i < running && test_failed_here == 0; i++) {
            struct fill_in *one = whose[i];
            CHECK(one->length + events[i].text_length < ROOM);
            if (test_failed_here == 0 && events[i].text_length)
                memcpy(one->found + one->length, events[i].text, events[i].text_length);
            one->length += events[i].text_length;
            if (events[i].type == LOAM_EVENT_STOP)
                continue;
            active[left] = active[i];
            whose[left++] = one;
        }
        running = left;
    }
    for (size_t i = 0; i < count; i++)
        loam_session_release(sessions[i]);
}

static size_t read_cases(struct fill_in *cases, const char *at, size_t size)
{
    const char *end = at + size;
    size_t count = 0;
    while (at < end && count < CASES) {
        const char *parts[3];
        for (int i = 0; i < 3; i++) {
            parts[i] = at;
            at = at < end ? at + strlen(at) + 1 : at;
        }
        cases[count++] = (struct fill_in){.prefix = parts[0], .suffix = parts[1], .line = parts[2]};
    }
    return at == end ? count : 0;
}

static void lines_of_unseen_functions_come_back(void)
{
    size_t size, good = 0;
    static struct fill_in cases[CASES];
    char *text = (char *)test_read(fill_in_path, &size);
    REQUIRE(text);
    CHECK_EQUAL(read_cases(cases, text, size), CASES);
    loam_engine *engine = test_engine(2);
    loam_model *model = open_builtin(engine);
    loam_tokenizer *tokenizer = NULL;
    REQUIRE(model);
    CHECK_OK(loam_model_tokenizer(&tokenizer, model, &test_error));
    for (size_t at = 0; at < CASES && test_failed_here == 0; at += BATCH)
        run_batch(cases + at, CASES - at < BATCH ? CASES - at : BATCH, model, tokenizer);
    for (size_t i = 0; i < CASES; i++)
        good += cases[i].length == strlen(cases[i].line) &&
                memcmp(cases[i].found, cases[i].line, cases[i].length) == 0;
    printf("# %zu of %d lines exactly\n", good, CASES);
    CHECK(good >= GOOD_CASES);
    loam_tokenizer_release(tokenizer);
    loam_model_release(model);
    loam_engine_release(engine);
    free(text);
}

/* ---- held-out documents ----------------------------------------------------- */

static double surprise(const float *logits, uint32_t vocabulary, int32_t token)
{
    double most = (double)logits[0], sum = 0;
    for (uint32_t i = 1; i < vocabulary; i++)
        most = (double)logits[i] > most ? (double)logits[i] : most;
    for (uint32_t i = 0; i < vocabulary; i++)
        sum += exp((double)logits[i] - most);
    return log(sum) + most - (double)logits[token];
}

/* Adds -ln P of each token of one document and of the end behind it. */
static size_t add_document(double *sum, loam_session *session, loam_tokenizer *tokenizer,
                           const char *text, size_t length, uint32_t vocabulary, float *logits)
{
    int32_t tokens[ROOM + 1];
    loam_tokenizer_info info = {.struct_size = sizeof info};
    CHECK_OK(loam_tokenizer_get_info(&info, tokenizer, &test_error));
    size_t count = encode(tokens, tokenizer, text, length);
    tokens[count] = info.end_token;
    CHECK_OK(loam_session_rewind(session, 0, &test_error));
    CHECK_OK(loam_session_evaluate(session, tokens, count, logits, count, &test_error));
    for (size_t i = 0; i < count; i++)
        *sum += surprise(logits + i * vocabulary, vocabulary, tokens[i + 1]);
    return count;
}

static void held_out_text_surprises_it_less_than_a_5_gram_model(void)
{
    static const char end[] = "<|endoftext|>";
    size_t size, tokens = 0;
    double sum = 0;
    char *text = (char *)test_read(held_out_path, &size);
    REQUIRE(text);
    loam_engine *engine = test_engine(2);
    loam_model *model = open_builtin(engine);
    loam_tokenizer *tokenizer = NULL;
    REQUIRE(model);
    CHECK_OK(loam_model_tokenizer(&tokenizer, model, &test_error));
    loam_session *session = test_session(model);
    uint32_t vocabulary = test_vocabulary(model);
    float *logits = (float *)malloc((size_t)ROOM * vocabulary * sizeof *logits);
    REQUIRE(logits);
    for (const char *at = text, *next; (next = strstr(at, end)) && test_failed_here == 0;
         at = next + strlen(end))
        tokens +=
            add_document(&sum, session, tokenizer, at, (size_t)(next - at), vocabulary, logits);
    double mean = sum / (double)tokens;
    printf("# %zu tokens, perplexity %.4f, of the 5-gram model %.4f\n", tokens, exp(mean),
           exp(FIVE_GRAM_SURPRISE));
    CHECK_EQUAL(tokens, HELD_OUT_TOKENS);
    CHECK(mean < FIVE_GRAM_SURPRISE);
    free(logits);
    loam_session_release(session);
    loam_tokenizer_release(tokenizer);
    loam_model_release(model);
    loam_engine_release(engine);
    free(text);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    fill_in_path = arguments[1];
    held_out_path = arguments[2];
    RUN(it_is_as_small_as_its_card_says);
    RUN(lines_of_unseen_functions_come_back);
    RUN(held_out_text_surprises_it_less_than_a_5_gram_model);
    return test_end();
}
