/* SPDX-License-Identifier: MIT */
/*
 * Mixtures of experts in every quantised type: cases of the reference data made
 * wider, so that blocks fit, with random weights. Logits with quantised experts
 * against those with the same numbers in F32, which quantised activations alone
 * may tell apart, and which are far from those of experts in another order; and
 * their bits on each level, with one thread and three, in one piece, pieces of
 * seven, and token by token, memcmp. A type takes one of the cases.
 */
#include "common.h"

#include "tools/edited_model.h"

#include <math.h>

enum { TOKENS = 21, WIDE = 256, VOCABULARY = 64, LOGITS = TOKENS * VOCABULARY };

static const char *const cases[] = {"qwen3moe", "gpt-oss", "glm4moe"};
static int32_t tokens[TOKENS];

/* A number near the normal distribution. */
static float draw(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)test_random(state) / 4294967296.0;
    return (float)sum;
}

/* Widths of the cases that become WIDE: of the embedding, of feed-forward
 * blocks, of experts. */
static uint64_t widened(uint64_t dimension)
{
    return dimension == 48 || dimension == 56 || dimension == 24 ? WIDE : dimension;
}

/* Whether it is a matrix of experts that gets the type: of the last layer, which all cases have. */
static bool is_expert(const char *name)
{
    return strncmp(name, "blk.1.", 6) == 0 && strstr(name, "_exps.weight") != NULL;
}

/* Random numbers as large as matrices and norms of real models, from the name. */
static float *numbers_of(const struct edited_tensor *tensor, const uint64_t *d)
{
    size_t count = (size_t)(d[0] * d[1] * d[2]);
    float *numbers = malloc(count * sizeof *numbers);
    uint64_t state = 17;
    for (const char *c = tensor->name; *c; c++)
        state = state * 31 + (unsigned char)*c;
    bool matrix = d[1] > 1 && !strstr(tensor->name, ".bias");
    for (size_t i = 0; numbers && i < count; i++)
        numbers[i] = matrix ? draw(&state) / sqrtf((float)d[0]) : 1 + draw(&state) / 5;
    return numbers;
}

/* The same model three times: experts in the type; with its numbers in F32;
 * and those in another order. */
struct models {
    struct edited quantised, plain, turned;
};

/* One tensor of the case, wide, in all three. */
static void put_tensor(struct models *out, const struct edited_tensor *from,
                       const struct weight_type *type)
{
    const uint64_t d[3] = {widened(from->head.dimensions[0]), widened(from->head.dimensions[1]),
                           from->head.dimensions[2]};
    const char *name = from->name;
    size_t count = (size_t)(d[0] * d[1] * d[2]), one = (size_t)(d[0] * d[1]);
    float *numbers = numbers_of(from, d);
    bool expert = is_expert(name);
    if (!numbers)
        exit(1);
    void *blocks =
        edited_add(&out->quantised, name, expert ? type->id : LOAM_TYPE_F32, d[0], d[1], d[2]);
    if (expert) {
        type->quantize(blocks, numbers, NULL, count);
        type->dequantize(numbers, blocks, count);
    } else {
        memcpy(blocks, numbers, count * sizeof *numbers);
    }
    float *plain = edited_add(&out->plain, name, LOAM_TYPE_F32, d[0], d[1], d[2]);
    float *turned = edited_add(&out->turned, name, LOAM_TYPE_F32, d[0], d[1], d[2]);
    size_t shift = expert ? one : 0; /* the first expert stands last */
    memcpy(plain, numbers, count * sizeof *numbers);
    memcpy(turned, numbers + shift, (count - shift) * sizeof *numbers);
    memcpy(turned + (count - shift), numbers, shift * sizeof *numbers);
    free(numbers);
}

/* False without the case. */
static bool make(struct models *out, const char *name, const struct weight_type *type)
{
    static struct edited from;
    static const char *const keys[] = {"embedding_length", "feed_forward_length",
                                       "expert_feed_forward_length"};
    struct edited *const files[] = {&out->quantised, &out->plain, &out->turned};
    char text[96];
    snprintf(text, sizeof text, "arch/%s/model.gguf", name);
    if (!edited_open(&from, text))
        return false;
    for (size_t i = 0; i < 3; i++) {
        edited_open(files[i], text);
        for (size_t k = 0; k < 3; k++) {
            char key[96];
            snprintf(key, sizeof key, "%s.%s", name, keys[k]);
            edited_set_u32(files[i], key, WIDE);
        }
    }
    for (size_t i = 0; i < from.tensor_count; i++)
        put_tensor(out, &from.tensors[i], type);
    for (size_t i = 0; i < 3; i++)
        edited_write(files[i]);
    edited_end(&from);
    return true;
}

static void evaluate(float out[LOGITS], const struct edited *file, int32_t level, int32_t threads,
                     size_t piece)
{
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    loam_model_options model_options = {.struct_size = sizeof model_options,
                                        .kv_type = LOAM_KV_F32};
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_MEMORY,
                          .data = file->file,
                          .size = file->size};
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    memset(out, 0, LOGITS * sizeof *out);
    CHECK_OK(loam_engine_create(&engine, &options, &test_error));
    CHECK_OK(loam_model_open_source(&model, engine, &source, &model_options, &test_error));
    if (model && test_vocabulary(model) == VOCABULARY)
        CHECK_OK(loam_session_create(&session, model, NULL, &test_error));
    CHECK(session);
    for (size_t done = 0; session && done < TOKENS; done += piece) {
        size_t rows = TOKENS - done < piece ? TOKENS - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, out + done * VOCABULARY, rows,
                                       &test_error));
    }
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

static void check_ways(const struct edited *file, const float *first)
{
    static const size_t pieces[] = {TOKENS, 7, 1};
    float found[LOGITS];
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++)
        for (size_t i = 0; i < 3 && loam_cpu_level_available(level) && !test_failed_here; i++) {
            evaluate(found, file, level, i == 1 ? 1 : 3, pieces[i]);
            CHECK(memcmp(found, first, sizeof found) == 0);
        }
}

/* Root of the mean square of the difference, in parts of the logits'. */
static double difference(const float *found, const float *expected)
{
    double squares = 0, total = 0;
    for (size_t i = 0; i < LOGITS; i++) {
        double d = (double)found[i] - (double)expected[i];
        squares += d * d;
        total += (double)expected[i] * (double)expected[i];
    }
    return sqrt(squares / total);
}

static const struct weight_type *current;
static const char *current_case;

static void check_type(void)
{
    static struct models models;
    float found[LOGITS], expected[LOGITS], other[LOGITS];
    if (!make(&models, current_case, current))
        SKIP("no reference data: arch");
    evaluate(found, &models.quantised, LOAM_CPU_SCALAR, 1, TOKENS);
    evaluate(expected, &models.plain, LOAM_CPU_BEST, 2, TOKENS);
    evaluate(other, &models.turned, LOAM_CPU_BEST, 2, TOKENS);
    double off = difference(found, expected), far = difference(found, other);
    printf("# %s, %s: off by %.5f; with other experts by %.5f\n", current->name, current_case, off,
           far);
    CHECK(off > 0 && off < far / 20);
    check_ways(&models.quantised, found);
    edited_end(&models.quantised);
    edited_end(&models.plain);
    edited_end(&models.turned);
}

int main(void)
{
    for (int32_t i = 0; i < TOKENS; i++)
        tokens[i] = (11 * i + 5) % 61;
    for (size_t i = 0; (current = loam_weight_type_at(i)) != NULL; i++) {
        current_case = cases[i % (sizeof cases / sizeof *cases)];
        bool taken = !TEST_SANITIZED || i % 3 == 0; /* where all takes too long, one of three */
        if (current->quantize && current->activation_group && taken)
            test_run(current->name, check_type);
    }
    return test_end();
}
