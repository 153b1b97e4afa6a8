/* SPDX-License-Identifier: MIT */
#include "base/number.h"

/* A natural number, least significant word first. Holds 800 digits times 10^350. */
enum { BIG_WORDS = 128 };

struct big {
    uint32_t words[BIG_WORDS];
    int count;
};

static void big_set(struct big *big, uint64_t value)
{
    big->count = 0;
    for (; value; value >>= 32)
        big->words[big->count++] = (uint32_t)value;
}

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t term)
{
    uint64_t carry = term;
    for (int i = 0; i < big->count; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->count < BIG_WORDS)
        big->words[big->count++] = (uint32_t)carry;
}

static void big_scale(struct big *big, uint32_t base, uint32_t group, int group_power, int power)
{
    for (; power >= group_power; power -= group_power)
        big_multiply_add(big, group, 0);
    for (; power > 0; power--)
        big_multiply_add(big, base, 0);
}

static void big_power_of_ten(struct big *big, int power)
{
    big_scale(big, 10, 1000000000, 9, power);
}

static void big_shift_left(struct big *big, int bits)
{
    int words = bits / 32, rest = bits % 32;
    if (big->count == 0 || big->count + words + 1 > BIG_WORDS)
        return;
    for (int i = big->count - 1; i >= 0; i--)
        big->words[i + words] = big->words[i];
    memset(big->words, 0, (size_t)words * sizeof big->words[0]);
    big->count += words;
    if (rest)
        big_multiply_add(big, 1u << rest, 0);
}

/* Divides by a small number and returns the remainder. */
static uint32_t big_divide(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    for (int i = big->count - 1; i >= 0; i--) {
        rest = rest << 32 | big->words[i];
        big->words[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (big->count && big->words[big->count - 1] == 0)
        big->count--;
    return (uint32_t)rest;
}

static int big_bits(const struct big *big)
{
    int bits = 32 * big->count;
    if (big->count)
        for (uint32_t top = big->words[big->count - 1]; !(top >> 31); top <<= 1)
            bits--;
    return bits;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = a->count - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a -= b, for a >= b. */
static void big_subtract(struct big *a, const struct big *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < a->count; i++) {
        int64_t word = (int64_t)a->words[i] - (i < b->count ? b->words[i] : 0) + borrow;
        a->words[i] = (uint32_t)word;
        borrow = word >> 32;
    }
    while (a->count && a->words[a->count - 1] == 0)
        a->count--;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

void loam_number_digits(struct decimal *out, double number)
{
    uint64_t bits = bits_of(number), mantissa = bits & 0xFFFFFFFFFFFFFull;
    int exponent = (int)(bits >> 52 & 0x7FF);
    struct big big;
    if (exponent)
        mantissa |= 1ull << 52;
    exponent = (exponent ? exponent : 1) - 1075;
    for (; exponent < 0 && !(mantissa & 1) && mantissa; exponent++)
        mantissa >>= 1;
    big_set(&big, mantissa);
    if (exponent >= 0)
        big_shift_left(&big, exponent);
    else /* m / 2^k = m * 5^k / 10^k */
        big_scale(&big, 5, 1220703125, 13, -exponent);
    int at = (int)sizeof out->digits;
    while (big.count) {
        uint32_t group = big_divide(&big, 1000000000);
        for (int i = 0; i < 9 && (big.count || group); i++, group /= 10)
            out->digits[--at] = (char)('0' + group % 10);
    }
    out->count = (int)sizeof out->digits - at;
    memmove(out->digits, out->digits + at, (size_t)out->count);
    out->point = out->count + (exponent < 0 ? exponent : 0);
    while (out->count && out->digits[out->count - 1] == '0')
        out->count--;
}

/* Adds one to the last of the first `count` digits. */
static void increment(struct decimal *decimal, int count)
{
    while (count > 0 && decimal->digits[count - 1] == '9')
        count--;
    if (count == 0) {
        decimal->digits[0] = '1';
        decimal->count = 1;
        decimal->point++;
        return;
    }
    decimal->digits[count - 1]++;
    decimal->count = count;
}

void loam_number_round(struct decimal *decimal, int count)
{
    if (count < 0) {
        decimal->count = 0;
        return;
    }
    if (count >= decimal->count)
        return;
    char next = decimal->digits[count];
    bool up = next > '5' || (next == '5' && decimal->count > count + 1) ||
              (next == '5' && count > 0 && (decimal->digits[count - 1] & 1));
    decimal->count = count;
    if (up)
        increment(decimal, count);
    while (decimal->count && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* mantissa * 2^exponent, the mantissa of 64 bits with the top one set, rounded
 * to nearest even; `more` tells that the mantissa was cut. */
static double assemble(uint64_t mantissa, int exponent, bool more)
{
    int drop = 11;
    if (exponent + 11 < -1074)
        drop = -1074 - exponent;
    if (drop > 64)
        return 0;
    uint64_t kept = drop == 64 ? 0 : mantissa >> drop;
    uint64_t half = 1ull << (drop - 1), rest = drop == 64 ? mantissa : mantissa & ((half << 1) - 1);
    if (rest > half || (rest == half && (more || (kept & 1))))
        kept++;
    int scale = exponent + drop; /* the number is kept * 2^scale */
    if (kept >> 53) {
        kept >>= 1;
        scale++;
    }
    if (scale > 971)
        return from_bits(0x7FFull << 52);
    if (!(kept >> 52)) /* subnormal: scale is -1074 */
        return from_bits(kept);
    return from_bits((uint64_t)(scale + 1075) << 52 | (kept & 0xFFFFFFFFFFFFFull));
}

/* digits[count], at most 800 of them, times 10^exponent. */
static double from_digits(const char *digits, int count, int exponent)
{
    struct big value, divisor;
    if (count == 0 || count + exponent < -330)
        return 0;
    if (count + exponent > 310)
        return from_bits(0x7FFull << 52);
    big_set(&value, 0);
    for (int i = 0; i < count; i++) {
        if (value.count == 0)
            big_set(&value, (uint64_t)(digits[i] - '0'));
        else
            big_multiply_add(&value, 10, (uint32_t)(digits[i] - '0'));
    }
    big_set(&divisor, 1);
    big_power_of_ten(exponent >= 0 ? &value : &divisor, exponent >= 0 ? exponent : -exponent);
    /* Both are brought to the same number of bits, the value not below the
     * divisor: 64 bits of the quotient follow one by one. */
    int shift = big_bits(&divisor) - big_bits(&value);
    big_shift_left(shift > 0 ? &value : &divisor, shift > 0 ? shift : -shift);
    if (big_compare(&value, &divisor) < 0) {
        big_shift_left(&value, 1);
        shift++;
    }
    uint64_t quotient = 0;
    for (int i = 0; i < 64; i++) {
        bool one = big_compare(&value, &divisor) >= 0;
        if (one)
            big_subtract(&value, &divisor);
        quotient = quotient << 1 | one;
        if (value.count)
            big_shift_left(&value, 1);
    }
    return assemble(quotient, -shift - 63, value.count != 0);
}

static bool read_exponent(int *out, const char *text, size_t length)
{
    bool negative = length > 0 && text[0] == '-';
    size_t i = length > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    int value = 0;
    if (i == length)
        return false;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (value < 100000)
            value = 10 * value + (text[i] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

bool loam_number_read(double *out, const char *text, size_t length)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char digits[800];
    int count = 0, exponent = 0;
    bool point = false, any = false;
    uint64_t small = 0;
    size_t i = 0;
    for (; i < length && ((text[i] >= '0' && text[i] <= '9') || (text[i] == '.' && !point)); i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        any = true;
        if (exponent > 100000 || exponent < -100000)
            continue; /* far out of range whatever follows */
        exponent -= point;
        if (count == 0 && text[i] == '0')
            continue;
        if (count < 800) {
            /* Beyond 800 digits only "more than zero" matters. */
            digits[count++] = text[i];
            small = count < 19 ? 10 * small + (uint64_t)(text[i] - '0') : 0;
        } else {
            exponent++;
            if (text[i] != '0')
                digits[799] = (char)(digits[799] == '0' || digits[799] == '5' ? digits[799] + 1
                                                                              : digits[799]);
        }
    }
    int written = 0;
    if (!any || (i < length && text[i] != 'e' && text[i] != 'E') ||
        (i < length && !read_exponent(&written, text + i + 1, length - i - 1)))
        return false;
    exponent += written;
    /* Both exact: one rounding. */
    if (count < 16 && exponent >= -22 && exponent <= 22)
        *out = exponent < 0 ? (double)small / powers[-exponent] : (double)small * powers[exponent];
    else
        *out = from_digits(digits, count, exponent);
    return true;
}

/* The fewest digits that read back as `number`, which is positive. */
static void shortest(struct decimal *out, double number)
{
    struct decimal all;
    loam_number_digits(&all, number);
    int count = all.count < 17 ? all.count : 17;
    for (int tried = 1; tried < count; tried++) {
        *out = all;
        loam_number_round(out, tried);
        if (from_digits(out->digits, out->count, out->point - out->count) == number)
            return;
        /* At a power of two the number has more room above than below. */
        *out = all;
        out->count = tried;
        increment(out, tried);
        if (from_digits(out->digits, out->count, out->point - out->count) == number)
            return;
    }
    *out = all;
    loam_number_round(out, 17); /* always enough */
}

size_t loam_number_show_integer(char out[NUMBER_TEXT], int64_t number)
{
    char digits[20];
    size_t count = 0, length = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        out[length++] = '-';
    while (count)
        out[length++] = digits[--count];
    return length;
}

size_t loam_number_show(char out[NUMBER_TEXT], double number)
{
    struct decimal decimal;
    size_t length = 0;
    if (number != number) {
        memcpy(out, "nan", 3);
        return 3;
    }
    if (bits_of(number) >> 63)
        out[length++] = '-';
    double size = from_bits(bits_of(number) & ~(1ull << 63));
    if (size == 0 || size > 1.7976931348623157e308) {
        memcpy(out + length, size == 0 ? "0.0" : "inf", 3);
        return length + 3;
    }
    shortest(&decimal, size);
    int point = decimal.point;
    bool exponent = point > 16 || point < -3;
    if (exponent)
        point = 1;
    if (point <= 0)
        out[length++] = '0', out[length++] = '.';
    for (int i = point; i < 0; i++)
        out[length++] = '0';
    for (int i = 0; i < decimal.count || i < point; i++) {
        if (i == point && i > 0)
            out[length++] = '.';
        out[length++] = i < decimal.count ? decimal.digits[i] : '0';
    }
    if (!exponent && decimal.count <= point)
        out[length++] = '.', out[length++] = '0';
    if (exponent) {
        int power = decimal.point - 1;
        out[length++] = 'e';
        out[length++] = power < 0 ? '-' : '+';
        power = power < 0 ? -power : power;
        if (power < 10)
            out[length++] = '0';
        length += loam_number_show_integer(out + length, power);
    }
    return length;
}
