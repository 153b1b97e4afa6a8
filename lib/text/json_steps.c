/* SPDX-License-Identifier: MIT */
/* normalizer, pre_tokenizer and decoder. Both lists may hold one Sequence of
 * steps, none of which is a Sequence. */
#include "text/tokenizer_json.h"

#define LOW_LINE "\xE2\x96\x81" /* U+2581 */
#define GPT2     "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/* Signs of ASCII that Unicode counts as symbols are punctuation here. */
#define PUNCTUATION "[\\p{P}$+<=>\\^`|~]"
/* \w of the expressions that are part of the format, not of the file: alphabetic
 * characters (some are symbols), marks, digits, connectors, joiners. */
#define WORD                                                                                       \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}"  \
    "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"

enum { LONGEST_REPLACEMENT = 64 };

static struct pipeline *pipeline_of(struct json_load *load)
{
    return load->tokenizer->pipeline;
}

/* ---- lists ----------------------------------------------------------------- */

typedef loam_status (*read_step)(struct json_load *load, const struct json_node *step,
                                 loam_string type, const char *path);

/* The step that `node` is, or all of its Sequence, which has them under `key`. */
static loam_status read_steps(struct json_load *load, const struct json_node *node,
                              const char *path, const char *key, read_step read)
{
    loam_string type;
    const struct json_node *list;
    loam_status status = loam_json_get_type(&type, load, node, path);
    if (status || !loam_json_get_equal(type, "Sequence"))
        return status ? status : read(load, node, type, path);
    status = loam_json_get_array(&list, load, node, path, key);
    if (!status && !list)
        status = loam_json_get_fail(load, node, path, "a Sequence with a list");
    for (const struct json_node *step = status ? NULL : loam_json_first(&load->json, list);
         !status && step; step = loam_json_next(&load->json, list, step)) {
        status = loam_json_get_type(&type, load, step, path);
        if (!status)
            status = read(load, step, type, path);
    }
    return status;
}

static loam_status add_change(struct json_load *load, const struct json_node *step,
                              const char *path, struct change change)
{
    struct pipeline *pipeline = pipeline_of(load);
    if (pipeline->change_count == PIPELINE_STEPS)
        return loam_json_get_refuse(load, step, path, "too many steps");
    pipeline->changes[pipeline->change_count++] = change;
    return LOAM_OK;
}

static loam_status add_cut(struct json_load *load, const struct json_node *step, const char *path,
                           struct cut cut)
{
    struct pipeline *pipeline = pipeline_of(load);
    if (pipeline->cut_count == PIPELINE_STEPS)
        return loam_json_get_refuse(load, step, path, "too many steps");
    pipeline->cuts[pipeline->cut_count++] = cut;
    return LOAM_OK;
}

/* ---- patterns -------------------------------------------------------------- */

/* An expression that matches the text alone. */
static loam_status quote(loam_string *out, struct json_load *load, loam_string text)
{
    char *room = loam_arena_get(&load->tokenizer->arena, 2 * (uint64_t)text.length + 1, 1);
    size_t length = 0;
    if (!room)
        return loam_fail_memory(load->error, 2 * text.length);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i], letter = c | 0x20;
        bool plain = c >= 0x80 || (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9');
        if (!plain)
            room[length++] = '\\';
        room[length++] = text.data[i];
    }
    room[length] = 0;
    *out = (loam_string){room, length};
    return LOAM_OK;
}

/* {"String": ...} or {"Regex": ...}. */
static loam_status read_pattern(loam_string *out, bool *is_text, struct json_load *load,
                                const struct json_node *step, const char *path)
{
    const struct json_node *pattern = loam_json_get_value(load, step, "pattern");
    loam_string text = {NULL, 0}, regex = {NULL, 0};
    loam_status status = pattern ? loam_json_get_keys(load, pattern, path, "String Regex")
                                 : loam_json_get_fail(load, step, path, "a step with a pattern");
    if (!status)
        status = loam_json_get_text(&text, load, pattern, path, "String");
    if (!status)
        status = loam_json_get_text(&regex, load, pattern, path, "Regex");
    if (status)
        return status;
    *is_text = text.length > 0;
    *out = *is_text ? text : regex;
    if ((text.length > 0) == (regex.length > 0))
        return loam_json_get_fail(load, pattern, path, "either a String or a Regex");
    if (memchr(out->data, 0, out->length))
        return loam_json_get_refuse(load, pattern, path, "a pattern with NUL");
    return LOAM_OK;
}

/* Compiles one expression; errors name where it stands. */
static loam_status compile(struct splitter **out, struct json_load *load, const char *text,
                           const char *path)
{
    struct arena *arena = &load->tokenizer->arena;
    struct split_pattern pattern = {.names = "", .stages = {text}, .oniguruma = true};
    *out = loam_arena_get(arena, 1, sizeof **out);
    if (!*out)
        return loam_fail_memory(load->error, sizeof **out);
    memset(*out, 0, sizeof **out);
    loam_status status = loam_split_create(*out, &pattern, arena, load->error);
    if (status == LOAM_UNSUPPORTED)
        loam_error_prefix(load->error, path, strlen(path));
    return status;
}

/* ---- normalizer ------------------------------------------------------------ */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static loam_status read_map(struct json_load *load, const struct json_node *step, const char *path)
{
    struct change change = {.kind = CHANGE_MAP};
    loam_string text = {NULL, 0};
    loam_status status = loam_json_get_keys(load, step, path, "type precompiled_charsmap");
    if (!status)
        status = loam_json_get_text(&text, load, step, path, "precompiled_charsmap");
    if (status || text.length == 0)
        return status;
    while (text.length && text.data[text.length - 1] == '=')
        text.length--;
    unsigned char *bytes = loam_arena_get(&load->tokenizer->arena, text.length, 1);
    if (!bytes)
        return loam_fail_memory(load->error, text.length);
    uint32_t bits = 0;
    size_t size = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return loam_json_get_fail(load, step, path, "a character map in base64");
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            bytes[size++] = (unsigned char)(bits >> (6 - i % 4 * 2));
    }
    status = loam_charsmap_read(&change.map, bytes, size, load->error);
    return status ? status : add_change(load, step, path, change);
}

static loam_status read_bert(struct json_load *load, const struct json_node *step, const char *path)
{
    bool clean = true, ideographs = true, lower = true, accents;
    loam_status status = loam_json_get_keys(
        load, step, path, "type clean_text handle_chinese_chars strip_accents lowercase");
    if (!status)
        status = loam_json_get_bool(&clean, load, step, path, "clean_text");
    if (!status)
        status = loam_json_get_bool(&ideographs, load, step, path, "handle_chinese_chars");
    if (!status)
        status = loam_json_get_bool(&lower, load, step, path, "lowercase");
    accents = lower; /* unless the file says otherwise */
    if (!status)
        status = loam_json_get_bool(&accents, load, step, path, "strip_accents");
    if (!status && clean)
        status = add_change(load, step, path, (struct change){.kind = CHANGE_CLEAN});
    if (!status && ideographs)
        status = add_change(load, step, path, (struct change){.kind = CHANGE_IDEOGRAPHS});
    if (!status && accents)
        status =
            add_change(load, step, path, (struct change){.kind = CHANGE_FORM, .form = NORMAL_NFD});
    if (!status && accents)
        status = add_change(
            load, step, path,
            (struct change){.kind = CHANGE_DROP, .categories = (uint32_t)1 << CATEGORY_MN});
    if (!status && lower)
        status = add_change(load, step, path, (struct change){.kind = CHANGE_LOWER});
    return status;
}

static loam_status read_replace(struct json_load *load, const struct json_node *step,
                                const char *path)
{
    struct change change = {.to = {"", 0}};
    bool is_text = false;
    loam_status status = loam_json_get_keys(load, step, path, "type pattern content");
    if (!status)
        status = read_pattern(&change.from, &is_text, load, step, path);
    if (!status)
        status = loam_json_get_text(&change.to, load, step, path, "content");
    if (!status && change.to.length > LONGEST_REPLACEMENT)
        return loam_json_get_refuse(load, step, path, "a replacement of more than 64 bytes");
    change.kind = is_text ? CHANGE_TEXT : CHANGE_PATTERN;
    if (!status && !is_text)
        status = compile(&change.pattern, load, change.from.data, path);
    return status ? status : add_change(load, step, path, change);
}

static loam_status read_front(struct json_load *load, const struct json_node *step,
                              const char *path)
{
    struct change change = {.kind = CHANGE_FRONT, .to = {"", 0}};
    loam_status status = loam_json_get_keys(load, step, path, "type prepend");
    if (!status)
        status = loam_json_get_text(&change.to, load, step, path, "prepend");
    if (!status && change.to.length > LONGEST_REPLACEMENT)
        return loam_json_get_refuse(load, step, path, "a text of more than 64 bytes");
    return status ? status : add_change(load, step, path, change);
}

static loam_status read_strip(struct json_load *load, const struct json_node *step,
                              const char *path)
{
    struct change change = {.kind = CHANGE_STRIP, .left = true, .right = true};
    loam_status status = loam_json_get_keys(load, step, path, "type strip_left strip_right");
    if (!status)
        status = loam_json_get_bool(&change.left, load, step, path, "strip_left");
    if (!status)
        status = loam_json_get_bool(&change.right, load, step, path, "strip_right");
    return status ? status : add_change(load, step, path, change);
}

static loam_status read_normalizer(struct json_load *load, const struct json_node *step,
                                   loam_string type, const char *path)
{
    static const struct {
        const char *type;
        struct change change;
    } plain[] = {
        {"NFC", {.kind = CHANGE_FORM, .form = NORMAL_NFC}},
        {"NFD", {.kind = CHANGE_FORM, .form = NORMAL_NFD}},
        {"NFKC", {.kind = CHANGE_FORM, .form = NORMAL_NFKC}},
        {"NFKD", {.kind = CHANGE_FORM, .form = NORMAL_NFKD}},
        {"Lowercase", {.kind = CHANGE_LOWER}},
        {"StripAccents",
         {.kind = CHANGE_DROP,
          .categories = 1u << CATEGORY_MN | 1u << CATEGORY_MC | 1u << CATEGORY_ME}},
    };
    static const struct {
        const char *type;
        loam_status (*read)(struct json_load *load, const struct json_node *step, const char *path);
    } others[] = {{"BertNormalizer", read_bert},
                  {"Replace", read_replace},
                  {"Prepend", read_front},
                  {"Precompiled", read_map},
                  {"Strip", read_strip}};
    for (size_t i = 0; i < LOAM_COUNT_OF(plain); i++)
        if (loam_json_get_equal(type, plain[i].type)) {
            loam_status status = loam_json_get_keys(load, step, path, "type");
            return status ? status : add_change(load, step, path, plain[i].change);
        }
    for (size_t i = 0; i < LOAM_COUNT_OF(others); i++)
        if (loam_json_get_equal(type, others[i].type))
            return others[i].read(load, step, path);
    return loam_json_get_refuse(load, loam_json_member(&load->json, step, "type"), path,
                                "an unknown kind of step");
}

/* ---- pre_tokenizer --------------------------------------------------------- */

static loam_status read_keep(enum cut_keep *out, struct json_load *load,
                             const struct json_node *step, const char *path)
{
    /* In the order of enum cut_keep. */
    static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious",
                                        "MergedWithNext"};
    loam_string name = {"Isolated", 8};
    loam_status status = loam_json_get_text(&name, load, step, path, "behavior");
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(names); i++)
        if (loam_json_get_equal(name, names[i])) {
            *out = (enum cut_keep)i;
            return LOAM_OK;
        }
    return status ? status
                  : loam_json_get_refuse(load, loam_json_member(&load->json, step, "behavior"),
                                         path, "an unknown behavior");
}

static loam_status add_pattern(struct json_load *load, const struct json_node *step,
                               const char *path, const char *pattern, enum cut_keep keep,
                               bool inverted)
{
    struct cut cut = {.kind = CUT_PATTERN,
                      .keep = keep,
                      .on_bytes = pipeline_of(load)->bytes,
                      .inverted = inverted,
                      .expression = pattern};
    return add_cut(load, step, path, cut);
}

static loam_status read_split(struct json_load *load, const struct json_node *step,
                              const char *path)
{
    bool is_text = false, inverted = false;
    enum cut_keep keep = KEEP_ISOLATED;
    loam_string pattern;
    loam_status status = loam_json_get_keys(load, step, path, "type pattern behavior invert");
    if (!status)
        status = read_pattern(&pattern, &is_text, load, step, path);
    if (!status && is_text)
        status = quote(&pattern, load, pattern);
    if (!status)
        status = read_keep(&keep, load, step, path);
    if (!status)
        status = loam_json_get_bool(&inverted, load, step, path, "invert");
    return status ? status : add_pattern(load, step, path, pattern.data, keep, inverted);
}

static loam_status read_bytes(struct json_load *load, const struct json_node *step,
                              const char *path)
{
    bool space = true, pattern = true;
    loam_status status =
        loam_json_get_keys(load, step, path, "type add_prefix_space trim_offsets use_regex");
    if (!status)
        status = loam_json_get_bool(&space, load, step, path, "add_prefix_space");
    if (!status)
        status = loam_json_get_bool(&pattern, load, step, path, "use_regex");
    if (!status && space)
        status = add_cut(load, step, path, (struct cut){.kind = CUT_SPACE});
    if (!status && pattern)
        status = add_pattern(load, step, path, GPT2, KEEP_ISOLATED, false);
    pipeline_of(load)->bytes = true;
    return status;
}

static loam_status read_meta(struct json_load *load, const struct json_node *step, const char *path)
{
    struct cut cut = {.kind = CUT_META};
    bool space = true, split = true;
    loam_string low = {LOW_LINE, 3}, front = {"", 0};
    loam_status status = loam_json_get_keys(
        load, step, path, "type replacement add_prefix_space prepend_scheme split str_rep");
    if (!status)
        status = loam_json_get_text(&low, load, step, path, "replacement");
    if (!status)
        status = loam_json_get_text(&front, load, step, path, "prepend_scheme");
    if (!status)
        status = loam_json_get_bool(&space, load, step, path, "add_prefix_space");
    if (!status)
        status = loam_json_get_bool(&split, load, step, path, "split");
    if (status)
        return status;
    if (!loam_json_get_equal(low, LOW_LINE))
        return loam_json_get_refuse(load, step, path, "a replacement other than U+2581");
    if (front.length == 0)
        cut.front = space ? FRONT_ALWAYS : FRONT_NEVER;
    else if (loam_json_get_equal(front, "always"))
        cut.front = FRONT_ALWAYS;
    else if (loam_json_get_equal(front, "first"))
        cut.front = FRONT_FIRST;
    else if (!loam_json_get_equal(front, "never"))
        return loam_json_get_refuse(load, loam_json_member(&load->json, step, "prepend_scheme"),
                                    path, "expected always, first or never");
    for (size_t i = 0; cut.front == FRONT_FIRST && i < pipeline_of(load)->change_count; i++) {
        const struct change *change = &pipeline_of(load)->changes[i];
        bool composes = change->kind == CHANGE_FORM && change->form == NORMAL_NFC;
        if (!composes && change->kind != CHANGE_LOWER) /* what is first then is doubtful */
            return loam_json_get_refuse(load, loam_json_member(&load->json, step, "prepend_scheme"),
                                        path, "with a normalizer that may change the beginning");
    }
    status = add_cut(load, step, path, cut);
    return status || !split ? status : add_pattern(load, step, path, LOW_LINE, KEEP_NEXT, false);
}

static loam_status read_punctuation(struct json_load *load, const struct json_node *step,
                                    const char *path)
{
    enum cut_keep keep = KEEP_ISOLATED;
    loam_status status = loam_json_get_keys(load, step, path, "type behavior");
    if (!status)
        status = read_keep(&keep, load, step, path);
    if (!status && keep == KEEP_CONTIGUOUS)
        return add_pattern(load, step, path, PUNCTUATION "+", KEEP_ISOLATED, false);
    return status ? status : add_pattern(load, step, path, PUNCTUATION, keep, false);
}

static loam_status read_pre_tokenizer(struct json_load *load, const struct json_node *step,
                                      loam_string type, const char *path)
{
    loam_status status;
    bool single = false;
    if (pipeline_of(load)->bytes &&
        (loam_json_get_equal(type, "ByteLevel") || loam_json_get_equal(type, "Metaspace")))
        return loam_json_get_refuse(load, loam_json_member(&load->json, step, "type"), path,
                                    "behind ByteLevel");
    if (loam_json_get_equal(type, "Split"))
        return read_split(load, step, path);
    if (loam_json_get_equal(type, "ByteLevel"))
        return read_bytes(load, step, path);
    if (loam_json_get_equal(type, "Metaspace"))
        return read_meta(load, step, path);
    if (loam_json_get_equal(type, "Punctuation"))
        return read_punctuation(load, step, path);
    if (loam_json_get_equal(type, "Digits")) {
        status = loam_json_get_keys(load, step, path, "type individual_digits");
        if (!status)
            status = loam_json_get_bool(&single, load, step, path, "individual_digits");
        return status ? status
                      : add_pattern(load, step, path, single ? "\\p{N}" : "\\p{N}+", KEEP_ISOLATED,
                                    false);
    }
    if (loam_json_get_equal(type, "Whitespace")) {
        status = loam_json_get_keys(load, step, path, "type");
        return status ? status
                      : add_pattern(load, step, path, "[" WORD "]+|[^\\s" WORD "]+", KEEP_REMOVED,
                                    true);
    }
    bool bert = loam_json_get_equal(type, "BertPreTokenizer");
    if (bert || loam_json_get_equal(type, "WhitespaceSplit")) {
        status = loam_json_get_keys(load, step, path, "type");
        if (!status)
            status = add_pattern(load, step, path, "\\s", KEEP_REMOVED, false);
        return status || !bert ? status
                               : add_pattern(load, step, path, PUNCTUATION, KEEP_ISOLATED, false);
    }
    return loam_json_get_refuse(load, loam_json_member(&load->json, step, "type"), path,
                                "an unknown kind of step");
}

/* ---- decoder --------------------------------------------------------------- */

static loam_status read_decoder(struct json_load *load, const struct json_node *step,
                                loam_string type, const char *path)
{
    static const char *const nothing[] = {"ByteLevel", "WordPiece", "ByteFallback", "Fuse"};
    loam_string text = {"", 0}, front = {"", 0};
    uint32_t start = 0, stop = 0;
    bool space = true;
    for (size_t i = 0; i < LOAM_COUNT_OF(nothing); i++)
        if (loam_json_get_equal(type, nothing[i]))
            return LOAM_OK;
    loam_status status = loam_json_get_text(&text, load, step, path, "content");
    if (!status)
        status = loam_json_get_text(&front, load, step, path, "prepend_scheme");
    if (!status)
        status = loam_json_get_bool(&space, load, step, path, "add_prefix_space");
    if (!status)
        status = loam_json_get_id(&start, load, step, path, "start");
    if (!status)
        status = loam_json_get_id(&stop, load, step, path, "stop");
    if (status)
        return status;
    bool one_space = loam_json_get_equal(text, " ");
    if (loam_json_get_equal(type, "Metaspace")) {
        pipeline_of(load)->strips_space =
            front.length ? !loam_json_get_equal(front, "never") : space;
        return LOAM_OK;
    }
    if (loam_json_get_equal(type, "Strip") && one_space && start <= 1 && stop == 0) {
        pipeline_of(load)->strips_space = start == 1;
        return LOAM_OK;
    }
    if (loam_json_get_equal(type, "Replace") && one_space) {
        bool is_text;
        status = read_pattern(&text, &is_text, load, step, path);
        if (status || (is_text && loam_json_get_equal(text, LOW_LINE)))
            return status;
    }
    return loam_json_get_refuse(load, loam_json_member(&load->json, step, "type"), path,
                                "this step of a decoder");
}

/* ---- the whole ------------------------------------------------------------- */

loam_status loam_json_steps_read(struct json_load *load, bool *bytes)
{
    static const struct {
        const char *name, *list;
        read_step read;
    } parts[] = {{"normalizer", "normalizers", read_normalizer},
                 {"pre_tokenizer", "pretokenizers", read_pre_tokenizer},
                 {"decoder", "decoders", read_decoder}};
    struct tokenizer *t = load->tokenizer;
    t->pipeline = loam_arena_get(&t->arena, 1, sizeof *t->pipeline);
    if (!t->pipeline)
        return loam_fail_memory(load->error, sizeof *t->pipeline);
    memset(t->pipeline, 0, sizeof *t->pipeline);
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(parts); i++) {
        const struct json_node *node = loam_json_get_value(load, load->root, parts[i].name);
        if (node)
            status = read_steps(load, node, parts[i].name, parts[i].list, parts[i].read);
    }
    *bytes = t->pipeline->bytes;
    return status;
}

/* Whether the cuts are what a splitter does: every match and all between. */
static bool only_splits(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->cut_count; i++)
        if (pipeline->cuts[i].kind != CUT_PATTERN || pipeline->cuts[i].keep != KEEP_ISOLATED ||
            pipeline->cuts[i].on_bytes)
            return false;
    return pipeline->cut_count <= PATTERN_STAGES;
}

loam_status loam_json_steps_finish(struct json_load *load, bool whole_words)
{
    struct tokenizer *t = load->tokenizer;
    struct pipeline *pipeline = t->pipeline;
    loam_status status = LOAM_OK;
    struct split_pattern *pattern = loam_arena_get(&t->arena, 1, sizeof *pattern);
    if (!pattern)
        return loam_fail_memory(load->error, sizeof *pattern);
    *pattern =
        (struct split_pattern){.names = "", .keeps_whole_words = whole_words, .oniguruma = true};
    t->pattern = pattern;
    if (t->kind == TOKENIZER_BPE && only_splits(pipeline)) {
        for (size_t i = 0; i < pipeline->cut_count; i++)
            pattern->stages[i] = pipeline->cuts[i].expression;
        pipeline->cut_count = 0;
        status = loam_split_create(&t->splitter, pattern, &t->arena, load->error);
        if (pipeline->change_count == 0)
            t->pipeline = NULL; /* nothing that the splitter does not do */
        else
            pipeline->splits = true;
        if (status == LOAM_UNSUPPORTED)
            loam_error_prefix(load->error, "pre_tokenizer", 13);
        return status;
    }
    for (size_t i = 0; !status && i < pipeline->cut_count; i++)
        if (pipeline->cuts[i].kind == CUT_PATTERN)
            status = compile(&pipeline->cuts[i].pattern, load, pipeline->cuts[i].expression,
                             "pre_tokenizer");
    return status;
}
