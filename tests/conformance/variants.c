/* SPDX-License-Identifier: MIT */
/*
 * What real files have and no case of the reference data: the cases, changed so
 * that the answer is known otherwise. Heads that rank, against their formula;
 * layers whose answer is another's; files that are wrong.
 */
#include "common.h"

#include "tools/edited_model.h"

#include <math.h>

enum { TOKENS = 21, MOST = 64 * 64 };

static struct edited edited;
static int32_t tokens[TOKENS];

static bool open_case(const char *name)
{
    for (int32_t i = 0; i < TOKENS; i++)
        tokens[i] = (7 * i + 3) % 61;
    return edited_open(&edited, name);
}

static float random_number(uint64_t *state)
{
    return (float)((double)test_random(state) / 4294967296.0 - 0.5);
}

static float *add_random(const char *name, uint64_t width, uint64_t rows, uint64_t count)
{
    static uint64_t state = 5;
    float *numbers = edited_add(&edited, name, LOAM_TYPE_F32, width, rows, count);
    for (uint64_t i = 0; i < width * rows * count; i++)
        numbers[i] = random_number(&state);
    return numbers;
}

/* Opens what was edited, on a level with so many threads. */
static loam_model *open_edited(loam_engine **engine, int32_t level, int32_t threads,
                               uint32_t step_rows)
{
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    loam_model_options model_options = {
        .struct_size = sizeof model_options, .kv_type = LOAM_KV_F32, .max_step_rows = step_rows};
    loam_model *model = NULL;
    edited_write(&edited);
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_MEMORY,
                          .data = edited.file,
                          .size = edited.size};
    CHECK_OK(loam_engine_create(engine, &options, &test_error));
    CHECK_OK(loam_model_open_source(&model, *engine, &source, &model_options, &test_error));
    return model;
}

/* The embedding of the tokens; zeros where it failed. Returns its numbers. */
static size_t embed_by(float out[MOST], int32_t pooling, int32_t level, int32_t threads,
                       uint32_t rows)
{
    loam_engine *engine = NULL;
    loam_model_info info = {.struct_size = sizeof info};
    loam_embed_options options = {.struct_size = sizeof options, .pooling = pooling};
    loam_model *model = open_edited(&engine, level, threads, rows);
    size_t count = 0;
    memset(out, 0, MOST * sizeof *out);
    if (model) {
        CHECK_OK(loam_model_get_info(&info, model, &test_error));
        count = info.embedding_output * (pooling == LOAM_POOLING_TOKENS ? TOKENS : 1);
        if (count <= MOST)
            CHECK_OK(loam_model_embed(model, tokens, TOKENS, &options, out, &test_error));
    }
    loam_model_release(model);
    loam_engine_release(engine);
    return count;
}

static size_t embed(float out[MOST], int32_t pooling)
{
    return embed_by(out, pooling, LOAM_CPU_SCALAR, 1, 64);
}

/* Levels, threads and, if tokens look back only, pieces. */
static void check_ways(const float *expected, size_t count, bool causal)
{
    static const uint32_t rows[] = {64, 7, 1};
    float found[MOST];
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++)
        for (size_t i = 0; i < (causal ? 3 : 1) && loam_cpu_level_available(level); i++) {
            CHECK_EQUAL(embed_by(found, LOAM_POOLING_DEFAULT, level, 3, rows[i]), count);
            CHECK(memcmp(found, expected, count * sizeof *found) == 0);
        }
}

/* Logits of all tokens; zeros where it failed. */
static size_t evaluate_by(float out[MOST], int32_t level, int32_t threads, size_t piece)
{
    loam_engine *engine = NULL;
    loam_session *session = NULL;
    loam_model *model = open_edited(&engine, level, threads, 64);
    size_t width = model ? test_vocabulary(model) : 0;
    memset(out, 0, MOST * sizeof *out);
    if (model)
        CHECK_OK(loam_session_create(&session, model, NULL, &test_error));
    for (size_t done = 0; session && done < TOKENS && width * TOKENS <= MOST; done += piece) {
        size_t rows = TOKENS - done < piece ? TOKENS - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, out + done * width, rows,
                                       &test_error));
    }
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return width * TOKENS;
}

static size_t evaluate(float out[MOST])
{
    return evaluate_by(out, LOAM_CPU_SCALAR, 1, TOKENS);
}

static void check_near(const float *found, const double *expected, size_t count, double tolerance)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - expected[i]);
        worst = error <= worst ? worst : error;
    }
    printf("# off by %.1e at most\n", worst);
    CHECK(worst <= tolerance);
}

/* ---- ranking -------------------------------------------------------------- */

enum { WIDTH = 48 };

/* w x + b of `rows`. */
static void product(double *out, const float *w, const float *bias, const double *x, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        out[i] = bias ? (double)bias[i] : 0;
        for (size_t k = 0; k < WIDTH; k++)
            out[i] += (double)w[i * WIDTH + k] * x[k];
    }
}

static void an_encoder_ranks_by_its_first_token(void)
{
    float vectors[MOST], scores[MOST];
    double x[WIDTH], hidden[WIDTH], expected[3];
    if (!open_case("arch/bert/model.gguf"))
        SKIP("no reference data: arch");
    CHECK_EQUAL(embed(vectors, LOAM_POOLING_TOKENS), WIDTH * TOKENS);
    const float *w = add_random("cls.weight", WIDTH, WIDTH, 1);
    const float *b = add_random("cls.bias", WIDTH, 1, 1);
    const float *w2 = add_random("cls.output.weight", WIDTH, 3, 1);
    const float *b2 = add_random("cls.output.bias", 3, 1, 1);
    edited_set_u32(&edited, "bert.pooling_type", 4);
    edited_set_strings(&edited, "bert.classifier.output_labels", 3);
    for (size_t i = 0; i < WIDTH; i++)
        x[i] = (double)vectors[i];
    product(hidden, w, b, x, WIDTH);
    for (size_t i = 0; i < WIDTH; i++)
        hidden[i] = tanh(hidden[i]);
    product(expected, w2, b2, hidden, 3);
    CHECK_EQUAL(embed(scores, LOAM_POOLING_DEFAULT), 3);
    check_near(scores, expected, 3, 1e-5);
    check_ways(scores, 3, false);
    edited_end(&edited);
}

/* One layer alone, and its function. */
static void a_head_of_one_layer(void)
{
    float vectors[MOST], scores[MOST];
    double x[WIDTH], expected[1];
    if (!open_case("arch/jina-bert-v2/model.gguf"))
        SKIP("no reference data: arch");
    CHECK_EQUAL(embed(vectors, LOAM_POOLING_TOKENS), WIDTH * TOKENS);
    const float *w = add_random("cls.weight", WIDTH, 1, 1);
    const float *b = add_random("cls.bias", 1, 1, 1);
    edited_set_u32(&edited, "jina-bert-v2.pooling_type", 4);
    for (size_t i = 0; i < WIDTH; i++)
        x[i] = (double)vectors[i];
    product(expected, w, b, x, 1);
    expected[0] = tanh(expected[0]);
    CHECK_EQUAL(embed(scores, LOAM_POOLING_RANK), 1);
    check_near(scores, expected, 1, 1e-5);
    edited_end(&edited);
}

/* Probabilities of two labels. */
static void a_decoder_ranks_by_its_last_token(void)
{
    float vectors[MOST], scores[MOST];
    double x[WIDTH], raw[2], expected[2];
    if (!open_case("arch/qwen3-embedding/model.gguf"))
        SKIP("no reference data: arch");
    CHECK_EQUAL(embed(vectors, LOAM_POOLING_TOKENS), WIDTH * TOKENS);
    const float *w = add_random("cls.output.weight", WIDTH, 2, 1);
    edited_set_u32(&edited, "qwen3.pooling_type", 4);
    edited_set_strings(&edited, "qwen3.classifier.output_labels", 2);
    for (size_t i = 0; i < WIDTH; i++)
        x[i] = (double)vectors[(TOKENS - 1) * WIDTH + i];
    product(raw, w, NULL, x, 2);
    expected[0] = 1 / (1 + exp(raw[1] - raw[0]));
    expected[1] = 1 - expected[0];
    CHECK_EQUAL(embed(scores, LOAM_POOLING_DEFAULT), 2);
    check_near(scores, expected, 2, 1e-5);
    check_ways(scores, 2, true);
    edited_end(&edited);
}

static void ranking_is_refused_where_it_can_not_be(void)
{
    float out[MOST];
    loam_engine *engine = NULL;
    if (!open_case("arch/bert/model.gguf"))
        SKIP("no reference data: arch");
    loam_embed_options options = {.struct_size = sizeof options, .pooling = LOAM_POOLING_RANK};
    loam_model *model = open_edited(&engine, LOAM_CPU_BEST, 1, 64);
    REQUIRE(model);
    CHECK_EQUAL(loam_model_embed(model, tokens, 3, &options, out, NULL), LOAM_UNSUPPORTED);
    loam_model_release(model);
    loam_engine_release(engine);
    add_random("cls.output.weight", WIDTH, 1, 1);
    edited_set_u32(&edited, "bert.pooling_type", 4);
    model = open_edited(&engine, LOAM_CPU_BEST, 1, 64);
    REQUIRE(model);
    options.pooling = LOAM_POOLING_MEAN;
    CHECK_EQUAL(loam_model_embed(model, tokens, 3, &options, out, NULL), LOAM_UNSUPPORTED);
    options.pooling = LOAM_POOLING_DEFAULT;
    options.normalise = 1;
    CHECK_EQUAL(loam_model_embed(model, tokens, 3, &options, out, NULL), LOAM_UNSUPPORTED);
    options.normalise = 0;
    CHECK_OK(loam_model_embed(model, tokens, 3, &options, out, &test_error));
    loam_model_release(model);
    loam_engine_release(engine);
    edited_end(&edited);
}

/* ---- encoders ------------------------------------------------------------- */

static void zero(const char *name)
{
    struct edited_tensor *tensor = edited_find(&edited, name);
    if (tensor)
        memset(tensor->data, 0, (size_t)tensor->head.bytes);
}

static void layer_norm(double x[WIDTH], const char *name)
{
    char full[64];
    double mean = 0, squares = 0;
    snprintf(full, sizeof full, "%s.weight", name);
    const float *weight = edited_numbers(&edited, full);
    snprintf(full, sizeof full, "%s.bias", name);
    const float *bias = edited_numbers(&edited, full);
    for (size_t i = 0; i < WIDTH; i++)
        mean += x[i] / WIDTH;
    for (size_t i = 0; i < WIDTH; i++)
        squares += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (size_t i = 0; i < WIDTH; i++)
        x[i] = (x[i] - mean) / sqrt(squares + 0.004) * (double)weight[i] + (double)bias[i];
}

/* The first row of a model whose blocks give nothing: norms of the embedding. */
static void expect_norms(double x[WIDTH])
{
    const float *embedding = edited_numbers(&edited, "token_embd.weight");
    const float *type = edited_numbers(&edited, "token_types.weight");
    for (size_t i = 0; i < WIDTH; i++)
        x[i] = (double)embedding[(size_t)tokens[0] * WIDTH + i] + (double)type[i];
    layer_norm(x, "token_embd_norm");
    for (int layer = 0; layer < 2; layer++) {
        char name[32];
        double before[WIDTH];
        memcpy(before, x, sizeof before);
        snprintf(name, sizeof name, "blk.%d.attn_output_norm", layer);
        layer_norm(x, name);
        for (size_t i = 0; i < WIDTH; i++)
            x[i] += before[i];
        snprintf(name, sizeof name, "blk.%d.attn_norm_2", layer);
        layer_norm(x, name);
        snprintf(name, sizeof name, "blk.%d.layer_output_norm", layer);
        layer_norm(x, name);
    }
}

static void a_second_norm_behind_attention(void)
{
    static const char *const silent[] = {"attn_output.weight", "attn_output.bias",
                                         "ffn_down.weight", "ffn_down.bias"};
    float found[MOST];
    double expected[WIDTH];
    if (!open_case("arch/jina-bert-v2/model.gguf"))
        SKIP("no reference data: arch");
    for (int layer = 0; layer < 2; layer++) {
        char name[64];
        for (size_t i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "blk.%d.%s", layer, silent[i]);
            zero(name);
        }
        snprintf(name, sizeof name, "blk.%d.attn_norm_2.weight", layer);
        add_random(name, WIDTH, 1, 1);
        snprintf(name, sizeof name, "blk.%d.attn_norm_2.bias", layer);
        add_random(name, WIDTH, 1, 1);
    }
    expect_norms(expected);
    embed(found, LOAM_POOLING_FIRST);
    check_near(found, expected, WIDTH, 1e-5);
    edited_end(&edited);
}

/* Experts that are all the same are one feed-forward block. */
static void an_encoder_with_experts(void)
{
    enum { HIDDEN = 56, EXPERTS = 4 };
    float dense[MOST], found[MOST];
    double expected[WIDTH];
    if (!open_case("arch/nomic-bert/model.gguf"))
        SKIP("no reference data: arch");
    edited_set_family(&edited, "nomic-bert", "nomic-bert-moe");
    edited_remove(&edited, "blk.0.ffn_gate.weight");
    edited_remove(&edited, "blk.1.ffn_gate.weight");
    embed(dense, LOAM_POOLING_DEFAULT);
    for (size_t i = 0; i < WIDTH; i++)
        expected[i] = (double)dense[i];
    float *up = add_random("blk.1.ffn_up_exps.weight", WIDTH, HIDDEN, EXPERTS);
    float *down = add_random("blk.1.ffn_down_exps.weight", HIDDEN, WIDTH, EXPERTS);
    add_random("blk.1.ffn_gate_inp.weight", WIDTH, EXPERTS, 1);
    for (size_t i = 0; i < EXPERTS * HIDDEN * WIDTH; i++) {
        up[i] = edited_numbers(&edited, "blk.1.ffn_up.weight")[i % (HIDDEN * WIDTH)];
        down[i] = edited_numbers(&edited, "blk.1.ffn_down.weight")[i % (HIDDEN * WIDTH)];
    }
    edited_remove(&edited, "blk.1.ffn_up.weight");
    edited_remove(&edited, "blk.1.ffn_down.weight");
    edited_set_u32(&edited, "nomic-bert-moe.expert_count", EXPERTS);
    edited_set_u32(&edited, "nomic-bert-moe.expert_used_count", EXPERTS);
    edited_set_u32(&edited, "nomic-bert-moe.moe_every_n_layers", 2);
    CHECK_EQUAL(embed(found, LOAM_POOLING_DEFAULT), WIDTH);
    check_near(found, expected, WIDTH, 1e-5);
    check_ways(found, WIDTH, false);
    /* With two of four the weights are not 1 together: it must be another answer. */
    edited_set_u32(&edited, "nomic-bert-moe.expert_used_count", 2);
    embed(dense, LOAM_POOLING_DEFAULT);
    CHECK(memcmp(dense, found, WIDTH * sizeof *found) != 0);
    edited_end(&edited);
}

/* ---- matrices ------------------------------------------------------------- */

/* The gate's rows and up's in one tensor are the same model. */
static void experts_with_their_gate_in_up(void)
{
    enum { EMBEDDING = 48 };
    float apart[MOST], joined[MOST];
    char name[64];
    if (!open_case("arch/qwen3moe/model.gguf"))
        SKIP("no reference data: arch");
    size_t count = evaluate(apart);
    for (int layer = 0;; layer++) {
        snprintf(name, sizeof name, "blk.%d.ffn_gate_exps.weight", layer);
        const struct edited_tensor *gate = edited_find(&edited, name);
        if (!gate)
            break;
        const struct gguf_tensor head = gate->head;
        const unsigned char *gates = gate->data;
        edited_remove(&edited, name);
        snprintf(name, sizeof name, "blk.%d.ffn_up_exps.weight", layer);
        const unsigned char *ups = edited_find(&edited, name)->data;
        edited_remove(&edited, name);
        snprintf(name, sizeof name, "blk.%d.ffn_gate_up_exps.weight", layer);
        const uint64_t *d = head.dimensions;
        unsigned char *both = edited_add(&edited, name, LOAM_TYPE_F32, d[0], 2 * d[1], d[2]);
        size_t bytes = (size_t)(d[0] * d[1]) * sizeof(float);
        for (size_t i = 0; i < d[2]; i++) {
            memcpy(both + 2 * i * bytes, gates + i * bytes, bytes);
            memcpy(both + (2 * i + 1) * bytes, ups + i * bytes, bytes);
        }
    }
    CHECK_EQUAL(evaluate(joined), count);
    CHECK(count > 0 && memcmp(apart, joined, count * sizeof *apart) == 0);
    edited_end(&edited);
}

/* Numbers beside matrices, such as NVFP4 files have. */
static void matrices_are_scaled(void)
{
    static const char *const names[] = {"blk.0.attn_q", "blk.1.ffn_down", "output"};
    float before[MOST], after[MOST];
    if (!open_case("arch/llama/model.gguf"))
        SKIP("no reference data: arch");
    size_t count = evaluate(before);
    for (size_t i = 0; i < 3; i++) { /* powers of two: the same bits */
        char name[64];
        snprintf(name, sizeof name, "%s.weight", names[i]);
        struct edited_tensor *tensor = edited_find(&edited, name);
        if (!tensor)
            continue;
        for (size_t k = 0; k < tensor->head.bytes / sizeof(float); k++)
            ((float *)(void *)tensor->data)[k] *= 0.25f;
        snprintf(name, sizeof name, "%s.scale", names[i]);
        *(float *)edited_add(&edited, name, LOAM_TYPE_F32, 1, 1, 1) = 4;
    }
    CHECK_EQUAL(evaluate(after), count);
    CHECK(count > 0 && memcmp(before, after, count * sizeof *before) == 0);
    edited_end(&edited);
}

/* ---- files that are wrong --------------------------------------------------- */

static void expect_refusal(loam_status expected)
{
    loam_engine *engine = test_engine(1);
    loam_model *model = NULL;
    edited_write(&edited);
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_MEMORY,
                          .data = edited.file,
                          .size = edited.size};
    loam_status status = loam_model_open_source(&model, engine, &source, NULL, &test_error);
    CHECK_EQUAL(status, expected);
    CHECK(test_error.message[0] != 0);
    loam_model_release(model);
    loam_engine_release(engine);
}

/* A count of 2^31 is refused at once, not after as many steps. */
static void counts_that_are_too_large(void)
{
    static const char *const keys[] = {"gemma3n.altup.num_inputs", "gemma3n.altup.active_idx",
                                       "gemma3n.attention.shared_kv_layers",
                                       "gemma3n.embedding_length_per_layer_input",
                                       "gemma3n.feed_forward_length"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!open_case("arch/gemma3n/model.gguf"))
            SKIP("no reference data: arch");
        edited_set_u32(&edited, keys[i], 0x80000000);
        expect_refusal(LOAM_FORMAT);
        edited_end(&edited);
    }
}

/* Betas and bases for which YaRN's ramp is nowhere: any answer, but no fault. */
static void extreme_rotations(void)
{
    static const float bases[] = {1.0000001f, 1e29f}, betas[] = {1e-38f, 3e38f};
    for (size_t i = 0; i < 4; i++) {
        float out[MOST];
        if (!open_case("arch/llama-rope-yarn/model.gguf"))
            SKIP("no reference data: arch");
        edited_set_f32(&edited, "llama.rope.freq_base", bases[i % 2]);
        edited_set_f32(&edited, "llama.rope.scaling.yarn_beta_fast", betas[i / 2]);
        edited_set_f32(&edited, "llama.rope.scaling.yarn_beta_slow", betas[1 - i / 2]);
        CHECK(evaluate(out) > 0);
        edited_end(&edited);
    }
}

int main(void)
{
    RUN(an_encoder_ranks_by_its_first_token);
    RUN(a_head_of_one_layer);
    RUN(a_decoder_ranks_by_its_last_token);
    RUN(ranking_is_refused_where_it_can_not_be);
    RUN(a_second_norm_behind_attention);
    RUN(an_encoder_with_experts);
    RUN(experts_with_their_gate_in_up);
    RUN(matrices_are_scaled);
    RUN(counts_that_are_too_large);
    RUN(extreme_rotations);
    return test_end();
}
