/* SPDX-License-Identifier: MIT */
/* Filters that take text, or give it. */
#include "base/utf8.h"
#include "template/characters.h"
#include "template/filters.h"
#include "template/json_read.h"
#include "template/show.h"

static bool give(struct value *out, struct text *text)
{
    *out = value_text(text);
    return text != NULL;
}

/* The same bytes, declared safe or no longer. */
static struct text *with_markup(struct machine *machine, const struct text *text, bool markup)
{
    struct text *copy = loam_heap_get(&machine->heap, 1, sizeof *copy);
    if (!copy) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *copy = *text;
    copy->markup = markup;
    return copy;
}

bool loam_filter_string(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_show_text(machine, arguments[0]));
}

bool loam_filter_safe(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = loam_show_text(machine, arguments[0]);
    return text && give(out, with_markup(machine, text, true));
}

bool loam_filter_escape(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = loam_show_text(machine, arguments[0]);
    return text && give(out, loam_native_escape(machine, text));
}

/* ---- case ----------------------------------------------------------------------------- */

static bool add_character(struct machine *machine, struct text_builder *builder, uint32_t c,
                          enum letter_case wanted, bool from_data)
{
    uint32_t converted[3];
    char bytes[4];
    size_t count = loam_characters_convert(converted, c, wanted);
    for (size_t i = 0; i < count; i++)
        if (!loam_builder_add(machine, builder, bytes, loam_utf8_encode(bytes, converted[i]),
                              from_data))
            return false;
    return true;
}

static enum letter_case case_of(enum text_case wanted, uint32_t c, bool first)
{
    switch (wanted) {
    case TEXT_UPPER:
        return CASE_UPPER;
    case TEXT_SWAP:
        return loam_characters_is_upper(c) ? CASE_LOWER : CASE_UPPER;
    case TEXT_LOWER:
        return CASE_LOWER;
    default:
        return first ? CASE_TITLE : CASE_LOWER;
    }
}

static bool is_cased(uint32_t c)
{
    return loam_characters_is_upper(c) || loam_characters_is_lower(c) ||
           loam_characters_is_title(c);
}

/* A capital sigma that ends a word has a lower case of its own. */
static bool is_final_sigma(const struct text *text, size_t at, uint32_t c, bool after_letter)
{
    uint32_t next = 0;
    if (c != 0x3A3 || !after_letter)
        return false;
    if (at + 2 < text->length)
        loam_utf8_decode(&next, text->bytes + at + 2, text->length - at - 2);
    return !is_cased(next);
}

struct text *loam_filter_case(struct machine *machine, struct text *text, enum text_case wanted)
{
    struct text_builder builder = {0};
    size_t run = 0;
    bool first = true, after_letter = false;
    if (!machine_spend(machine, text->length / 4))
        return NULL;
    for (size_t at = 0; at < text->length;) {
        uint32_t c;
        size_t step = loam_utf8_decode(&c, text->bytes + at, text->length - at);
        while (text->runs && text->runs[run].end <= at)
            run++;
        bool from_data = text->runs ? text->runs[run].from_data : text->from_data;
        enum letter_case letter = case_of(wanted, c, first);
        if (letter == CASE_LOWER && is_final_sigma(text, at, c, after_letter))
            c = 0x3C2;
        if (!add_character(machine, &builder, c, letter, from_data))
            return NULL;
        after_letter = is_cased(c);
        /* A title's words begin behind what has no case; Python looks at the
         * letters with case alone. */
        first =
            wanted == TEXT_TITLE && !(loam_characters_is_upper(c) || loam_characters_is_lower(c) ||
                                      loam_characters_is_title(c));
        at += step;
    }
    struct text *result = loam_builder_finish(machine, &builder);
    if (result)
        result->markup = text->markup;
    return result;
}

static bool change_case(struct machine *machine, struct value *out, struct value value,
                        enum text_case wanted)
{
    struct text *text = loam_show_text(machine, value);
    return text && give(out, loam_filter_case(machine, text, wanted));
}

bool loam_filter_upper(struct machine *machine, struct value *out, struct value *arguments)
{
    return change_case(machine, out, arguments[0], TEXT_UPPER);
}

bool loam_filter_lower(struct machine *machine, struct value *out, struct value *arguments)
{
    return change_case(machine, out, arguments[0], TEXT_LOWER);
}

bool loam_filter_capitalize(struct machine *machine, struct value *out, struct value *arguments)
{
    return change_case(machine, out, arguments[0], TEXT_CAPITAL);
}

/* Words begin behind white space and the characters -({[<; unlike the method
 * of that name, which begins one behind every character without case. */
bool loam_filter_title(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct text *text = loam_show_text(machine, arguments[0]);
    bool first = true;
    size_t run = 0;
    if (!text || !machine_spend(machine, text->length / 4))
        return false;
    for (size_t at = 0; at < text->length;) {
        uint32_t c;
        size_t step = loam_utf8_decode(&c, text->bytes + at, text->length - at);
        while (text->runs && text->runs[run].end <= at)
            run++;
        bool from_data = text->runs ? text->runs[run].from_data : text->from_data;
        if (!add_character(machine, &builder, c, first ? CASE_UPPER : CASE_LOWER, from_data))
            return false;
        first = loam_characters_is_space(c) || (c < 128 && c && strchr("-({[<", (int)c));
        at += step;
    }
    return give(out, loam_builder_finish(machine, &builder));
}

/* ---- parts ------------------------------------------------------------------------------ */

bool loam_filter_charge(struct machine *machine, const struct text *hay, const struct text *needle)
{
    return machine_spend(machine, hay->length / 16 + hay->length / 256 * needle->length);
}

bool loam_filter_trim(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = loam_show_text(machine, arguments[0]), *set = NULL;
    size_t start, end;
    if (!text || !loam_native_string(machine, &set, arguments[1], "chars"))
        return false;
    loam_text_strip(text, set, true, true, &start, &end);
    return machine_spend(machine,
                         (text->length - (end - start)) * (set ? 1 + set->length / 8 : 1) / 4) &&
           give(out, loam_text_part(machine, text, start, end));
}

/* An empty `from` stands before each character and at the end. */
static bool replace_empty(struct machine *machine, struct text_builder *builder,
                          const struct text *text, const struct text *to, int64_t count)
{
    size_t at = 0;
    for (; count != 0 && at <= text->length; count -= count > 0) {
        size_t step = at < text->length ? loam_text_step(text, at) : 0;
        if (!machine_spend(machine, 1) || !loam_builder_add_text(machine, builder, to) ||
            !loam_builder_add_part(machine, builder, text, at, at + step))
            return false;
        at += step;
        if (step == 0)
            return true;
    }
    return loam_builder_add_part(machine, builder, text, at, text->length);
}

bool loam_filter_replace_text(struct machine *machine, struct value *out, struct text *text,
                              const struct text *from, const struct text *to, int64_t count)
{
    struct text_builder builder = {0};
    size_t at = 0;
    if (!loam_filter_charge(machine, text, from))
        return false;
    if (from->length == 0)
        return replace_empty(machine, &builder, text, to, count) &&
               give(out, loam_builder_finish(machine, &builder));
    for (; count != 0; count -= count > 0) {
        size_t found = loam_text_find(text, at, text->length, from->bytes, from->length);
        if (found == SIZE_MAX)
            break;
        if (!loam_builder_add_part(machine, &builder, text, at, found) ||
            !loam_builder_add_text(machine, &builder, to))
            return false;
        at = found + from->length;
    }
    if (at == 0)
        return give(out, text);
    return loam_builder_add_part(machine, &builder, text, at, text->length) &&
           give(out, loam_builder_finish(machine, &builder));
}

bool loam_filter_replace(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = loam_show_text(machine, arguments[0]);
    struct text *from = text ? loam_show_text(machine, arguments[1]) : NULL;
    struct text *to = from ? loam_show_text(machine, arguments[2]) : NULL;
    int64_t count = -1;
    return to && loam_native_integer(machine, &count, arguments[3], "count") &&
           loam_filter_replace_text(machine, out, text, from, to, count);
}

bool loam_filter_indent(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0}, spaces = {0};
    struct text *text = loam_show_text(machine, arguments[0]), *indent = NULL;
    bool first = loam_values_truth(arguments[2]), blank = loam_values_truth(arguments[3]);
    int64_t width = 4;
    if (!text)
        return false;
    if (arguments[1].kind == VALUE_STRING)
        indent = arguments[1].text;
    else if (!loam_native_integer(machine, &width, arguments[1], "width"))
        return false;
    for (int64_t i = 0; !indent && i < width; i++)
        if (!machine_spend(machine, 1) || !loam_builder_add(machine, &spaces, " ", 1, false))
            return false;
    if (!indent)
        indent = loam_builder_finish(machine, &spaces);
    for (size_t start = 0, end; indent && start <= text->length; start = end + 1) {
        end = loam_text_find(text, start, text->length, "\n", 1);
        end = end == SIZE_MAX ? text->length : end;
        bool indented = start == 0 ? first : blank || end > start;
        if (!machine_spend(machine, 1) ||
            (indented && !loam_builder_add_text(machine, &builder, indent)) ||
            !loam_builder_add_part(machine, &builder, text, start, loam_min(end + 1, text->length)))
            return false;
    }
    return indent && give(out, loam_builder_finish(machine, &builder));
}

bool loam_filter_center(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct text *text = loam_show_text(machine, arguments[0]);
    int64_t width = 80;
    if (!text || !loam_native_integer(machine, &width, arguments[1], "width"))
        return false;
    int64_t length = (int64_t)loam_text_characters(text);
    int64_t margin = width > length ? width - length : 0;
    int64_t left = margin / 2 + (margin & width & 1);
    for (int64_t i = 0; i <= margin; i++) {
        if (!machine_spend(machine, 1) ||
            (i == left && !loam_builder_add_text(machine, &builder, text)) ||
            (i < margin && !loam_builder_add(machine, &builder, " ", 1, false)))
            return false;
    }
    return give(out, loam_builder_finish(machine, &builder));
}

bool loam_filter_wordcount(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = loam_show_text(machine, arguments[0]);
    int64_t count = 0;
    bool inside = false;
    if (!text || !machine_spend(machine, text->length / 4))
        return false;
    for (size_t at = 0; at < text->length;) {
        uint32_t c;
        at += loam_utf8_decode(&c, text->bytes + at, text->length - at);
        bool word = c == '_' || loam_characters_is_alphabetic(c) || loam_characters_is_digit(c);
        count += word && !inside;
        inside = word;
    }
    *out = value_integer(count);
    return true;
}

bool loam_filter_format(struct machine *machine, struct value *out,
                        const struct arguments *arguments)
{
    struct text *text = loam_show_text(machine, arguments->values[0]);
    return text && loam_format_percent(machine, out, text, arguments);
}

/* ---- JSON -------------------------------------------------------------------------------- */

/* indent=2 or indent="\t". */
static bool read_indent(struct machine *machine, struct json_style *style, struct value indent)
{
    struct text_builder builder = {0};
    int64_t width = 0;
    if (indent.kind == VALUE_MISSING || indent.kind == VALUE_NONE)
        return true;
    if (indent.kind == VALUE_STRING) {
        style->indent = indent.text;
        return true;
    }
    if (!loam_native_integer(machine, &width, indent, "indent"))
        return false;
    for (int64_t i = 0; i < width; i++)
        if (!machine_spend(machine, 1) || !loam_builder_add(machine, &builder, " ", 1, false))
            return false;
    style->indent = loam_builder_finish(machine, &builder);
    return style->indent != NULL;
}

bool loam_filter_tojson(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct json_style style = {.ensure_ascii = loam_values_truth(arguments[1]),
                               .sort_keys = loam_values_truth(arguments[4])};
    struct value separators = arguments[3];
    if (!read_indent(machine, &style, arguments[2]))
        return false;
    if (separators.kind != VALUE_MISSING && separators.kind != VALUE_NONE) {
        const struct sequence *pair =
            separators.kind == VALUE_SEQUENCE ? separators.sequence : NULL;
        if (!pair || pair->count != 2 || pair->items[0].kind != VALUE_STRING ||
            pair->items[1].kind != VALUE_STRING)
            return FAIL(machine, LOAM_FORMAT, "separators must be two strings");
        style.item_separator = pair->items[0].text;
        style.key_separator = pair->items[1].text;
    }
    return loam_show_json(machine, &builder, arguments[0], &style) &&
           give(out, loam_builder_finish(machine, &builder));
}

bool loam_filter_from_json(struct machine *machine, struct value *out, struct value *arguments)
{
    if (arguments[0].kind != VALUE_STRING)
        return FAIL(machine, LOAM_FORMAT, "the JSON object must be str, not %s",
                    loam_values_type(arguments[0]));
    const struct text *text = arguments[0].text;
    return loam_json_read(machine, out, text->bytes, text->length, loam_text_from_data(text),
                          "from_json");
}
