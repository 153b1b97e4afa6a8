/* SPDX-License-Identifier: MIT */
#include "template/text.h"

#include "base/utf8.h"
#include "template/characters.h"
#include "template/machine.h"

/* ---- builder --------------------------------------------------------------- */

static bool mark_run(struct machine *machine, struct text_builder *builder, size_t end,
                     bool from_data)
{
    if (builder->run_count && builder->runs[builder->run_count - 1].from_data == from_data) {
        builder->runs[builder->run_count - 1].end = end;
        return true;
    }
    if (!loam_heap_grow(&machine->heap, (void **)&builder->runs, &builder->run_capacity,
                        (uint64_t)builder->run_count + 1, sizeof(struct run)))
        return loam_machine_fail_memory(machine);
    builder->runs[builder->run_count++] = (struct run){end, from_data};
    return true;
}

static bool make_room(struct machine *machine, struct text_builder *builder, size_t length)
{
    if (length <= builder->capacity - builder->length)
        return true;
    uint64_t wanted = (uint64_t)builder->length + length;
    size_t capacity = loam_max(wanted < SIZE_MAX / 4 ? (size_t)wanted : SIZE_MAX / 4,
                               loam_max(2 * builder->capacity, 64));
    if (builder->capacity && loam_heap_extend(&machine->heap, builder->bytes + builder->capacity,
                                              capacity - builder->capacity)) {
        builder->capacity = capacity;
        return true;
    }
    char *bytes = loam_heap_bytes(&machine->heap, capacity);
    if (!bytes)
        return loam_machine_fail_memory(machine);
    if (builder->length)
        memcpy(bytes, builder->bytes, builder->length);
    builder->bytes = bytes;
    builder->capacity = capacity;
    return true;
}

bool loam_builder_reserve(struct machine *machine, struct text_builder *builder, size_t length)
{
    return make_room(machine, builder, length);
}

/* All but the usual case, which is that there is room, and that the origin is
 * the one of the bytes before. */
__attribute__((noinline)) static bool add_otherwise(struct machine *machine,
                                                    struct text_builder *builder, const char *bytes,
                                                    size_t length, bool from_data)
{
    if (length == 0)
        return true;
    if (!machine_spend(machine, length / 16) || !make_room(machine, builder, length))
        return false;
    memcpy(builder->bytes + builder->length, bytes, length);
    builder->length += length;
    return mark_run(machine, builder, builder->length, from_data);
}

bool loam_builder_add(struct machine *machine, struct text_builder *builder, const char *bytes,
                      size_t length, bool from_data)
{
    if (length == 0 || length > builder->capacity - builder->length || builder->run_count == 0 ||
        builder->runs[builder->run_count - 1].from_data != from_data ||
        length / 16 > machine->steps_left)
        return add_otherwise(machine, builder, bytes, length, from_data);
    machine->steps_left -= length / 16;
    char *end = builder->bytes + builder->length;
    builder->length += length;
    builder->runs[builder->run_count - 1].end = builder->length;
    if (length == 1)
        *end = *bytes;
    else
        memcpy(end, bytes, length);
    return true;
}

bool loam_builder_add_part(struct machine *machine, struct text_builder *builder,
                           const struct text *text, size_t start, size_t end)
{
    if (!text->runs)
        return loam_builder_add(machine, builder, text->bytes + start, end - start,
                                text->from_data);
    if (!machine_spend(machine, text->run_count))
        return false;
    for (size_t i = 0, at = 0; i < text->run_count && at < end; at = text->runs[i++].end) {
        size_t from = loam_max(at, start), to = loam_min(text->runs[i].end, end);
        if (from < to && !loam_builder_add(machine, builder, text->bytes + from, to - from,
                                           text->runs[i].from_data))
            return false;
    }
    return true;
}

bool loam_builder_add_text(struct machine *machine, struct text_builder *builder,
                           const struct text *text)
{
    return loam_builder_add_part(machine, builder, text, 0, text->length);
}

struct text *loam_builder_finish(struct machine *machine, struct text_builder *builder)
{
    struct text *text = loam_text_refer(machine, builder->bytes, builder->length,
                                        builder->run_count ? builder->runs[0].from_data : false);
    if (text && builder->run_count > 1) {
        text->runs = builder->runs;
        text->run_count = builder->run_count;
    }
    return text;
}

/* Takes the runs from byte `start` on off the builder. */
static bool cut_runs(struct machine *machine, struct text_builder *builder, size_t start,
                     struct text_builder *out)
{
    size_t first = builder->run_count;
    while (first > 0 && builder->runs[first - 1].end > start)
        first--;
    if (!machine_spend(machine, builder->run_count - first))
        return false;
    for (size_t i = first; i < builder->run_count; i++)
        if (!mark_run(machine, out, builder->runs[i].end - start, builder->runs[i].from_data))
            return false;
    size_t before = first ? builder->runs[first - 1].end : 0;
    builder->run_count = first;
    if (before < start) { /* the run goes across */
        builder->runs[first].end = start;
        builder->run_count++;
    }
    return true;
}

struct text *loam_builder_cut(struct machine *machine, struct text_builder *builder, size_t start)
{
    struct text_builder part = {0};
    size_t length = builder->length - start;
    if (!machine_spend(machine, length / 16) || !cut_runs(machine, builder, start, &part))
        return NULL;
    if (length) {
        if (!make_room(machine, &part, length))
            return NULL;
        memcpy(part.bytes, builder->bytes + start, length);
        part.length = length;
    }
    builder->length = start;
    return loam_builder_finish(machine, &part);
}

/* ---- making texts ---------------------------------------------------------- */

struct text *loam_text_refer(struct machine *machine, const char *bytes, size_t length,
                             bool from_data)
{
    struct text *text = loam_heap_get(&machine->heap, 1, sizeof *text);
    if (!text) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *text = (struct text){
        .bytes = length ? bytes : "", .length = length, .from_data = length && from_data};
    return text;
}

struct text *loam_text_copy(struct machine *machine, const char *bytes, size_t length,
                            bool from_data)
{
    struct text_builder builder = {0};
    if (!loam_builder_add(machine, &builder, bytes, length, from_data))
        return NULL;
    return loam_builder_finish(machine, &builder);
}

struct text *loam_text_part(struct machine *machine, struct text *text, size_t start, size_t end)
{
    if (start == 0 && end == text->length)
        return text;
    struct text *part = loam_text_refer(machine, text->bytes + start, end - start, text->from_data);
    if (!part)
        return NULL;
    part->width = text->width == WIDTH_ASCII ? WIDTH_ASCII : WIDTH_UNKNOWN;
    part->markup = text->markup;
    if (!text->runs || start == end)
        return part;
    struct text_builder runs = {0};
    if (!machine_spend(machine, text->run_count))
        return NULL;
    for (size_t i = 0; i < text->run_count; i++) {
        size_t run_end = loam_min(text->runs[i].end, end);
        if (run_end > start && !mark_run(machine, &runs, run_end - start, text->runs[i].from_data))
            return NULL;
        if (text->runs[i].end >= end)
            break;
    }
    part->from_data = runs.runs[0].from_data;
    if (runs.run_count > 1) {
        part->runs = runs.runs;
        part->run_count = runs.run_count;
    }
    return part;
}

/* Appends the runs of a text that lies `shift` bytes further on. */
static bool add_runs(struct machine *machine, struct text_builder *builder, const struct text *text,
                     size_t shift)
{
    if (!text->runs)
        return text->length == 0 ||
               mark_run(machine, builder, shift + text->length, text->from_data);
    if (!machine_spend(machine, text->run_count))
        return false;
    for (size_t i = 0; i < text->run_count; i++)
        if (!mark_run(machine, builder, shift + text->runs[i].end, text->runs[i].from_data))
            return false;
    return true;
}

/* Room for `length` bytes that begin with those of the text. If it lies at the
 * end of the heap it grows there: a text that is put together piece by piece is
 * not copied each time. */
static char *extend(struct machine *machine, struct text *text, uint64_t length)
{
    if (length - text->length <= SIZE_MAX &&
        loam_heap_extend(&machine->heap, text->bytes + text->length,
                         (size_t)(length - text->length)))
        return (char *)(uintptr_t)text->bytes;
    char *bytes = loam_heap_bytes(&machine->heap, length);
    if (!bytes)
        loam_machine_fail_memory(machine);
    if (!bytes || !machine_spend(machine, text->length / 16))
        return NULL;
    memcpy(bytes, text->bytes, text->length);
    return bytes;
}

struct text *loam_text_join(struct machine *machine, const struct value *parts, size_t count)
{
    struct text_builder joined = {0};
    uint64_t length = 0;
    bool same = true;
    struct text *first = NULL, *last = NULL;
    for (size_t i = 0; i < count; i++) {
        struct text *part = parts[i].text;
        length += part->length;
        first = first || part->length == 0 ? first : part;
        last = part->length ? part : last;
        same &= part->width == parts[0].text->width;
    }
    if (first == last && (!first || length == first->length))
        return first ? first : parts[0].text;
    if (!machine_spend(machine, (length - first->length) / 16))
        return NULL;
    joined.bytes = extend(machine, first, length);
    if (!joined.bytes)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct text *part = parts[i].text;
        if (joined.length > 0)
            memcpy(joined.bytes + joined.length, part->bytes, part->length);
        if (!add_runs(machine, &joined, part, joined.length))
            return NULL;
        joined.length += part->length;
    }
    struct text *text = loam_builder_finish(machine, &joined);
    if (text && same)
        text->width = first->width;
    return text;
}

/* ---- asking ------------------------------------------------------------------ */

bool loam_text_is(const struct text *text, const char *bytes)
{
    return strlen(bytes) == text->length && memcmp(text->bytes, bytes, text->length) == 0;
}

int loam_text_compare(const struct text *a, const struct text *b)
{
    int order = memcmp(a->bytes, b->bytes, loam_min(a->length, b->length));
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

uint32_t loam_text_hash(struct text *text)
{
    if (text->hash == 0) {
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (size_t i = 0; i < text->length; i++)
            hash = (hash ^ (unsigned char)text->bytes[i]) * 16777619u;
        text->hash = hash ? hash : 1;
    }
    return text->hash;
}

bool loam_text_from_data(const struct text *text)
{
    return text->runs != NULL || text->from_data; /* several runs: one of them is data */
}

bool loam_text_is_ascii(struct text *text)
{
    if (text->width == WIDTH_UNKNOWN) {
        unsigned char all = 0;
        for (size_t i = 0; i < text->length; i++)
            all |= (unsigned char)text->bytes[i];
        text->width = all & 0x80 ? WIDTH_WIDE : WIDTH_ASCII;
    }
    return text->width == WIDTH_ASCII;
}

size_t loam_text_index(struct text *text, size_t offset)
{
    size_t count = 0;
    if (loam_text_is_ascii(text))
        return offset;
    for (size_t i = 0; i < offset; i++)
        count += ((unsigned char)text->bytes[i] & 0xC0) != 0x80;
    return count;
}

size_t loam_text_characters(struct text *text)
{
    return loam_text_index(text, text->length);
}

size_t loam_text_step(const struct text *text, size_t at)
{
    size_t end = at + 1;
    while (end < text->length && ((unsigned char)text->bytes[end] & 0xC0) == 0x80)
        end++;
    return end - at;
}

size_t loam_text_offset(struct text *text, size_t index)
{
    if (loam_text_is_ascii(text))
        return loam_min(index, text->length);
    size_t at = 0;
    for (; index > 0 && at < text->length; index--)
        at += loam_text_step(text, at);
    return at;
}

size_t loam_text_find(const struct text *text, size_t start, size_t end, const char *wanted,
                      size_t length)
{
    if (start > end || length > end - start)
        return SIZE_MAX;
    if (length == 0)
        return start;
    for (size_t last = end - length; start <= last; start++) {
        const char *first = memchr(text->bytes + start, wanted[0], last - start + 1);
        if (!first)
            return SIZE_MAX;
        start = (size_t)(first - text->bytes);
        if (memcmp(first, wanted, length) == 0)
            return start;
    }
    return SIZE_MAX;
}

size_t loam_text_find_last(const struct text *text, size_t start, size_t end, const char *wanted,
                           size_t length)
{
    if (start > end || length > end - start)
        return SIZE_MAX;
    for (size_t at = end - length + 1; at > start; at--)
        if (memcmp(text->bytes + at - 1, wanted, length) == 0)
            return at - 1;
    return SIZE_MAX;
}

/* Whether the character at bytes[at, at + length) is one to be taken off. */
static bool strips(const struct text *text, size_t at, size_t length, const struct text *set)
{
    uint32_t character;
    if (set)
        return loam_text_find(set, 0, set->length, text->bytes + at, length) != SIZE_MAX;
    loam_utf8_decode(&character, text->bytes + at, length);
    return loam_characters_is_space(character);
}

void loam_text_strip(const struct text *text, const struct text *set, bool left, bool right,
                     size_t *start, size_t *end)
{
    *start = 0;
    *end = text->length;
    while (left && *start < *end) {
        size_t length = loam_text_step(text, *start);
        if (!strips(text, *start, length, set))
            break;
        *start += length;
    }
    while (right && *end > *start) {
        size_t at = *end - 1;
        while (at > *start && ((unsigned char)text->bytes[at] & 0xC0) == 0x80)
            at--;
        if (!strips(text, at, *end - at, set))
            break;
        *end = at;
    }
}
