/* SPDX-License-Identifier: MIT */
/*
 * Embeddings: the rows of a text, pooled. The mean is a sum over ascending
 * positions from +0, divided by their number; normalising divides by the root
 * of the sum of squares, summed in double.
 */
#include "cache/pages.h"
#include "cache/states.h"
#include "session/model.h"

#include <math.h>

loam_status loam_embed_check(const loam_model *model, const int32_t *tokens, size_t count,
                             const loam_embed_options *options, loam_error *error)
{
    const loam_graph *graph = model->graph;
    if (!model->description.embedding_output)
        return loam_fail(error, LOAM_UNSUPPORTED, "the model gives logits, not embeddings");
    if (options->pooling < 0 || options->pooling > LOAM_POOLING_TOKENS)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "embed options: pooling %d is not known",
                         (int)options->pooling);
    if (count == 0)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "count is 0, expected at least one token");
    if (graph->both_ways && count > model->limits.max_rows)
        return loam_fail(error, LOAM_CONTEXT_FULL,
                         "%zu tokens: the model sees whole texts, and the steps it was opened with "
                         "hold %u (max_step_rows)",
                         count, model->limits.max_rows);
    if ((graph->position_limit && count > graph->position_limit) || count > INT32_MAX)
        return loam_fail(error, LOAM_CONTEXT_FULL, "%zu tokens, but the model has %u positions",
                         count, graph->position_limit ? graph->position_limit : INT32_MAX);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= graph->token_limit)
            return loam_fail(error, LOAM_INVALID_ARGUMENT, "tokens[%zu] is %d, expected 0 to %u", i,
                             (int)tokens[i], graph->token_limit - 1);
    return LOAM_OK;
}

/* All rows, [count][embedding_output], in as few steps as there are. */
static loam_status compute_rows(float *rows, loam_model *model, struct pages *pages,
                                struct states *states, const int32_t *tokens, size_t count,
                                loam_error *error)
{
    size_t width = model->description.embedding_output;
    loam_status status = loam_pages_reserve(pages, count, error);
    for (size_t done = 0; !status && done < count;) {
        size_t piece = loam_min(count - done, model->limits.max_rows);
        uint8_t numeric = 0;
        loam_step_sequence sequence = {.row_count = (uint32_t)piece,
                                       .position = (uint32_t)done,
                                       .page_count = (uint32_t)pages->count,
                                       .pages = pages->table,
                                       .context = (uint32_t)count};
        status = loam_states_prepare(states, &sequence, false, error);
        if (status)
            break;
        loam_step_descriptor step = {.struct_size = sizeof step,
                                     .rows = (uint32_t)piece,
                                     .sequence_count = 1,
                                     .sequences = &sequence,
                                     .tokens = tokens + done,
                                     .result = rows + done * width,
                                     .sequence_numeric = &numeric};
        status = loam_graph_execute(model->graph, &step, error);
        if (!status && numeric)
            status = loam_fail(error, LOAM_NUMERIC,
                               "a key or value is beyond what the KV type can hold");
        loam_states_commit(states, &sequence);
        done += piece;
    }
    return status;
}

static loam_status normalise(float *vector, size_t width, bool wanted, loam_error *error)
{
    double squares = 0;
    for (size_t i = 0; i < width; i++)
        squares += (double)vector[i] * (double)vector[i];
    if (!(squares < 1e300)) /* infinite or not a number, as one of the vector's is */
        return loam_fail(error, LOAM_NUMERIC, "the embedding is not finite");
    double length = sqrt(squares);
    for (size_t i = 0; wanted && length > 0 && i < width; i++)
        vector[i] = (float)((double)vector[i] / length);
    return LOAM_OK;
}

static void pool(float *out, const float *rows, size_t count, size_t width, int32_t pooling)
{
    if (pooling != LOAM_POOLING_MEAN) {
        size_t row = pooling == LOAM_POOLING_LAST ? count - 1 : 0;
        memcpy(out, rows + row * width, width * sizeof *out);
        return;
    }
    for (size_t i = 0; i < width; i++) {
        float sum = 0;
        for (size_t row = 0; row < count; row++)
            sum += rows[row * width + i];
        out[i] = sum / (float)count;
    }
}

loam_status loam_embed_compute(loam_model *model, const int32_t *tokens, size_t count,
                               const loam_embed_options *options, float *out, loam_error *error)
{
    struct memory *memory = &model->engine->memory;
    size_t width = model->description.embedding_output;
    int32_t pooling = options->pooling ? options->pooling : model->description.pooling;
    bool each = pooling == LOAM_POOLING_TOKENS;
    uint64_t bytes = (uint64_t)count * width * sizeof(float);
    struct pages pages;
    struct states states;
    float *rows = each ? out : loam_memory_get_large(memory, bytes);
    if (!rows)
        return loam_fail_memory(error, bytes);
    loam_pages_init(&pages, memory, model->graph);
    loam_states_init(&states, memory, model->graph);
    states.limit = loam_min(states.limit, 2); /* nobody goes back */
    loam_status status = compute_rows(rows, model, &pages, &states, tokens, count, error);
    if (!status && !each)
        pool(out, rows, count, width, pooling);
    for (size_t i = 0; !status && i < (each ? count : 1); i++)
        status = normalise(out + i * width, width, options->normalise != 0, error);
    loam_pages_end(&pages);
    loam_states_end(&states);
    if (!each)
        loam_memory_free_large(memory, rows, bytes);
    return status;
}
