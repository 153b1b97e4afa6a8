/* SPDX-License-Identifier: MIT */
#include "text/pipeline.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

static const char low_line[3] = {'\xE2', '\x96', '\x81'}; /* U+2581 */

/* Two of each: from one into the other. */
struct pipeline_scratch {
    struct text_buffer texts[2];
    struct piece_list pieces[2];
    struct normal_scratch normal;
};

static struct pipeline_scratch *scratch_of(struct encoder *encoder)
{
    if (!encoder->scratch) {
        encoder->scratch = loam_memory_get_zero(encoder->memory, 1, sizeof *encoder->scratch);
        if (!encoder->scratch)
            return NULL;
        encoder->scratch->normal.memory = encoder->memory;
        for (int i = 0; i < 2; i++)
            encoder->scratch->texts[i].memory = encoder->scratch->pieces[i].memory =
                encoder->memory;
    }
    return encoder->scratch;
}

void loam_pipeline_scratch_end(struct encoder *encoder)
{
    struct pipeline_scratch *s = encoder->scratch;
    if (!s)
        return;
    for (int i = 0; i < 2; i++) {
        loam_memory_free(encoder->memory, s->texts[i].bytes);
        loam_memory_free(encoder->memory, s->pieces[i].items);
    }
    loam_memory_free(encoder->memory, s->normal.points);
    loam_memory_free(encoder->memory, s->normal.sorted);
    loam_memory_free(encoder->memory, s);
}

/* A text on its way. */
struct passage {
    struct pipeline_scratch *scratch;
    const char *text;
    size_t length;
    int from; /* which of the texts it is, or -1: the caller's */
};

static struct text_buffer *other_text(struct passage *p)
{
    struct text_buffer *out = &p->scratch->texts[p->from == 0];
    out->count = 0;
    return out;
}

static void go_on_with(struct passage *p, const struct text_buffer *out)
{
    p->text = out->bytes;
    p->length = out->count;
    p->from = out == &p->scratch->texts[1];
}

/* Most texts are in form C: those with nothing beyond U+02FF. */
static bool is_done(const struct change *change, const char *text, size_t length)
{
    size_t i = 0;
    if (change->kind != CHANGE_FORM || change->form != NORMAL_NFC)
        return false;
    while (i < length && (unsigned char)text[i] < 0xCC)
        i++;
    return i == length;
}

static loam_status change(struct passage *p, const struct pipeline *pipeline, loam_error *error)
{
    for (size_t i = 0; i < pipeline->change_count && p->length; i++) {
        if (is_done(&pipeline->changes[i], p->text, p->length))
            continue;
        struct text_buffer *out = other_text(p);
        if (!loam_change_apply(out, &p->scratch->normal, &pipeline->changes[i], p->text,
                               p->length) ||
            out->count > INT32_MAX)
            return loam_fail_memory(error, out->count);
        go_on_with(p, out);
    }
    return LOAM_OK;
}

/* Which of the lists of pieces holds the result. */
static loam_status cut(struct passage *p, const struct pipeline *pipeline, bool first, int *list,
                       loam_error *error)
{
    struct piece_list *pieces = p->scratch->pieces;
    struct piece whole = {0, (uint32_t)p->length};
    pieces[0].count = pieces[1].count = 0;
    *list = 0;
    if (!loam_memory_grow(pieces[0].memory, (void **)&pieces[0].items, &pieces[0].capacity, 1,
                          sizeof whole))
        return loam_fail_memory(error, sizeof whole);
    pieces[0].items[pieces[0].count++] = whole;
    for (size_t i = 0; i < pipeline->cut_count; i++) {
        struct text_buffer *out = other_text(p);
        bool changed;
        pieces[!*list].count = 0;
        if (!loam_cut_apply(&pieces[!*list], out, &changed, &pipeline->cuts[i], p->text,
                            &pieces[*list], first) ||
            out->count > INT32_MAX)
            return loam_fail_memory(error, out->count);
        if (changed)
            go_on_with(p, out);
        *list = !*list;
    }
    return LOAM_OK;
}

/* A word with U+2581 in front, as WordPiece has it here; too long ones are
 * unknown, and those with that character in the text itself. */
static loam_status append_wordpiece(struct encoder *encoder, struct token_list *out,
                                    const char *text, size_t length, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t characters = 0;
    bool known = true;
    for (size_t i = 0; i < length; i++) {
        characters += ((unsigned char)text[i] & 0xC0) != 0x80;
        known = known && (length - i < 3 || memcmp(text + i, low_line, 3) != 0);
    }
    if (characters > t->longest_word || !known)
        return t->unknown < 0 ? LOAM_OK
                              : loam_tokenizer_push(out, encoder->memory, t->unknown, error);
    if (!loam_encoder_reserve(encoder, length + 3))
        return loam_fail_memory(error, length + 3);
    memcpy(encoder->buffer, low_line, 3);
    memcpy(encoder->buffer + 3, text, length);
    return loam_encode_word(encoder, out, encoder->buffer, length + 3, error);
}

static loam_status append_piece(struct encoder *encoder, struct token_list *out, const char *text,
                                size_t length, loam_error *error)
{
    switch (encoder->tokenizer->kind) {
    case TOKENIZER_SPM:
        return loam_spm_append(encoder, out, text, length, error);
    case TOKENIZER_WORDPIECE:
        return append_wordpiece(encoder, out, text, length, error);
    case TOKENIZER_BPE:
        if (encoder->tokenizer->pipeline->splits)
            return loam_bpe_append(encoder, out, text, length, error);
        return loam_encode_word(encoder, out, text, length, error);
    default:
        return loam_encode_word(encoder, out, text, length, error);
    }
}

loam_status loam_pipeline_append(struct encoder *encoder, struct token_list *out, const char *text,
                                 size_t length, bool first, loam_error *error)
{
    const struct pipeline *pipeline = encoder->tokenizer->pipeline;
    struct passage p = {.scratch = scratch_of(encoder), .text = text, .length = length, .from = -1};
    int list = 0;
    if (!p.scratch)
        return loam_fail_memory(error, sizeof *p.scratch);
    loam_status status = change(&p, pipeline, error);
    if (!status && p.length)
        status = cut(&p, pipeline, first, &list, error);
    const struct piece_list *pieces = &p.scratch->pieces[list];
    for (size_t i = 0; !status && p.length && i < pieces->count; i++)
        status = append_piece(encoder, out, p.text + pieces->items[i].start,
                              pieces->items[i].length, error);
    return status;
}
