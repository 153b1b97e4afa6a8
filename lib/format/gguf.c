/* SPDX-License-Identifier: MIT */
/*
 * Two passes over the same bytes with the same code: the first only checks,
 * and loads the file piece by piece as far as the header reaches, so that
 * nothing is allocated for what a damaged count promises; the second fills
 * the tables, whose sizes are then known to be real.
 */
#include "format/gguf.h"
#include "base/utf8.h"

enum {
    FIRST_PIECE = 256 * 1024,
    MAX_KEY = 65535,
    MAX_NAME = 255,
    MAX_PROBES = 1024, /* names that hash alike: more than that is an attack */
    DEFAULT_ALIGNMENT = 32
};

struct reader {
    struct source *source;
    struct memory *memory;
    unsigned char *bytes;
    uint64_t loaded, capacity, position;
    const char *item; /* key or tensor being read, for messages */
    size_t item_length;
    struct gguf *fill; /* second pass; NULL in the first */
    loam_error *error;
};

static loam_status fail(struct reader *reader, loam_status code, const char *reason,
                        unsigned long long found)
{
    if (reader->item_length)
        return loam_fail(reader->error, code, "%s: %.*s: %s (found %llu)", reader->source->name,
                         LOAM_SHOWN(reader->item_length), reader->item, reason, found);
    return loam_fail(reader->error, code, "%s: %s (found %llu)", reader->source->name, reason,
                     found);
}

/* ---- bytes ---------------------------------------------------------------- */

/* Loads at least `end` bytes of the file, which has them. */
static loam_status load(struct reader *reader, uint64_t end)
{
    uint64_t wanted = end < FIRST_PIECE ? FIRST_PIECE : end;
    if (wanted < 2 * reader->loaded)
        wanted = 2 * reader->loaded;
    if (wanted > reader->source->size)
        wanted = reader->source->size;
    unsigned char *bytes = loam_memory_get_large(reader->memory, wanted);
    if (!bytes)
        return loam_fail_memory(reader->error, wanted);
    if (reader->loaded) {
        memcpy(bytes, reader->bytes, (size_t)reader->loaded);
        if (reader->item_length) /* it points into the old copy */
            reader->item = (const char *)bytes + (reader->item - (const char *)reader->bytes);
    }
    loam_status status = loam_source_read(reader->source, reader->loaded, bytes + reader->loaded,
                                          (size_t)(wanted - reader->loaded), reader->error);
    loam_memory_free_large(reader->memory, reader->bytes, reader->capacity);
    reader->bytes = bytes;
    reader->capacity = reader->loaded = wanted;
    return status;
}

/* Moves over `size` bytes: *out points to them until the next call. */
static loam_status take(struct reader *reader, const unsigned char **out, uint64_t size)
{
    uint64_t rest = reader->source->size - reader->position;
    if (size > rest)
        return fail(reader, LOAM_FORMAT,
                    "the file ends in the middle of it, or its length is wrong", size);
    if (reader->position + size > reader->loaded) {
        loam_status status = load(reader, reader->position + size);
        if (status)
            return status;
    }
    *out = reader->bytes + reader->position;
    reader->position += size;
    return LOAM_OK;
}

static uint64_t little_endian(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static loam_status take_integer(struct reader *reader, uint64_t *out, size_t size)
{
    const unsigned char *bytes = NULL;
    loam_status status = take(reader, &bytes, size);
    *out = status ? 0 : little_endian(bytes, size);
    return status;
}

static loam_status take_string(struct reader *reader, struct gguf_string *out)
{
    uint64_t length;
    const unsigned char *bytes = NULL;
    loam_status status = take_integer(reader, &length, 8);
    if (!status)
        status = take(reader, &bytes, length);
    *out = (struct gguf_string){.data = (const char *)bytes, .length = status ? 0 : (size_t)length};
    return status;
}

/* ---- values --------------------------------------------------------------- */

static const uint8_t value_sizes[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

uint32_t loam_gguf_type_bytes(uint32_t type)
{
    return type < GGUF_TYPES ? value_sizes[type] : 0;
}

const char *loam_gguf_type_name(uint32_t type)
{
    static const char *const names[GGUF_TYPES] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                  "i32", "f32", "bool", "string", "array",
                                                  "u64", "i64", "f64"};
    return type < GGUF_TYPES ? names[type] : "unknown";
}

static loam_status check_booleans(struct reader *reader, const unsigned char *data, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (data[i] > 1)
            return fail(reader, LOAM_FORMAT, "a bool is 0 or 1", data[i]);
    return LOAM_OK;
}

static loam_status read_strings(struct reader *reader, struct gguf_entry *entry)
{
    struct gguf_string *strings = NULL;
    if (reader->fill) {
        strings = loam_arena_get(&reader->fill->arena, entry->count, sizeof *strings);
        if (!strings)
            return loam_fail_memory(reader->error, entry->count * sizeof *strings);
    }
    for (uint64_t i = 0; i < entry->count; i++) {
        struct gguf_string string;
        loam_status status = take_string(reader, &string);
        if (status)
            return status;
        if (strings)
            strings[i] = string;
    }
    entry->strings = strings;
    return LOAM_OK;
}

static loam_status read_value(struct reader *reader, struct gguf_entry *entry)
{
    uint64_t type, bytes;
    loam_status status = take_integer(reader, &type, 4);
    entry->count = 1;
    entry->is_array = type == GGUF_ARRAY;
    if (!status && entry->is_array) {
        status = take_integer(reader, &type, 4);
        if (!status && type == GGUF_ARRAY)
            return fail(reader, LOAM_UNSUPPORTED, "arrays of arrays are not supported", type);
        if (!status)
            status = take_integer(reader, &entry->count, 8);
    }
    if (status)
        return status;
    if (type >= GGUF_TYPES)
        return fail(reader, LOAM_FORMAT, "the type of the value is not one of 0 to 12", type);
    entry->type = (uint32_t)type;
    if (type == GGUF_STRING)
        return read_strings(reader, entry);
    if (!loam_multiply(&bytes, entry->count, value_sizes[type]))
        return fail(reader, LOAM_FORMAT, "the array is larger than any file", entry->count);
    status = take(reader, &entry->data, bytes);
    if (!status && type == GGUF_BOOL)
        status = check_booleans(reader, entry->data, entry->count);
    return status;
}

static loam_status read_entry(struct reader *reader, struct gguf_entry *entry)
{
    reader->item_length = 0;
    *entry = (struct gguf_entry){0};
    loam_status status = take_string(reader, &entry->key);
    if (status)
        return status;
    if (entry->key.length == 0 || entry->key.length > MAX_KEY)
        return fail(reader, LOAM_FORMAT, "a key has 1 to 65535 bytes", entry->key.length);
    if (!loam_utf8_valid(entry->key.data, entry->key.length))
        return fail(reader, LOAM_FORMAT, "a key is not valid UTF-8; it ends before byte",
                    reader->position);
    reader->item = entry->key.data;
    reader->item_length = entry->key.length;
    return read_value(reader, entry);
}

/* ---- tensors -------------------------------------------------------------- */

static loam_status check_dimensions(struct reader *reader, struct gguf_tensor *tensor)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->dimension_count; i++) {
        uint64_t dimension = tensor->dimensions[i];
        if (dimension == 0 || dimension > INT64_MAX)
            return fail(reader, LOAM_FORMAT, "a dimension is at least 1 and below 2^63", dimension);
        if (!loam_multiply(&elements, elements, dimension) || elements > INT64_MAX)
            return fail(reader, LOAM_FORMAT, "the product of the dimensions is beyond 2^63",
                        dimension);
    }
    uint32_t block = tensor->type->block_elements;
    if (tensor->dimensions[0] % block != 0)
        return loam_fail(
            reader->error, LOAM_FORMAT,
            "%s: %.*s: rows of %llu numbers are no multiple of the %u of a block of %s",
            reader->source->name, LOAM_SHOWN(reader->item_length), reader->item,
            (unsigned long long)tensor->dimensions[0], block, tensor->type->name);
    if (!loam_multiply(&tensor->bytes, elements / block, tensor->type->block_bytes))
        return fail(reader, LOAM_FORMAT, "the tensor is larger than any file", elements);
    return LOAM_OK;
}

/* The bytes of a packed tensor: its matrices one after the other. */
static loam_status measure_packed(struct reader *reader, struct gguf_tensor *tensor)
{
    const uint64_t *dimensions = tensor->dimensions;
    uint64_t matrices = dimensions[2] * dimensions[3]; /* below 2^63: the product is */
    if (!tensor->type->packing)
        return fail(reader, LOAM_FORMAT, "no tensor of this type is packed; type",
                    tensor->type->id);
    if (dimensions[0] > UINT32_MAX || dimensions[1] > UINT32_MAX ||
        !loam_multiply(&tensor->bytes, loam_packed_panel_bytes(tensor->type, dimensions[0]),
                       (dimensions[1] + PANEL_ROWS - 1) / PANEL_ROWS) ||
        !loam_multiply(&tensor->bytes, tensor->bytes, matrices))
        return fail(reader, LOAM_FORMAT, "the tensor is larger than any file", dimensions[0]);
    return LOAM_OK;
}

/* The type has no name that we know; those that have one are listed. */
static loam_status fail_type(const struct reader *reader, uint64_t type)
{
    const struct weight_type *known;
    char list[320];
    size_t length = 0;
    for (size_t i = 0; (known = loam_weight_type_at(i)) != NULL; i++) {
        size_t size = strlen(known->name);
        if (!known->dequantize || length + size + 3 > sizeof list)
            continue;
        memcpy(list + length, ", ", 2);
        memcpy(list + length + 2, known->name, size);
        length += size + 2;
    }
    return loam_fail(reader->error, LOAM_UNSUPPORTED,
                     "%s: %.*s: weight type %llu is not supported; supported: %.*s",
                     reader->source->name, LOAM_SHOWN(reader->item_length), reader->item,
                     (unsigned long long)type, (int)length - 2, list + 2);
}

static loam_status read_tensor(struct reader *reader, struct gguf_tensor *tensor)
{
    uint64_t count, type;
    reader->item_length = 0;
    *tensor = (struct gguf_tensor){.dimensions = {1, 1, 1, 1}};
    loam_status status = take_string(reader, &tensor->name);
    if (status)
        return status;
    if (tensor->name.length == 0 || tensor->name.length > MAX_NAME)
        return fail(reader, LOAM_FORMAT, "a tensor's name has 1 to 255 bytes", tensor->name.length);
    if (!loam_utf8_valid(tensor->name.data, tensor->name.length))
        return fail(reader, LOAM_FORMAT, "a tensor's name is not valid UTF-8; it ends before byte",
                    reader->position);
    reader->item = tensor->name.data;
    reader->item_length = tensor->name.length;
    status = take_integer(reader, &count, 4);
    if (!status && (count < 1 || count > 4))
        return fail(reader, LOAM_FORMAT, "a tensor has 1 to 4 dimensions", count);
    tensor->dimension_count = (uint32_t)count;
    for (uint64_t i = 0; !status && i < count; i++)
        status = take_integer(reader, &tensor->dimensions[i], 8);
    if (!status)
        status = take_integer(reader, &type, 4);
    if (!status)
        status = take_integer(reader, &tensor->offset, 8);
    if (status)
        return status;
    tensor->packed = type >> 16 == GGUF_PACKED >> 16;
    tensor->type = loam_weight_type((uint32_t)(tensor->packed ? type & 0xFFFF : type));
    if (!tensor->type)
        return fail_type(reader, type);
    status = check_dimensions(reader, tensor);
    return !status && tensor->packed ? measure_packed(reader, tensor) : status;
}

/* ---- names ---------------------------------------------------------------- */

static uint64_t hash_of(struct gguf_string text)
{
    uint64_t hash = 0xCBF29CE484222325ull;
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001B3ull;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93ull;
    return hash ^ hash >> 29;
}

static struct gguf_string name_at(const struct gguf *gguf, bool tensors, uint64_t i)
{
    return tensors ? gguf->tensors[i].name : gguf->entries[i].key;
}

/* The slot of a name in its table: empty, or holding it. MAX_PROBES or more
 * steps give UINT64_MAX. */
static uint64_t slot_of(const struct gguf *gguf, bool tensors, struct gguf_string name)
{
    const uint32_t *table = tensors ? gguf->tensor_table : gguf->entry_table;
    uint64_t mask = tensors ? gguf->tensor_mask : gguf->entry_mask, slot = hash_of(name) & mask;
    for (int probes = 0; probes < MAX_PROBES; probes++, slot = (slot + 1) & mask) {
        if (table[slot] == 0)
            return slot;
        struct gguf_string other = name_at(gguf, tensors, table[slot] - 1);
        if (other.length == name.length && memcmp(other.data, name.data, name.length) == 0)
            return slot;
    }
    return UINT64_MAX;
}

static loam_status build_table(struct reader *reader, struct gguf *gguf, bool tensors)
{
    uint64_t count = tensors ? gguf->tensor_count : gguf->entry_count, size = 8;
    while (size < 2 * count)
        size *= 2;
    uint32_t *table = loam_arena_get(&gguf->arena, size, sizeof *table);
    if (!table)
        return loam_fail_memory(reader->error, size * sizeof *table);
    memset(table, 0, (size_t)size * sizeof *table);
    *(tensors ? &gguf->tensor_table : &gguf->entry_table) = table;
    *(tensors ? &gguf->tensor_mask : &gguf->entry_mask) = size - 1;
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_string name = name_at(gguf, tensors, i);
        uint64_t slot = slot_of(gguf, tensors, name);
        reader->item = name.data;
        reader->item_length = name.length;
        if (slot == UINT64_MAX)
            return fail(reader, LOAM_FORMAT, "too many names are alike to the hash function", i);
        if (table[slot])
            return fail(reader, LOAM_FORMAT, "the name stands in the file twice; second at index",
                        i);
        table[slot] = (uint32_t)i + 1;
    }
    return LOAM_OK;
}

static uint32_t find(const struct gguf *gguf, bool tensors, const char *name)
{
    struct gguf_string text = {.data = name, .length = strlen(name)};
    uint64_t slot = slot_of(gguf, tensors, text);
    return slot == UINT64_MAX ? 0 : (tensors ? gguf->tensor_table : gguf->entry_table)[slot];
}

const struct gguf_entry *loam_gguf_find(const struct gguf *gguf, const char *key)
{
    uint32_t found = find(gguf, false, key);
    return found ? &gguf->entries[found - 1] : NULL;
}

const struct gguf_tensor *loam_gguf_find_tensor(const struct gguf *gguf, const char *name)
{
    uint32_t found = find(gguf, true, name);
    return found ? &gguf->tensors[found - 1] : NULL;
}

/* ---- the header ----------------------------------------------------------- */

/* What else the file may be, from its first bytes. */
static const char *guess(const unsigned char *bytes, uint64_t size)
{
    if (size >= 2 && bytes[0] == 'P' && bytes[1] == 'K')
        return "a ZIP or PyTorch file";
    if (size >= 9 && bytes[8] == '{')
        return "a safetensors file";
    if (size >= 7 && memcmp(bytes, "version", 7) == 0)
        return "a Git LFS pointer, not the file it points to";
    if (size >= 1 && bytes[0] == '<')
        return "a web page";
    if (size >= 4 && (memcmp(bytes, "lmgg", 4) == 0 || memcmp(bytes, "tjgg", 4) == 0))
        return "a GGML file of before GGUF";
    return "not a GGUF file";
}

static loam_status read_preamble(struct reader *reader, struct gguf *gguf)
{
    const unsigned char *magic;
    uint64_t version;
    if (reader->source->size < 24)
        return fail(reader, LOAM_FORMAT,
                    "too short for a GGUF file, even its magic and counts; bytes",
                    reader->source->size);
    loam_status status = take(reader, &magic, 4);
    if (!status && memcmp(magic, "GGUF", 4) != 0)
        return loam_fail(reader->error, LOAM_FORMAT, "%s: wrong magic, expected GGUF: this is %s",
                         reader->source->name, guess(reader->bytes, reader->loaded));
    if (!status)
        status = take_integer(reader, &version, 4);
    if (status)
        return status;
    if (version != 2 && version != 3) {
        if (version == 0x02000000 || version == 0x03000000)
            return loam_fail(reader->error, LOAM_UNSUPPORTED,
                             "%s: a big-endian GGUF file; convert it to little-endian",
                             reader->source->name);
        return fail(reader, LOAM_UNSUPPORTED, "GGUF version is not 2 or 3", version);
    }
    gguf->version = (uint32_t)version;
    status = take_integer(reader, &gguf->tensor_count, 8);
    if (!status)
        status = take_integer(reader, &gguf->entry_count, 8);
    if (status)
        return status;
    /* The least that each takes in the file. */
    uint64_t rest = reader->source->size - reader->position;
    if (gguf->tensor_count > rest / 33 || gguf->tensor_count >= UINT32_MAX)
        return fail(reader, LOAM_FORMAT, "more tensors than the file has room for",
                    gguf->tensor_count);
    if (gguf->entry_count > rest / 14 || gguf->entry_count >= UINT32_MAX)
        return fail(reader, LOAM_FORMAT, "more keys than the file has room for", gguf->entry_count);
    return LOAM_OK;
}

/* One pass. In the second, gguf's tables are there to be filled. */
static loam_status pass(struct reader *reader, struct gguf *gguf, struct gguf_entry *entries,
                        struct gguf_tensor *tensors)
{
    struct gguf_entry entry;
    struct gguf_tensor tensor;
    reader->position = 0;
    reader->item_length = 0;
    loam_status status = read_preamble(reader, gguf);
    for (uint64_t i = 0; !status && i < gguf->entry_count; i++) {
        status = read_entry(reader, &entry);
        if (entries)
            entries[i] = entry;
    }
    for (uint64_t i = 0; !status && i < gguf->tensor_count; i++) {
        status = read_tensor(reader, &tensor);
        if (tensors)
            tensors[i] = tensor;
    }
    reader->item_length = 0;
    return status;
}

/* Packed tensors have a layout of this version, in lines of the cache. */
static loam_status check_packed(struct reader *reader, struct gguf *gguf)
{
    const uint32_t none = 0;
    uint32_t version;
    gguf->packed = loam_gguf_find(gguf, "loam.packed.version") != NULL;
    for (uint64_t i = 0; i < gguf->tensor_count; i++)
        gguf->packed = gguf->packed || gguf->tensors[i].packed;
    if (!gguf->packed)
        return LOAM_OK;
    loam_status status =
        loam_gguf_get_u32(&version, gguf, "loam.packed.version", &none, reader->error);
    if (!status && version != GGUF_PACKED_VERSION)
        status = loam_fail(reader->error, LOAM_UNSUPPORTED,
                           "loam.packed.version: found %u, expected %d; pack the model again",
                           version, GGUF_PACKED_VERSION);
    if (!status && gguf->alignment % GGUF_PACKED_ALIGNMENT != 0)
        status = loam_fail(reader->error, LOAM_FORMAT,
                           "general.alignment: found %u, packed tensors need a multiple of %d",
                           gguf->alignment, GGUF_PACKED_ALIGNMENT);
    if (status)
        loam_error_prefix(reader->error, reader->source->name, strlen(reader->source->name));
    return status;
}

/* Makes offsets absolute and checks them against the file. */
static loam_status place_tensors(struct reader *reader, struct gguf *gguf,
                                 struct gguf_tensor *tensors)
{
    uint64_t sum = 0, begin = reader->position;
    uint32_t alignment = DEFAULT_ALIGNMENT;
    loam_status status =
        loam_gguf_get_u32(&alignment, gguf, "general.alignment", &alignment, reader->error);
    if (!status && (alignment < 8 || (alignment & (alignment - 1)) != 0))
        status =
            loam_fail(reader->error, LOAM_FORMAT,
                      "general.alignment: found %u, expected a power of two from 8 up", alignment);
    if (status) {
        loam_error_prefix(reader->error, reader->source->name, strlen(reader->source->name));
        return status;
    }
    gguf->alignment = alignment;
    begin += (alignment - begin % alignment) % alignment;
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        struct gguf_tensor *tensor = &tensors[i];
        uint64_t end;
        reader->item = tensor->name.data;
        reader->item_length = tensor->name.length;
        if (tensor->offset % alignment != 0)
            return fail(reader, LOAM_FORMAT, "the offset is not a multiple of general.alignment",
                        tensor->offset);
        if (!loam_sum(&tensor->offset, tensor->offset, begin) ||
            !loam_sum(&end, tensor->offset, tensor->bytes) || end > reader->source->size)
            return fail(reader, LOAM_FORMAT,
                        "the data reach beyond the end of the file, which may be "
                        "cut short; bytes needed",
                        tensor->bytes);
        if (!loam_sum(&sum, sum, tensor->bytes) || sum > reader->source->size)
            return fail(reader, LOAM_FORMAT,
                        "tensors overlap: together they are larger than the file", sum);
    }
    return LOAM_OK;
}

static loam_status fill(struct reader *reader, struct gguf *gguf)
{
    struct gguf_entry *entries = loam_arena_get(&gguf->arena, gguf->entry_count, sizeof *entries);
    struct gguf_tensor *tensors = loam_arena_get(&gguf->arena, gguf->tensor_count, sizeof *tensors);
    if (!entries || !tensors)
        return loam_fail_memory(reader->error, gguf->entry_count * sizeof *entries +
                                                   gguf->tensor_count * sizeof *tensors);
    reader->fill = gguf;
    gguf->entries = entries;
    gguf->tensors = tensors;
    loam_status status = pass(reader, gguf, entries, tensors);
    if (!status)
        status = build_table(reader, gguf, false);
    if (!status)
        status = build_table(reader, gguf, true);
    if (!status)
        status = place_tensors(reader, gguf, tensors);
    return status ? status : check_packed(reader, gguf);
}

loam_status loam_gguf_read(struct gguf *out, struct source *source, struct memory *memory,
                           loam_error *error)
{
    struct reader reader = {.source = source, .memory = memory, .error = error};
    memset(out, 0, sizeof *out);
    loam_arena_init(&out->arena, memory);
    out->file_bytes = source->size;
    loam_status status = pass(&reader, out, NULL, NULL);
    if (!status)
        status = fill(&reader, out);
    out->bytes = reader.bytes;
    out->header_bytes = reader.capacity;
    if (status)
        loam_gguf_end(out);
    return status;
}

void loam_gguf_end(struct gguf *gguf)
{
    struct memory *memory = gguf->arena.memory;
    if (!memory)
        return;
    loam_memory_free_large(memory, gguf->bytes, gguf->header_bytes);
    loam_arena_end(&gguf->arena);
    memset(gguf, 0, sizeof *gguf);
}
