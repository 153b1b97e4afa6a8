/* SPDX-License-Identifier: MIT */
#include "format/importance.h"
#include "base/half.h"

#include <stdio.h>

static uint32_t word_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* ---- the older form ---------------------------------------------------------- */

/* 32-bit words: the number of entries; of each the length of the name, the
 * name, calls, the number of floats, the floats; at the end, where it is not too
 * old for that, the number of chunks. */
static loam_status read_word(uint32_t *out, struct source *source, uint64_t *at, loam_error *error)
{
    unsigned char bytes[4];
    loam_status status = loam_source_read(source, *at, bytes, sizeof bytes, error);
    *out = status ? 0 : word_at(bytes);
    *at += sizeof bytes;
    return status;
}

static loam_status read_entry(struct importance_entry *out, struct source *source, uint64_t *at,
                              loam_error *error)
{
    loam_status status = read_word(&out->name_length, source, at, error);
    out->name_offset = *at;
    *at += out->name_length;
    if (!status)
        status = read_word(&out->calls, source, at, error);
    if (!status)
        status = read_word(&out->count, source, at, error);
    out->values_offset = *at;
    *at += 4 * (uint64_t)out->count;
    if (!status && *at > source->size)
        status = loam_fail(error, LOAM_FORMAT,
                           "%s: an entry of the importance file ends at byte %llu, the file has "
                           "%llu",
                           source->name, (unsigned long long)*at, (unsigned long long)source->size);
    return status;
}

static loam_status open_older(struct importance *out, loam_error *error)
{
    enum { LEAST_BYTES = 12 }; /* of an entry */
    uint64_t at = 0;
    uint32_t count;
    loam_status status = read_word(&count, out->source, &at, error);
    if (status)
        return status;
    if (count == 0 || count > out->source->size / LEAST_BYTES)
        return loam_fail(error, LOAM_FORMAT, "%s: is no importance file", out->source->name);
    out->entries = loam_memory_get(out->memory, count, sizeof *out->entries);
    if (!out->entries)
        return loam_fail_memory(error, (uint64_t)count * sizeof *out->entries);
    for (uint32_t i = 0; !status && i < count; i++)
        status = read_entry(&out->entries[i], out->source, &at, error);
    out->entry_count = out->matrices = count;
    if (!status && at + 4 <= out->source->size)
        status = read_word(&out->chunks, out->source, &at, error);
    return status;
}

static loam_status read_floats(float **out, struct importance *importance, uint64_t offset,
                               uint64_t count, loam_error *error)
{
    float *values = loam_memory_get(importance->memory, count, sizeof *values);
    if (!values)
        return loam_fail_memory(error, count * sizeof *values);
    loam_status status =
        loam_source_read(importance->source, offset, values, (size_t)count * sizeof *values, error);
    if (status) {
        loam_memory_free(importance->memory, values);
        return status;
    }
    *out = values;
    return LOAM_OK;
}

static loam_status load_older(float **out, uint64_t *count, struct importance *importance,
                              struct gguf_string name, loam_error *error)
{
    char found[256];
    for (uint32_t i = 0; i < importance->entry_count; i++) {
        const struct importance_entry *entry = &importance->entries[i];
        if (entry->name_length != name.length || name.length > sizeof found)
            continue;
        loam_status status =
            loam_source_read(importance->source, entry->name_offset, found, name.length, error);
        if (status)
            return status;
        if (memcmp(found, name.data, name.length) != 0)
            continue;
        *count = entry->count;
        status = read_floats(out, importance, entry->values_offset, entry->count, error);
        for (uint32_t k = 0; !status && k < entry->count && entry->calls; k++)
            (*out)[k] /= (float)entry->calls;
        return status;
    }
    return LOAM_OK;
}

/* ---- GGUF ----------------------------------------------------------------------- */

static bool ends_with(struct gguf_string name, const char *end)
{
    size_t length = strlen(end);
    return name.length > length && memcmp(name.data + name.length - length, end, length) == 0;
}

static loam_status open_gguf(struct importance *out, loam_error *error)
{
    const uint32_t none = 0;
    struct gguf_string kind, nothing = {"", 0};
    loam_status status = loam_gguf_read(&out->gguf, out->source, out->memory, error);
    if (status)
        return status;
    out->is_gguf = true;
    status = loam_gguf_get_string(&kind, &out->gguf, "general.type", &nothing, error);
    if (!status && (kind.length != 7 || memcmp(kind.data, "imatrix", 7) != 0))
        status = loam_fail(error, LOAM_FORMAT, "%s: general.type is \"%.*s\", expected \"imatrix\"",
                           out->source->name, LOAM_SHOWN(kind.length), kind.data);
    if (!status)
        status = loam_gguf_get_u32(&out->chunks, &out->gguf, "imatrix.chunk_count", &none, error);
    for (uint64_t i = 0; i < out->gguf.tensor_count; i++)
        out->matrices += ends_with(out->gguf.tensors[i].name, ".in_sum2");
    return status;
}

/* The tensor NAME.end, or NULL. */
static const struct gguf_tensor *part_of(const struct importance *importance,
                                         struct gguf_string name, const char *end)
{
    char full[256];
    if (name.length > sizeof full - 16)
        return NULL;
    memcpy(full, name.data, name.length);
    snprintf(full + name.length, sizeof full - name.length, ".%s", end);
    return memchr(full, 0, name.length) ? NULL : loam_gguf_find_tensor(&importance->gguf, full);
}

/* Sums become means. */
static void divide(float *values, uint64_t count, const float *counts, uint64_t matrices)
{
    uint64_t width = count / matrices;
    for (uint64_t i = 0; i < count; i++)
        values[i] = counts[i / width] > 0 ? values[i] / counts[i / width] : 1;
}

static loam_status load_gguf(float **out, uint64_t *count, struct importance *importance,
                             struct gguf_string name, loam_error *error)
{
    const struct gguf_tensor *sums = part_of(importance, name, "in_sum2");
    const struct gguf_tensor *counts = part_of(importance, name, "counts");
    float *numbers = NULL, *values = NULL;
    if (!sums || !counts)
        return LOAM_OK;
    uint64_t n = sums->bytes / 4, matrices = counts->bytes / 4;
    if (sums->type->id != 0 || counts->type->id != 0 || n % matrices != 0)
        return loam_fail(error, LOAM_FORMAT,
                         "%s: tensor %.*s.in_sum2 has %llu numbers, its counts %llu, expected F32 "
                         "and a multiple",
                         importance->source->name, LOAM_SHOWN(name.length), name.data,
                         (unsigned long long)n, (unsigned long long)matrices);
    loam_status status = read_floats(&numbers, importance, counts->offset, matrices, error);
    if (!status)
        status = read_floats(&values, importance, sums->offset, n, error);
    if (!status) {
        divide(values, n, numbers, matrices);
        *out = values;
        *count = n;
    }
    loam_memory_free(importance->memory, numbers);
    return status;
}

/* ---- both ------------------------------------------------------------------------- */

loam_status loam_importance_open(struct importance *out, struct source *source,
                                 struct memory *memory, loam_error *error)
{
    unsigned char magic[4];
    *out = (struct importance){.source = source, .memory = memory};
    loam_status status = loam_source_read(source, 0, magic, sizeof magic, error);
    if (!status)
        status = memcmp(magic, "GGUF", 4) == 0 ? open_gguf(out, error) : open_older(out, error);
    if (status)
        loam_importance_close(out);
    return status;
}

void loam_importance_close(struct importance *importance)
{
    if (importance->is_gguf)
        loam_gguf_end(&importance->gguf);
    loam_memory_free(importance->memory, importance->entries);
    *importance = (struct importance){.memory = importance->memory};
}

loam_status loam_importance_load(float **out, uint64_t *count, struct importance *importance,
                                 struct gguf_string name, loam_error *error)
{
    *out = NULL;
    *count = 0;
    loam_status status = importance->is_gguf ? load_gguf(out, count, importance, name, error)
                                             : load_older(out, count, importance, name, error);
    for (uint64_t i = 0; !status && i < *count; i++)
        if (!((*out)[i] >= 0 && (*out)[i] < 0x1p127f))
            status = loam_fail(error, LOAM_FORMAT,
                               "%s: the importance of %.*s has a number that is below 0 or not "
                               "finite",
                               importance->source->name, LOAM_SHOWN(name.length), name.data);
    if (status) {
        loam_memory_free(importance->memory, *out);
        *out = NULL;
    }
    return status;
}
