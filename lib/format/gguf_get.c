/* SPDX-License-Identifier: MIT */
/* Typed access to metadata: every type error names the key and both types. */
#include "base/half.h"
#include "format/gguf.h"

static loam_status missing(const char *key, loam_error *error)
{
    return loam_fail(error, LOAM_FORMAT, "key %s is missing", key);
}

static loam_status wrong_type(const struct gguf_entry *entry, const char *key, const char *expected,
                              loam_error *error)
{
    return loam_fail(error, LOAM_FORMAT, "%s: is %s%s, expected %s", key,
                     entry->is_array ? "an array of " : "", loam_gguf_type_name(entry->type),
                     expected);
}

static uint64_t raw(const struct gguf_entry *entry, uint64_t i, size_t size)
{
    uint64_t value = 0;
    const unsigned char *bytes = entry->data + i * size;
    for (size_t j = size; j > 0; j--)
        value = value << 8 | bytes[j - 1];
    return value;
}

uint64_t loam_gguf_unsigned(const struct gguf_entry *entry, uint64_t i)
{
    switch (entry->type) {
    case GGUF_U8:
        return raw(entry, i, 1);
    case GGUF_U16:
        return raw(entry, i, 2);
    case GGUF_U32:
        return raw(entry, i, 4);
    case GGUF_U64:
        return raw(entry, i, 8);
    default:
        return (uint64_t)loam_gguf_signed(entry, i);
    }
}

int64_t loam_gguf_signed(const struct gguf_entry *entry, uint64_t i)
{
    switch (entry->type) {
    case GGUF_I8:
        return (int8_t)raw(entry, i, 1);
    case GGUF_I16:
        return (int16_t)raw(entry, i, 2);
    case GGUF_I32:
        return (int32_t)raw(entry, i, 4);
    case GGUF_I64:
        return (int64_t)raw(entry, i, 8);
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        return (int64_t)loam_gguf_unsigned(entry, i);
    default:
        return 0;
    }
}

static bool is_unsigned(uint32_t type)
{
    return type == GGUF_U8 || type == GGUF_U16 || type == GGUF_U32 || type == GGUF_U64;
}

static bool is_signed(uint32_t type)
{
    return type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
}

double loam_gguf_number(const struct gguf_entry *entry, uint64_t i)
{
    if (entry->type == GGUF_F32)
        return (double)loam_float_from_bits((uint32_t)raw(entry, i, 4));
    if (entry->type == GGUF_F64) {
        uint64_t bits = raw(entry, i, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (is_signed(entry->type))
        return (double)loam_gguf_signed(entry, i);
    return (double)loam_gguf_unsigned(entry, i);
}

loam_status loam_gguf_get_u32(uint32_t *out, const struct gguf *gguf, const char *key,
                              const uint32_t *fallback, loam_error *error)
{
    const struct gguf_entry *entry = loam_gguf_find(gguf, key);
    if (!entry && !fallback)
        return missing(key, error);
    if (!entry) {
        *out = *fallback;
        return LOAM_OK;
    }
    if (entry->is_array || (!is_unsigned(entry->type) && !is_signed(entry->type)))
        return wrong_type(entry, key, "an unsigned integer", error);
    if (is_signed(entry->type) && loam_gguf_signed(entry, 0) < 0)
        return loam_fail(error, LOAM_FORMAT, "%s: found %lld, expected an integer from 0 up", key,
                         (long long)loam_gguf_signed(entry, 0));
    uint64_t value = loam_gguf_unsigned(entry, 0);
    if (value > UINT32_MAX)
        return loam_fail(error, LOAM_FORMAT, "%s: found %llu, expected an integer below 2^32", key,
                         (unsigned long long)value);
    *out = (uint32_t)value;
    return LOAM_OK;
}

loam_status loam_gguf_get_f32(float *out, const struct gguf *gguf, const char *key,
                              const float *fallback, loam_error *error)
{
    const struct gguf_entry *entry = loam_gguf_find(gguf, key);
    if (!entry && !fallback)
        return missing(key, error);
    if (!entry) {
        *out = *fallback;
        return LOAM_OK;
    }
    if (entry->is_array || entry->type == GGUF_STRING || entry->type == GGUF_BOOL)
        return wrong_type(entry, key, "a number", error);
    *out = (float)loam_gguf_number(entry, 0);
    return LOAM_OK;
}

loam_status loam_gguf_get_bool(bool *out, const struct gguf *gguf, const char *key,
                               const bool *fallback, loam_error *error)
{
    const struct gguf_entry *entry = loam_gguf_find(gguf, key);
    if (!entry && !fallback)
        return missing(key, error);
    if (!entry) {
        *out = *fallback;
        return LOAM_OK;
    }
    if (entry->is_array || entry->type != GGUF_BOOL)
        return wrong_type(entry, key, "a bool", error);
    *out = entry->data[0] != 0;
    return LOAM_OK;
}

loam_status loam_gguf_get_string(struct gguf_string *out, const struct gguf *gguf, const char *key,
                                 const struct gguf_string *fallback, loam_error *error)
{
    const struct gguf_entry *entry = loam_gguf_find(gguf, key);
    if (!entry && !fallback)
        return missing(key, error);
    if (!entry) {
        *out = *fallback;
        return LOAM_OK;
    }
    if (entry->is_array || entry->type != GGUF_STRING)
        return wrong_type(entry, key, "a string", error);
    *out = entry->strings[0];
    return LOAM_OK;
}

loam_status loam_gguf_get_array(const struct gguf_entry **out, const struct gguf *gguf,
                                const char *key, uint32_t element_type, bool required,
                                loam_error *error)
{
    const struct gguf_entry *entry = loam_gguf_find(gguf, key);
    *out = NULL;
    if (!entry)
        return required ? missing(key, error) : LOAM_OK;
    if (!entry->is_array || entry->type != element_type)
        return loam_fail(error, LOAM_FORMAT, "%s: is %s%s, expected an array of %s", key,
                         entry->is_array ? "an array of " : "", loam_gguf_type_name(entry->type),
                         loam_gguf_type_name(element_type));
    *out = entry;
    return LOAM_OK;
}
