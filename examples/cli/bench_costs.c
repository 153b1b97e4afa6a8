/* SPDX-License-Identifier: MIT */
/*
 * What decoding a token reads and multiplies: every weight of the file, as
 * large as in the file, with two exceptions. Of the embedding table a token
 * needs one row only, unless the table is the output matrix as well. Of the
 * experts it needs as many as the file says.
 */
#include "bench.h"

#include <string.h>

static int is_named(const loam_tensor_info *tensor, const char *name)
{
    return tensor->name.length == strlen(name) && !memcmp(tensor->name.data, name, strlen(name));
}

static int name_has(const loam_tensor_info *tensor, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= tensor->name.length; i++)
        if (!memcmp(tensor->name.data + i, part, length))
            return 1;
    return 0;
}

static int is_float(const loam_tensor_info *tensor)
{
    static const char *const names[] = {"F32", "F16", "BF16"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (tensor->type_name.length == strlen(names[i]) &&
            !memcmp(tensor->type_name.data, names[i], strlen(names[i])))
            return 1;
    return 0;
}

/* A metadata value of the file; all zero where the key is absent. */
static loam_value value_of(loam_file *file, const char *key)
{
    loam_value value = {.struct_size = sizeof value};
    loam_file_info info = {.struct_size = sizeof info};
    uint64_t index = 0;
    loam_file_get_info(&info, file, NULL);
    if (!loam_file_find(&index, file, key, LOAM_NUL_TERMINATED, NULL) &&
        index < info.metadata_count)
        loam_file_value(&value, file, index, 0, NULL);
    return value;
}

/* The number under "<architecture>.<end>", or 0. */
static uint64_t number_of(loam_file *file, const char *end)
{
    char key[160];
    loam_string name = value_of(file, "general.architecture").string;
    snprintf(key, sizeof key, "%.*s.%s", name.length < 64 ? (int)name.length : 64,
             name.length ? name.data : "", end);
    return value_of(file, key).unsigned_integer;
}

/* The share of the experts that a token is given to. */
static double share_of_experts(loam_file *file)
{
    uint64_t all = number_of(file, "expert_count"), used = number_of(file, "expert_used_count");
    return used && used < all ? (double)used / (double)all : 1;
}

static void sum_tensors(struct token_costs *out, loam_file *file, uint64_t count)
{
    loam_tensor_info tensor = {.struct_size = sizeof tensor};
    double experts = share_of_experts(file), bytes = 0, products = 0, floats = 0;
    double table_bytes = 0, table_products = 0, table_floats = 0;
    int tied = 1;
    for (uint64_t i = 0; i < count; i++) {
        loam_file_tensor(&tensor, file, i, NULL);
        double share = name_has(&tensor, "_exps.") ? experts : 1, numbers = share;
        for (uint32_t j = 0; j < tensor.dimension_count; j++)
            numbers *= (double)tensor.dimensions[j];
        if (tensor.dimension_count < 2)
            numbers = 0;
        bytes += (double)tensor.bytes * share;
        products += numbers;
        floats += is_float(&tensor) ? numbers : 0;
        tied = tied && !is_named(&tensor, "output.weight");
        if (is_named(&tensor, "token_embd.weight")) {
            table_bytes = (double)tensor.bytes;
            table_products = numbers;
            table_floats = is_float(&tensor) ? numbers : 0;
        }
    }
    if (!tied) {
        bytes -= table_bytes;
        products -= table_products;
        floats -= table_floats;
    }
    out->bytes = (uint64_t)(bytes + 0.5);
    out->multiply_adds = (uint64_t)(products + 0.5);
    out->is_float = floats > products / 2;
}

int bench_costs(struct token_costs *out, loam_engine *engine, const char *path)
{
    loam_source source;
    loam_file_info info = {.struct_size = sizeof info};
    loam_error error = {.struct_size = sizeof error};
    loam_file *file = NULL;
    builtin_source(&source, path, NULL);
    if (loam_file_open(&file, engine, &source, &error))
        return fail_with(&error);
    loam_file_get_info(&info, file, NULL);
    sum_tensors(out, file, info.tensor_count);
    loam_file_release(file);
    return EXIT_OK;
}
