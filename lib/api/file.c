/* SPDX-License-Identifier: MIT */
#include "api/api.h"

struct loam_file {
    loam_engine *engine;
    struct gguf gguf;
    uint64_t tensor_bytes, parameters;
};

loam_status loam_file_open(loam_file **out, loam_engine *engine, const loam_source *given,
                           loam_error *error)
{
    struct source source;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_api_given(engine, "engine", error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    loam_file *file = loam_memory_get_zero(&engine->memory, 1, sizeof *file);
    status = file ? loam_gguf_read(&file->gguf, &source, &engine->memory, error)
                  : loam_fail_memory(error, sizeof *file);
    loam_source_close(&source);
    if (status) {
        loam_memory_free(&engine->memory, file);
        return status;
    }
    file->engine = loam_engine_retain(engine);
    for (uint64_t i = 0; i < file->gguf.tensor_count; i++) {
        const struct gguf_tensor *tensor = &file->gguf.tensors[i];
        const uint64_t *d = tensor->dimensions;
        file->tensor_bytes += tensor->bytes;
        file->parameters += d[0] * d[1] * d[2] * d[3];
    }
    *out = file;
    return LOAM_OK;
}

void loam_file_release(loam_file *file)
{
    if (!file)
        return;
    loam_engine *engine = file->engine;
    loam_gguf_end(&file->gguf);
    loam_memory_free(&engine->memory, file);
    loam_engine_release(engine);
}

static loam_string text_of(struct gguf_string text)
{
    return (loam_string){.data = text.data, .length = text.length};
}

/* The checks that all functions here share. */
static loam_status check(const void *out, const loam_file *file, loam_error *error)
{
    loam_status status = loam_struct_check(out, "out", error);
    return status ? status : loam_api_given(file, "file", error);
}

static loam_status check_index(const char *what, uint64_t index, uint64_t count, loam_error *error)
{
    if (index < count)
        return LOAM_OK;
    return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is %llu, expected less than %llu", what,
                     (unsigned long long)index, (unsigned long long)count);
}

loam_status loam_file_get_info(loam_file_info *out, loam_file *file, loam_error *error)
{
    loam_status status = check(out, file, error);
    if (status)
        return status;
    const struct gguf *gguf = &file->gguf;
    loam_file_info info = {.version = gguf->version,
                           .alignment = gguf->alignment,
                           .metadata_count = gguf->entry_count,
                           .tensor_count = gguf->tensor_count,
                           .file_bytes = gguf->file_bytes,
                           .tensor_bytes = file->tensor_bytes,
                           .parameters = file->parameters};
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

static int32_t public_type(uint32_t type)
{
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        return LOAM_VALUE_UNSIGNED;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        return LOAM_VALUE_SIGNED;
    case GGUF_F32:
    case GGUF_F64:
        return LOAM_VALUE_FLOAT;
    case GGUF_BOOL:
        return LOAM_VALUE_BOOL;
    case GGUF_STRING:
        return LOAM_VALUE_STRING;
    default:
        return LOAM_VALUE_ARRAY;
    }
}

loam_status loam_file_metadata(loam_metadata *out, loam_file *file, uint64_t index,
                               loam_error *error)
{
    loam_status status = check(out, file, error);
    if (!status)
        status = check_index("index", index, file->gguf.entry_count, error);
    if (status)
        return status;
    const struct gguf_entry *entry = &file->gguf.entries[index];
    loam_metadata metadata = {.key = text_of(entry->key),
                              .type = public_type(entry->type),
                              .is_array = entry->is_array,
                              .count = entry->count};
    loam_struct_write(out, &metadata, sizeof metadata);
    return LOAM_OK;
}

loam_status loam_file_value(loam_value *out, loam_file *file, uint64_t index, uint64_t element,
                            loam_error *error)
{
    loam_status status = check(out, file, error);
    if (!status)
        status = check_index("index", index, file->gguf.entry_count, error);
    if (!status)
        status = check_index("element", element, file->gguf.entries[index].count, error);
    if (status)
        return status;
    const struct gguf_entry *entry = &file->gguf.entries[index];
    loam_value value = {.type = public_type(entry->type)};
    if (value.type == LOAM_VALUE_UNSIGNED)
        value.unsigned_integer = loam_gguf_unsigned(entry, element);
    else if (value.type == LOAM_VALUE_SIGNED)
        value.signed_integer = loam_gguf_signed(entry, element);
    else if (value.type == LOAM_VALUE_FLOAT)
        value.number = loam_gguf_number(entry, element);
    else if (value.type == LOAM_VALUE_BOOL)
        value.boolean = entry->data[element] != 0;
    else if (value.type == LOAM_VALUE_STRING)
        value.string = text_of(entry->strings[element]);
    loam_struct_write(out, &value, sizeof value);
    return LOAM_OK;
}

loam_status loam_file_find(uint64_t *out_index, loam_file *file, const char *key, size_t key_length,
                           loam_error *error)
{
    loam_status status = loam_api_given(out_index, "out_index", error);
    if (!status)
        status = loam_api_given(file, "file", error);
    if (!status)
        status = loam_api_given(key, "key", error);
    if (status)
        return status;
    size_t length = loam_length(key, key_length);
    uint64_t i = 0;
    while (i < file->gguf.entry_count && (file->gguf.entries[i].key.length != length ||
                                          memcmp(file->gguf.entries[i].key.data, key, length) != 0))
        i++;
    *out_index = i;
    return LOAM_OK;
}

loam_status loam_file_tensor(loam_tensor_info *out, loam_file *file, uint64_t index,
                             loam_error *error)
{
    loam_status status = check(out, file, error);
    if (!status)
        status = check_index("index", index, file->gguf.tensor_count, error);
    if (status)
        return status;
    const struct gguf_tensor *tensor = &file->gguf.tensors[index];
    loam_tensor_info info = {.name = text_of(tensor->name),
                             .type_name = {tensor->type->name, strlen(tensor->type->name)},
                             .type = tensor->type->id,
                             .dimension_count = tensor->dimension_count,
                             .bytes = tensor->bytes,
                             .offset = tensor->offset};
    memcpy(info.dimensions, tensor->dimensions, sizeof info.dimensions);
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}
