/* SPDX-License-Identifier: MIT */
/* Filters that give numbers. */
#include "template/filters.h"
#include "base/number.h"

/* A number in text: white space around, a sign and underscores in it are fine. */
struct digits {
    char text[400];
    size_t length;
    bool negative;
};

/* Takes white space and sign off, underscores out; false: too long, or with
 * underscores at places where Python has none. */
static bool clean(struct digits *out, const struct text *text)
{
    size_t start, end;
    loam_text_strip(text, NULL, true, true, &start, &end);
    out->length = 0;
    out->negative = end > start && text->bytes[start] == '-';
    if (end > start && (text->bytes[start] == '-' || text->bytes[start] == '+'))
        start++;
    for (size_t i = start; i < end; i++) {
        if (text->bytes[i] == '_') {
            if (i == start || i + 1 == end || text->bytes[i + 1] == '_')
                return false;
            continue;
        }
        if (out->length == sizeof out->text)
            return false;
        out->text[out->length++] = text->bytes[i];
    }
    return out->length > 0;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* *out = int(text, base); *fits: it has 64 bits. */
static bool read_integer(const struct digits *digits, int64_t base, int64_t *out, bool *fits)
{
    size_t at = 0;
    uint64_t value = 0;
    char mark = digits->length > 2 && digits->text[0] == '0' ? (char)(digits->text[1] | 32) : 0;
    int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    *fits = true;
    if (marked && (base == marked || base == 0)) {
        base = marked;
        at = 2;
    }
    base = base == 0 ? 10 : base;
    for (; at < digits->length; at++) {
        int digit = digit_of(digits->text[at]);
        if (digit >= base)
            return false;
        if (!loam_multiply(&value, value, (uint64_t)base) ||
            !loam_sum(&value, value, (uint64_t)digit) || value > INT64_MAX)
            *fits = false;
    }
    *out = digits->negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool read_float(const struct digits *digits, double *out)
{
    static const struct {
        const char *name;
        size_t length;
    } words[] = {{"inf", 3}, {"infinity", 8}, {"nan", 3}};
    for (size_t i = 0; i < LOAM_COUNT_OF(words); i++) {
        size_t same = 0;
        while (same < digits->length && same < words[i].length &&
               (digits->text[same] | 32) == words[i].name[same])
            same++;
        if (same == words[i].length && same == digits->length) {
            double infinity = 1e308 * 10;
            *out = i == 2 ? infinity - infinity : digits->negative ? -infinity : infinity;
            return true;
        }
    }
    if (!loam_number_read(out, digits->text, digits->length))
        return false;
    *out = digits->negative ? -*out : *out;
    return true;
}

static bool float_to_integer(struct machine *machine, struct value *out, double number)
{
    if (!(number > -9223372036854775808.0 && number < 9223372036854775808.0))
        return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
    *out = value_integer((int64_t)number);
    return true;
}

bool loam_filter_int(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value value = arguments[0];
    struct digits digits;
    int64_t base = 10, integer;
    double number;
    bool fits;
    *out = arguments[1].kind == VALUE_MISSING ? value_integer(0) : arguments[1];
    if (!loam_native_integer(machine, &base, arguments[2], "base"))
        return false;
    if (base != 0 && (base < 2 || base > 36))
        return FAIL(machine, LOAM_FORMAT, "base must be 0 or from 2 to 36");
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (value_is_integer(value)) {
        *out = value_integer(value_to_integer(value));
    } else if (value.kind == VALUE_FLOAT) {
        return value.number - value.number != 0 || float_to_integer(machine, out, value.number);
    } else if (value.kind == VALUE_STRING && clean(&digits, value.text)) {
        if (read_integer(&digits, base, &integer, &fits)) {
            if (!fits)
                return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
            *out = value_integer(integer);
        } else if (read_float(&digits, &number) && number - number == 0) {
            return float_to_integer(machine, out, number);
        }
    }
    return true;
}

bool loam_filter_float(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value value = arguments[0];
    struct digits digits;
    double number;
    *out = arguments[1].kind == VALUE_MISSING ? value_float(0) : arguments[1];
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (value_is_number(value))
        *out = value_float(value_to_float(value));
    else if (value.kind == VALUE_STRING && clean(&digits, value.text) &&
             read_float(&digits, &number))
        *out = value_float(number);
    return true;
}

bool loam_filter_abs(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value value = arguments[0];
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (!value_is_number(value))
        return FAIL(machine, LOAM_FORMAT, "bad operand type for abs(): '%s'",
                    loam_values_type(value));
    *out = value;
    if (value.kind == VALUE_FLOAT) {
        out->number = value.number < 0 ? -value.number : value.number;
        return true;
    }
    int64_t integer = value_to_integer(value);
    if (integer == INT64_MIN)
        return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
    *out = value_integer(integer < 0 ? -integer : integer);
    return true;
}

/* Rounds to `precision` digits behind the point, as the decimal form of the
 * exact value says; ties to even. */
static double round_digits(double number, int64_t precision)
{
    struct decimal decimal;
    char text[900];
    size_t length = 0;
    double result;
    if (number - number != 0 || number == 0 || precision > 330)
        return number;
    loam_number_digits(&decimal, number);
    int64_t count = decimal.point + precision;
    if (count < 0)
        return 0;
    loam_number_round(&decimal, (int)count);
    if (decimal.count == 0)
        return number < 0 ? -0.0 : 0.0;
    memcpy(text, decimal.digits, (size_t)decimal.count);
    length = (size_t)decimal.count;
    text[length++] = 'e';
    length += loam_number_show_integer(text + length, decimal.point - decimal.count);
    if (!loam_number_read(&result, text, length))
        return number;
    return number < 0 ? -result : result;
}

static double power_of_ten(int64_t power)
{
    double result = 1;
    for (int64_t i = 0; i < (power < 0 ? -power : power) && i < 400; i++)
        result *= 10;
    return power < 0 ? 1 / result : result;
}

bool loam_filter_round(struct machine *machine, struct value *out, struct value *arguments)
{
    static const struct text common = {.bytes = "common", .length = 6};
    struct value value = arguments[0];
    const struct text *method = &common;
    struct text *given = NULL;
    int64_t precision = 0;
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (!value_is_number(value))
        return FAIL(machine, LOAM_FORMAT, "type %s is not a number", loam_values_type(value));
    if (!loam_native_integer(machine, &precision, arguments[1], "precision") ||
        !loam_native_string(machine, &given, arguments[2], "method"))
        return false;
    method = given ? given : method;
    if (loam_text_is(method, "common")) {
        if (value_is_integer(value) && precision >= 0)
            *out = value_integer(value_to_integer(value));
        else if (value_is_integer(value))
            return float_to_integer(machine, out, round_digits(value_to_float(value), precision));
        else
            *out = value_float(round_digits(value.number, precision));
        return true;
    }
    bool up = loam_text_is(method, "ceil");
    if (!up && !loam_text_is(method, "floor"))
        return FAIL(machine, LOAM_FORMAT, "method must be common, ceil or floor");
    double scale = power_of_ten(precision), scaled = value_to_float(value) * scale;
    double whole = scaled;
    if (scaled < 4503599627370496.0 && scaled > -4503599627370496.0) {
        whole = (double)(int64_t)scaled;
        whole += up ? whole < scaled : -(whole > scaled);
    }
    *out = value_float(whole / scale);
    return true;
}
