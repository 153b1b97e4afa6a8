/* SPDX-License-Identifier: MIT */
/* Which type each tensor gets: four models whose choices llama.cpp has written
 * down (mixes.txt), cases by hand for the rules that those do not reach, and
 * what a caller may wish. */
#include "test.h"

#include "format/gguf_write.h"
#include "format/mix.h"

static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

/* ---- headers without a file ------------------------------------------------------ */

/* Layers that have a tensor. */
enum { ALWAYS, EACH_FOURTH, OTHERS, ONCE };

struct tensor_shape {
    const char *name; /* without "blk.N." and ".weight" */
    int layers;
    uint32_t width, rows, experts; /* experts 0: a matrix; rows 0: a vector */
};

struct model_shape {
    const char *name, *architecture;
    uint32_t layers, heads, kv_heads, experts;
    struct tensor_shape tensors[20];
};

/* Rows matter little, widths by whether blocks of 256 and 32 fit. */
static const struct model_shape models[] = {
    {"qwen3-0.6b",
     "qwen3",
     28,
     16,
     8,
     0,
     {{"token_embd", ONCE, 1024, 16, 0},
      {"output", ONCE, 1024, 16, 0},
      {"attn_norm", ALWAYS, 1024, 0, 0},
      {"attn_q", ALWAYS, 1024, 16, 0},
      {"attn_k", ALWAYS, 1024, 16, 0},
      {"attn_v", ALWAYS, 1024, 16, 0},
      {"attn_output", ALWAYS, 2048, 16, 0},
      {"ffn_gate", ALWAYS, 1024, 16, 0},
      {"ffn_up", ALWAYS, 1024, 16, 0},
      {"ffn_down", ALWAYS, 3072, 16, 0}}},
    {"llama-70b",
     "llama",
     80,
     64,
     8,
     0,
     {{"token_embd", ONCE, 8192, 16, 0},
      {"output", ONCE, 8192, 16, 0},
      {"attn_q", ALWAYS, 8192, 16, 0},
      {"attn_k", ALWAYS, 8192, 16, 0},
      {"attn_v", ALWAYS, 8192, 16, 0},
      {"attn_output", ALWAYS, 8192, 16, 0},
      {"ffn_gate", ALWAYS, 8192, 16, 0},
      {"ffn_up", ALWAYS, 8192, 16, 0},
      {"ffn_down", ALWAYS, 28672, 16, 0}}},
    {"gpt-oss-120b",
     "gpt-oss",
     36,
     64,
     8,
     128,
     {{"token_embd", ONCE, 2880, 16, 0},
      {"output", ONCE, 2880, 16, 0},
      {"attn_q", ALWAYS, 2880, 16, 0},
      {"attn_k", ALWAYS, 2880, 16, 0},
      {"attn_v", ALWAYS, 2880, 16, 0},
      {"attn_output", ALWAYS, 4096, 16, 0},
      {"ffn_gate_inp", ALWAYS, 2880, 128, 0},
      {"ffn_gate_exps", ALWAYS, 2880, 16, 128},
      {"ffn_up_exps", ALWAYS, 2880, 16, 128},
      {"ffn_down_exps", ALWAYS, 2880, 16, 128}}},
    {"qwen3-coder-next",
     "qwen3next",
     48,
     16,
     2,
     512,
     {{"token_embd", ONCE, 2048, 16, 0},
      {"output", ONCE, 2048, 16, 0},
      {"attn_q", EACH_FOURTH, 2048, 16, 0},
      {"attn_k", EACH_FOURTH, 2048, 16, 0},
      {"attn_v", EACH_FOURTH, 2048, 16, 0},
      {"attn_output", EACH_FOURTH, 4096, 16, 0},
      {"attn_qkv", OTHERS, 2048, 16, 0},
      {"attn_gate", OTHERS, 2048, 16, 0},
      {"ssm_ba", OTHERS, 2048, 16, 0},
      {"ssm_conv1d", OTHERS, 4, 16, 0},
      {"ssm_out", OTHERS, 4096, 16, 0},
      {"ffn_gate_inp", ALWAYS, 2048, 512, 0},
      {"ffn_gate_inp_shexp", ALWAYS, 2048, 0, 0},
      {"ffn_gate_exps", ALWAYS, 2048, 16, 512},
      {"ffn_up_exps", ALWAYS, 2048, 16, 512},
      {"ffn_down_exps", ALWAYS, 512, 16, 512},
      {"ffn_gate_shexp", ALWAYS, 2048, 16, 0},
      {"ffn_up_shexp", ALWAYS, 2048, 16, 0},
      {"ffn_down_shexp", ALWAYS, 512, 16, 0}}},
    {"mixtral",
     "llama",
     32,
     32,
     8,
     8,
     {{"token_embd", ONCE, 4096, 16, 0},
      {"output", ONCE, 4096, 16, 0},
      {"attn_q", ALWAYS, 4096, 16, 0},
      {"attn_k", ALWAYS, 4096, 16, 0},
      {"attn_v", ALWAYS, 4096, 16, 0},
      {"attn_output", ALWAYS, 4096, 16, 0},
      {"ffn_gate_inp", ALWAYS, 4096, 8, 0},
      {"ffn_gate_exps", ALWAYS, 4096, 16, 8},
      {"ffn_up_exps", ALWAYS, 4096, 16, 8},
      {"ffn_down_exps", ALWAYS, 14336, 16, 8}}},
    {"falcon",
     "falcon",
     32,
     71,
     1,
     0,
     {{"token_embd", ONCE, 4608, 16, 0},
      {"output", ONCE, 4608, 16, 0},
      {"attn_qkv", ALWAYS, 4608, 16, 0},
      {"attn_output", ALWAYS, 4608, 16, 0},
      {"ffn_up", ALWAYS, 4608, 16, 0},
      {"ffn_down", ALWAYS, 18432, 16, 0}}},
    {"tied",
     "gemma",
     16,
     8,
     4,
     0,
     {{"token_embd", ONCE, 1024, 16, 0},
      {"attn_v", ALWAYS, 1024, 16, 0},
      {"ffn_down", ALWAYS, 1056, 16, 0},
      {"position_embd", ONCE, 1024, 16, 0},
      {"ffn_up", ALWAYS, 1000, 16, 0}}},
};

static unsigned char header[1 << 20];
static size_t header_size;

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    (void)user;
    if (header_size + size > sizeof header)
        return 1;
    memcpy(header + header_size, data, size);
    header_size += size;
    return 0;
}

/* Behind the header are zeros. */
static int32_t read_header(void *user, uint64_t offset, void *out, size_t size)
{
    (void)user;
    memset(out, 0, size);
    if (offset < header_size)
        memcpy(out, header + offset, loam_min(size, header_size - (size_t)offset));
    return 0;
}

static bool has_layer(int layers, uint32_t layer)
{
    if (layers == ONCE)
        return layer == 0;
    return layers == ALWAYS || (layers == EACH_FOURTH) == (layer % 4 == 3);
}

static uint64_t write_tensors(struct gguf_writer *writer, const struct model_shape *model)
{
    uint64_t count = 0, offset = 0;
    for (uint32_t i = model->layers; i-- > 0;) /* the last layer first: order does not matter */
        for (const struct tensor_shape *shape = model->tensors; shape->name; shape++) {
            char name[96];
            if (!has_layer(shape->layers, i))
                continue;
            snprintf(name, sizeof name, "%s.weight", shape->name);
            if (shape->layers != ONCE)
                snprintf(name, sizeof name, "blk.%u.%s.weight", i, shape->name);
            struct gguf_tensor tensor = {.name = {name, strlen(name)},
                                         .dimension_count = shape->experts ? 3
                                                            : shape->rows  ? 2
                                                                           : 1,
                                         .dimensions = {shape->width, shape->rows ? shape->rows : 1,
                                                        shape->experts ? shape->experts : 1, 1}};
            if (writer) {
                loam_gguf_write_tensor(writer, &tensor, 0, offset);
                offset += (uint64_t)shape->width * tensor.dimensions[1] * tensor.dimensions[2] * 4;
                offset = (offset + 31) / 32 * 32;
            }
            count++;
        }
    return count;
}

static void write_key(struct gguf_writer *writer, const char *architecture, const char *key,
                      uint32_t value)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", architecture, key);
    loam_gguf_write_u32(writer, full, value);
}

static void open_model(struct gguf *out, const struct model_shape *model)
{
    struct gguf_writer writer = {.write = take_bytes, .error = &error};
    loam_source given = {.struct_size = sizeof given,
                         .kind = LOAM_SOURCE_CALLBACK,
                         .size = 1ull << 50,
                         .read = read_header};
    struct source source;
    header_size = 0;
    loam_gguf_write_preamble(&writer, write_tensors(NULL, model), 5);
    loam_gguf_write_text(&writer, "general.architecture",
                         (struct gguf_string){model->architecture, strlen(model->architecture)});
    write_key(&writer, model->architecture, "block_count", model->layers);
    write_key(&writer, model->architecture, "attention.head_count", model->heads);
    write_key(&writer, model->architecture, "attention.head_count_kv", model->kv_heads);
    write_key(&writer, model->architecture, "expert_count", model->experts);
    write_tensors(&writer, model);
    CHECK_EQUAL(writer.status, LOAM_OK);
    CHECK_EQUAL(loam_source_open(&source, &given, &error), LOAM_OK);
    CHECK_EQUAL(loam_gguf_read(out, &source, &memory, &error), LOAM_OK);
}

static const struct model_shape *shape_named(const char *name)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++)
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    return NULL;
}

/* ---- what is expected -------------------------------------------------------------- */

enum { MOST_TENSORS = 1024 };

static struct mix_choice choices[MOST_TENSORS];
static const struct weight_type *expected[MOST_TENSORS];

static const struct mix *mix_of(const char *name)
{
    return loam_mix_named(name, strlen(name));
}

static const struct weight_type *type_of(const char *name)
{
    return loam_weight_type_named(name, strlen(name));
}

static void choose(const struct gguf *gguf, const struct mix_wish *wish)
{
    CHECK(gguf->tensor_count <= MOST_TENSORS);
    CHECK_EQUAL(loam_mix_choose(choices, gguf, wish, &memory, &error), LOAM_OK);
}

/* Tensors that stay F32 in every mix. */
static bool is_left(const char *name)
{
    return strstr(name, "_norm") || strstr(name, "ffn_gate_inp") || strstr(name, "ssm_conv1d") ||
           strstr(name, "position_embd");
}

static void expect_own(const struct gguf *gguf, const struct mix *mix)
{
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        char name[96];
        snprintf(name, sizeof name, "%.*s", (int)gguf->tensors[i].name.length,
                 gguf->tensors[i].name.data);
        expected[i] = is_left(name) ? gguf->tensors[i].type : mix->type;
    }
}

static bool in_list(const char *list, long layer)
{
    while (*list) {
        char *end;
        long first = strtol(list, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        if (layer >= first && layer <= last)
            return true;
        list = *end ? end + 1 : end;
    }
    return false;
}

/* Writes `type` to the tensor in those layers ("0-2,5"; "" for one without a
 * layer); returns how many there are. */
static int expect(const struct gguf *gguf, const char *tensor, const char *layers,
                  const struct weight_type *type)
{
    int count = 0;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        char name[96], wanted[96];
        long layer = 0;
        snprintf(name, sizeof name, "%.*s", (int)gguf->tensors[i].name.length,
                 gguf->tensors[i].name.data);
        bool has = sscanf(name, "blk.%ld.", &layer) == 1;
        if (has)
            snprintf(wanted, sizeof wanted, "blk.%ld.%s.weight", layer, tensor);
        else
            snprintf(wanted, sizeof wanted, "%s.weight", tensor);
        if (strcmp(name, wanted) != 0 || (has && !in_list(layers, layer)))
            continue;
        expected[i] = type;
        count++;
    }
    return count;
}

static void compare(const struct gguf *gguf, const char *model, const char *mix)
{
    for (uint64_t i = 0; i < gguf->tensor_count; i++)
        if (choices[i].type != expected[i]) {
            printf("# %s %s %.*s: %s, expected %s\n", model, mix, (int)gguf->tensors[i].name.length,
                   gguf->tensors[i].name.data, choices[i].type->name, expected[i]->name);
            test_failed_here++;
        }
}

/* ---- tests -------------------------------------------------------------------------- */

/* Applies the lines of mixes.txt for one model and mix; returns their number. */
static int expect_lines(const struct gguf *gguf, const char *text, const char *model,
                        const char *mix)
{
    int lines = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        char words[4][32], layers[200] = "";
        line += *line == '\n';
        if (sscanf(line, "%31s %31s %31s %31s%*[ ]%199[0-9,-]", words[0], words[1], words[2],
                   words[3], layers) < 4 ||
            *line == '#' || strcmp(words[0], model) != 0 || strcmp(words[1], mix) != 0)
            continue;
        CHECK(type_of(words[3]));
        if (expect(gguf, words[2], layers, type_of(words[3])) == 0) {
            printf("# %s %s %s: no such tensor\n", words[0], words[1], words[2]);
            test_failed_here++;
        }
        lines++;
    }
    return lines;
}

static void choices_are_those_of_the_reference(void)
{
    static const char *const names[] = {"qwen3-0.6b", "llama-70b", "gpt-oss-120b",
                                        "qwen3-coder-next"};
    char path[4096];
    size_t size;
    int lines = 0;
    snprintf(path, sizeof path, "%s/tests/unit/mixes.txt", getenv("LOAM_SOURCE"));
    char *text = (char *)test_read(path, &size);
    REQUIRE(text);
    for (size_t m = 0; m < LOAM_COUNT_OF(names); m++) {
        struct gguf gguf;
        const struct mix *mix;
        open_model(&gguf, shape_named(names[m]));
        for (size_t i = 0; (mix = loam_mix_at(i)) != NULL; i++) {
            struct mix_wish wish = {.mix = mix};
            if (mix == mix_of("Q1_0") || mix == mix_of("Q2_0") || mix == mix_of("NVFP4"))
                continue; /* not in the reference's list */
            choose(&gguf, &wish);
            expect_own(&gguf, mix);
            lines += expect_lines(&gguf, text, names[m], mix->name);
            compare(&gguf, names[m], mix->name);
        }
        loam_gguf_end(&gguf);
    }
    CHECK(lines > 550);
    free(text);
}

/* Of a model, mix and importance: exceptions as "tensor layers type; ...". */
static void by_hand(const char *model, const char *mix, bool importance, const char *exceptions)
{
    struct gguf gguf;
    struct mix_wish wish = {.mix = mix_of(mix), .has_importance = importance};
    char text[512];
    snprintf(text, sizeof text, "%s", exceptions);
    open_model(&gguf, shape_named(model));
    choose(&gguf, &wish);
    expect_own(&gguf, wish.mix);
    for (char *part = strtok(text, ";"); part; part = strtok(NULL, ";")) {
        char tensor[32], layers[64], type[16];
        CHECK_EQUAL(sscanf(part, "%31s %63s %15s", tensor, layers, type), 3);
        CHECK(expect(&gguf, tensor, layers, type_of(type)) > 0);
    }
    compare(&gguf, model, mix);
    loam_gguf_end(&gguf);
}

static void eight_experts(void)
{
    by_hand("mixtral", "Q4_K_M", false,
            "output - Q6_K; attn_v 0-31 Q8_0; attn_k 0-31 Q8_0; attn_output 0-31 Q5_K;"
            "ffn_down_exps 0-3,6,9,12,15,18,21,24,27-31 Q6_K");
    by_hand("mixtral", "Q3_K_L", false,
            "output - Q6_K; attn_v 0-31 Q8_0; attn_k 0-31 Q8_0; ffn_down_exps 0-31 Q5_K");
    by_hand("mixtral", "IQ2_S", true,
            "output - Q5_K; token_embd - IQ3_S; attn_v 0-31 Q4_K; attn_k 0-31 Q4_K;"
            "attn_output 0-31 Q5_K; ffn_down_exps 0-3 IQ3_S");
    by_hand("mixtral", "IQ3_M", true,
            "output - Q6_K; attn_v 0-31 Q8_0; attn_k 0-31 Q8_0; attn_output 0-31 Q5_K;"
            "ffn_down_exps 0-3,6,9,12,15,18,21,24,27-31 Q4_K");
    by_hand("mixtral", "MXFP4_MOE", false,
            "output - Q8_0; token_embd - Q8_0; attn_q 0-31 Q8_0; attn_k 0-31 Q8_0;"
            "attn_v 0-31 Q8_0; attn_output 0-31 Q8_0");
}

static void falcon(void)
{
    by_hand("falcon", "Q4_K_M", false,
            "output - Q8_0; attn_qkv 0-3,6,9,12,15,18,21,24,27-31 Q6_K;"
            "ffn_down 2-3,6,9,12,15,18,21,24,27-31 Q5_K; ffn_down 0-1 Q6_K");
    by_hand("falcon", "Q3_K_M", false,
            "output - Q8_0; attn_qkv 0-1 Q5_K; attn_qkv 2-31 Q4_K;"
            "ffn_down 2-3,6,9,12,15,18,21,24,27-31 Q4_K; ffn_down 0-1 Q5_K");
    by_hand("falcon", "Q3_K_L", false,
            "output - Q8_0; attn_qkv 0-31 Q5_K; ffn_down 0-31 Q4_K; attn_output 0-31 Q4_K");
    by_hand("falcon", "Q4_K_S", false, "output - Q8_0; attn_qkv 0-3 Q5_K");
}

/* With an importance file some rules do not hold, and others begin to. */
static void importance_changes_rules(void)
{
    by_hand("qwen3-0.6b", "Q4_0", true, "output - Q6_K; ffn_down 0-2 Q4_1");
    by_hand("qwen3-0.6b", "Q5_0", true, "output - Q6_K; ffn_down 0-2 Q5_1");
    by_hand("qwen3-0.6b", "IQ4_XS", true, "output - Q6_K");
    by_hand("qwen3-0.6b", "IQ4_XS", false, "output - Q6_K; ffn_down 0-2 Q5_K");
    by_hand("qwen3-0.6b", "IQ3_XXS", true,
            "output - Q5_K; token_embd - IQ3_S; attn_q 0-27 IQ2_S; attn_k 0-27 IQ2_S;"
            "attn_output 0-27 IQ3_S");
}

/* A table that is the output matrix too; rows that do not fit. */
static void tied_tables_and_odd_widths(void)
{
    by_hand("tied", "Q4_K_M", false,
            "token_embd - Q6_K; attn_v 0-1,4,7,10,13-15 Q6_K;"
            "ffn_down 0-15 Q5_0; ffn_down 0-1,4,7,10,13-15 Q8_0; ffn_up 0-15 F16");
    by_hand("tied", "Q8_0", false, "ffn_up 0-15 F16");
    by_hand("tied", "IQ2_XXS", true,
            "token_embd - Q5_K; attn_v 0-15 Q2_K; ffn_down 0-1 Q4_0; ffn_down 2-15 IQ4_NL;"
            "ffn_up 0-15 F16");
}

static void what_is_wished(void)
{
    const struct mix_override overrides[] = {
        {"^blk.1.*down", 12, type_of("Q8_0")},
        {"attn_v", 6, type_of("Q5_1")},
        {"^output.weight$", 15, type_of("F16")},
        {"blk.2.", 6, type_of("Q4_1")},
    };
    struct gguf gguf;
    struct mix_wish wish = {.mix = mix_of("q4_k_s"),
                            .pure = true,
                            .overrides = overrides,
                            .override_count = LOAM_COUNT_OF(overrides)};
    open_model(&gguf, shape_named("qwen3-0.6b"));
    choose(&gguf, &wish);
    expect_own(&gguf, wish.mix);
    static const char *const all[] = {"attn_q", "attn_k",   "attn_output",
                                      "ffn_up", "ffn_gate", "ffn_down"};
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        expect(&gguf, all[i], "2", type_of("Q4_1"));
    expect(&gguf, "ffn_down", "1", type_of("Q8_0"));
    expect(&gguf, "attn_v", "0-27", type_of("Q5_1"));
    expect(&gguf, "output", "", type_of("F16"));
    compare(&gguf, "qwen3-0.6b", "wished");
    wish.override_count = 0;
    wish.keep_output = true;
    wish.embedding = type_of("BF16");
    choose(&gguf, &wish);
    expect_own(&gguf, wish.mix);
    expect(&gguf, "output", "", type_of("F32"));
    expect(&gguf, "token_embd", "", type_of("BF16"));
    compare(&gguf, "qwen3-0.6b", "kept");
    loam_gguf_end(&gguf);
}

static void names(void)
{
    const struct mix *mix;
    for (size_t i = 0; (mix = loam_mix_at(i)) != NULL; i++) {
        CHECK(loam_mix_named(mix->name, strlen(mix->name)) == mix);
        CHECK(mix->type->quantize && mix->id == i);
    }
    CHECK(mix_of("Q4_K") == mix_of("Q4_K_M") && mix_of("Q3_K") == mix_of("q3_k_m"));
    CHECK(mix_of("Q5_K") == mix_of("Q5_K_M") && mix_of("MXFP4") == mix_of("MXFP4_MOE"));
    CHECK(!mix_of("Q4_K_X") && !mix_of("Q4_") && !mix_of("") && !mix_of("Q4_K_MM"));
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(names);
    RUN(choices_are_those_of_the_reference);
    RUN(eight_experts);
    RUN(falcon);
    RUN(importance_changes_rules);
    RUN(tied_tables_and_odd_widths);
    RUN(what_is_wished);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    return test_end();
}
