/* SPDX-License-Identifier: MIT */
/* Methods of str. */
#include "base/utf8.h"
#include "template/characters.h"
#include "template/filters.h"
#include "template/show.h"

static bool give(struct value *out, struct text *text)
{
    *out = value_text(text);
    return text != NULL;
}

/* ---- case and kind of characters ---------------------------------------------------------- */

static bool text_upper(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_filter_case(machine, arguments[0].text, TEXT_UPPER));
}

static bool text_lower(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_filter_case(machine, arguments[0].text, TEXT_LOWER));
}

static bool text_swapcase(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_filter_case(machine, arguments[0].text, TEXT_SWAP));
}

static bool text_capitalize(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_filter_case(machine, arguments[0].text, TEXT_CAPITAL));
}

static bool text_title(struct machine *machine, struct value *out, struct value *arguments)
{
    return give(out, loam_filter_case(machine, arguments[0].text, TEXT_TITLE));
}

/* Whether the text is not empty and all characters are of that kind. */
static bool all_are(struct machine *machine, struct value *out, const struct text *text,
                    bool (*is)(uint32_t character))
{
    bool all = text->length > 0;
    for (size_t at = 0; at < text->length && all;) {
        uint32_t c;
        at += loam_utf8_decode(&c, text->bytes + at, text->length - at);
        all = is(c);
    }
    *out = value_boolean(all);
    return machine_spend(machine, text->length / 4);
}

static bool is_alphanumeric(uint32_t c)
{
    return loam_characters_is_alphabetic(c) || loam_characters_is_digit(c);
}

static bool is_ascii(uint32_t c)
{
    return c < 128;
}

static bool text_isalnum(struct machine *machine, struct value *out, struct value *arguments)
{
    return all_are(machine, out, arguments[0].text, is_alphanumeric);
}

static bool text_isalpha(struct machine *machine, struct value *out, struct value *arguments)
{
    return all_are(machine, out, arguments[0].text, loam_characters_is_alphabetic);
}

static bool text_isascii(struct machine *machine, struct value *out, struct value *arguments)
{
    bool good = all_are(machine, out, arguments[0].text, is_ascii);
    out->boolean |= arguments[0].text->length == 0;
    return good;
}

static bool text_isdigit(struct machine *machine, struct value *out, struct value *arguments)
{
    return all_are(machine, out, arguments[0].text, loam_characters_is_digit);
}

static bool text_isdecimal(struct machine *machine, struct value *out, struct value *arguments)
{
    return all_are(machine, out, arguments[0].text, loam_characters_is_decimal);
}

static bool text_isspace(struct machine *machine, struct value *out, struct value *arguments)
{
    return all_are(machine, out, arguments[0].text, loam_characters_is_space);
}

static bool text_test(struct machine *machine, struct value *out, struct value *arguments,
                      const char *name)
{
    const struct native *test = loam_native_find(loam_tests, name, strlen(name));
    return test->call(machine, out, arguments);
}

static bool text_isupper(struct machine *machine, struct value *out, struct value *arguments)
{
    return text_test(machine, out, arguments, "upper");
}

static bool text_islower(struct machine *machine, struct value *out, struct value *arguments)
{
    return text_test(machine, out, arguments, "lower");
}

/* ---- searching ------------------------------------------------------------------------------ */

/* The bytes [*start, *end) that the arguments start and end leave; *valid:
 * start is not behind the end. */
static bool search_range(struct machine *machine, struct text *text, const struct value *bounds,
                         size_t *start, size_t *end, bool *valid)
{
    int64_t count, range[2];
    if (!loam_values_length(machine, &count, value_text(text)))
        return false;
    range[0] = 0;
    range[1] = count;
    if (!loam_native_integer(machine, &range[0], bounds[0], "start") ||
        !loam_native_integer(machine, &range[1], bounds[1], "end"))
        return false;
    for (int i = 0; i < 2; i++) {
        range[i] += range[i] < 0 ? count : 0;
        range[i] = range[i] < 0 ? 0 : range[i];
    }
    range[1] = range[1] > count ? count : range[1];
    *valid = range[0] <= range[1];
    *start = loam_text_offset(text, (size_t)range[0]);
    *end = loam_text_offset(text, (size_t)range[1]);
    return true;
}

/* A text argument that must be there. */
static bool needle_of(struct machine *machine, struct text **out, struct value argument)
{
    *out = NULL;
    return loam_native_string(machine, out, argument, "the argument") &&
           (*out || FAIL(machine, LOAM_FORMAT, "must be str, not NoneType"));
}

static bool find_text(struct machine *machine, struct value *out, struct value *arguments,
                      bool last, bool required)
{
    struct text *text = arguments[0].text, *needle;
    size_t start, end, found = SIZE_MAX;
    bool valid;
    if (!needle_of(machine, &needle, arguments[1]) || !loam_filter_charge(machine, text, needle) ||
        !search_range(machine, text, arguments + 2, &start, &end, &valid))
        return false;
    if (valid)
        found = last ? loam_text_find_last(text, start, end, needle->bytes, needle->length)
                     : loam_text_find(text, start, end, needle->bytes, needle->length);
    if (found == SIZE_MAX && required)
        return FAIL(machine, LOAM_FORMAT, "substring not found");
    *out = value_integer(found == SIZE_MAX ? -1 : (int64_t)loam_text_index(text, found));
    return true;
}

static bool text_find(struct machine *machine, struct value *out, struct value *arguments)
{
    return find_text(machine, out, arguments, false, false);
}

static bool text_rfind(struct machine *machine, struct value *out, struct value *arguments)
{
    return find_text(machine, out, arguments, true, false);
}

static bool text_index(struct machine *machine, struct value *out, struct value *arguments)
{
    return find_text(machine, out, arguments, false, true);
}

static bool text_rindex(struct machine *machine, struct value *out, struct value *arguments)
{
    return find_text(machine, out, arguments, true, true);
}

static bool text_count(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = arguments[0].text, *needle;
    size_t start, end;
    int64_t count = 0;
    bool valid;
    if (!needle_of(machine, &needle, arguments[1]) || !loam_filter_charge(machine, text, needle) ||
        !search_range(machine, text, arguments + 2, &start, &end, &valid))
        return false;
    if (valid && needle->length == 0)
        count = (int64_t)(loam_text_index(text, end) - loam_text_index(text, start)) + 1;
    while (valid && needle->length) {
        start = loam_text_find(text, start, end, needle->bytes, needle->length);
        if (start == SIZE_MAX)
            break;
        start += needle->length;
        count++;
    }
    *out = value_integer(count);
    return true;
}

/* One prefix or suffix, or a tuple of them. */
static bool affix(struct machine *machine, struct value *out, struct value *arguments, bool suffix)
{
    struct text *text = arguments[0].text;
    struct value one = arguments[1];
    const struct value *items = &one;
    size_t count = 1, start, end;
    bool valid, holds = false;
    if (one.kind == VALUE_SEQUENCE && one.sequence->flavour == FLAVOUR_TUPLE) {
        items = one.sequence->items;
        count = one.sequence->count;
    }
    if (!search_range(machine, text, arguments + 2, &start, &end, &valid))
        return false;
    for (size_t i = 0; i < count && !holds; i++) {
        struct text *part;
        if (!needle_of(machine, &part, items[i]) || !machine_spend(machine, 1))
            return false;
        holds = valid && part->length <= end - start &&
                memcmp(text->bytes + (suffix ? end - part->length : start), part->bytes,
                       part->length) == 0;
    }
    *out = value_boolean(holds);
    return true;
}

static bool text_startswith(struct machine *machine, struct value *out, struct value *arguments)
{
    return affix(machine, out, arguments, false);
}

static bool text_endswith(struct machine *machine, struct value *out, struct value *arguments)
{
    return affix(machine, out, arguments, true);
}

static bool remove_affix(struct machine *machine, struct value *out, struct value *arguments,
                         bool suffix)
{
    struct text *text = arguments[0].text, *part;
    if (!needle_of(machine, &part, arguments[1]) || !affix(machine, out, arguments, suffix))
        return false;
    if (!out->boolean)
        return give(out, text);
    return give(out, loam_text_part(machine, text, suffix ? 0 : part->length,
                                    suffix ? text->length - part->length : text->length));
}

static bool text_removeprefix(struct machine *machine, struct value *out, struct value *arguments)
{
    return remove_affix(machine, out, arguments, false);
}

static bool text_removesuffix(struct machine *machine, struct value *out, struct value *arguments)
{
    return remove_affix(machine, out, arguments, true);
}

/* ---- parts ------------------------------------------------------------------------------------
 */

static bool strip(struct machine *machine, struct value *out, struct value *arguments, bool left,
                  bool right)
{
    struct text *text = arguments[0].text, *set = NULL;
    size_t start, end;
    if (!loam_native_string(machine, &set, arguments[1], "chars"))
        return false;
    loam_text_strip(text, set, left, right, &start, &end);
    return machine_spend(machine,
                         (text->length - (end - start)) / 4 * (set ? 1 + set->length / 8 : 1)) &&
           give(out, loam_text_part(machine, text, start, end));
}

static bool text_strip(struct machine *machine, struct value *out, struct value *arguments)
{
    return strip(machine, out, arguments, true, true);
}

static bool text_lstrip(struct machine *machine, struct value *out, struct value *arguments)
{
    return strip(machine, out, arguments, true, false);
}

static bool text_rstrip(struct machine *machine, struct value *out, struct value *arguments)
{
    return strip(machine, out, arguments, false, true);
}

static bool add_part(struct machine *machine, struct sequence *list, struct text *text,
                     size_t start, size_t end)
{
    struct text *part = loam_text_part(machine, text, start, end);
    return part && loam_sequence_add(machine, list, value_text(part));
}

static bool reverse_list(struct value *out, struct sequence *list)
{
    for (size_t i = 0, j = list->count; i + 1 < j; i++) {
        struct value swap = list->items[--j];
        list->items[j] = list->items[i];
        list->items[i] = swap;
    }
    *out = value_sequence(list);
    return true;
}

/* Splits at white space, from the left or from the right. */
static bool split_words(struct machine *machine, struct value *out, struct text *text,
                        int64_t limit, bool from_right)
{
    struct sequence *list = loam_sequence_new(machine, FLAVOUR_LIST, 0);
    size_t start, end;
    loam_text_strip(text, NULL, !from_right, from_right, &start, &end);
    while (list && start < end) {
        size_t word = from_right ? end : start;
        bool whole = limit >= 0 && (int64_t)list->count >= limit;
        /* The word's other end: at white space, unless the rest is one. */
        for (size_t at = start; !whole && at < end;) {
            uint32_t c;
            size_t step = loam_utf8_decode(&c, text->bytes + at, end - at);
            if (loam_characters_is_space(c)) {
                if (!from_right)
                    break;
                word = at + step;
            } else if (from_right && word == end) {
                word = start;
            }
            at += step;
            word = from_right ? word : at;
        }
        word = whole ? (from_right ? start : end) : word;
        if (!machine_spend(machine, (end - start) / 16) ||
            !add_part(machine, list, text, from_right ? word : start, from_right ? end : word))
            return false;
        struct text rest = {.bytes = text->bytes + (from_right ? start : word),
                            .length = from_right ? word - start : end - word};
        size_t from, to;
        loam_text_strip(&rest, NULL, !from_right, from_right, &from, &to);
        if (from_right)
            end = start + to;
        else
            start = word + from;
    }
    if (!list)
        return false;
    if (from_right)
        return reverse_list(out, list);
    *out = value_sequence(list);
    return true;
}

static bool split_at(struct machine *machine, struct value *out, struct text *text,
                     const struct text *separator, int64_t limit, bool from_right)
{
    struct sequence *list = loam_sequence_new(machine, FLAVOUR_LIST, 0);
    size_t start = 0, end = text->length;
    if (separator->length == 0)
        return FAIL(machine, LOAM_FORMAT, "empty separator");
    if (!list || !loam_filter_charge(machine, text, separator))
        return false;
    while (limit < 0 || (int64_t)list->count < limit) {
        size_t found =
            from_right ? loam_text_find_last(text, start, end, separator->bytes, separator->length)
                       : loam_text_find(text, start, end, separator->bytes, separator->length);
        if (found == SIZE_MAX)
            break;
        size_t behind = found + separator->length;
        if (!add_part(machine, list, text, from_right ? behind : start, from_right ? end : found))
            return false;
        if (from_right)
            end = found;
        else
            start = behind;
    }
    if (!add_part(machine, list, text, start, end))
        return false;
    if (from_right)
        return reverse_list(out, list);
    *out = value_sequence(list);
    return true;
}

static bool split(struct machine *machine, struct value *out, struct value *arguments,
                  bool from_right)
{
    struct text *separator = NULL;
    int64_t limit = -1;
    if (!loam_native_string(machine, &separator, arguments[1], "sep") ||
        !loam_native_integer(machine, &limit, arguments[2], "maxsplit"))
        return false;
    return separator ? split_at(machine, out, arguments[0].text, separator, limit, from_right)
                     : split_words(machine, out, arguments[0].text, limit, from_right);
}

static bool text_split(struct machine *machine, struct value *out, struct value *arguments)
{
    return split(machine, out, arguments, false);
}

static bool text_rsplit(struct machine *machine, struct value *out, struct value *arguments)
{
    return split(machine, out, arguments, true);
}

/* Bytes of the line end at bytes[at], 0: none. */
static size_t line_end(const struct text *text, size_t at)
{
    uint32_t c;
    size_t step = loam_utf8_decode(&c, text->bytes + at, text->length - at);
    if (c == '\r' && at + 1 < text->length && text->bytes[at + 1] == '\n')
        return 2;
    bool ends =
        (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    return ends ? step : 0;
}

static bool text_splitlines(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *list = loam_sequence_new(machine, FLAVOUR_LIST, 0);
    struct text *text = arguments[0].text;
    bool keep = loam_values_truth(arguments[1]);
    size_t start = 0;
    if (!list || !machine_spend(machine, text->length / 4))
        return false;
    for (size_t at = 0; at < text->length;) {
        size_t end = line_end(text, at);
        if (end) {
            if (!add_part(machine, list, text, start, at + (keep ? end : 0)))
                return false;
            start = at + end;
        }
        at += end ? end : loam_text_step(text, at);
    }
    *out = value_sequence(list);
    return start == text->length || add_part(machine, list, text, start, text->length);
}

static bool partition(struct machine *machine, struct value *out, struct value *arguments,
                      bool last)
{
    struct sequence *parts = loam_sequence_new(machine, FLAVOUR_TUPLE, 3);
    struct text *text = arguments[0].text, *separator;
    if (!parts || !needle_of(machine, &separator, arguments[1]) ||
        !loam_filter_charge(machine, text, separator))
        return false;
    if (separator->length == 0)
        return FAIL(machine, LOAM_FORMAT, "empty separator");
    size_t found =
        last ? loam_text_find_last(text, 0, text->length, separator->bytes, separator->length)
             : loam_text_find(text, 0, text->length, separator->bytes, separator->length);
    size_t first = found == SIZE_MAX ? (last ? 0 : text->length) : found;
    size_t second = found == SIZE_MAX ? first : found + separator->length;
    *out = value_sequence(parts);
    return add_part(machine, parts, text, 0, first) &&
           add_part(machine, parts, text, first, second) &&
           add_part(machine, parts, text, second, text->length);
}

static bool text_partition(struct machine *machine, struct value *out, struct value *arguments)
{
    return partition(machine, out, arguments, false);
}

static bool text_rpartition(struct machine *machine, struct value *out, struct value *arguments)
{
    return partition(machine, out, arguments, true);
}

/* ---- putting together ---------------------------------------------------------------------------
 */

static bool text_replace(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *from, *to;
    int64_t count = -1;
    return needle_of(machine, &from, arguments[1]) && needle_of(machine, &to, arguments[2]) &&
           loam_native_integer(machine, &count, arguments[3], "count") &&
           loam_filter_replace_text(machine, out, arguments[0].text, from, to, count);
}

static bool text_join(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct sequence *items;
    if (!loam_values_iterate(machine, &items, arguments[1]))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        struct value item = items->items[i];
        if (item.kind != VALUE_STRING)
            return FAIL(machine, LOAM_FORMAT, "sequence item %zu: expected str instance, %s found",
                        i, loam_values_type(item));
        if (!machine_spend(machine, 1) ||
            (i && !loam_builder_add_text(machine, &builder, arguments[0].text)) ||
            !loam_builder_add_text(machine, &builder, item.text))
            return false;
    }
    return give(out, loam_builder_finish(machine, &builder));
}

/* Fills up to a width, on the left and on the right. */
static bool pad(struct machine *machine, struct value *out, struct value *arguments, int side)
{
    struct text *text = arguments[0].text, *fill = NULL;
    struct text_builder builder = {0};
    int64_t width = 0;
    if (!loam_native_integer(machine, &width, arguments[1], "width") ||
        !loam_native_string(machine, &fill, arguments[2], "fillchar"))
        return false;
    if (fill && loam_text_characters(fill) != 1)
        return FAIL(machine, LOAM_FORMAT, "the fill character must be exactly one character long");
    int64_t length = (int64_t)loam_text_characters(text);
    int64_t margin = width > length ? width - length : 0;
    int64_t left = side < 0 ? 0 : side > 0 ? margin : margin / 2 + (margin & width & 1);
    for (int64_t i = 0; i <= margin; i++)
        if (!machine_spend(machine, 1) ||
            (i == left && !loam_builder_add_text(machine, &builder, text)) ||
            (i < margin && !(fill ? loam_builder_add_text(machine, &builder, fill)
                                  : loam_builder_add(machine, &builder, " ", 1, false))))
            return false;
    return give(out, loam_builder_finish(machine, &builder));
}

static bool text_ljust(struct machine *machine, struct value *out, struct value *arguments)
{
    return pad(machine, out, arguments, -1);
}

static bool text_center(struct machine *machine, struct value *out, struct value *arguments)
{
    return pad(machine, out, arguments, 0);
}

static bool text_rjust(struct machine *machine, struct value *out, struct value *arguments)
{
    return pad(machine, out, arguments, 1);
}

static bool text_zfill(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *text = arguments[0].text;
    struct text_builder builder = {0};
    int64_t width = 0;
    if (!loam_native_integer(machine, &width, arguments[1], "width"))
        return false;
    size_t sign = text->length && (text->bytes[0] == '-' || text->bytes[0] == '+');
    if (!loam_builder_add_part(machine, &builder, text, 0, sign))
        return false;
    for (int64_t i = (int64_t)loam_text_characters(text); i < width; i++)
        if (!machine_spend(machine, 1) || !loam_builder_add(machine, &builder, "0", 1, false))
            return false;
    return loam_builder_add_part(machine, &builder, text, sign, text->length) &&
           give(out, loam_builder_finish(machine, &builder));
}

const struct native loam_text_methods[] = {
    {"capitalize", text_capitalize, NULL, NULL, 0},
    {"center", text_center, NULL, "width,fillchar", 1},
    {"count", text_count, NULL, "sub,start,end", 1},
    {"endswith", text_endswith, NULL, "suffix,start,end", 1},
    {"find", text_find, NULL, "sub,start,end", 1},
    {"format", NULL, loam_format_braces, NULL, 0},
    {"index", text_index, NULL, "sub,start,end", 1},
    {"isalnum", text_isalnum, NULL, NULL, 0},
    {"isalpha", text_isalpha, NULL, NULL, 0},
    {"isascii", text_isascii, NULL, NULL, 0},
    {"isdecimal", text_isdecimal, NULL, NULL, 0},
    {"isdigit", text_isdigit, NULL, NULL, 0},
    {"islower", text_islower, NULL, NULL, 0},
    {"isspace", text_isspace, NULL, NULL, 0},
    {"isupper", text_isupper, NULL, NULL, 0},
    {"join", text_join, NULL, "iterable", 1},
    {"ljust", text_ljust, NULL, "width,fillchar", 1},
    {"lower", text_lower, NULL, NULL, 0},
    {"lstrip", text_lstrip, NULL, "chars", 0},
    {"partition", text_partition, NULL, "sep", 1},
    {"removeprefix", text_removeprefix, NULL, "prefix", 1},
    {"removesuffix", text_removesuffix, NULL, "suffix", 1},
    {"replace", text_replace, NULL, "old,new,count", 2},
    {"rfind", text_rfind, NULL, "sub,start,end", 1},
    {"rindex", text_rindex, NULL, "sub,start,end", 1},
    {"rjust", text_rjust, NULL, "width,fillchar", 1},
    {"rpartition", text_rpartition, NULL, "sep", 1},
    {"rsplit", text_rsplit, NULL, "sep,maxsplit", 0},
    {"rstrip", text_rstrip, NULL, "chars", 0},
    {"split", text_split, NULL, "sep,maxsplit", 0},
    {"splitlines", text_splitlines, NULL, "keepends", 0},
    {"startswith", text_startswith, NULL, "prefix,start,end", 1},
    {"strip", text_strip, NULL, "chars", 0},
    {"swapcase", text_swapcase, NULL, NULL, 0},
    {"title", text_title, NULL, NULL, 0},
    {"upper", text_upper, NULL, NULL, 0},
    {"zfill", text_zfill, NULL, "width", 1},
    {NULL, NULL, NULL, NULL, 0},
};
