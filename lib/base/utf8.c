/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* What may follow a lead byte: how many bytes, and the range of the second
 * (Unicode Standard, table 3-7). Length 0: not a lead byte. */
struct lead {
    unsigned length, low, high;
};

static struct lead lead_of(unsigned char byte)
{
    if (byte < 0x80)
        return (struct lead){1, 0, 0};
    if (byte >= 0xC2 && byte <= 0xDF)
        return (struct lead){2, 0x80, 0xBF};
    if (byte >= 0xE0 && byte <= 0xEF)
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    if (byte >= 0xF0 && byte <= 0xF4)
        return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
    return (struct lead){0, 0, 0};
}

size_t loam_utf8_decode(uint32_t *out, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    struct lead lead = lead_of(bytes[0]);
    *out = 0xFFFFFFFFu;
    if (lead.length == 0)
        return 1;
    if (lead.length == 1) {
        *out = bytes[0];
        return 1;
    }
    uint32_t value = bytes[0] & (0x7Fu >> lead.length);
    for (unsigned i = 1; i < lead.length; i++) {
        unsigned low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
        if (i >= length || bytes[i] < low || bytes[i] > high)
            return i;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    *out = value;
    return lead.length;
}

size_t loam_utf8_encode(char out[4], uint32_t code_point)
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)((0xF00u >> length & 0xFF) | code_point);
    return length;
}

/* Bytes of the valid character beyond ASCII at bytes[0], 0 if there is none. */
static inline size_t valid_length(const unsigned char *bytes, size_t length)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t word;
    if (length >= sizeof word) { /* table 3-7 as masks; the first byte is the lowest */
        memcpy(&word, bytes, sizeof word);
        if ((word & 0xC0E0) == 0x80C0)
            return word & 0x1E ? 2 : 0;
        if ((word & 0xC0C0F0) == 0x8080E0)
            return (word & 0x200F) && (word & 0x200F) != 0x200D ? 3 : 0;
        if ((word & 0xC0C0C0F8) == 0x808080F0)
            return (word & 0x3007) && (word & 7) <= 4 && !((word & 4) && (word & 0x3003)) ? 4 : 0;
        return 0;
    }
#endif
    unsigned first = bytes[0], second = length > 1 ? bytes[1] : 0;
    if (first >= 0xC2 && first <= 0xDF)
        return (second & 0xC0) == 0x80 ? 2 : 0;
    struct lead lead = lead_of((unsigned char)first);
    if (lead.length < 3 || length < lead.length || second < lead.low || second > lead.high ||
        (bytes[2] & 0xC0) != 0x80 || (lead.length == 4 && (bytes[3] & 0xC0) != 0x80))
        return 0;
    return lead.length;
}

/* Which byte of a word holds its lowest bit. */
static inline size_t byte_of(uint64_t word)
{
    size_t byte = (size_t)__builtin_ctzll(word) / 8;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return byte;
#else
    return 7 - byte;
#endif
}

/* Every lead byte must begin a valid character, and as many bytes as these take
 * must be continuations: then none stands alone. So no step of the loop waits
 * for what the one before it found. */
bool loam_utf8_valid(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    const uint64_t each = 0x0101010101010101ull;
    size_t continuations = 0, expected = 0, at = 0;
    for (uint64_t word; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        uint64_t beyond = word & 0x80 * each, leads = beyond & word << 1;
        if (!beyond)
            continue;
        continuations += (size_t)(((beyond ^ leads) >> 7) * each >> 56);
        for (; leads; leads &= leads - 1) {
            size_t place = at + byte_of(leads), size = valid_length(bytes + place, length - place);
            if (size == 0)
                return false;
            expected += size - 1;
        }
    }
    for (; at < length; at++) {
        size_t size = bytes[at] < 0xC0 ? 1 : valid_length(bytes + at, length - at);
        if (size == 0)
            return false;
        continuations += bytes[at] >= 0x80 && bytes[at] < 0xC0;
        expected += size - 1;
    }
    return continuations == expected;
}

size_t loam_utf8_incomplete(const char *text, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char byte = (unsigned char)text[length - back];
        if ((byte & 0xC0) == 0x80)
            continue;
        struct lead lead = lead_of(byte);
        uint32_t code_point;
        /* It begins a character that is too long for what is there, and what
         * is there is a good beginning. */
        if (lead.length > back && loam_utf8_decode(&code_point, text + length - back, back) == back)
            return back;
        return 0;
    }
    return 0;
}
