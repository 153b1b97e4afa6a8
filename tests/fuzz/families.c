/* SPDX-License-Identifier: MIT */
#include "fuzz/families.h"
#include "test.h"

#include "arch/arch.h"

#include <math.h>

enum { MOST_ENTRIES = 512, MOST_TENSORS = 4096, POOL = 4096, ALIGNMENT = 32 };

/* Bytes of the file, or of the pool of changed ones. */
struct span {
    const uint8_t *bytes;
    size_t size;
};

struct file_entry {
    struct span key, value; /* the value without its type */
    uint32_t type;
};

struct file_tensor {
    struct span name;
    uint32_t dimension_count, type;
    uint64_t dimensions[4], offset;
};

struct model_file {
    struct file_entry entries[MOST_ENTRIES];
    struct file_tensor tensors[MOST_TENSORS];
    size_t entry_count, tensor_count;
    struct span data, family;
    const char *other_family; /* NULL: stays */
    uint8_t pool[POOL];
    size_t pooled;
};

/* ---- reading -------------------------------------------------------------- */

struct reader {
    const uint8_t *at, *end;
    int failed;
};

static uint64_t take(struct reader *r, size_t bytes)
{
    uint64_t value = 0;
    if (r->failed || (size_t)(r->end - r->at) < bytes) {
        r->failed = 1;
        return 0;
    }
    memcpy(&value, r->at, bytes);
    r->at += bytes;
    return value;
}

static struct span take_span(struct reader *r, uint64_t size)
{
    struct span span = {r->at, (size_t)size};
    if (r->failed || size > (uint64_t)(r->end - r->at)) {
        r->failed = 1;
        return (struct span){r->at, 0};
    }
    r->at += size;
    return span;
}

static struct span take_text(struct reader *r)
{
    return take_span(r, take(r, 8));
}

/* Bytes of a number of the metadata; 0: a string, an array or unknown. */
static size_t number_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

static void skip_value(struct reader *r, uint32_t type)
{
    if (type == GGUF_STRING) {
        take_text(r);
    } else if (type == GGUF_ARRAY) {
        uint32_t element = (uint32_t)take(r, 4);
        uint64_t count = take(r, 8);
        if (element == GGUF_STRING)
            for (uint64_t i = 0; i < count && !r->failed; i++)
                take_text(r);
        else if (count < 1u << 30 && number_bytes(element))
            take_span(r, count * number_bytes(element));
        else
            r->failed = 1;
    } else if (number_bytes(type)) {
        take(r, number_bytes(type));
    } else {
        r->failed = 1;
    }
}

static int is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static void read_entry(struct reader *r, struct model_file *f)
{
    struct file_entry *entry = &f->entries[f->entry_count++];
    entry->key = take_text(r);
    entry->type = (uint32_t)take(r, 4);
    entry->value.bytes = r->at;
    skip_value(r, entry->type);
    entry->value.size = (size_t)(r->at - entry->value.bytes);
    if (is(entry->key, "general.architecture") && entry->type == GGUF_STRING)
        f->family = (struct span){entry->value.bytes + 8, entry->value.size - 8};
}

static void read_tensor(struct reader *r, struct model_file *f)
{
    struct file_tensor *tensor = &f->tensors[f->tensor_count++];
    tensor->name = take_text(r);
    tensor->dimension_count = (uint32_t)take(r, 4);
    r->failed |= tensor->dimension_count > 4;
    for (uint32_t i = 0; i < tensor->dimension_count && !r->failed; i++)
        tensor->dimensions[i] = take(r, 8);
    tensor->type = (uint32_t)take(r, 4);
    tensor->offset = take(r, 8);
}

static int read_file(struct model_file *f, const uint8_t *bytes, size_t size)
{
    struct reader r = {bytes, bytes + size, 0};
    f->entry_count = f->tensor_count = f->pooled = 0;
    f->other_family = NULL;
    f->family.size = 0;
    uint64_t magic = take(&r, 8), tensors = take(&r, 8), entries = take(&r, 8);
    if ((uint32_t)magic != 0x46554747 || tensors > MOST_TENSORS || entries > MOST_ENTRIES)
        return 0;
    while (f->entry_count < entries && !r.failed)
        read_entry(&r, f);
    while (f->tensor_count < tensors && !r.failed)
        read_tensor(&r, f);
    size_t header = ((size_t)(r.at - bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (r.failed || header > size || f->entry_count == 0 || f->tensor_count == 0)
        return 0;
    f->data = (struct span){bytes + header, size - header};
    return 1;
}

/* ---- changing ------------------------------------------------------------- */

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return limit ? test_random(random) % limit : 0;
}

/* Room for changed bytes; NULL: the pool is full. */
static uint8_t *pool(struct model_file *f, struct span from)
{
    if (from.size > POOL - f->pooled)
        return NULL;
    uint8_t *copy = f->pool + f->pooled;
    memcpy(copy, from.bytes, from.size);
    f->pooled += from.size;
    return copy;
}

static uint64_t changed_integer(uint64_t was, uint64_t *random)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      8,
                                      12,
                                      16,
                                      24,
                                      31,
                                      32,
                                      48,
                                      64,
                                      127,
                                      255,
                                      256,
                                      1024,
                                      65535,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFF,
                                      100,
                                      4096,
                                      1u << 20,
                                      UINT64_MAX,
                                      (uint64_t)1 << 63};
    switch (below(random, 6)) {
    case 0:
        return was + 1;
    case 1:
        return was - 1;
    case 2:
        return was * 2;
    case 3:
        return was / 2;
    default:
        return values[below(random, sizeof values / sizeof *values)];
    }
}

static float changed_float(float was, uint64_t *random)
{
    static const float values[] = {0,      1,     -1,    1e-6f,    0.5f,      10,    1e4f,   -1e4f,
                                   1e-38f, 1e30f, 3e38f, INFINITY, -INFINITY, -0.0f, 1e-45f, 1e20f};
    uint32_t bits = (uint32_t)test_random(random);
    float any;
    memcpy(&any, &bits, sizeof any);
    switch (below(random, 5)) {
    case 0:
        return was * 2;
    case 1:
        return -was;
    case 2:
        return any;
    default:
        return values[below(random, sizeof values / sizeof *values)];
    }
}

static void change_number(uint8_t *at, uint32_t type, uint64_t *random)
{
    if (type == GGUF_F32) {
        float value;
        memcpy(&value, at, sizeof value);
        value = changed_float(value, random);
        memcpy(at, &value, sizeof value);
        return;
    }
    uint64_t value = 0;
    memcpy(&value, at, number_bytes(type));
    value = type == GGUF_BOOL ? !value : changed_integer(value, random);
    memcpy(at, &value, number_bytes(type));
}

static void change_entry(struct model_file *f, uint64_t *random)
{
    struct file_entry *entry = &f->entries[below(random, f->entry_count)];
    if (below(random, 16) == 0 && f->entry_count > 1) {
        *entry = f->entries[--f->entry_count];
        return;
    }
    uint8_t *value = pool(f, entry->value);
    if (!value || entry->type == GGUF_STRING)
        return;
    entry->value.bytes = value;
    if (entry->type != GGUF_ARRAY) {
        change_number(value, entry->type, random);
        return;
    }
    uint32_t element;
    uint64_t count;
    memcpy(&element, value, 4);
    memcpy(&count, value + 4, 8);
    if (number_bytes(element) && count)
        change_number(value + 12 + below(random, count) * number_bytes(element), element, random);
}

static void change_shape(struct file_tensor *tensor, uint64_t *random)
{
    uint32_t i = (uint32_t)below(random, tensor->dimension_count);
    uint32_t k = (uint32_t)below(random, tensor->dimension_count);
    uint64_t kept = tensor->dimensions[i];
    switch (below(random, 4)) {
    case 0:
        tensor->dimensions[i] = changed_integer(kept, random);
        break;
    case 1:
        tensor->dimensions[i] = tensor->dimensions[k];
        tensor->dimensions[k] = kept;
        break;
    case 2:
        tensor->dimension_count = (uint32_t)below(random, 5);
        break;
    default:
        tensor->dimensions[i] = kept > 1 ? kept - 1 : 1;
        break;
    }
}

static void change_tensor(struct model_file *f, uint64_t *random)
{
    struct file_tensor *tensor = &f->tensors[below(random, f->tensor_count)];
    struct file_tensor *other = &f->tensors[below(random, f->tensor_count)];
    struct span name = tensor->name;
    switch (below(random, 6)) {
    case 0:
        if (tensor->dimension_count)
            change_shape(tensor, random);
        break;
    case 1:
    case 2: /* mostly narrower than what was there, so that the file holds it */
        tensor->type = (uint32_t)below(random, 41);
        break;
    case 3:
        tensor->offset = below(random, 4) ? other->offset : changed_integer(tensor->offset, random);
        break;
    case 4:
        tensor->name = other->name;
        other->name = name;
        break;
    default: /* one is left */
        if (f->tensor_count > 1)
            *tensor = f->tensors[--f->tensor_count];
        break;
    }
}

static void change_family(struct model_file *f, uint64_t *random)
{
    size_t count = 0;
    while (loam_arch_family(count))
        count++;
    f->other_family = loam_arch_family(below(random, count))->name;
}

/* ---- writing -------------------------------------------------------------- */

struct writer {
    uint8_t *at, *end;
    int failed;
};

static void put(struct writer *w, const void *bytes, size_t size)
{
    if (w->failed || size > (size_t)(w->end - w->at)) {
        w->failed = 1;
        return;
    }
    memcpy(w->at, bytes, size);
    w->at += size;
}

static void put_number(struct writer *w, uint64_t value, size_t bytes)
{
    put(w, &value, bytes);
}

static void put_text(struct writer *w, struct span text)
{
    put_number(w, text.size, 8);
    put(w, text.bytes, text.size);
}

/* Keys of the family have its name in front. */
static void put_key(struct writer *w, const struct model_file *f, struct span key)
{
    size_t old = f->family.size;
    if (!f->other_family || key.size <= old || memcmp(key.bytes, f->family.bytes, old) != 0 ||
        key.bytes[old] != '.') {
        put_text(w, key);
        return;
    }
    put_number(w, key.size - old + strlen(f->other_family), 8);
    put(w, f->other_family, strlen(f->other_family));
    put(w, key.bytes + old, key.size - old);
}

static void put_entry(struct writer *w, const struct model_file *f, const struct file_entry *entry)
{
    put_key(w, f, entry->key);
    put_number(w, entry->type, 4);
    if (f->other_family && is(entry->key, "general.architecture"))
        put_text(w, (struct span){(const uint8_t *)f->other_family, strlen(f->other_family)});
    else
        put(w, entry->value.bytes, entry->value.size);
}

static void put_tensor(struct writer *w, const struct file_tensor *tensor)
{
    put_text(w, tensor->name);
    put_number(w, tensor->dimension_count, 4);
    put(w, tensor->dimensions, tensor->dimension_count * sizeof *tensor->dimensions);
    put_number(w, tensor->type, 4);
    put_number(w, tensor->offset, 8);
}

static size_t write_file(uint8_t *out, size_t capacity, const struct model_file *f,
                         uint64_t *random)
{
    struct writer w = {out, out + capacity, 0};
    put_number(&w, 0x0000000346554747, 8);
    put_number(&w, f->tensor_count, 8);
    put_number(&w, f->entry_count, 8);
    for (size_t i = 0; i < f->entry_count; i++)
        put_entry(&w, f, &f->entries[i]);
    for (size_t i = 0; i < f->tensor_count; i++)
        put_tensor(&w, &f->tensors[i]);
    while ((w.at - out) % ALIGNMENT != 0 && !w.failed)
        put_number(&w, 0, 1);
    size_t data = (size_t)(w.at - out);
    put(&w, f->data.bytes, f->data.size);
    if (w.failed)
        return 0;
    size_t words = f->data.size / sizeof(float);
    for (uint64_t i = below(random, 3) ? 0 : below(random, 20); i > 0 && words; i--) {
        uint8_t *at = out + data + below(random, words) * sizeof(float);
        float value;
        memcpy(&value, at, sizeof value);
        value = changed_float(value, random);
        memcpy(at, &value, sizeof value);
    }
    size_t size = (size_t)(w.at - out);
    return below(random, 64) ? size : data + below(random, size - data);
}

size_t families_change(uint8_t *out, size_t capacity, const uint8_t *file, size_t size,
                       uint64_t *random)
{
    static struct model_file f;
    if (!read_file(&f, file, size))
        return 0;
    for (uint64_t changes = below(random, 3) + 1; changes > 0; changes--)
        switch (below(random, 8)) {
        case 0:
            change_family(&f, random);
            break;
        case 1:
        case 2:
        case 3:
            change_tensor(&f, random);
            break;
        case 4: /* weights alone */
            break;
        default:
            change_entry(&f, random);
            break;
        }
    return write_file(out, capacity, &f, random);
}
