/* SPDX-License-Identifier: MIT */
/*
 * lib/format: model files, in and out. Files are hostile: every count, length,
 * offset, type and product is checked before it is used, and no allocation is
 * larger than a small multiple of what the file itself holds. Knows nothing
 * of what the weights mean.
 *
 * gguf.h: the header of a GGUF file, version 2 or 3, little-endian.
 */
#ifndef LOAM_FORMAT_GGUF_H
#define LOAM_FORMAT_GGUF_H

#include "base/error.h"
#include "base/memory.h"
#include "base/source.h"
#include "quant/types.h"

/* Value types as in the file. */
enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

struct gguf_string {
    const char *data; /* any bytes; not NUL-terminated; points into the header's copy */
    size_t length;
};

struct gguf_entry {
    struct gguf_string key; /* valid UTF-8, unique in the file */
    uint32_t type;          /* of the value, or of the elements if is_array */
    bool is_array;
    uint64_t count;                    /* elements; 1 if not an array */
    const unsigned char *data;         /* numbers, packed little-endian, unaligned */
    const struct gguf_string *strings; /* [count] if type is GGUF_STRING, else NULL */
};

/* Added to the number of a tensor's type: its data are packed (quant/types.h),
 * each matrix of the first two dimensions by itself. Such files also have the
 * key loam.packed.version, and other programs refuse them. */
enum { GGUF_PACKED = 0x4C500000, GGUF_PACKED_VERSION = 3, GGUF_PACKED_ALIGNMENT = 64 };

struct gguf_tensor {
    struct gguf_string name; /* unique in the file */
    const struct weight_type *type;
    bool packed;
    uint32_t dimension_count; /* 1 to 4 */
    uint64_t dimensions[4];   /* contiguous first; 1 beyond dimension_count; none 0; product fits */
    uint64_t offset;          /* in the file; offset + bytes is within it */
    uint64_t bytes;
};

/* A checked header. Immutable once read. Thread-safe. */
struct gguf {
    struct arena arena;
    uint32_t version, alignment;
    bool packed; /* by loam_model_pack: may be mapped */
    uint64_t file_bytes;
    uint64_t entry_count, tensor_count;
    const struct gguf_entry *entries;           /* in the file's order */
    const struct gguf_tensor *tensors;          /* in the file's order */
    const uint32_t *entry_table, *tensor_table; /* open hash tables: index + 1, or 0 */
    uint64_t entry_mask, tensor_mask;
    unsigned char *bytes; /* the header's copy, [header_bytes] */
    uint64_t header_bytes;
};

/* Reads and checks the header. Errors name the file and the key or tensor.
 * The source is not kept.
 * [errors: MEMORY, IO, FORMAT, UNSUPPORTED (version, big-endian)] */
loam_status loam_gguf_read(struct gguf *out, struct source *source, struct memory *memory,
                           loam_error *error);
void loam_gguf_end(struct gguf *gguf);

/* The entry or tensor of that name (NUL-terminated), or NULL. */
const struct gguf_entry *loam_gguf_find(const struct gguf *gguf, const char *key);
const struct gguf_tensor *loam_gguf_find_tensor(const struct gguf *gguf, const char *name);

/*
 * Typed access. The first line of each error names the key. An absent key is
 * FORMAT ("key X is missing") unless `fallback` is given (not NULL), which is
 * then the result. A value of the wrong type is FORMAT and says both types.
 * Integers of any width and sign are taken if the value fits.
 */
loam_status loam_gguf_get_u32(uint32_t *out, const struct gguf *gguf, const char *key,
                              const uint32_t *fallback, loam_error *error);
loam_status loam_gguf_get_f32(float *out, const struct gguf *gguf, const char *key,
                              const float *fallback, loam_error *error);
loam_status loam_gguf_get_bool(bool *out, const struct gguf *gguf, const char *key,
                               const bool *fallback, loam_error *error);
loam_status loam_gguf_get_string(struct gguf_string *out, const struct gguf *gguf, const char *key,
                                 const struct gguf_string *fallback, loam_error *error);

/* An array of that element type, or FORMAT; *out is NULL if it is absent and
 * not required. */
loam_status loam_gguf_get_array(const struct gguf_entry **out, const struct gguf *gguf,
                                const char *key, uint32_t element_type, bool required,
                                loam_error *error);

/* Element i of an entry of numbers, as the widest type of its kind. */
uint64_t loam_gguf_unsigned(const struct gguf_entry *entry, uint64_t i);
int64_t loam_gguf_signed(const struct gguf_entry *entry, uint64_t i);
double loam_gguf_number(const struct gguf_entry *entry, uint64_t i); /* any number type */

/* Bytes of a number of that type; 0 for strings and arrays. */
uint32_t loam_gguf_type_bytes(uint32_t type);

/* The type's name as in the GGUF specification, such as "u32". */
const char *loam_gguf_type_name(uint32_t type);

#endif
