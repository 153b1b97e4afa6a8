/* SPDX-License-Identifier: MIT */
/* loam info: metadata, tensors, type mix, and the memory that a load takes. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* Longer arrays are given by their number of elements, in JSON as well. */
enum { TEXT_ELEMENTS = 6, JSON_ELEMENTS = 1000, TEXT_BYTES = 72, MAX_TYPES = 64 };

struct info {
    loam_engine *engine;
    loam_file *file;
    loam_file_info facts;
    loam_memory_plan plan;
    loam_error error, plan_error;
    int planned;
};

static void print_value(const struct info *info, uint64_t index, uint64_t element, int json)
{
    loam_value value = {.struct_size = sizeof value};
    loam_file_value(&value, info->file, index, element, NULL);
    size_t length = value.string.length;
    if (value.type == LOAM_VALUE_STRING && !json && length > TEXT_BYTES)
        length = TEXT_BYTES;
    if (value.type == LOAM_VALUE_UNSIGNED)
        printf("%llu", (unsigned long long)value.unsigned_integer);
    else if (value.type == LOAM_VALUE_SIGNED)
        printf("%lld", (long long)value.signed_integer);
    else if (value.type == LOAM_VALUE_FLOAT)
        json_number(stdout, value.number);
    else if (value.type == LOAM_VALUE_BOOL)
        fputs(value.boolean ? "true" : "false", stdout);
    else
        json_text(stdout, value.string.data, length);
    if (length < value.string.length)
        printf("... (%zu bytes)", value.string.length);
}

static void print_entry(const struct info *info, uint64_t index, int json)
{
    loam_metadata entry = {.struct_size = sizeof entry};
    uint64_t limit = json ? JSON_ELEMENTS : TEXT_ELEMENTS;
    loam_file_metadata(&entry, info->file, index, NULL);
    if (json)
        json_text(stdout, entry.key.data, entry.key.length);
    else
        printf("  %-42.*s", (int)entry.key.length, entry.key.data);
    fputs(json ? ": " : " ", stdout);
    if (!entry.is_array) {
        print_value(info, index, 0, json);
        return;
    }
    if (json && entry.count > limit) {
        printf("{\"elements\": %llu}", (unsigned long long)entry.count);
        return;
    }
    putchar('[');
    for (uint64_t i = 0; i < entry.count && i < limit; i++) {
        fputs(i ? ", " : "", stdout);
        print_value(info, index, i, json);
    }
    if (entry.count > limit)
        printf(", ... %llu elements", (unsigned long long)entry.count);
    putchar(']');
}

struct type_sum {
    loam_string name;
    uint64_t tensors, bytes;
};

static size_t sum_types(const struct info *info, struct type_sum sums[MAX_TYPES])
{
    size_t count = 0;
    for (uint64_t i = 0; i < info->facts.tensor_count; i++) {
        loam_tensor_info tensor = {.struct_size = sizeof tensor};
        size_t j = 0;
        loam_file_tensor(&tensor, info->file, i, NULL);
        while (j < count && sums[j].name.data != tensor.type_name.data)
            j++;
        if (j == MAX_TYPES)
            continue;
        if (j == count)
            sums[count++] = (struct type_sum){.name = tensor.type_name};
        sums[j].tensors++;
        sums[j].bytes += tensor.bytes;
    }
    return count;
}

/* The value of general.architecture; empty if it is not there. */
static loam_string architecture_of(const struct info *info)
{
    static const char key[] = "general.architecture";
    for (uint64_t i = 0; i < info->facts.metadata_count; i++) {
        loam_metadata entry = {.struct_size = sizeof entry};
        loam_value value = {.struct_size = sizeof value};
        loam_file_metadata(&entry, info->file, i, NULL);
        if (entry.key.length != sizeof key - 1 || memcmp(entry.key.data, key, sizeof key - 1) != 0)
            continue;
        loam_file_value(&value, info->file, i, 0, NULL);
        return value.type == LOAM_VALUE_STRING ? value.string : (loam_string){"", 0};
    }
    return (loam_string){"", 0};
}

static int is_supported(loam_string architecture)
{
    const char *name;
    for (size_t i = 0; (name = loam_architecture_name(i)) != NULL; i++)
        if (strlen(name) == architecture.length &&
            memcmp(name, architecture.data, architecture.length) == 0)
            return 1;
    return 0;
}

/* What there is, where the file's is not among it. */
static void print_supported(const struct info *info)
{
    const char *name;
    if (is_supported(architecture_of(info)))
        return;
    printf("supported architectures:");
    for (size_t i = 0; (name = loam_architecture_name(i)) != NULL; i++)
        printf("%s %s", i ? "," : "", name);
    putchar('\n');
}

static double megabytes(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_text(const struct info *info)
{
    const loam_memory_plan *plan = &info->plan;
    struct type_sum sums[MAX_TYPES];
    loam_string architecture = architecture_of(info);
    printf("GGUF version %u, %.1f MB, %llu tensors, %.1f M parameters\n", info->facts.version,
           megabytes(info->facts.file_bytes), (unsigned long long)info->facts.tensor_count,
           (double)info->facts.parameters / 1e6);
    printf("architecture %.*s%s\n", (int)architecture.length, architecture.data,
           is_supported(architecture) ? "" : " (not supported)");
    printf("\nmetadata\n");
    for (uint64_t i = 0; i < info->facts.metadata_count; i++) {
        print_entry(info, i, 0);
        putchar('\n');
    }
    printf("\nweight types\n");
    size_t types = sum_types(info, sums);
    for (size_t i = 0; i < types; i++)
        printf("  %-8s %6llu tensors %10.1f MB\n", sums[i].name.data,
               (unsigned long long)sums[i].tensors, megabytes(sums[i].bytes));
    printf("\ntensors\n");
    for (uint64_t i = 0; i < info->facts.tensor_count; i++) {
        loam_tensor_info tensor = {.struct_size = sizeof tensor};
        loam_file_tensor(&tensor, info->file, i, NULL);
        printf("  %-42.*s %-8s", (int)tensor.name.length, tensor.name.data, tensor.type_name.data);
        for (uint32_t j = 0; j < tensor.dimension_count; j++)
            printf("%s%llu", j ? " x " : " ", (unsigned long long)tensor.dimensions[j]);
        putchar('\n');
    }
    if (info->planned)
        printf("\nmemory of a load with a context of %u tokens\n"
               "  weights %.1f MB, keys and values %.1f MB, states %.1f MB, scratch %.1f MB, "
               "vocabulary %.1f MB; "
               "together %.1f MB\n",
               plan->context_length, megabytes(plan->weight_bytes), megabytes(plan->kv_bytes),
               megabytes(plan->state_bytes), megabytes(plan->scratch_bytes),
               megabytes(plan->vocabulary_bytes), megabytes(plan->total_bytes));
    else
        printf("\nmemory: this file cannot be loaded: %s\n", info->plan_error.message);
    print_supported(info);
}

static void print_json(const struct info *info)
{
    const loam_memory_plan *plan = &info->plan;
    struct type_sum sums[MAX_TYPES];
    size_t types = sum_types(info, sums);
    printf("{\"version\": %u, \"file_bytes\": %llu, \"parameters\": %llu, \"metadata\": {",
           info->facts.version, (unsigned long long)info->facts.file_bytes,
           (unsigned long long)info->facts.parameters);
    for (uint64_t i = 0; i < info->facts.metadata_count; i++) {
        fputs(i ? ", " : "", stdout);
        print_entry(info, i, 1);
    }
    printf("}, \"types\": {");
    for (size_t i = 0; i < types; i++)
        printf("%s\"%s\": {\"tensors\": %llu, \"bytes\": %llu}", i ? ", " : "", sums[i].name.data,
               (unsigned long long)sums[i].tensors, (unsigned long long)sums[i].bytes);
    printf("}, \"tensors\": [");
    for (uint64_t i = 0; i < info->facts.tensor_count; i++) {
        loam_tensor_info tensor = {.struct_size = sizeof tensor};
        loam_file_tensor(&tensor, info->file, i, NULL);
        printf("%s{\"name\": ", i ? ", " : "");
        json_text(stdout, tensor.name.data, tensor.name.length);
        printf(", \"type\": \"%s\", \"shape\": [", tensor.type_name.data);
        for (uint32_t j = 0; j < tensor.dimension_count; j++)
            printf("%s%llu", j ? ", " : "", (unsigned long long)tensor.dimensions[j]);
        printf("], \"bytes\": %llu, \"offset\": %llu}", (unsigned long long)tensor.bytes,
               (unsigned long long)tensor.offset);
    }
    printf("], \"memory\": ");
    if (info->planned)
        printf("{\"context_length\": %u, \"weight_bytes\": %llu, \"kv_bytes\": %llu, "
               "\"state_bytes\": %llu, \"scratch_bytes\": %llu, "
               "\"vocabulary_bytes\": %llu, \"total_bytes\": %llu}}\n",
               plan->context_length, (unsigned long long)plan->weight_bytes,
               (unsigned long long)plan->kv_bytes, (unsigned long long)plan->state_bytes,
               (unsigned long long)plan->scratch_bytes, (unsigned long long)plan->vocabulary_bytes,
               (unsigned long long)plan->total_bytes);
    else {
        printf("{\"error\": ");
        json_text(stdout, info->plan_error.message, strlen(info->plan_error.message));
        printf("}}\n");
    }
}

int command_info(int count, char **arguments)
{
    struct common common = {.threads = 1};
    struct info info = {.facts = {.struct_size = sizeof info.facts},
                        .plan = {.struct_size = sizeof info.plan},
                        .error = {.struct_size = sizeof info.error},
                        .plan_error = {.struct_size = sizeof info.plan_error}};
    const char *path = NULL;
    int json = 0;
    long long context = 0;
    const struct option options[] = {
        {"--model", "-m", OPTION_TEXT, &path, "FILE",
         "the file, if it is not the first argument (default: one built in)", 0, 0},
        {"--ctx", "-c", OPTION_INTEGER, &context, "N",
         "context to plan memory for (default: the model's)", 1, 1 << 30},
        {"--kv", NULL, OPTION_TEXT, &common.kv, "TYPE", "keys and values: f32, f16, q8_0", 0, 0},
        {"--json", NULL, OPTION_FLAG, &json, NULL,
         "a JSON object; arrays over 1000 elements by their number", 0, 0},
    };
    size_t rest;
    int code = options_read(count, arguments, "info [FILE] [OPTIONS]", options, COUNT_OF(options),
                            &path, 1, &rest);
    if (code >= 0)
        return code;
    loam_source source;
    loam_model_options model = {.struct_size = sizeof model,
                                .kv_type = kv_type_of(common.kv, LOAM_KV_DEFAULT)};
    if (model.kv_type < 0) {
        fail("--kv: expected f32, f16 or q8_0");
        return EXIT_USAGE;
    }
    builtin_source(&source, path, "loam");
    code = open_engine(&info.engine, &common);
    if (!code && loam_file_open(&info.file, info.engine, &source, &info.error))
        code = fail_with(&info.error);
    if (!code) {
        loam_file_get_info(&info.facts, info.file, NULL);
        info.planned = loam_model_plan(&info.plan, info.engine, &source, &model, (uint32_t)context,
                                       1, &info.plan_error) == LOAM_OK;
        if (json)
            print_json(&info);
        else
            print_text(&info);
        code = finish_output();
    }
    loam_file_release(info.file);
    loam_engine_release(info.engine);
    return code;
}
