/* SPDX-License-Identifier: MIT */
#include "template/format.h"

#include "base/utf8.h"
#include "base/number.h"

/* A number's digits, put together in parts. */
struct body {
    char sign[2], prefix[3];
    struct text_builder digits;
};

bool loam_format_read(const struct text *text, size_t *at, int *out)
{
    *out = 0;
    for (; *at < text->length && text->bytes[*at] >= '0' && text->bytes[*at] <= '9'; ++*at) {
        *out = 10 * *out + (text->bytes[*at] - '0');
        if (*out > FORMAT_MOST)
            return false;
    }
    return true;
}

static bool add(struct machine *machine, struct text_builder *builder, const char *bytes,
                size_t length, bool from_data)
{
    return loam_builder_add(machine, builder, bytes, length, from_data);
}

static bool fill(struct machine *machine, struct text_builder *builder,
                 const struct format_spec *spec, int count, bool zeros)
{
    for (int i = 0; i < count; i++)
        if (!(spec->fill && !zeros ? loam_builder_add_text(machine, builder, spec->fill)
                                   : add(machine, builder, zeros ? "0" : " ", 1, false)))
            return false;
    return true;
}

bool loam_format_text(struct machine *machine, struct text_builder *builder, struct text *text,
                      const struct format_spec *spec)
{
    if (spec->precision >= 0) {
        text = loam_text_part(machine, text, 0, loam_text_offset(text, (size_t)spec->precision));
        if (!text)
            return false;
    }
    size_t length = loam_text_characters(text);
    int margin = length < (size_t)spec->width ? spec->width - (int)length : 0;
    int left = spec->align == '>' ? margin : spec->align == '^' ? margin / 2 : 0;
    return fill(machine, builder, spec, left, false) &&
           loam_builder_add_text(machine, builder, text) &&
           fill(machine, builder, spec, margin - left, false);
}

/* ---- digits ------------------------------------------------------------------------------- */

static bool integer_digits(struct machine *machine, struct body *body, int64_t number,
                           const struct format_spec *spec, bool from_data)
{
    char digits[64];
    char type = (char)(spec->type | 32);
    unsigned base = type == 'x' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t at = sizeof digits;
    do {
        unsigned digit = (unsigned)(rest % base);
        digits[--at] =
            (char)(digit < 10 ? '0' + digit : (spec->type == 'X' ? 'A' : 'a') + (digit - 10));
    } while (rest /= base);
    if (spec->alternate && base != 10) {
        body->prefix[0] = '0';
        body->prefix[1] = spec->type;
    }
    return add(machine, &body->digits, digits + at, sizeof digits - at, from_data);
}

/* Digits from `from` on, zeros where there are none. */
static bool add_digits(struct machine *machine, struct text_builder *builder,
                       const struct decimal *decimal, int from, int count, bool from_data)
{
    for (int i = from; i < from + count; i++) {
        char digit = i >= 0 && i < decimal->count ? decimal->digits[i] : '0';
        if (!add(machine, builder, &digit, 1, from_data))
            return false;
    }
    return true;
}

/* `places` digits behind the point. */
static bool fixed(struct machine *machine, struct text_builder *builder, struct decimal *decimal,
                  int places, bool point, bool from_data)
{
    int64_t kept = (int64_t)decimal->point + places;
    loam_number_round(decimal, kept < 0 ? -1 : (int)kept);
    if (decimal->count == 0)
        decimal->point = 0;
    return (decimal->point > 0 ? add_digits(machine, builder, decimal, 0, decimal->point, from_data)
                               : add(machine, builder, "0", 1, from_data)) &&
           (!(places || point) || add(machine, builder, ".", 1, from_data)) &&
           add_digits(machine, builder, decimal, decimal->point, places, from_data);
}

/* One digit, the point, `places` digits, the exponent. */
static bool scientific(struct machine *machine, struct text_builder *builder,
                       struct decimal *decimal, int places, const struct format_spec *spec,
                       bool from_data)
{
    char exponent[NUMBER_TEXT + 4] = {spec->type == 'E' || spec->type == 'G' ? 'E' : 'e'};
    loam_number_round(decimal, places + 1);
    int power = decimal->count ? decimal->point - 1 : 0;
    exponent[1] = power < 0 ? '-' : '+';
    power = power < 0 ? -power : power;
    size_t length = 2;
    if (power < 10)
        exponent[length++] = '0';
    length += loam_number_show_integer(exponent + length, power);
    return add_digits(machine, builder, decimal, 0, 1, from_data) &&
           (!(places || spec->alternate) || add(machine, builder, ".", 1, from_data)) &&
           add_digits(machine, builder, decimal, 1, places, from_data) &&
           add(machine, builder, exponent, length, from_data);
}

static bool general(struct machine *machine, struct text_builder *builder, struct decimal *decimal,
                    int precision, const struct format_spec *spec, bool from_data)
{
    precision = precision ? precision : 1;
    loam_number_round(decimal, precision);
    int power = decimal->count ? decimal->point - 1 : 0;
    int significant = spec->alternate ? precision : decimal->count ? decimal->count : 1;
    if (power < -4 || power >= precision)
        return scientific(machine, builder, decimal, significant - 1, spec, from_data);
    int places = significant - 1 - power;
    return fixed(machine, builder, decimal, places > 0 ? places : 0, spec->alternate, from_data);
}

static bool float_digits(struct machine *machine, struct body *body, double number,
                         const struct format_spec *spec, bool from_data)
{
    struct decimal decimal;
    int precision = spec->precision < 0 ? 6 : spec->precision;
    char type = (char)(spec->type | 32);
    if (spec->type == '%')
        number *= 100;
    if (number - number != 0)
        return add(machine, &body->digits, number == number ? "inf" : "nan", 3, from_data);
    decimal.count = decimal.point = 0;
    if (number != 0)
        loam_number_digits(&decimal, number);
    if (type == 'e')
        return scientific(machine, &body->digits, &decimal, precision, spec, from_data);
    if (type == 'g')
        return general(machine, &body->digits, &decimal, precision, spec, from_data);
    return fixed(machine, &body->digits, &decimal, precision, spec->alternate, from_data) &&
           (spec->type != '%' || add(machine, &body->digits, "%", 1, from_data));
}

/* Puts a separator between groups of three digits before the point. */
static bool group(struct machine *machine, struct text_builder *digits, char separator,
                  bool from_data)
{
    struct text_builder grouped = {0};
    size_t whole = 0;
    while (whole < digits->length && digits->bytes[whole] >= '0' && digits->bytes[whole] <= '9')
        whole++;
    for (size_t i = 0; i < digits->length; i++)
        if ((i > 0 && i < whole && (whole - i) % 3 == 0 &&
             !add(machine, &grouped, &separator, 1, from_data)) ||
            !add(machine, &grouped, digits->bytes + i, 1, from_data))
            return false;
    *digits = grouped;
    return true;
}

static bool put_together(struct machine *machine, struct text_builder *builder,
                         const struct body *body, const struct format_spec *spec, bool from_data)
{
    size_t sign = strlen(body->sign), prefix = strlen(body->prefix);
    size_t length = sign + prefix + body->digits.length;
    int margin = length < (size_t)spec->width ? spec->width - (int)length : 0;
    char align = spec->align ? spec->align : spec->zero ? '=' : '>';
    int left = align == '>' ? margin : align == '^' ? margin / 2 : 0;
    int inside = align == '=' ? margin : 0;
    return fill(machine, builder, spec, left, false) &&
           add(machine, builder, body->sign, sign, from_data) &&
           add(machine, builder, body->prefix, prefix, from_data) &&
           fill(machine, builder, spec, inside, spec->zero) &&
           add(machine, builder, body->digits.bytes, body->digits.length, from_data) &&
           fill(machine, builder, spec, margin - left - inside, false);
}

static bool character(struct machine *machine, struct text_builder *builder, struct value value,
                      const struct format_spec *spec)
{
    char bytes[4];
    int64_t c = value_to_integer(value);
    if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return FAIL(machine, LOAM_FORMAT, "%%c arg not in range(0x110000)");
    struct text *text =
        loam_text_copy(machine, bytes, loam_utf8_encode(bytes, (uint32_t)c), value.from_data);
    return text && loam_format_text(machine, builder, text, spec);
}

bool loam_format_number(struct machine *machine, struct text_builder *builder, struct value value,
                        const struct format_spec *spec)
{
    struct body body = {0};
    bool real = strchr("eEfFgG%", spec->type) != NULL, from_data = value.from_data;
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (!value_is_number(value) || (!real && value.kind == VALUE_FLOAT))
        return FAIL(machine, LOAM_FORMAT, "format %c: a number is required, not %s", spec->type,
                    loam_values_type(value));
    if (spec->type == 'c')
        return character(machine, builder, value, spec);
    double number = value_to_float(value);
    bool negative = value.kind == VALUE_FLOAT ? number < 0 : value_to_integer(value) < 0;
    body.sign[0] = negative ? '-' : spec->sign;
    return (real ? float_digits(machine, &body, number, spec, from_data)
                 : integer_digits(machine, &body, value_to_integer(value), spec, from_data)) &&
           (!spec->group || group(machine, &body.digits, spec->group, from_data)) &&
           put_together(machine, builder, &body, spec, from_data);
}
