/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <math.h>

/* Bytes of the valid UTF-8 character at text[0], or 0. */
static size_t character(const unsigned char *text, size_t length)
{
    unsigned char a = text[0];
    if (a < 0x80)
        return 1;
    size_t size = a >= 0xC2 && a <= 0xDF   ? 2
                  : a >= 0xE0 && a <= 0xEF ? 3
                  : a >= 0xF0 && a <= 0xF4 ? 4
                                           : 0;
    if (size == 0 || size > length)
        return 0;
    unsigned char low = a == 0xE0   ? 0xA0
                        : a == 0xF0 ? 0x90
                                    : 0x80,
                  high = a == 0xED   ? 0x9F
                         : a == 0xF4 ? 0x8F
                                     : 0xBF;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

void json_text(FILE *out, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    fputc('"', out);
    for (size_t i = 0; i < length;) {
        size_t size = character(bytes + i, length - i);
        unsigned char c = bytes[i];
        if (size == 0)
            fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c == 0x7F)
            fprintf(out, "\\u%04x", c);
        else
            fwrite(bytes + i, 1, size, out);
        i += size ? size : 1;
    }
    fputc('"', out);
}

void json_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}
