/* SPDX-License-Identifier: MIT */
/* Operators, attributes, items and slices. */
#include "template/execute.h"
#include "template/show.h"

#include <math.h>

/* ---- arithmetic ------------------------------------------------------------------------ */

static bool fail_types(struct machine *machine, int kind, struct value a, struct value b)
{
    static const char *const names[] = {"+", "-", "*", "/", "//", "%", "**", "~"};
    if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, a.kind == VALUE_UNDEFINED ? a : b);
    return FAIL(machine, LOAM_FORMAT, "unsupported operand type(s) for %s: '%s' and '%s'",
                names[kind], loam_values_type(a), loam_values_type(b));
}

static bool fail_overflow(struct machine *machine)
{
    return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
}

static bool power_of_integers(struct machine *machine, struct value *out, int64_t base,
                              int64_t exponent)
{
    int64_t result = 1;
    for (int64_t rest = exponent; rest > 0; rest /= 2) {
        if (rest % 2 && __builtin_mul_overflow(result, base, &result))
            return fail_overflow(machine);
        if (rest > 1 && __builtin_mul_overflow(base, base, &base))
            return fail_overflow(machine);
    }
    *out = value_integer(result);
    return true;
}

static bool integer_arithmetic(struct machine *machine, struct value *out, int kind, int64_t a,
                               int64_t b)
{
    int64_t result = 0;
    bool overflow = false;
    switch (kind) {
    case BINARY_ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case BINARY_SUBTRACT:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    case BINARY_MULTIPLY:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    case BINARY_POWER:
        return power_of_integers(machine, out, a, b);
    default: /* // and %, rounded down */
        if (b == -1) {
            overflow = kind == BINARY_FLOOR_DIVIDE && __builtin_sub_overflow(0, a, &result);
            break;
        }
        result = kind == BINARY_FLOOR_DIVIDE ? a / b : a % b;
        if (a % b != 0 && (a < 0) != (b < 0))
            result += kind == BINARY_FLOOR_DIVIDE ? -1 : b;
    }
    *out = value_integer(result);
    return !overflow || fail_overflow(machine);
}

/* a - b * trunc(a / b) for positive numbers, exactly. */
static double remainder_of(double a, double b)
{
    double step = b;
    while (step <= a * 0.5)
        step *= 2;
    for (; step >= b; step *= 0.5)
        if (a >= step)
            a -= step;
    return a;
}

static double floor_of(double number)
{
    if (!(number < 4503599627370496.0 && number > -4503599627370496.0))
        return number;
    double whole = (double)(int64_t)number;
    return whole > number ? whole - 1 : whole;
}

static double float_power(double base, double exponent)
{
    double result = 1;
    if (exponent == floor_of(exponent) && exponent > -1024 && exponent < 1024) {
        for (double i = exponent < 0 ? -exponent : exponent; i > 0; i--)
            result *= base;
        return exponent < 0 ? 1 / result : result;
    }
    return sqrt(base); /* the only other one, see below */
}

static bool float_arithmetic(struct machine *machine, struct value *out, int kind, double a,
                             double b)
{
    double rest = 0;
    if (kind == BINARY_REMAINDER || kind == BINARY_FLOOR_DIVIDE) {
        if (!(a - a == 0 && b - b == 0))
            return FAIL(machine, LOAM_UNSUPPORTED, "division of a number that is not finite");
        double size = b < 0 ? -b : b;
        rest = remainder_of(a < 0 ? -a : a, size);
        rest = a < 0 ? -rest : rest;
        if (rest != 0 && (rest < 0) != (b < 0))
            rest += b;
    }
    if (kind == BINARY_POWER && a < 0 && b != floor_of(b))
        return FAIL(machine, LOAM_UNSUPPORTED, "a complex number");
    if (kind == BINARY_POWER && b != 0.5 && !(b == floor_of(b) && b > -1024 && b < 1024))
        return FAIL(machine, LOAM_UNSUPPORTED, "a power that is neither 0.5 nor a small integer");
    *out = value_float(kind == BINARY_ADD            ? a + b
                       : kind == BINARY_SUBTRACT     ? a - b
                       : kind == BINARY_MULTIPLY     ? a * b
                       : kind == BINARY_DIVIDE       ? a / b
                       : kind == BINARY_REMAINDER    ? rest
                       : kind == BINARY_FLOOR_DIVIDE ? floor_of((a - rest) / b + 0.5)
                                                     : float_power(a, b));
    return true;
}

static bool arithmetic(struct machine *machine, struct value *out, int kind, struct value a,
                       struct value b)
{
    bool from_data = a.from_data || b.from_data, good;
    bool divides = kind == BINARY_DIVIDE || kind == BINARY_FLOOR_DIVIDE || kind == BINARY_REMAINDER;
    bool inverse = kind == BINARY_POWER && value_to_float(b) < 0;
    if ((divides && value_to_float(b) == 0) || (inverse && value_to_float(a) == 0))
        return FAIL(machine, LOAM_FORMAT, "division by zero");
    if (value_is_integer(a) && value_is_integer(b) && kind != BINARY_DIVIDE && !inverse)
        good = integer_arithmetic(machine, out, kind, value_to_integer(a), value_to_integer(b));
    else
        good = float_arithmetic(machine, out, kind, value_to_float(a), value_to_float(b));
    out->from_data = from_data;
    return good;
}

/* ---- texts and lists --------------------------------------------------------------------- */

static bool add_texts(struct machine *machine, struct value *out, struct text *a, struct text *b)
{
    bool markup = a->markup || b->markup;
    if (markup) {
        a = loam_native_escape(machine, a);
        b = a ? loam_native_escape(machine, b) : NULL;
        if (!b)
            return false;
    }
    const struct value parts[] = {value_text(a), value_text(b)};
    struct text *joined = loam_text_join(machine, parts, 2);
    if (!joined)
        return false;
    *out = value_text(joined);
    joined->markup = markup;
    return true;
}

static bool add_sequences(struct machine *machine, struct value *out, const struct sequence *a,
                          const struct sequence *b)
{
    uint64_t count = (uint64_t)a->count + b->count;
    struct sequence *sum =
        machine_spend(machine, count) ? loam_sequence_new(machine, a->flavour, count) : NULL;
    if (!sum)
        return false;
    if (a->count)
        memcpy(sum->items, a->items, a->count * sizeof *a->items);
    if (b->count)
        memcpy(sum->items + a->count, b->items, b->count * sizeof *b->items);
    sum->count = (size_t)count;
    sum->from_data = a->from_data || b->from_data;
    *out = value_sequence(sum);
    return true;
}

static bool repeat(struct machine *machine, struct value *out, struct value value, int64_t times)
{
    if (value.kind == VALUE_STRING) {
        struct text_builder builder = {0};
        for (int64_t i = 0; i < times && value.text->length; i++)
            if (!machine_spend(machine, 1) || !loam_builder_add_text(machine, &builder, value.text))
                return false;
        struct text *text = loam_builder_finish(machine, &builder);
        *out = value_text(text);
        return text != NULL;
    }
    struct sequence *list = loam_sequence_new(machine, value.sequence->flavour, 0);
    for (int64_t i = 0; list && i < times && value.sequence->count; i++)
        for (size_t j = 0; j < value.sequence->count; j++)
            if (!loam_sequence_add(machine, list, value.sequence->items[j]))
                return false;
    *out = value_sequence(list);
    return list != NULL;
}

static bool is_list(struct value value)
{
    return value.kind == VALUE_SEQUENCE && value.sequence->flavour <= FLAVOUR_TUPLE;
}

static bool format(struct machine *machine, struct value *out, struct text *text,
                   struct value value)
{
    struct value values[1 + 64] = {{0}};
    struct arguments arguments = {.values = values, .count = 2};
    if (value.kind == VALUE_SEQUENCE && value.sequence->flavour == FLAVOUR_TUPLE) {
        if (value.sequence->count >= LOAM_COUNT_OF(values))
            return FAIL(machine, LOAM_UNSUPPORTED, "too many values for a format");
        for (size_t i = 0; i < value.sequence->count; i++)
            values[i + 1] = value.sequence->items[i];
        arguments.count = value.sequence->count + 1;
    } else {
        values[1] = value;
    }
    return loam_format_percent(machine, out, text, &arguments);
}

static bool concatenate(struct machine *machine, struct value *out, struct value a, struct value b)
{
    struct text *left = loam_show_text(machine, a);
    struct text *right = left ? loam_show_text(machine, b) : NULL;
    const struct value parts[] = {value_text(left), value_text(right)};
    struct text *joined = right ? loam_text_join(machine, parts, 2) : NULL;
    if (joined && joined->markup) { /* what ~ gives is plain text */
        struct text *plain = loam_heap_get(&machine->heap, 1, sizeof *plain);
        if (!plain)
            return loam_machine_fail_memory(machine);
        *plain = *joined;
        plain->markup = false;
        joined = plain;
    }
    *out = value_text(joined);
    return joined != NULL;
}

bool loam_operators_binary(struct machine *machine, struct value *out, int kind, struct value a,
                           struct value b)
{
    if (kind == BINARY_CONCATENATE)
        return concatenate(machine, out, a, b);
    if (value_is_number(a) && value_is_number(b))
        return arithmetic(machine, out, kind, a, b);
    if (kind == BINARY_ADD && a.kind == VALUE_STRING && b.kind == VALUE_STRING)
        return add_texts(machine, out, a.text, b.text);
    if (kind == BINARY_ADD && is_list(a) && is_list(b) &&
        a.sequence->flavour == b.sequence->flavour)
        return add_sequences(machine, out, a.sequence, b.sequence);
    if (kind == BINARY_MULTIPLY && (a.kind == VALUE_STRING || is_list(a)) && value_is_integer(b))
        return repeat(machine, out, a, value_to_integer(b));
    if (kind == BINARY_MULTIPLY && (b.kind == VALUE_STRING || is_list(b)) && value_is_integer(a))
        return repeat(machine, out, b, value_to_integer(a));
    if (kind == BINARY_REMAINDER && a.kind == VALUE_STRING)
        return format(machine, out, a.text, b);
    if (kind == BINARY_ADD && a.kind == VALUE_STRING && b.kind != VALUE_UNDEFINED)
        return FAIL(machine, LOAM_FORMAT, "can only concatenate str (not \"%s\") to str",
                    loam_values_type(b));
    return fail_types(machine, kind, a, b);
}

bool loam_operators_compare(struct machine *machine, bool *out, int kind, struct value a,
                            struct value b)
{
    static const char *const names[] = {"==", "!=", "<", "<=", ">", ">=", "in", "not in"};
    int order;
    if (kind == COMPARE_IN || kind == COMPARE_NOT_IN) {
        bool good = loam_values_contains(machine, out, b, a);
        *out ^= kind == COMPARE_NOT_IN;
        return good;
    }
    if (kind == COMPARE_EQUAL || kind == COMPARE_UNEQUAL) {
        bool good = loam_values_equal(machine, out, a, b);
        *out ^= kind == COMPARE_UNEQUAL;
        return good;
    }
    if (!loam_values_compare(machine, &order, a, b, names[kind], false))
        return false;
    bool unordered =
        value_is_number(a) && value_is_number(b) &&
        (value_to_float(a) != value_to_float(a) || value_to_float(b) != value_to_float(b));
    *out = !unordered && (kind == COMPARE_LESS         ? order < 0
                          : kind == COMPARE_LESS_EQUAL ? order <= 0
                          : kind == COMPARE_GREATER    ? order > 0
                                                       : order >= 0);
    return true;
}

/* ---- attributes and items ------------------------------------------------------------------ */

static bool method_of(struct machine *machine, struct value *out, struct value self,
                      const struct native *table, const struct text *name, bool *found)
{
    const struct native *native = loam_native_find(table, name->bytes, name->length);
    *found = native != NULL;
    if (!native)
        return true;
    struct method *method = loam_heap_get(&machine->heap, 1, sizeof *method);
    if (!method)
        return loam_machine_fail_memory(machine);
    *method = (struct method){native, self};
    *out = (struct value){.kind = VALUE_METHOD, .method = method};
    return true;
}

/* What Python's getattr finds. */
static bool own_attribute(struct machine *machine, struct value *out, struct value value,
                          struct text *name, bool *found)
{
    *found = false;
    switch (value.kind) {
    case VALUE_STRING:
        return method_of(machine, out, value, loam_text_methods, name, found);
    case VALUE_MAPPING:
        return method_of(machine, out, value, loam_mapping_methods, name, found);
    case VALUE_SEQUENCE:
        if (value.sequence->group &&
            (loam_text_is(name, "grouper") || loam_text_is(name, "list"))) {
            *out = value.sequence->items[name->length == 4];
            *found = true;
            return true;
        }
        return value.sequence->flavour > FLAVOUR_RANGE ||
               method_of(machine, out, value, loam_sequence_methods, name, found);
    case VALUE_LOOP:
        return loam_loops_attribute(machine, out, value.loop, name, found) &&
               (*found || method_of(machine, out, value, loam_loop_methods, name, found));
    case VALUE_CYCLER:
        if (loam_text_is(name, "current") && value.cycler->items->count) {
            *out = value.cycler->items->items[value.cycler->position];
            *found = true;
            return true;
        }
        return method_of(machine, out, value, loam_cycler_methods, name, found);
    case VALUE_MACRO:
        *found = loam_text_is(name, "name");
        if (*found)
            *out = value_text(value.macro->code->name);
        return true;
    case VALUE_NAMESPACE: {
        struct value *item = loam_mapping_find_text(machine, value.mapping, name);
        *found = item != NULL;
        if (item)
            *out = *item;
        return machine->status == LOAM_OK;
    }
    default:
        return true;
    }
}

bool loam_operators_attribute(struct machine *machine, struct value *out, struct value value,
                              struct text *name)
{
    bool found;
    struct value *item = NULL;
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (!own_attribute(machine, out, value, name, &found))
        return false;
    if (found)
        return true;
    if (value.kind == VALUE_MAPPING)
        item = loam_mapping_find_text(machine, value.mapping, name);
    *out = item ? *item : loam_machine_undefined(UNDEFINED_ATTRIBUTE, value.kind, name);
    return machine->status == LOAM_OK;
}

/* Item `index` of a list or text; *found: there is one. */
static bool item_at(struct machine *machine, struct value *out, struct value value, int64_t index,
                    bool *found)
{
    int64_t count;
    *found = false;
    if (value.kind != VALUE_STRING &&
        !(value.kind == VALUE_SEQUENCE && value.sequence->flavour <= FLAVOUR_RANGE))
        return true;
    if (!loam_values_length(machine, &count, value))
        return false;
    index += index < 0 ? count : 0;
    *found = index >= 0 && index < count;
    if (!*found)
        return true;
    if (value.kind == VALUE_SEQUENCE) {
        *out = value.sequence->items[index];
        return true;
    }
    size_t start = loam_text_offset(value.text, (size_t)index);
    struct text *part =
        loam_text_part(machine, value.text, start, start + loam_text_step(value.text, start));
    *out = value_text(part);
    return part != NULL;
}

bool loam_operators_subscript(struct machine *machine, struct value *out, struct value value,
                              struct value key)
{
    bool found = false;
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (value_is_integer(key) && !item_at(machine, out, value, value_to_integer(key), &found))
        return false;
    if (found)
        return true;
    if (value.kind == VALUE_MAPPING && key.kind != VALUE_MAPPING &&
        !(is_list(key) && key.sequence->flavour == FLAVOUR_LIST)) {
        struct value *item = loam_mapping_find(machine, value.mapping, key);
        if (item || machine->status) {
            *out = item ? *item : value;
            return machine->status == LOAM_OK;
        }
    }
    if (key.kind == VALUE_STRING) {
        struct value self = value;
        if (!own_attribute(machine, out, self, key.text, &found) || found)
            return machine->status == LOAM_OK;
    }
    struct text *name = key.kind == VALUE_STRING ? key.text : NULL;
    *out = loam_machine_undefined(name ? UNDEFINED_ATTRIBUTE : UNDEFINED_PLAIN, value.kind, name);
    return true;
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* Python's slice.indices: the first index, one behind the last, the step. */
static bool slice_bounds(struct machine *machine, const struct value bounds[3], int64_t count,
                         int64_t out[3])
{
    for (int i = 0; i < 3; i++)
        if (bounds[i].kind != VALUE_NONE && !value_is_integer(bounds[i]))
            return FAIL(machine, LOAM_FORMAT, "slice indices must be integers or None");
    int64_t step = bounds[2].kind == VALUE_NONE ? 1 : value_to_integer(bounds[2]);
    if (step == 0)
        return FAIL(machine, LOAM_FORMAT, "slice step cannot be zero");
    int64_t least = step < 0 ? -1 : 0, most = step < 0 ? count - 1 : count;
    for (int i = 0; i < 2; i++) {
        bool low = (i == 0) == (step > 0); /* what a missing bound is */
        int64_t at = low ? least : most;
        if (bounds[i].kind != VALUE_NONE) {
            at = value_to_integer(bounds[i]);
            at += at < 0 ? count : 0;
            at = at < least ? least : at > most ? most : at;
        }
        out[i] = at;
    }
    out[2] = step;
    return true;
}

static bool slice_text(struct machine *machine, struct value *out, struct text *text,
                       const int64_t range[3])
{
    struct text_builder builder = {0};
    struct text *slice = NULL;
    if (range[2] == 1) {
        size_t start = loam_text_offset(text, (size_t)range[0]);
        size_t end = range[1] > range[0] ? loam_text_offset(text, (size_t)range[1]) : start;
        slice = machine_spend(machine, end / 64) ? loam_text_part(machine, text, start, end) : NULL;
        *out = value_text(slice);
        return slice != NULL;
    }
    struct sequence *characters;
    if (!loam_values_iterate(machine, &characters, value_text(text)))
        return false;
    for (int64_t i = range[0]; range[2] > 0 ? i < range[1] : i > range[1];) {
        if (!loam_builder_add_text(machine, &builder, characters->items[i].text))
            return false;
        if (__builtin_add_overflow(i, range[2], &i))
            break;
    }
    slice = loam_builder_finish(machine, &builder);
    *out = value_text(slice);
    return slice != NULL;
}

bool loam_operators_slice(struct machine *machine, struct value *out, struct value value,
                          const struct value bounds[3])
{
    int64_t count, range[3];
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (value.kind != VALUE_STRING &&
        !(value.kind == VALUE_SEQUENCE && value.sequence->flavour <= FLAVOUR_RANGE)) {
        *out = loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
        return true;
    }
    if (!loam_values_length(machine, &count, value) || !slice_bounds(machine, bounds, count, range))
        return false;
    if (value.kind == VALUE_STRING)
        return slice_text(machine, out, value.text, range);
    struct sequence *slice = loam_sequence_new(
        machine, value.sequence->flavour == FLAVOUR_TUPLE ? FLAVOUR_TUPLE : FLAVOUR_LIST, 0);
    for (int64_t i = range[0]; slice && (range[2] > 0 ? i < range[1] : i > range[1]);) {
        if (!loam_sequence_add(machine, slice, value.sequence->items[i]))
            return false;
        if (__builtin_add_overflow(i, range[2], &i))
            break;
    }
    if (slice)
        slice->from_data = value.sequence->from_data;
    *out = value_sequence(slice);
    return slice != NULL;
}
