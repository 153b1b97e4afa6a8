/* SPDX-License-Identifier: MIT */
/* What tokens stand for, from the way in which the kinds write them. */
#include "base/utf8.h"
#include "text/vocabulary.h"

/* The byte that a character of GPT-2's alphabet stands for, or -1: printable
 * Latin-1 stands for itself, the other bytes follow from U+0100 on. */
static int byte_of_character(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

uint32_t loam_piece_decode_bytes(char *out, const char *text, size_t length, bool *plain)
{
    uint32_t written = 0;
    *plain = true;
    for (size_t i = 0; i < length;) {
        uint32_t c = (unsigned char)text[i];
        size_t size = 1;
        if (c >= 0x21 && c <= 0x7E) { /* stands for itself */
            out[written++] = text[i++];
            continue;
        }
        if (c >= 0xC2 && c <= 0xDF && i + 1 < length &&
            ((unsigned char)text[i + 1] & 0xC0) == 0x80) {
            c = (c & 0x1F) << 6 | ((unsigned char)text[i + 1] & 0x3F); /* most of the alphabet */
            size = 2;
        } else if (c >= 0x80) {
            size = loam_utf8_decode(&c, text + i, length - i);
        }
        int byte = byte_of_character(c);
        if (byte >= 0) {
            out[written++] = (char)byte;
        } else {
            memcpy(out + written, text + i, size);
            written += (uint32_t)size;
            *plain = false;
        }
        i += size;
    }
    return written;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x41>" is 0x41; anything else -1. */
static int byte_of_name(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* SentencePiece text to bytes: U+2581 is a space. */
static uint32_t unescape(char *out, const char *text, size_t length)
{
    uint32_t written = 0;
    for (size_t i = 0; i < length;) {
        if (length - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0) {
            out[written++] = ' ';
            i += 3;
        } else {
            out[written++] = text[i++];
        }
    }
    return written;
}

/* RWKV's texts are written as in Python: \t, \n, \r, \x41, \\, \'. */
static uint32_t decode_escapes(char *out, const char *text, size_t length)
{
    uint32_t written = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < length) {
            c = text[++i];
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (c == 'x' && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            } else if (c == 't' || c == 'n' || c == 'r') {
                c = c == 't' ? '\t' : c == 'n' ? '\n' : '\r';
            }
        }
        out[written++] = c;
    }
    return written;
}

/* Printable ASCII is its own byte-level text. */
static bool stands_for_itself(const struct token *token)
{
    for (uint32_t i = 0; i < token->text_length; i++)
        if ((unsigned char)(token->text[i] - 0x21) > 0x7E - 0x21)
            return false;
    return true;
}

void loam_piece_make(struct token *token, enum tokenizer_kind kind, char *room)
{
    int byte = token->flags & LOAM_TOKEN_BYTE ? byte_of_name(token->text, token->text_length) : -1;
    token->piece = room;
    token->plain = !(token->flags & SPECIAL_FLAGS) && token->text_length > 0;
    if (token->flags & SPECIAL_FLAGS) {
        token->piece = token->text;
        token->piece_length = token->text_length;
        token->plain = (token->flags & LOAM_TOKEN_USER) && token->text_length > 0 &&
                       kind != TOKENIZER_BPE && !token->whole_word;
    } else if (byte >= 0) {
        room[0] = (char)byte;
        token->piece_length = 1;
    } else if (kind == TOKENIZER_BPE && stands_for_itself(token)) {
        token->piece = token->text;
        token->piece_length = token->text_length;
    } else if (kind == TOKENIZER_BPE) {
        bool plain;
        token->piece_length =
            loam_piece_decode_bytes(room, token->text, token->text_length, &plain);
        token->plain = token->plain && plain;
    } else if (kind == TOKENIZER_RWKV) {
        token->piece_length = decode_escapes(room, token->text, token->text_length);
    } else {
        token->piece_length = unescape(room, token->text, token->text_length);
    }
}
