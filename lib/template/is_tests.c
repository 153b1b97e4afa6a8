/* SPDX-License-Identifier: MIT */
/* Tests: what stands behind "is". */
#include "base/utf8.h"
#include "template/characters.h"
#include "template/execute.h"
#include "template/show.h"

static bool give(struct value *out, bool holds)
{
    *out = value_boolean(holds);
    return true;
}

static bool is_defined(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind != VALUE_UNDEFINED);
}

static bool is_undefined(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_UNDEFINED);
}

static bool is_none(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_NONE);
}

static bool is_boolean(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_BOOLEAN);
}

static bool is_true(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_BOOLEAN && arguments[0].boolean);
}

static bool is_false(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_BOOLEAN && !arguments[0].boolean);
}

static bool is_integer(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_INTEGER);
}

static bool is_float(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_FLOAT);
}

static bool is_number(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, value_is_number(arguments[0]));
}

static bool is_string(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_STRING);
}

static bool is_mapping(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_MAPPING);
}

/* An undefined value is an empty sequence. */
static bool is_iterable(struct machine *machine, struct value *out, struct value *arguments)
{
    int kind = arguments[0].kind;
    (void)machine;
    return give(out, kind == VALUE_STRING || kind == VALUE_SEQUENCE || kind == VALUE_MAPPING ||
                         kind == VALUE_UNDEFINED || kind == VALUE_LOOP);
}

static bool is_sequence(struct machine *machine, struct value *out, struct value *arguments)
{
    int kind = arguments[0].kind;
    (void)machine;
    return give(out,
                kind == VALUE_STRING || kind == VALUE_MAPPING || kind == VALUE_UNDEFINED ||
                    (kind == VALUE_SEQUENCE && arguments[0].sequence->flavour <= FLAVOUR_RANGE));
}

static bool is_callable(struct machine *machine, struct value *out, struct value *arguments)
{
    int kind = arguments[0].kind;
    (void)machine;
    return give(out, kind == VALUE_FUNCTION || kind == VALUE_METHOD || kind == VALUE_MACRO ||
                         kind == VALUE_LOOP || kind == VALUE_JOINER || kind == VALUE_UNDEFINED);
}

static bool is_escaped(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    return give(out, arguments[0].kind == VALUE_STRING && arguments[0].text->markup);
}

/* Whether all letters are of that case, and there is one. */
static bool is_case(struct machine *machine, struct value *out, struct value value, bool upper)
{
    struct text *text = loam_show_text(machine, value);
    bool any = false, other = false;
    if (!text || !machine_spend(machine, text->length / 4))
        return false;
    for (size_t at = 0; at < text->length;) {
        uint32_t c;
        at += loam_utf8_decode(&c, text->bytes + at, text->length - at);
        bool is_upper = loam_characters_is_upper(c), is_lower = loam_characters_is_lower(c);
        any |= upper ? is_upper : is_lower;
        other |= loam_characters_is_title(c) || (upper ? is_lower : is_upper);
    }
    return give(out, any && !other);
}

static bool is_upper(struct machine *machine, struct value *out, struct value *arguments)
{
    return is_case(machine, out, arguments[0], true);
}

static bool is_lower(struct machine *machine, struct value *out, struct value *arguments)
{
    return is_case(machine, out, arguments[0], false);
}

/* The same object; numbers of one value count as one. */
static bool is_sameas(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value a = arguments[0], b = arguments[1];
    bool equal = false;
    if (a.kind == b.kind && a.kind < VALUE_STRING && !loam_values_equal(machine, &equal, a, b))
        return false;
    return give(out, a.kind == b.kind && (a.kind < VALUE_STRING ? equal : a.mapping == b.mapping));
}

static bool is_divisible(struct machine *machine, struct value *out, struct value number,
                         struct value by, int64_t rest)
{
    struct value left;
    if (!loam_operators_binary(machine, &left, BINARY_REMAINDER, number, by))
        return false;
    if (!value_is_number(left))
        return FAIL(machine, LOAM_FORMAT, "a number is expected, not '%s'",
                    loam_values_type(number));
    return give(out, value_to_float(left) == (double)rest);
}

static bool is_divisibleby(struct machine *machine, struct value *out, struct value *arguments)
{
    return is_divisible(machine, out, arguments[0], arguments[1], 0);
}

static bool is_even(struct machine *machine, struct value *out, struct value *arguments)
{
    return is_divisible(machine, out, arguments[0], value_integer(2), 0);
}

static bool is_odd(struct machine *machine, struct value *out, struct value *arguments)
{
    return is_divisible(machine, out, arguments[0], value_integer(2), 1);
}

static bool compare(struct machine *machine, struct value *out, struct value *arguments, int kind)
{
    bool holds;
    return loam_operators_compare(machine, &holds, kind, arguments[0], arguments[1]) &&
           give(out, holds);
}

static bool is_equal(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_EQUAL);
}

static bool is_unequal(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_UNEQUAL);
}

static bool is_less(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_LESS);
}

static bool is_less_equal(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_LESS_EQUAL);
}

static bool is_greater(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_GREATER);
}

static bool is_greater_equal(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_GREATER_EQUAL);
}

static bool is_in(struct machine *machine, struct value *out, struct value *arguments)
{
    return compare(machine, out, arguments, COMPARE_IN);
}

static bool is_filter(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value name = arguments[0];
    (void)machine;
    return give(out, name.kind == VALUE_STRING &&
                         loam_native_find(loam_filters, name.text->bytes, name.text->length));
}

static bool is_test(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value name = arguments[0];
    (void)machine;
    return give(out, name.kind == VALUE_STRING &&
                         loam_native_find(loam_tests, name.text->bytes, name.text->length));
}

const struct native loam_tests[] = {
    {"!=", is_unequal, NULL, "other", 1},
    {"<", is_less, NULL, "other", 1},
    {"<=", is_less_equal, NULL, "other", 1},
    {"==", is_equal, NULL, "other", 1},
    {">", is_greater, NULL, "other", 1},
    {">=", is_greater_equal, NULL, "other", 1},
    {"boolean", is_boolean, NULL, NULL, 0},
    {"callable", is_callable, NULL, NULL, 0},
    {"defined", is_defined, NULL, NULL, 0},
    {"divisibleby", is_divisibleby, NULL, "num", 1},
    {"eq", is_equal, NULL, "other", 1},
    {"equalto", is_equal, NULL, "other", 1},
    {"escaped", is_escaped, NULL, NULL, 0},
    {"even", is_even, NULL, NULL, 0},
    {"false", is_false, NULL, NULL, 0},
    {"filter", is_filter, NULL, NULL, 0},
    {"float", is_float, NULL, NULL, 0},
    {"ge", is_greater_equal, NULL, "other", 1},
    {"greaterthan", is_greater, NULL, "other", 1},
    {"gt", is_greater, NULL, "other", 1},
    {"in", is_in, NULL, "seq", 1},
    {"integer", is_integer, NULL, NULL, 0},
    {"iterable", is_iterable, NULL, NULL, 0},
    {"le", is_less_equal, NULL, "other", 1},
    {"lessthan", is_less, NULL, "other", 1},
    {"lower", is_lower, NULL, NULL, 0},
    {"lt", is_less, NULL, "other", 1},
    {"mapping", is_mapping, NULL, NULL, 0},
    {"ne", is_unequal, NULL, "other", 1},
    {"none", is_none, NULL, NULL, 0},
    {"number", is_number, NULL, NULL, 0},
    {"odd", is_odd, NULL, NULL, 0},
    {"sameas", is_sameas, NULL, "other", 1},
    {"sequence", is_sequence, NULL, NULL, 0},
    {"string", is_string, NULL, NULL, 0},
    {"test", is_test, NULL, NULL, 0},
    {"true", is_true, NULL, NULL, 0},
    {"undefined", is_undefined, NULL, NULL, 0},
    {"upper", is_upper, NULL, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};
