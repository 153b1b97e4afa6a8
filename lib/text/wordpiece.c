/* SPDX-License-Identifier: MIT */
/* WordPiece: words and single signs, in lower case and without accents where
 * the vocabulary is made so, taken apart from the left by the longest token
 * (Devlin et al., 2018). A word with a rest that no token fits is unknown as a
 * whole. Vocabularies write the start of a word as U+2581. */
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

/* Ideographs stand alone. The ranges are those of the original program; it has
 * the fourth but one too late by 0x100. */
bool loam_wordpiece_is_ideograph(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                  {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    if (c < ranges[0].first)
        return false;
    for (size_t i = 0; i < LOAM_COUNT_OF(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

enum word_part { PART_NONE, PART_SPACE, PART_ALONE, PART_WORD };

/* What a character is for the splitting into words. */
static enum word_part part_of(const struct tokenizer *t, uint32_t c)
{
    if ((c | 0x20) - 'a' < 26 || c - '0' < 10)
        return PART_WORD;
    if (loam_unicode_is_space(c))
        return PART_SPACE;
    uint32_t bit = (uint32_t)1 << loam_unicode_category(c);
    uint32_t signs = loam_unicode_category_mask("P", 1);
    if (c < 0x7F)
        signs |= loam_unicode_category_mask("S", 1);
    if (bit & signs || loam_wordpiece_is_ideograph(c))
        return PART_ALONE;
    uint32_t none =
        (uint32_t)1 << CATEGORY_CC | (uint32_t)1 << CATEGORY_CF | (uint32_t)1 << CATEGORY_CO;
    if (t->strips_accents)
        none |= loam_unicode_category_mask("M", 1);
    return bit & none || c == 0xFFFD || c > 0x10FFFF ? PART_NONE : PART_WORD;
}

/* The word in the buffer, U+2581 in front. */
static loam_status end_word(struct encoder *encoder, struct token_list *out, loam_error *error)
{
    size_t length = encoder->buffer_count;
    encoder->buffer_count = 3;
    return length > 3 ? loam_encode_word(encoder, out, encoder->buffer, length, error) : LOAM_OK;
}

static loam_status add_character(struct encoder *encoder, struct token_list *out, uint32_t c,
                                 loam_error *error)
{
    enum word_part part = part_of(encoder->tokenizer, c);
    loam_status status = LOAM_OK;
    if (part == PART_NONE)
        return LOAM_OK;
    if (part != PART_WORD)
        status = end_word(encoder, out, error);
    if (status || part == PART_SPACE)
        return status;
    if (!loam_encoder_reserve(encoder, encoder->buffer_count + 4))
        return loam_fail_memory(error, encoder->buffer_count + 4);
    if (encoder->tokenizer->lower_case)
        c = loam_unicode_lower(c);
    encoder->buffer_count += loam_utf8_encode(encoder->buffer + encoder->buffer_count, c);
    return part == PART_ALONE ? end_word(encoder, out, error) : LOAM_OK;
}

loam_status loam_wordpiece_append(struct encoder *encoder, struct token_list *out, const char *text,
                                  size_t length, loam_error *error)
{
    loam_status status = LOAM_OK;
    if (!loam_encoder_reserve(encoder, 8))
        return loam_fail_memory(error, 8);
    memcpy(encoder->buffer, "\xE2\x96\x81", 3);
    encoder->buffer_count = 3;
    for (size_t i = 0; !status && i < length;) {
        uint32_t c;
        i += loam_utf8_decode(&c, text + i, length - i);
        /* The reference keeps the first part of a decomposition alone, also of
         * Hangul, where the original program keeps the other letters. */
        if (c >= 0xC0 && encoder->tokenizer->strips_accents)
            c = loam_unicode_first_part(c);
        status = add_character(encoder, out, c, error);
    }
    return status ? status : end_word(encoder, out, error);
}

loam_status loam_wordpiece_encode(struct encoder *encoder, struct token_list *out, const char *text,
                                  size_t length, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t before = out->count, found;
    for (size_t at = 0; at < length; at += found) {
        int32_t id = loam_trie_longest(&t->trie, text + at, length - at, &found);
        loam_status status = LOAM_OK;
        if (id >= 0) {
            status = loam_tokenizer_push(out, encoder->memory, id, error);
        } else {
            out->count = before;
            found = length - at;
            if (t->unknown >= 0)
                status = loam_tokenizer_push(out, encoder->memory, t->unknown, error);
        }
        if (status)
            return status;
    }
    return LOAM_OK;
}
