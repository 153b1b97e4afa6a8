/* SPDX-License-Identifier: MIT */
/*
 * Embeddings: the rows of a text, pooled. The mean is a sum over ascending
 * positions from +0, divided by their number; normalising divides by the root
 * of the sum of squares, summed in double. A model that ranks gives scores of
 * one row: the last, or of encoders the first.
 */
#include "base/numeric.h"
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
    if (options->pooling < 0 || options->pooling > LOAM_POOLING_RANK)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "embed options: pooling %d is not known",
                         (int)options->pooling);
    bool ranks = model->description.pooling == LOAM_POOLING_RANK;
    if (ranks ? options->normalise || (options->pooling && options->pooling != LOAM_POOLING_RANK)
              : options->pooling == LOAM_POOLING_RANK)
        return loam_fail(error, LOAM_UNSUPPORTED,
                         ranks ? "the model ranks: no other pooling, and scores are not normalised"
                               : "the model does not rank");
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

/* A text on its way through the model. */
struct embedding {
    loam_model *model;
    const int32_t *tokens;
    size_t count;
    struct pages pages;
    struct states states;
    uint8_t *wanted; /* [max_rows] of a step */
    int32_t pooling;
};

/* Whether row i of the text is needed. */
static bool is_wanted(const struct embedding *e, size_t i)
{
    if (e->pooling == LOAM_POOLING_MEAN || e->pooling == LOAM_POOLING_TOKENS)
        return true;
    bool last = e->pooling == LOAM_POOLING_LAST ||
                (e->pooling == LOAM_POOLING_RANK && !e->model->graph->both_ways);
    return i == (last ? e->count - 1 : 0);
}

/* The rows that are wanted, in as few steps as there are. */
static loam_status compute_rows(float *rows, struct embedding *e, loam_error *error)
{
    size_t width = e->model->description.embedding_output;
    loam_status status = loam_pages_reserve(&e->pages, e->count, error);
    for (size_t done = 0; !status && done < e->count;) {
        size_t piece = loam_min(e->count - done, e->model->limits.max_rows), outputs = 0;
        uint8_t numeric = 0;
        for (size_t i = 0; i < piece; i++)
            outputs += e->wanted[i] = is_wanted(e, done + i);
        loam_step_sequence sequence = {.row_count = (uint32_t)piece,
                                       .position = (uint32_t)done,
                                       .page_count = (uint32_t)e->pages.count,
                                       .pages = e->pages.table,
                                       .context = (uint32_t)e->count};
        status = loam_states_prepare(&e->states, &sequence, false, error);
        if (status)
            break;
        loam_step_descriptor step = {.struct_size = sizeof step,
                                     .rows = (uint32_t)piece,
                                     .sequence_count = 1,
                                     .sequences = &sequence,
                                     .tokens = e->tokens + done,
                                     .output_rows = e->wanted,
                                     .result = rows,
                                     .sequence_numeric = &numeric};
        status = loam_graph_execute(e->model->graph, &step, error);
        if (!status && numeric)
            status = loam_fail(error, LOAM_NUMERIC,
                               "a key or value is beyond what the KV type can hold");
        loam_states_commit(&e->states, &sequence);
        rows += outputs * width;
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

/* Probabilities of scores: exp(x - max) over their sum, in double. */
static void softmax(float *scores, size_t count)
{
    double sum = 0;
    float most = scores[0];
    for (size_t i = 1; i < count; i++)
        most = scores[i] > most ? scores[i] : most;
    for (size_t i = 0; i < count; i++)
        sum += loam_exp((double)scores[i] - (double)most);
    for (size_t i = 0; i < count; i++)
        scores[i] = (float)(loam_exp((double)scores[i] - (double)most) / sum);
}

static void mean(float *out, const float *rows, size_t count, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        float sum = 0;
        for (size_t row = 0; row < count; row++)
            sum += rows[row * width + i];
        out[i] = sum / (float)count;
    }
}

/* rows[count or 1][width], as out unless the pooling is a mean. */
static loam_status compute(float *out, float *rows, struct embedding *e,
                           const loam_embed_options *options, loam_error *error)
{
    const struct description *description = &e->model->description;
    size_t width = description->embedding_output;
    size_t vectors = e->pooling == LOAM_POOLING_TOKENS ? e->count : 1;
    loam_status status = compute_rows(rows, e, error);
    if (!status && e->pooling == LOAM_POOLING_MEAN)
        mean(out, rows, e->count, width);
    for (size_t i = 0; !status && i < vectors; i++)
        status = normalise(out + i * width, width, options->normalise != 0, error);
    if (!status && e->pooling == LOAM_POOLING_RANK && description->probabilities)
        softmax(out, width);
    return status;
}

loam_status loam_embed_compute(loam_model *model, const int32_t *tokens, size_t count,
                               const loam_embed_options *options, float *out, loam_error *error)
{
    struct memory *memory = &model->engine->memory;
    struct embedding e = {.model = model,
                          .tokens = tokens,
                          .count = count,
                          .pooling =
                              options->pooling ? options->pooling : model->description.pooling};
    bool summed = e.pooling == LOAM_POOLING_MEAN;
    uint64_t bytes = (uint64_t)count * model->description.embedding_output * sizeof(float);
    float *rows = summed ? loam_memory_get_large(memory, bytes) : out;
    e.wanted = loam_memory_get(memory, model->limits.max_rows, sizeof *e.wanted);
    loam_pages_init(&e.pages, memory, model->graph, count);
    loam_states_init(&e.states, memory, model->graph);
    e.states.limit = loam_min(e.states.limit, 2); /* nobody goes back */
    loam_status status =
        rows && e.wanted ? compute(out, rows, &e, options, error) : loam_fail_memory(error, bytes);
    loam_pages_end(&e.pages);
    loam_states_end(&e.states);
    loam_memory_free(memory, e.wanted);
    if (summed)
        loam_memory_free_large(memory, rows, bytes);
    return status;
}
