/* SPDX-License-Identifier: MIT */
/* What becomes of each tensor of a file: its name says what it does, the
 * header what the model is like, and the rules decide. */
#include "format/mix.h"

/* ---- names --------------------------------------------------------------- */

static bool is_name(struct gguf_string name, const char *wanted)
{
    return name.length == strlen(wanted) && memcmp(name.data, wanted, name.length) == 0;
}

/* Where `part`, which is not empty, first stands in the name from `from` on, or
 * the name's length. */
static size_t find(struct gguf_string name, size_t from, const char *part, size_t length)
{
    for (size_t i = from; length <= name.length && i <= name.length - length; i++)
        if (memcmp(name.data + i, part, length) == 0)
            return i;
    return name.length;
}

static bool contains(struct gguf_string name, const char *part)
{
    return find(name, 0, part, strlen(part)) < name.length;
}

static bool ends_with(struct gguf_string name, const char *end, size_t length)
{
    return name.length >= length && memcmp(name.data + name.length - length, end, length) == 0;
}

static enum mix_role role_of(struct gguf_string name)
{
    static const struct {
        const char *part;
        enum mix_role role;
    } parts[] = {
        {"attn_qkv.weight", ROLE_VALUE},
        {"attn_kv_b.weight", ROLE_VALUE},
        {"attn_v.weight", ROLE_VALUE},
        {"attn_k.weight", ROLE_KEY},
        {"attn_q.weight", ROLE_QUERY},
        {"attn_output.weight", ROLE_ATTENTION_OUTPUT},
        {"ffn_up", ROLE_UP},
        {"ffn_gate", ROLE_GATE},
        {"ffn_down", ROLE_DOWN},
    };
    if (is_name(name, "output.weight"))
        return ROLE_OUTPUT;
    if (is_name(name, "token_embd.weight") || is_name(name, "per_layer_token_embd.weight"))
        return ROLE_EMBEDDING;
    for (size_t i = 0; i < LOAM_COUNT_OF(parts); i++)
        if (contains(name, parts[i].part))
            return parts[i].role;
    return ROLE_OTHER;
}

/* Matrices that stay as they are: small ones, those that decide where others
 * go, and tables of positions. */
static bool stays(struct gguf_string name)
{
    static const char *const parts[] = {
        "_norm.weight",
        "ffn_gate_inp.weight",
        "altup",
        "laurel",
        "per_layer_model_proj",
        "ssm_conv1d",
        "shortconv.conv.weight",
        "indexer.k_proj.weight",
        "indexer.q_proj.weight",
        "ffn_gate_tid2eid.weight",
        "time_mix_first.weight",
        "time_mix_w0.weight",
        "time_mix_w1.weight",
        "time_mix_w2.weight",
        "time_mix_v0.weight",
        "time_mix_v1.weight",
        "time_mix_v2.weight",
        "time_mix_a0.weight",
        "time_mix_a1.weight",
        "time_mix_a2.weight",
        "time_mix_g1.weight",
        "time_mix_g2.weight",
        "time_mix_decay_w1.weight",
        "time_mix_decay_w2.weight",
        "time_mix_lerp_fused.weight",
        "attn_rel_b.weight",
        ".position_embd",
        ".patch_embd",
        ".patch_merger",
        ".rel_pos",
        "sam.pos_embd",
        "sam.neck.",
        "sam.net_",
        "a.rvq.codebook",
        "mm.a.code_embd",
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(parts); i++)
        if (contains(name, parts[i]))
            return true;
    return is_name(name, "position_embd.weight") || is_name(name, "token_types.weight");
}

static bool is_quantised(const struct gguf_tensor *tensor, const struct mix_wish *wish)
{
    const uint64_t *d = tensor->dimensions;
    bool matrix = d[1] * d[2] * d[3] > 1; /* their product fits */
    return matrix && tensor->type->dequantize && ends_with(tensor->name, "weight", 6) &&
           !stays(tensor->name) && !(wish->keep_output && is_name(tensor->name, "output.weight"));
}

/* The number in "blk.N.", or -1. */
static int64_t layer_of(struct gguf_string name)
{
    int64_t layer = 0;
    size_t i = 4;
    if (name.length < 6 || memcmp(name.data, "blk.", 4) != 0)
        return -1;
    for (; i < name.length && name.data[i] >= '0' && name.data[i] <= '9' && i < 14; i++)
        layer = layer * 10 + (name.data[i] - '0');
    return i > 4 && i < name.length && name.data[i] == '.' ? layer : -1;
}

/* Whether the parts of a pattern between its '*' follow each other in the name. */
static bool fits(const struct mix_override *override, struct gguf_string name)
{
    const char *at = override->pattern, *end = at + override->length;
    bool bound = at < end && *at == '^', last = false;
    size_t from = 0;
    at += bound;
    bool ends = at < end && end[-1] == '$';
    end -= ends;
    while (!last) {
        const char *star = memchr(at, '*', (size_t)(end - at));
        size_t length = (size_t)((star ? star : end) - at);
        last = !star;
        if (last && ends) {
            size_t place = name.length - length;
            return name.length >= from + length && (!bound || place == from) &&
                   ends_with(name, at, length);
        }
        size_t found = bound ? from : find(name, from, at, length);
        if (length && (found >= name.length || length > name.length - found ||
                       memcmp(name.data + found, at, length) != 0))
            return false;
        from = length ? found + length : from;
        bound = false;
        at += length + 1;
    }
    return true;
}

/* ---- the model ------------------------------------------------------------- */

/* What the choice depends on. */
struct facts {
    uint32_t layers, experts, heads, kv_heads;
    bool falcon, seventy, tied;
};

/* A number of the architecture, for arrays the first; 0 if it is not there. */
static uint32_t number_of(const struct gguf *gguf, struct gguf_string family, const char *key)
{
    for (uint64_t i = 0; i < gguf->entry_count; i++) {
        const struct gguf_entry *entry = &gguf->entries[i];
        if (entry->key.length != family.length + strlen(key) || entry->count == 0 ||
            entry->strings || loam_gguf_type_bytes(entry->type) == 0 ||
            memcmp(entry->key.data, family.data, family.length) != 0 ||
            memcmp(entry->key.data + family.length, key, strlen(key)) != 0)
            continue;
        double value = loam_gguf_number(entry, 0);
        return value > 0 && value < 1e9 ? (uint32_t)value : 0;
    }
    return 0;
}

/* Models of 70 billion weights, by layers. */
static bool is_seventy(struct gguf_string family, const struct facts *facts)
{
    if (is_name(family, "llama"))
        return facts->layers == 80 && facts->experts != 8 && facts->heads != facts->kv_heads;
    return facts->layers == 80 && (is_name(family, "qwen2") || is_name(family, "deci"));
}

static struct facts facts_of(const struct gguf *gguf)
{
    struct gguf_string family, none = {"", 0};
    struct facts facts = {.tied = true};
    if (loam_gguf_get_string(&family, gguf, "general.architecture", &none, NULL))
        family = none;
    facts.layers = number_of(gguf, family, ".block_count");
    facts.experts = number_of(gguf, family, ".expert_count");
    facts.heads = number_of(gguf, family, ".attention.head_count");
    facts.kv_heads = number_of(gguf, family, ".attention.head_count_kv");
    if (!facts.kv_heads)
        facts.kv_heads = facts.heads;
    facts.falcon = is_name(family, "falcon");
    facts.seventy = is_seventy(family, &facts);
    for (uint64_t i = 0; i < gguf->tensor_count; i++)
        facts.tied = facts.tied && !is_name(gguf->tensors[i].name, "output.weight");
    return facts;
}

/* ---- places ------------------------------------------------------------------ */

/* Rules count value matrices, and those that lead back from the hidden layer,
 * in the order of layers, whatever order the file has. */
struct place {
    int64_t layer;
    uint64_t tensor;
};

static bool before(const struct gguf *gguf, struct place a, struct place b)
{
    struct gguf_string x = gguf->tensors[a.tensor].name, y = gguf->tensors[b.tensor].name;
    if (a.layer != b.layer)
        return a.layer < b.layer;
    int order = memcmp(x.data, y.data, loam_min(x.length, y.length));
    return order ? order < 0 : x.length < y.length;
}

/* Merges sorted runs of `width` of from[count] into runs of twice that. */
static void merge(struct place *to, const struct place *from, uint64_t count, uint64_t width,
                  const struct gguf *gguf)
{
    for (uint64_t first = 0; first < count; first += 2 * width) {
        uint64_t middle = first + width < count ? first + width : count;
        uint64_t end = first + 2 * width < count ? first + 2 * width : count;
        uint64_t a = first, b = middle;
        for (uint64_t i = first; i < end; i++)
            to[i] =
                a < middle && (b >= end || !before(gguf, from[b], from[a])) ? from[a++] : from[b++];
    }
}

/* ranks[tensor] = how many matrices of the same role stand before it; returns
 * their number. */
static uint64_t rank_role(uint32_t *ranks, struct place *places, const struct gguf *gguf,
                          const struct mix_wish *wish, enum mix_role role)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < gguf->tensor_count; i++)
        if (role_of(gguf->tensors[i].name) == role && is_quantised(&gguf->tensors[i], wish))
            places[count++] = (struct place){layer_of(gguf->tensors[i].name), i};
    struct place *from = places, *to = places + gguf->tensor_count;
    for (uint64_t width = 1; width < count; width *= 2) {
        merge(to, from, count, width, gguf);
        struct place *other = from;
        from = to;
        to = other;
    }
    for (uint64_t i = 0; i < count; i++)
        ranks[from[i].tensor] = (uint32_t)loam_min(i, UINT32_MAX);
    return count;
}

/* ---- choosing ------------------------------------------------------------------ */

static uint32_t when(uint32_t bit, bool holds)
{
    return holds ? bit : 0;
}

/* Conditions on place `i` of `n`. */
static uint32_t place_conditions(uint64_t i, uint64_t n)
{
    bool first = i < n / 8, last = i >= 7 * n / 8;
    return when(WHEN_FIRST_EIGHTH, first) | when(WHEN_FIRST_SIXTEENTH, i < n / 16) |
           when(WHEN_MIDDLE, !first && !last) | when(WHEN_FIRST_TWO, i < 2) |
           when(WHEN_FIRST_FOUR, i < 4) |
           when(WHEN_MORE_BITS, first || last || (i - n / 8) % 3 == 2);
}

struct choosing {
    const struct gguf *gguf;
    const struct mix_wish *wish;
    struct facts facts;
    uint32_t *ranks;
    uint64_t values; /* value matrices of the file */
};

static const struct weight_type *by_rules(const struct choosing *choosing, uint64_t index,
                                          enum mix_role role)
{
    const struct facts *facts = &choosing->facts;
    const struct gguf_tensor *tensor = &choosing->gguf->tensors[index];
    const struct mix *mix = choosing->wish->mix;
    uint64_t rank = choosing->ranks[index], layers = facts->layers, place = rank;
    int64_t layer = layer_of(tensor->name);
    bool counted = role == ROLE_VALUE || (role == ROLE_DOWN && facts->experts <= 1);
    if (!counted)
        place = layer < 0 ? 0 : (uint64_t)layer;
    if (role == ROLE_EMBEDDING && facts->tied)
        role = ROLE_OUTPUT;
    bool importance = choosing->wish->has_importance;
    uint32_t holds =
        place_conditions(place, role == ROLE_VALUE ? choosing->values : layers) |
        when(WHEN_GROUPED, facts->kv_heads && facts->heads / facts->kv_heads >= 4) |
        when(WHEN_FOUR_EXPERTS, facts->experts >= 4) |
        when(WHEN_EIGHT_EXPERTS, facts->experts == 8) | when(WHEN_NOT_EIGHT, facts->experts != 8) |
        when(WHEN_FALCON, facts->falcon) | when(WHEN_NOT_FALCON, !facts->falcon) |
        when(WHEN_IMPORTANCE, importance) | when(WHEN_NO_IMPORTANCE, !importance) |
        when(WHEN_STACKED, tensor->dimensions[2] > 1) | when(WHEN_EARLY, rank < layers / 8) |
        when(WHEN_ODD_WIDTH, tensor->dimensions[0] % mix->type->block_elements != 0);
    const struct weight_type *type = loam_mix_rule(mix, role, holds);
    return role == ROLE_VALUE && facts->seventy ? loam_mix_raise(mix, type) : type;
}

/* What is wished of this tensor in particular, or NULL. */
static const struct weight_type *by_wish(const struct choosing *choosing,
                                         const struct gguf_tensor *tensor, enum mix_role role)
{
    const struct mix_wish *wish = choosing->wish;
    for (size_t i = 0; i < wish->override_count; i++)
        if (fits(&wish->overrides[i], tensor->name))
            return wish->overrides[i].type;
    if (role == ROLE_EMBEDDING && wish->embedding)
        return wish->embedding;
    bool output = role == ROLE_OUTPUT || (role == ROLE_EMBEDDING && choosing->facts.tied);
    return output && wish->output ? wish->output : NULL;
}

static void choose(struct mix_choice *out, const struct choosing *choosing, uint64_t index)
{
    const struct gguf_tensor *tensor = &choosing->gguf->tensors[index];
    const struct mix *mix = choosing->wish->mix;
    enum mix_role role = role_of(tensor->name);
    *out = (struct mix_choice){.type = tensor->type};
    if (!is_quantised(tensor, choosing->wish))
        return;
    out->type = by_wish(choosing, tensor, role);
    if (!out->type)
        out->type = choosing->wish->pure ? mix->type : by_rules(choosing, index, role);
    if (tensor->dimensions[0] % out->type->block_elements != 0) {
        out->fell_back = true;
        out->type = loam_mix_fallback(out->type, tensor->dimensions[0]);
    }
    out->needs_importance =
        role != ROLE_EMBEDDING && role != ROLE_OUTPUT && loam_mix_needs_importance(mix, out->type);
}

loam_status loam_mix_choose(struct mix_choice *out, const struct gguf *gguf,
                            const struct mix_wish *wish, struct memory *memory, loam_error *error)
{
    struct choosing choosing = {.gguf = gguf, .wish = wish, .facts = facts_of(gguf)};
    struct place *places = loam_memory_get(memory, gguf->tensor_count, 2 * sizeof *places);
    choosing.ranks = loam_memory_get_zero(memory, gguf->tensor_count, sizeof *choosing.ranks);
    loam_status status = LOAM_OK;
    if (places && choosing.ranks) {
        choosing.values = rank_role(choosing.ranks, places, gguf, wish, ROLE_VALUE);
        rank_role(choosing.ranks, places, gguf, wish, ROLE_DOWN);
        for (uint64_t i = 0; i < gguf->tensor_count; i++)
            choose(&out[i], &choosing, i);
    } else {
        status = loam_fail_memory(error, gguf->tensor_count * 2 * sizeof *places);
    }
    loam_memory_free(memory, choosing.ranks);
    loam_memory_free(memory, places);
    return status;
}
