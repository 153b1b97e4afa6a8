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
static size_t valid_length(const unsigned char *bytes, size_t length)
{
    unsigned first = bytes[0], second = length > 1 ? bytes[1] : 0;
    if (first >= 0xC2 && first <= 0xDF)
        return (second & 0xC0) == 0x80 ? 2 : 0;
    struct lead lead = lead_of((unsigned char)first);
    if (lead.length < 3 || length < lead.length || second < lead.low || second > lead.high ||
        (bytes[2] & 0xC0) != 0x80 || (lead.length == 4 && (bytes[3] & 0xC0) != 0x80))
        return 0;
    return lead.length;
}

bool loam_utf8_valid(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        uint64_t word;
        if (length - i >= sizeof word) { /* eight ASCII characters at once */
            memcpy(&word, text + i, sizeof word);
            if (!(word & 0x8080808080808080ull)) {
                i += sizeof word;
                continue;
            }
        }
        while (i < length && bytes[i] < 0x80)
            i++;
        while (i < length && bytes[i] >= 0x80) {
            size_t size = valid_length(bytes + i, length - i);
            if (size == 0)
                return false;
            i += size;
        }
    }
    return true;
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
