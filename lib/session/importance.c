/* SPDX-License-Identifier: MIT */
/*
 * Importance files: what the inputs of each matrix are like while the model
 * reads a text. Sums run in double over the rows of the text in their order,
 * on the calling thread, so that nothing depends on how the work was divided.
 */
#include "format/gguf_write.h"
#include "session/session.h"

#include <stdio.h>

enum { CHUNK = 512, ALIGNMENT = 32 };

/* The inputs of one matrix, or of one for each expert. */
struct column_sums {
    const char *weight; /* the graph's name, which tells weights apart by its address */
    char *name;         /* of the tensor */
    uint32_t width, matrices;
    double *squares;  /* [matrices][width] */
    uint64_t *counts; /* [matrices]: rows */
};

struct collector {
    struct memory *memory;
    struct arena arena; /* of names */
    struct column_sums *sums;
    size_t count, capacity;
    size_t next; /* the entry after the one used last: products come in the same order */
    loam_status status;
    loam_error *error;
};

/* ---- collecting ------------------------------------------------------------- */

/* The tensor's name of a weight, its length in *length; NULL for one that is
 * not collected: outside the layers, or a later part of a tensor of which the first
 * takes the same input. */
static const char *tensor_name(const char *weight, size_t *length)
{
    const char *part = strchr(weight, '[');
    *length = part ? (size_t)(part - weight) : strlen(weight);
    if (strncmp(weight, "blk.", 4) != 0 || (part && strcmp(part, "[0..]") != 0))
        return NULL;
    return weight;
}

static loam_status add_entry(struct collector *collector, const loam_observation *what)
{
    size_t length;
    const char *name = tensor_name(what->weight, &length);
    struct memory *memory = collector->memory;
    uint64_t numbers = (uint64_t)what->width * what->matrices;
    if (!loam_memory_grow(memory, (void **)&collector->sums, &collector->capacity,
                          (uint64_t)collector->count + 1, sizeof *collector->sums))
        return loam_fail_memory(collector->error, sizeof *collector->sums);
    struct column_sums *sums = &collector->sums[collector->count];
    *sums = (struct column_sums){
        .weight = what->weight, .width = what->width, .matrices = what->matrices};
    sums->name = loam_arena_text(&collector->arena, name, length);
    sums->squares = loam_memory_get_zero(memory, numbers, sizeof *sums->squares);
    sums->counts = loam_memory_get_zero(memory, what->matrices, sizeof *sums->counts);
    collector->count++;
    if (!sums->name || !sums->squares || !sums->counts)
        return loam_fail_memory(collector->error, numbers * sizeof *sums->squares);
    return LOAM_OK;
}

/* The entry of a weight, or the count. */
static size_t find_entry(const struct collector *collector, const char *weight)
{
    for (size_t i = 0; i < collector->count; i++) {
        size_t at = (collector->next + i) % collector->count;
        if (collector->sums[at].weight == weight)
            return at;
    }
    return collector->count;
}

static void observe(void *user, const loam_observation *what)
{
    struct collector *collector = user;
    size_t length;
    if (collector->status || !tensor_name(what->weight, &length))
        return;
    size_t at = find_entry(collector, what->weight);
    if (at == collector->count)
        collector->status = add_entry(collector, what);
    if (collector->status)
        return;
    struct column_sums *sums = &collector->sums[at];
    double *squares = sums->squares + (size_t)what->matrix * sums->width;
    for (uint32_t row = 0; row < what->rows; row++) {
        const float *x = what->x + row * what->stride;
        for (uint32_t i = 0; i < sums->width; i++)
            squares[i] += (double)x[i] * (double)x[i];
    }
    sums->counts[what->matrix] += what->rows;
    if (what->matrix + 1 == what->matrices)
        collector->next = at + 1;
}

/* ---- reading the text ------------------------------------------------------------ */

struct reading {
    const loam_importance_options *options;
    struct collector *collector;
    loam_session *session;
    int32_t *tokens; /* [chunk]: of the present chunk */
    size_t chunk, chunks, step;
};

static loam_status read_chunk(struct reading *reading, const int32_t *tokens, size_t index,
                              int32_t begin, loam_error *error)
{
    const loam_importance_options *options = reading->options;
    loam_status status = loam_session_rewind(reading->session, 0, error);
    memcpy(reading->tokens, tokens, reading->chunk * sizeof *tokens);
    if (begin >= 0)
        reading->tokens[0] = begin;
    for (size_t done = 0; !status && done < reading->chunk; done += reading->step) {
        size_t piece = loam_min(reading->step, reading->chunk - done);
        if (options->progress &&
            options->progress(options->progress_user, index * reading->chunk + done,
                              reading->chunks * reading->chunk) != 0)
            return loam_fail(error, LOAM_CANCELLED, "cancelled by the progress function");
        status =
            loam_session_evaluate(reading->session, reading->tokens + done, piece, NULL, 0, error);
        if (!status)
            status = reading->collector->status;
    }
    return status;
}

static loam_status read_text(struct reading *reading, loam_model *model, const int32_t *tokens,
                             loam_error *error)
{
    struct memory *memory = &model->engine->memory;
    loam_session_options options = {.struct_size = sizeof options,
                                    .context_length = (uint32_t)reading->chunk};
    loam_tokenizer_info facts = {.struct_size = sizeof facts, .begin_token = -1};
    if (model->tokenizer)
        loam_tokenizer_get_info(&facts, model->tokenizer, NULL);
    int32_t begin = facts.adds_begin ? facts.begin_token : -1;
    loam_status status = loam_session_create(&reading->session, model, &options, error);
    if (status)
        return status;
    reading->session->observe = observe;
    reading->session->observe_user = reading->collector;
    reading->tokens = loam_memory_get(memory, reading->chunk, sizeof *reading->tokens);
    if (!reading->tokens)
        status = loam_fail_memory(error, reading->chunk * sizeof *reading->tokens);
    for (size_t i = 0; !status && i < reading->chunks; i++)
        status = read_chunk(reading, tokens + i * reading->chunk, i, begin, error);
    loam_memory_free(memory, reading->tokens);
    loam_session_release(reading->session);
    return status;
}

/* ---- writing ----------------------------------------------------------------------- */

/* By name, as llama.cpp orders them. */
static void sort_by_name(struct column_sums *sums, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++) {
            struct column_sums one = sums[i];
            size_t at = i;
            for (; at >= gap && strcmp(sums[at - gap].name, one.name) > 0; at -= gap)
                sums[at] = sums[at - gap];
            sums[at] = one;
        }
}

static loam_status check_sums(const struct collector *collector, loam_error *error)
{
    for (size_t k = 0; k < collector->count; k++) {
        const struct column_sums *sums = &collector->sums[k];
        for (uint64_t i = 0; i < (uint64_t)sums->width * sums->matrices; i++)
            if (!(sums->squares[i] < 0x1p127))
                return loam_fail(error, LOAM_NUMERIC,
                                 "tensor %s: what it was multiplied with is not finite, or beyond "
                                 "floats when summed",
                                 sums->name);
    }
    return LOAM_OK;
}

static void write_tensor_info(struct gguf_writer *writer, const char *name, const char *end,
                              uint64_t width, uint64_t rows, uint64_t *offset)
{
    char full[160];
    int length = snprintf(full, sizeof full, "%s.%s", name, end);
    struct gguf_tensor tensor = {.name = {full, loam_min((size_t)length, sizeof full - 1)},
                                 .dimension_count = 2,
                                 .dimensions = {width, rows, 1, 1}};
    loam_gguf_write_tensor(writer, &tensor, LOAM_TYPE_F32, *offset);
    *offset += (width * rows * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void write_header(struct gguf_writer *writer, const struct collector *collector,
                         const struct reading *reading)
{
    loam_string dataset = reading->options->dataset;
    size_t length = dataset.data ? loam_length(dataset.data, dataset.length) : 0;
    const struct gguf_string name = {length ? dataset.data : "", length};
    const struct gguf_entry datasets = {.key = {"imatrix.datasets", 16},
                                        .type = GGUF_STRING,
                                        .is_array = true,
                                        .count = length > 0,
                                        .strings = &name};
    uint64_t offset = 0;
    loam_gguf_write_preamble(writer, 2 * (uint64_t)collector->count, 4);
    loam_gguf_write_text(writer, "general.type", (struct gguf_string){"imatrix", 7});
    loam_gguf_write_entry(writer, &datasets);
    loam_gguf_write_u32(writer, "imatrix.chunk_count", (uint32_t)reading->chunks);
    loam_gguf_write_u32(writer, "imatrix.chunk_size", (uint32_t)reading->chunk);
    for (size_t i = 0; i < collector->count; i++) {
        const struct column_sums *sums = &collector->sums[i];
        write_tensor_info(writer, sums->name, "in_sum2", sums->width, sums->matrices, &offset);
        write_tensor_info(writer, sums->name, "counts", 1, sums->matrices, &offset);
    }
    loam_gguf_write_padding(writer, ALIGNMENT);
}

static void write_file(struct gguf_writer *writer, const struct collector *collector,
                       const struct reading *reading)
{
    write_header(writer, collector, reading);
    for (size_t k = 0; k < collector->count; k++) {
        const struct column_sums *sums = &collector->sums[k];
        uint64_t numbers = (uint64_t)sums->width * sums->matrices;
        float values[256];
        for (uint64_t i = 0; i < numbers; i += LOAM_COUNT_OF(values)) {
            size_t some = (size_t)loam_min(LOAM_COUNT_OF(values), numbers - i);
            for (size_t j = 0; j < some; j++)
                values[j] = (float)sums->squares[i + j];
            loam_gguf_write_bytes(writer, values, some * sizeof *values);
        }
        loam_gguf_write_padding(writer, ALIGNMENT);
        for (uint32_t i = 0; i < sums->matrices; i++) {
            float value = (float)sums->counts[i];
            loam_gguf_write_bytes(writer, &value, sizeof value);
        }
        loam_gguf_write_padding(writer, ALIGNMENT);
    }
}

/* ---- all of it ---------------------------------------------------------------------- */

static void end_collector(struct collector *collector)
{
    for (size_t i = 0; i < collector->count; i++) {
        loam_memory_free(collector->memory, collector->sums[i].squares);
        loam_memory_free(collector->memory, collector->sums[i].counts);
    }
    loam_memory_free(collector->memory, collector->sums);
    loam_arena_end(&collector->arena);
}

loam_status loam_importance_collect(loam_model *model, const int32_t *tokens, size_t count,
                                    const loam_importance_options *options,
                                    loam_write_function write, void *user, loam_error *error)
{
    struct collector collector = {.memory = &model->engine->memory, .error = error};
    struct reading reading = {.options = options,
                              .collector = &collector,
                              .chunk = options->chunk_tokens ? options->chunk_tokens : CHUNK,
                              .step = model->limits.max_rows};
    struct gguf_writer writer = {.write = write, .user = user, .error = error};
    if (count == 0 || count / reading.chunk > UINT32_MAX)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%zu tokens, expected at least one", count);
    reading.chunk = loam_min(reading.chunk, count);
    reading.chunks = count / reading.chunk;
    loam_arena_init(&collector.arena, collector.memory);
    loam_status status = read_text(&reading, model, tokens, error);
    if (!status)
        status = check_sums(&collector, error);
    if (!status) {
        sort_by_name(collector.sums, collector.count);
        write_file(&writer, &collector, &reading);
        status = writer.status;
    }
    end_collector(&collector);
    return status;
}
