/* SPDX-License-Identifier: MIT */
/*
 * A window is encoded to learn about how far the tokens of a chunk reach, a
 * border chosen before that, and the chunk encoded for itself: if it has more
 * tokens than allowed after all, the next border before it is tried. So every
 * byte is encoded some three times.
 */
#include "text/document.h"
#include "text/border.h"

enum { KINDS = LOAM_BORDER_END + 1, WINDOW_MARGIN = 64, PATIENCE = 8, LOOK_AHEAD = 256 };

struct split {
    const struct tokenizer *tokenizer;
    struct memory *memory;
    const char *text;
    size_t length;
    uint32_t flags;
    size_t most, overlap; /* tokens, without those that are added around */
    size_t added;
    double bytes_per_token; /* as seen so far */
    struct token_list list;
    loam_error *error;
};

/* A chunk being chosen. */
struct part {
    size_t begin, end;
    size_t least; /* where the chunk before ended */
    size_t tokens;
    int32_t kind;
    struct fence fence, fence_behind; /* at the begin and at the end */
};

/* Tokens of text[begin..end) encoded alone, in the list. */
static loam_status encode(struct split *s, size_t begin, size_t end, size_t *tokens)
{
    s->list.count = 0;
    loam_status status = loam_tokenizer_append(&s->list, s->tokenizer, s->memory, s->text + begin,
                                               end - begin, s->flags, s->error);
    *tokens = s->list.count;
    return status;
}

/* About where the first `most` tokens in the list end. */
static size_t reach(const struct split *s, size_t begin, size_t window)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->most && i < s->list.count; i++)
        bytes += loam_tokenizer_piece(NULL, 0, s->tokenizer, s->list.ids[i], true);
    return loam_min(begin + bytes, window);
}

/* Sets part->end to about the last byte that the tokens of a chunk can reach. */
static loam_status find_limit(struct split *s, struct part *part)
{
    size_t rest = s->length - part->begin, tokens = 0;
    double wanted = (double)s->most * s->bytes_per_token * 1.25 + WINDOW_MARGIN;
    size_t window = wanted < (double)rest ? (size_t)wanted : rest;
    for (;;) {
        size_t end = loam_border_align(s->text, s->length, part->begin + window, part->begin);
        loam_status status = encode(s, part->begin, end, &tokens);
        if (status)
            return status;
        if (tokens)
            s->bytes_per_token = (double)(end - part->begin) / (double)tokens;
        if (tokens > s->most || end == s->length) {
            part->end = tokens > s->most ? reach(s, part->begin, end) : end;
            return LOAM_OK;
        }
        window = loam_min(2 * window, rest);
    }
}

/* The least share of the new bytes that a chunk must have to end at a border of
 * that kind while there are others: whole blocks are worth small chunks. */
static size_t share(int32_t kind, size_t span)
{
    return kind == LOAM_BORDER_BLOCK ? span / 8 : span / 2;
}

/* The best border up to `limit`. None: the last place between characters. */
static void choose(const struct split *s, struct part *part, size_t limit)
{
    struct border last[KINDS] = {{.at = 0}}, border;
    struct border_walk walk;
    size_t span = limit - part->least;
    size_t seen = limit + loam_min(s->length - limit, LOOK_AHEAD);
    loam_border_begin(&walk, s->text, seen, part->begin, part->fence);
    while (loam_border_next(&walk, &border) && border.at <= limit)
        if (border.at > part->least)
            last[border.kind] = border;
    for (int pass = 0; pass < 2; pass++) /* the second takes what there is */
        for (int32_t kind = LOAM_BORDER_BLOCK; kind >= LOAM_BORDER_WORD; kind--)
            if (last[kind].at > part->least + (pass ? 0 : share(kind, span))) {
                part->end = last[kind].at;
                part->kind = kind;
                part->fence_behind = last[kind].fence;
                return;
            }
    part->end = loam_border_align(s->text, s->length, limit, part->least);
    if (part->end <= part->least) { /* one character at least */
        size_t end = part->least + 1;
        while (end < s->length && loam_border_align(s->text, s->length, end, part->least) != end)
            end++;
        part->end = end;
    }
    part->kind = part->end == s->length ? LOAM_BORDER_END : LOAM_BORDER_TOKEN;
    loam_border_begin(&walk, s->text, part->end, part->begin, part->fence);
    while (loam_border_next(&walk, &border))
        ;
    part->fence_behind = walk.fence;
}

/* Chooses the end of a chunk so that its tokens are few enough. */
static loam_status find_end(struct split *s, struct part *part)
{
    loam_status status = find_limit(s, part);
    size_t limit = loam_max(part->end, part->least + 1);
    if (status)
        return status;
    for (int tries = 0;; tries++) {
        if (limit == s->length) {
            part->end = limit;
            part->kind = LOAM_BORDER_END;
        } else {
            choose(s, part, limit);
        }
        status = encode(s, part->begin, part->end, &part->tokens);
        if (status || part->tokens <= s->most)
            return status;
        if (part->end > limit) /* a single character */
            return LOAM_OK;
        /* About as many bytes less as there are tokens too many. */
        size_t bytes = part->end - part->least, over = part->tokens - s->most;
        size_t less =
            (size_t)((double)(part->end - part->begin) * (double)over / (double)part->tokens);
        less = tries < PATIENCE ? less : bytes / 2;
        limit = part->end - loam_min(bytes, loam_max(less, 1));
    }
}

/* Where the next chunk begins: before the end of this one by as many tokens as
 * wanted or less, at a line or sentence, else at a word. */
static loam_status find_begin(struct split *s, const struct part *part, struct part *next)
{
    *next = (struct part){.begin = part->end, .least = part->end, .fence = part->fence_behind};
    size_t from = part->end;
    if (s->overlap && part->tokens)
        from -=
            (size_t)((double)(part->end - part->begin) * (double)s->overlap / (double)part->tokens);
    for (int tries = 0; tries < PATIENCE && from < part->end; tries++) {
        struct border_walk walk;
        struct border border, line = {.at = 0}, word = {.at = 0};
        size_t tokens = 0;
        loam_border_begin(&walk, s->text, part->end, part->begin, part->fence);
        while (!line.at && loam_border_next(&walk, &border) && border.at < part->end) {
            if (border.at < from || border.at <= part->begin)
                continue;
            if (border.kind > LOAM_BORDER_WORD)
                line = border;
            else if (!word.at)
                word = border;
        }
        if (line.at && word.at && part->end - line.at < (part->end - from) / 2)
            line = word; /* the line would leave little of the overlap */
        struct border *found = line.at ? &line : &word;
        if (!found->at)
            return LOAM_OK;
        loam_status status = encode(s, found->at, part->end, &tokens);
        if (status)
            return status;
        if (tokens <= s->overlap) {
            next->begin = found->at;
            next->fence = found->fence;
            return LOAM_OK;
        }
        from = loam_max(found->at + 1, part->end - (part->end - found->at) * 3 / 4);
    }
    return LOAM_OK;
}

static loam_status give(const struct split *s, const struct part *part,
                        const loam_split_options *options)
{
    const loam_chunk chunk = {.struct_size = sizeof chunk,
                              .begin = part->begin,
                              .end = part->end,
                              .token_count = (uint32_t)(part->tokens + s->added),
                              .border = part->kind};
    return options->chunk(options->user, &chunk)
               ? loam_fail(s->error, LOAM_CANCELLED, "the callback ended the splitting")
               : LOAM_OK;
}

/* Another begin, without the overlap, where that leaves no room. */
static bool is_too_full(const struct split *s, const struct part *part)
{
    return part->begin < part->least && part->tokens > s->most;
}

static loam_status split_all(struct split *s, const loam_split_options *options)
{
    struct part part = {.begin = 0};
    while (part.least < s->length) {
        struct part next;
        loam_status status = find_end(s, &part);
        if (!status && is_too_full(s, &part)) {
            size_t least = part.least;
            struct border_walk walk;
            struct border border;
            loam_border_begin(&walk, s->text, least, part.begin, part.fence);
            while (loam_border_next(&walk, &border))
                ;
            part = (struct part){.begin = least, .least = least, .fence = walk.fence};
            continue;
        }
        if (!status)
            status = give(s, &part, options);
        if (!status)
            status = find_begin(s, &part, &next);
        if (status)
            return status;
        part = next;
    }
    return LOAM_OK;
}

loam_status loam_document_split(const struct tokenizer *tokenizer, struct memory *memory,
                                const char *text, size_t length, const loam_split_options *options,
                                loam_error *error)
{
    struct split s = {.tokenizer = tokenizer,
                      .memory = memory,
                      .text = text,
                      .length = length,
                      .flags = options->flags & ~(uint32_t)LOAM_ENCODE_ADD_SPECIAL,
                      .overlap = options->overlap_tokens,
                      .bytes_per_token = 3,
                      .error = error};
    if (options->flags & LOAM_ENCODE_ADD_SPECIAL)
        s.added = loam_tokenizer_added(tokenizer);
    if (options->max_tokens <= s.added)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "max_tokens is %u, expected more than the %zu tokens added to each chunk",
                         options->max_tokens, s.added);
    s.most = options->max_tokens - s.added;
    if (s.overlap > s.most / 2)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "overlap_tokens is %u, expected at most half of the chunk, %zu",
                         options->overlap_tokens, s.most / 2);
    loam_status status = split_all(&s, options);
    loam_token_list_end(&s.list, memory);
    return status;
}
