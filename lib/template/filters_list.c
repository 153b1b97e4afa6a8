/* SPDX-License-Identifier: MIT */
/* Filters that take or give lists and mappings. */
#include "template/execute.h"
#include "template/filters.h"
#include "template/show.h"

static bool give(struct value *out, struct sequence *sequence)
{
    *out = value_sequence(sequence);
    return sequence != NULL;
}

bool loam_filter_default(struct machine *machine, struct value *out, struct value *arguments)
{
    static const struct text empty = {.bytes = "", .hash = 2166136261u, .width = WIDTH_ASCII};
    bool boolean = loam_values_truth(arguments[2]);
    bool replace =
        arguments[0].kind == VALUE_UNDEFINED || (boolean && !loam_values_truth(arguments[0]));
    (void)machine;
    *out = replace ? arguments[1] : arguments[0];
    if (out->kind == VALUE_MISSING)
        *out = value_text((struct text *)(uintptr_t)&empty);
    return true;
}

bool loam_filter_length(struct machine *machine, struct value *out, struct value *arguments)
{
    int64_t length;
    if (!loam_values_length(machine, &length, arguments[0]))
        return false;
    *out = value_integer(length);
    return true;
}

bool loam_filter_first(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    *out = items->count ? items->items[0]
                        : loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
    return true;
}

bool loam_filter_last(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    if (arguments[0].kind == VALUE_SEQUENCE && arguments[0].sequence->flavour == FLAVOUR_GENERATOR)
        return FAIL(machine, LOAM_FORMAT, "'generator' object is not reversible");
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    *out = items->count ? items->items[items->count - 1]
                        : loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
    return true;
}

bool loam_filter_join(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct sequence *items;
    struct text *separator =
        arguments[1].kind == VALUE_MISSING ? NULL : loam_show_text(machine, arguments[1]);
    if (machine->status || !loam_values_iterate(machine, &items, arguments[0]))
        return false;
    bool attribute = arguments[2].kind != VALUE_MISSING && arguments[2].kind != VALUE_NONE;
    for (size_t i = 0; i < items->count; i++) {
        struct value item = items->items[i];
        if ((attribute && !loam_native_path(machine, &item, item, arguments[2])) ||
            (i && separator && !loam_builder_add_text(machine, &builder, separator)) ||
            !machine_spend(machine, 1) || !loam_show_print(machine, &builder, item))
            return false;
    }
    struct text *text = loam_builder_finish(machine, &builder);
    *out = value_text(text);
    return text != NULL;
}

/* The items in a new sequence. */
static struct sequence *copy_of(struct machine *machine, const struct sequence *items,
                                enum sequence_flavour flavour)
{
    struct sequence *copy = machine_spend(machine, items->count)
                                ? loam_sequence_new(machine, flavour, items->count)
                                : NULL;
    if (copy && items->count)
        memcpy(copy->items, items->items, items->count * sizeof *items->items);
    if (copy)
        copy->count = items->count;
    return copy;
}

bool loam_filter_list(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    struct sequence *list = copy_of(machine, items, FLAVOUR_LIST);
    if (list && arguments[0].kind == VALUE_SEQUENCE)
        list->from_data = items->from_data;
    return give(out, list);
}

bool loam_filter_reverse(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    struct sequence *reversed = copy_of(machine, items, FLAVOUR_GENERATOR);
    for (size_t i = 0; reversed && i < items->count; i++)
        reversed->items[i] = items->items[items->count - 1 - i];
    if (!reversed || arguments[0].kind != VALUE_STRING)
        return give(out, reversed);
    struct text_builder builder = {0};
    for (size_t i = 0; i < reversed->count; i++)
        if (!loam_builder_add_text(machine, &builder, reversed->items[i].text))
            return false;
    struct text *text = loam_builder_finish(machine, &builder);
    *out = value_text(text);
    return text != NULL;
}

bool loam_filter_items(struct machine *machine, struct value *out, struct value *arguments)
{
    if (arguments[0].kind == VALUE_UNDEFINED)
        return give(out, loam_sequence_new(machine, FLAVOUR_GENERATOR, 0));
    if (arguments[0].kind != VALUE_MAPPING)
        return FAIL(machine, LOAM_FORMAT, "can only get item pairs from a mapping");
    struct sequence *items = loam_mapping_view(machine, arguments[0].mapping, FLAVOUR_ITEMS);
    if (items)
        items->flavour = FLAVOUR_GENERATOR;
    return give(out, items);
}

bool loam_filter_attr(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *name = NULL;
    struct value value = arguments[0];
    if (!loam_native_string(machine, &name, arguments[1], "name"))
        return false;
    if (!name)
        return FAIL(machine, LOAM_FORMAT, "attribute name must be str");
    if (value.kind != VALUE_MAPPING)
        return loam_operators_attribute(machine, out, value, name);
    /* Attributes alone, no items. */
    const struct native *native = loam_native_find(loam_mapping_methods, name->bytes, name->length);
    if (native)
        return loam_operators_attribute(machine, out, value, name);
    *out = loam_machine_undefined(UNDEFINED_ATTRIBUTE, VALUE_MAPPING, name);
    return true;
}

/* ---- sums and extremes --------------------------------------------------------------------- */

static bool has_path(struct value path)
{
    return path.kind != VALUE_MISSING && path.kind != VALUE_NONE;
}

bool loam_filter_sum(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    *out = arguments[2].kind == VALUE_MISSING ? value_integer(0) : arguments[2];
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        struct value item = items->items[i], sum = *out;
        if ((has_path(arguments[1]) && !loam_native_path(machine, &item, item, arguments[1])) ||
            !machine_spend(machine, 1) ||
            !loam_operators_binary(machine, out, BINARY_ADD, sum, item))
            return false;
    }
    return true;
}

static bool extreme(struct machine *machine, struct value *out, struct value *arguments,
                    bool largest)
{
    struct sequence *items;
    struct value best = value_none();
    bool fold = !loam_values_truth(arguments[1]);
    *out = loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
    if (!loam_values_iterate(machine, &items, arguments[0]))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        struct value key = items->items[i];
        int order = 1;
        if ((has_path(arguments[2]) && !loam_native_path(machine, &key, key, arguments[2])) ||
            (i && !loam_values_compare(machine, &order, key, best, largest ? ">" : "<", fold)))
            return false;
        if (i == 0 || (largest ? order > 0 : order < 0)) {
            best = key;
            *out = items->items[i];
        }
    }
    return true;
}

bool loam_filter_min(struct machine *machine, struct value *out, struct value *arguments)
{
    return extreme(machine, out, arguments, false);
}

bool loam_filter_max(struct machine *machine, struct value *out, struct value *arguments)
{
    return extreme(machine, out, arguments, true);
}

/* ---- parts ------------------------------------------------------------------------------------
 */

bool loam_filter_batch(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items, *rows = loam_sequence_new(machine, FLAVOUR_GENERATOR, 0), *row = NULL;
    int64_t count = 0;
    if (!rows || !loam_values_iterate(machine, &items, arguments[0]) ||
        !loam_native_integer(machine, &count, arguments[1], "linecount"))
        return false;
    if (count < 1)
        return FAIL(machine, LOAM_FORMAT, "linecount must be at least 1");
    for (size_t i = 0; i < items->count; i++) {
        if (i % (uint64_t)count == 0) {
            row = loam_sequence_new(machine, FLAVOUR_LIST, 0);
            if (!row || !loam_sequence_add(machine, rows, value_sequence(row)))
                return false;
        }
        if (!loam_sequence_add(machine, row, items->items[i]))
            return false;
    }
    while (row && has_path(arguments[2]) && (int64_t)row->count < count)
        if (!loam_sequence_add(machine, row, arguments[2]))
            return false;
    return give(out, rows);
}

bool loam_filter_slice(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items, *columns = loam_sequence_new(machine, FLAVOUR_GENERATOR, 0);
    int64_t count = 0;
    if (!columns || !loam_values_iterate(machine, &items, arguments[0]) ||
        !loam_native_integer(machine, &count, arguments[1], "slices"))
        return false;
    if (count < 1)
        return FAIL(machine, LOAM_FORMAT, "slices must be at least 1");
    size_t each = items->count / (uint64_t)count, longer = items->count % (uint64_t)count, at = 0;
    for (int64_t i = 0; i < count; i++) {
        struct sequence *column = loam_sequence_new(machine, FLAVOUR_LIST, 0);
        if (!column || !loam_sequence_add(machine, columns, value_sequence(column)))
            return false;
        for (size_t end = at + each + ((uint64_t)i < longer); at < end; at++)
            if (!loam_sequence_add(machine, column, items->items[at]))
                return false;
        if (has_path(arguments[2]) && (uint64_t)i >= longer &&
            !loam_sequence_add(machine, column, arguments[2]))
            return false;
    }
    return give(out, columns);
}

/* ---- map and select -----------------------------------------------------------------------------
 */

/* The native that a filter's argument names. */
static const struct native *named(struct machine *machine, const struct native *table,
                                  struct value name, const char *what)
{
    const struct native *native = NULL;
    if (name.kind == VALUE_STRING)
        native = loam_native_find(table, name.text->bytes, name.text->length);
    if (!native && name.kind == VALUE_STRING)
        (void)FAIL(machine, LOAM_FORMAT, "no %s named '%.*s'", what, LOAM_SHOWN(name.text->length),
                   name.text->bytes);
    else if (!native)
        (void)FAIL(machine, LOAM_FORMAT, "a %s is named by str, not '%s'", what,
                   loam_values_type(name));
    return native;
}

/* Calls `native` on an item, with the arguments from `first` on. Filters that
 * call filters may nest; each level takes stack. */
static bool call_on(struct machine *machine, struct value *out, const struct native *native,
                    struct value item, const struct arguments *arguments, size_t first)
{
    struct value values[NATIVE_PARAMETERS + 2] = {item};
    struct arguments passed = {.values = values,
                               .count = 1,
                               .keywords = arguments->keywords,
                               .keyword_count = arguments->keyword_count};
    for (size_t i = first; i < arguments->count; i++) {
        if (passed.count == LOAM_COUNT_OF(values))
            return FAIL(machine, LOAM_UNSUPPORTED, "too many arguments");
        values[passed.count++] = arguments->values[i];
    }
    if (machine->calls_left == 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "filters name filters too deeply");
    machine->calls_left--;
    bool good = machine_spend(machine, 1) && loam_native_call(machine, out, native, &passed);
    machine->calls_left++;
    return good;
}

/* What map and select walk over: of any false value nothing. */
static bool iterate(struct machine *machine, struct sequence **out, struct value value)
{
    if (loam_values_truth(value))
        return loam_values_iterate(machine, out, value);
    *out = loam_sequence_new(machine, FLAVOUR_LIST, 0);
    return *out != NULL;
}

/* The keyword's value, or MISSING. */
static struct value keyword(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (loam_text_is(arguments->keywords[2 * i].text, name))
            return arguments->keywords[2 * i + 1];
    return (struct value){.kind = VALUE_MISSING};
}

static bool map_attribute(struct machine *machine, struct value *out, struct value item,
                          const struct arguments *arguments, struct value path)
{
    struct value otherwise = keyword(arguments, "default");
    if (!loam_native_path(machine, out, item, path))
        return false;
    if (out->kind == VALUE_UNDEFINED && otherwise.kind != VALUE_MISSING)
        *out = otherwise;
    return true;
}

bool loam_filter_map(struct machine *machine, struct value *out, const struct arguments *arguments)
{
    struct sequence *items, *mapped = loam_sequence_new(machine, FLAVOUR_GENERATOR, 0);
    struct value path = keyword(arguments, "attribute");
    const struct native *filter = NULL;
    if (!mapped || !iterate(machine, &items, arguments->values[0]))
        return false;
    if (arguments->count == 1 && path.kind == VALUE_MISSING)
        return FAIL(machine, LOAM_FORMAT, "map requires a filter argument");
    if (arguments->count > 1) {
        filter = named(machine, loam_filters, arguments->values[1], "filter");
        if (!filter)
            return false;
    }
    for (size_t i = 0; i < items->count; i++) {
        struct value value;
        if (!(filter ? call_on(machine, &value, filter, items->items[i], arguments, 2)
                     : map_attribute(machine, &value, items->items[i], arguments, path)) ||
            !loam_sequence_add(machine, mapped, value))
            return false;
    }
    return give(out, mapped);
}

/* Keeps the items for which a test holds or not; by_attribute: the first
 * argument says what of the item is tested. */
static bool choose(struct machine *machine, struct value *out, const struct arguments *arguments,
                   bool wanted, bool by_attribute)
{
    struct sequence *items, *kept = loam_sequence_new(machine, FLAVOUR_GENERATOR, 0);
    size_t first = 1 + (size_t)by_attribute;
    const struct native *test = NULL;
    if (!kept || !iterate(machine, &items, arguments->values[0]))
        return false;
    if (arguments->count < first)
        return FAIL(machine, LOAM_FORMAT, "missing parameter for attribute name");
    if (arguments->count > first) {
        test = named(machine, loam_tests, arguments->values[first], "test");
        if (!test)
            return false;
    }
    for (size_t i = 0; i < items->count; i++) {
        struct value item = items->items[i], result;
        if (by_attribute && !loam_native_path(machine, &item, item, arguments->values[1]))
            return false;
        result = item;
        if ((test && !call_on(machine, &result, test, item, arguments, first + 1)) ||
            (loam_values_truth(result) == wanted &&
             !loam_sequence_add(machine, kept, items->items[i])))
            return false;
    }
    return machine_spend(machine, items->count) && give(out, kept);
}

bool loam_filter_select(struct machine *machine, struct value *out,
                        const struct arguments *arguments)
{
    return choose(machine, out, arguments, true, false);
}

bool loam_filter_reject(struct machine *machine, struct value *out,
                        const struct arguments *arguments)
{
    return choose(machine, out, arguments, false, false);
}

bool loam_filter_selectattr(struct machine *machine, struct value *out,
                            const struct arguments *arguments)
{
    return choose(machine, out, arguments, true, true);
}

bool loam_filter_rejectattr(struct machine *machine, struct value *out,
                            const struct arguments *arguments)
{
    return choose(machine, out, arguments, false, true);
}
