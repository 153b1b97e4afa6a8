/* SPDX-License-Identifier: MIT */
/*
 * A model file in other weight types. Tensors go by in the file's order, each
 * in pieces of a fixed number of weights that all threads convert, so that
 * neither the model nor its largest matrix need fit in memory. Blocks are
 * quantised one by one: how a tensor is cut leaves no trace.
 */
#include "base/half.h"
#include "format/gguf_write.h"
#include "format/importance.h"
#include "format/mix.h"
#include "session/model.h"

enum {
    PIECE = 1 << 19,   /* weights that are read, converted and written at once */
    TILE = 1 << 12,    /* of them by one thread in one go; a multiple of every block */
    STRETCH = 1 << 10, /* of them as floats on the stack, likewise */
    ALIGNMENT = 32     /* of tensors in the file */
};

struct quantizing {
    loam_engine *engine;
    struct source *source;
    const loam_quantize_options *options;
    struct gguf gguf;
    struct importance *importance; /* NULL: none */
    struct source *importance_source;
    struct mix_wish wish;
    struct mix_override *overrides;
    struct mix_choice *choices; /* [tensor_count] */
    unsigned char *in, *out;    /* of a piece: at most 4 bytes for each weight */
    struct gguf_writer writer;
    loam_quantize_info info;
    uint64_t done; /* bytes read */
};

static bool is_float(const struct weight_type *type)
{
    return type->block_elements == 1;
}

/* Bytes of `count` weights, a multiple of the type's block. */
static uint64_t bytes_of(const struct weight_type *type, uint64_t count)
{
    return count / type->block_elements * type->block_bytes;
}

static uint64_t weights_of(const struct gguf_tensor *tensor)
{
    const uint64_t *d = tensor->dimensions;
    return d[0] * d[1] * d[2] * d[3];
}

/* ---- what is wished ---------------------------------------------------------- */

static loam_status type_named(const struct weight_type **out, loam_string name, loam_error *error)
{
    size_t length = name.data ? loam_length(name.data, name.length) : 0;
    *out = length ? loam_weight_type_named(name.data, length) : NULL;
    if (length && (!*out || !(*out)->quantize))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "quantize options: \"%.*s\" is no weight type that can be made",
                         LOAM_SHOWN(length), name.data);
    return LOAM_OK;
}

static loam_status read_overrides(struct quantizing *q, loam_error *error)
{
    const loam_quantize_options *options = q->options;
    size_t count = options->override_count;
    if (count && !options->overrides)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "quantize options: overrides is NULL");
    q->overrides = loam_memory_get(&q->engine->memory, count, sizeof *q->overrides);
    if (!q->overrides)
        return loam_fail_memory(error, count * sizeof *q->overrides);
    for (size_t i = 0; i < count; i++) {
        loam_string pattern = options->overrides[i].pattern;
        struct mix_override *override = &q->overrides[i];
        override->pattern = pattern.data;
        override->length = loam_length(pattern.data, pattern.length);
        loam_status status = type_named(&override->type, options->overrides[i].type, error);
        if (status)
            return status;
        if (!override->length || !override->pattern || !override->type)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "quantize options: overrides[%zu] has no pattern or no type", i);
    }
    q->wish.overrides = q->overrides;
    q->wish.override_count = count;
    return LOAM_OK;
}

static loam_status read_wish(struct quantizing *q, loam_error *error)
{
    const loam_quantize_options *options = q->options;
    size_t length = options->mix.data ? loam_length(options->mix.data, options->mix.length) : 0;
    q->wish = (struct mix_wish){.mix = length ? loam_mix_named(options->mix.data, length) : NULL,
                                .pure = options->pure != 0,
                                .keep_output = options->keep_output != 0,
                                .has_importance = q->importance != NULL};
    if (!q->wish.mix)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "quantize options: \"%.*s\" is no mix of weight types", LOAM_SHOWN(length),
                         length ? options->mix.data : "");
    loam_status status = type_named(&q->wish.output, options->output_type, error);
    if (!status)
        status = type_named(&q->wish.embedding, options->embedding_type, error);
    return status ? status : read_overrides(q, error);
}

/* ---- what becomes of each tensor ------------------------------------------------ */

/* The importance of a tensor, given back with loam_memory_free; NULL if there
 * is none. */
static loam_status load_importance(float **out, struct quantizing *q, uint64_t index,
                                   loam_error *error)
{
    const struct gguf_tensor *tensor = &q->gguf.tensors[index];
    const uint64_t *d = tensor->dimensions;
    uint64_t count;
    *out = NULL;
    if (!q->importance)
        return LOAM_OK;
    loam_status status = loam_importance_load(out, &count, q->importance, tensor->name, error);
    if (status || !*out || count == d[0] * d[2] * d[3])
        return status;
    loam_memory_free(&q->engine->memory, *out);
    *out = NULL;
    return loam_fail(error, LOAM_FORMAT,
                     "%s: the importance of tensor %.*s has %llu numbers, expected %llu for each "
                     "of %llu matrices",
                     q->importance_source->name, LOAM_SHOWN(tensor->name.length), tensor->name.data,
                     (unsigned long long)count, (unsigned long long)d[0],
                     (unsigned long long)(d[2] * d[3]));
}

/* Refuses what would lose more than was asked for. */
static loam_status check_choice(struct quantizing *q, uint64_t index, loam_error *error)
{
    const struct gguf_tensor *tensor = &q->gguf.tensors[index];
    const struct mix_choice *choice = &q->choices[index];
    float *importance;
    if (choice->type == tensor->type)
        return LOAM_OK;
    if (!is_float(tensor->type) && !q->options->requantize)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "tensor %.*s: is %s already; quantising again loses more, and must be "
                         "asked for",
                         LOAM_SHOWN(tensor->name.length), tensor->name.data, tensor->type->name);
    loam_status status = load_importance(&importance, q, index, error);
    if (!status && !importance && choice->needs_importance)
        status =
            loam_fail(error, LOAM_INVALID_ARGUMENT, "tensor %.*s: %s needs an importance file%s",
                      LOAM_SHOWN(tensor->name.length), tensor->name.data, choice->type->name,
                      q->importance ? " that has this tensor" : "");
    q->info.quantized++;
    q->info.requantized += !is_float(tensor->type);
    q->info.fell_back += choice->fell_back;
    q->info.unimportant += q->importance && !importance;
    loam_memory_free(&q->engine->memory, importance);
    return status;
}

static loam_status check_file(const struct quantizing *q, loam_error *error)
{
    const uint32_t one = 1;
    uint32_t parts;
    if (q->gguf.packed)
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "%s: is packed; quantise the file that it was packed from",
                         q->source->name);
    loam_status status = loam_gguf_get_u32(&parts, &q->gguf, "split.count", &one, error);
    if (!status && parts > 1)
        status = loam_fail(error, LOAM_UNSUPPORTED,
                           "%s: is one of %u parts of a model; join them to one file first",
                           q->source->name, parts);
    return status;
}

static loam_status choose(struct quantizing *q, loam_error *error)
{
    uint64_t count = q->gguf.tensor_count;
    q->choices = loam_memory_get(&q->engine->memory, count, sizeof *q->choices);
    if (!q->choices)
        return loam_fail_memory(error, count * sizeof *q->choices);
    loam_status status = loam_mix_choose(q->choices, &q->gguf, &q->wish, &q->engine->memory, error);
    q->info.tensors = count;
    for (uint64_t i = 0; !status && i < count; i++) {
        q->info.input_bytes += q->gguf.tensors[i].bytes;
        q->info.output_bytes += q->choices[i].type == q->gguf.tensors[i].type
                                    ? q->gguf.tensors[i].bytes
                                    : bytes_of(q->choices[i].type, weights_of(&q->gguf.tensors[i]));
        status = check_choice(q, i, error);
    }
    return status;
}

/* ---- the header ------------------------------------------------------------------ */

/* Keys that are written anew, and those that no longer hold. */
static bool is_kept(const struct gguf_entry *entry)
{
    static const char *const replaced[] = {"general.alignment",
                                           "general.file_type",
                                           "general.quantization_version",
                                           "split.no",
                                           "split.count",
                                           "split.tensors.count",
                                           "quantize.imatrix.file",
                                           "quantize.imatrix.dataset",
                                           "quantize.imatrix.entries_count",
                                           "quantize.imatrix.chunks_count"};
    for (size_t i = 0; i < LOAM_COUNT_OF(replaced); i++)
        if (entry->key.length == strlen(replaced[i]) &&
            memcmp(entry->key.data, replaced[i], entry->key.length) == 0)
            return false;
    return true;
}

static void write_header(struct quantizing *q)
{
    enum { QUANTIZATION_VERSION = 2 }; /* of ggml's block layouts, since 2023 */
    const struct gguf *gguf = &q->gguf;
    struct gguf_writer *writer = &q->writer;
    uint64_t kept = 0, offset = 0;
    for (uint64_t i = 0; i < gguf->entry_count; i++)
        kept += is_kept(&gguf->entries[i]);
    loam_gguf_write_preamble(writer, gguf->tensor_count, kept + (q->importance ? 5 : 2));
    for (uint64_t i = 0; i < gguf->entry_count; i++)
        if (is_kept(&gguf->entries[i]))
            loam_gguf_write_entry(writer, &gguf->entries[i]);
    loam_gguf_write_u32(writer, "general.quantization_version", QUANTIZATION_VERSION);
    loam_gguf_write_u32(writer, "general.file_type", q->wish.mix->file_type);
    if (q->importance) {
        const char *name = q->importance_source->name;
        loam_gguf_write_text(writer, "quantize.imatrix.file",
                             (struct gguf_string){name, strlen(name)});
        loam_gguf_write_u32(writer, "quantize.imatrix.entries_count", q->importance->matrices);
        loam_gguf_write_u32(writer, "quantize.imatrix.chunks_count", q->importance->chunks);
    }
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct gguf_tensor *tensor = &gguf->tensors[i];
        const struct weight_type *type = q->choices[i].type;
        uint64_t bytes = type == tensor->type ? tensor->bytes : bytes_of(type, weights_of(tensor));
        loam_gguf_write_tensor(writer, tensor, type->id, offset);
        offset += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    loam_gguf_write_padding(writer, ALIGNMENT);
}

/* ---- converting -------------------------------------------------------------------- */

/* A piece of one tensor, for the pool. */
struct piece {
    struct quantizing *q;
    const struct gguf_tensor *tensor;
    const struct weight_type *type;
    const float *importance; /* of the whole tensor, or NULL */
    uint64_t first, count;   /* weights */
    bool read;               /* `in` is filled already */
    atomic_uint failed;      /* the first tile that fails says why */
    loam_status status;
    loam_error error;
};

static void fail_piece(struct piece *piece, loam_status status, const loam_error *error)
{
    if (atomic_exchange(&piece->failed, 1) == 0) {
        piece->status = status;
        piece->error = *error;
    }
}

/* The largest magnitude as its bits, which order as the numbers do; infinities
 * and what is no number are largest. */
static uint32_t largest_bits(const float *x, size_t count)
{
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = loam_float_bits(x[i]) & 0x7FFFFFFFu;
        most = bits > most ? bits : most;
    }
    return most;
}

/* Whether the type can hold the weights of which `blocks` are the quantised form:
 * beyond its range they come back infinite, or as zeros. Only large ones do. */
static bool in_range(float *x, const struct weight_type *type, const unsigned char *blocks,
                     size_t count, uint32_t largest)
{
    if (largest < 0x47000000u) /* 2^15: scales in half precision reach to 65504 */
        return true;
    type->dequantize(x, blocks, count);
    uint32_t found = largest_bits(x, count);
    return found < 0x7F800000u &&
           loam_float_from_bits(found) >= loam_float_from_bits(largest) / 256;
}

/* Weights [at, at + count) of the tensor, within one row. */
static bool convert(const struct piece *piece, uint64_t at, size_t count)
{
    const struct weight_type *from = piece->tensor->type;
    uint64_t width = piece->tensor->dimensions[0], rows = piece->tensor->dimensions[1];
    const unsigned char *in = piece->q->in + bytes_of(from, at - piece->first);
    unsigned char *out = piece->q->out + bytes_of(piece->type, at - piece->first);
    const float *importance = NULL;
    float x[STRETCH];
    if (piece->importance)
        importance = piece->importance + at / (width * rows) * width + at % width;
    from->dequantize(x, in, count);
    uint32_t largest = largest_bits(x, count);
    if (largest >= 0x7F800000u)
        return false;
    piece->type->quantize(out, x, importance, count);
    return in_range(x, piece->type, out, count, largest);
}

static void convert_tile(void *context, uint32_t tile, int32_t worker)
{
    struct piece *piece = context;
    const struct weight_type *from = piece->tensor->type;
    uint64_t width = piece->tensor->dimensions[0];
    uint64_t at = piece->first + (uint64_t)tile * TILE;
    uint64_t end = loam_min(at + TILE, piece->first + piece->count);
    loam_error error = {.struct_size = sizeof error};
    (void)worker;
    if (!piece->read) {
        loam_status status =
            loam_source_read(piece->q->source, piece->tensor->offset + bytes_of(from, at),
                             piece->q->in + bytes_of(from, at - piece->first),
                             (size_t)bytes_of(from, end - at), &error);
        if (status) {
            fail_piece(piece, status, &error);
            return;
        }
    }
    while (at < end && !atomic_load_explicit(&piece->failed, memory_order_relaxed)) {
        size_t count = (size_t)loam_min(loam_min(end - at, STRETCH), width - at % width);
        if (!convert(piece, at, count)) {
            loam_status status =
                loam_fail(&error, LOAM_NUMERIC,
                          "tensor %.*s: has a weight that is infinite, not a number, or too large "
                          "for %s",
                          LOAM_SHOWN(piece->tensor->name.length), piece->tensor->name.data,
                          piece->type->name);
            fail_piece(piece, status, &error);
        }
        at += count;
    }
}

static loam_status report(struct quantizing *q, uint64_t bytes, loam_error *error)
{
    q->done += bytes;
    if (q->options->progress &&
        q->options->progress(q->options->progress_user, q->done, q->info.input_bytes) != 0)
        return loam_fail(error, LOAM_CANCELLED, "cancelled by the progress function");
    return LOAM_OK;
}

static loam_status convert_piece(struct piece *piece, loam_error *error)
{
    struct quantizing *q = piece->q;
    const struct weight_type *from = piece->tensor->type;
    uint64_t bytes = bytes_of(from, piece->count);
    loam_status status = LOAM_OK;
    piece->read = q->source->kind == LOAM_SOURCE_CALLBACK;
    if (piece->read)
        status = loam_source_read(q->source, piece->tensor->offset + bytes_of(from, piece->first),
                                  q->in, (size_t)bytes, error);
    if (status)
        return status;
    uint32_t tiles = (uint32_t)((piece->count + TILE - 1) / TILE);
    loam_pool_run(q->engine->pool, tiles, convert_tile, piece, NULL, NULL);
    if (atomic_load(&piece->failed))
        return loam_fail(error, piece->status, "%s", piece->error.message);
    loam_gguf_write_bytes(&q->writer, q->out, (size_t)bytes_of(piece->type, piece->count));
    return q->writer.status ? q->writer.status : report(q, bytes, error);
}

static loam_status convert_tensor(struct quantizing *q, uint64_t index, loam_error *error)
{
    const struct gguf_tensor *tensor = &q->gguf.tensors[index];
    uint64_t all = weights_of(tensor);
    float *importance;
    loam_status status = load_importance(&importance, q, index, error);
    for (uint64_t first = 0; !status && first < all; first += PIECE) {
        struct piece piece = {.q = q,
                              .tensor = tensor,
                              .type = q->choices[index].type,
                              .importance = importance,
                              .first = first,
                              .count = loam_min(PIECE, all - first),
                              .error = {.struct_size = sizeof piece.error}};
        atomic_init(&piece.failed, 0);
        status = convert_piece(&piece, error);
    }
    loam_memory_free(&q->engine->memory, importance);
    return status;
}

static loam_status copy_tensor(struct quantizing *q, const struct gguf_tensor *tensor,
                               loam_error *error)
{
    loam_status status = LOAM_OK;
    for (uint64_t done = 0; !status && done < tensor->bytes; done += PIECE) {
        size_t size = (size_t)loam_min(PIECE, tensor->bytes - done);
        status = loam_source_read(q->source, tensor->offset + done, q->in, size, error);
        if (!status)
            loam_gguf_write_bytes(&q->writer, q->in, size);
        status = status ? status : q->writer.status;
        if (!status)
            status = report(q, size, error);
    }
    return status;
}

static loam_status write_file(struct quantizing *q, loam_error *error)
{
    struct memory *memory = &q->engine->memory;
    q->in = loam_memory_get_large(memory, PIECE * sizeof(float));
    q->out = loam_memory_get_large(memory, PIECE * sizeof(float));
    loam_status status = q->in && q->out ? LOAM_OK : loam_fail_memory(error, PIECE * sizeof(float));
    if (!status) {
        write_header(q);
        status = q->writer.status ? q->writer.status : report(q, 0, error);
    }
    for (uint64_t i = 0; !status && i < q->gguf.tensor_count; i++) {
        bool copied = q->choices[i].type == q->gguf.tensors[i].type;
        status = copied ? copy_tensor(q, &q->gguf.tensors[i], error) : convert_tensor(q, i, error);
        if (!status)
            loam_gguf_write_padding(&q->writer, ALIGNMENT);
        status = status ? status : q->writer.status;
    }
    loam_memory_free_large(memory, q->in, PIECE * sizeof(float));
    loam_memory_free_large(memory, q->out, PIECE * sizeof(float));
    q->info.file_bytes = q->writer.position;
    return status;
}

/* ---- all of it ------------------------------------------------------------------------ */

static loam_status quantize_open(struct quantizing *q, loam_error *error)
{
    loam_status status = check_file(q, error);
    if (!status)
        status = read_wish(q, error);
    if (!status)
        status = choose(q, error);
    if (!status && q->writer.write)
        status = write_file(q, error);
    loam_memory_free(&q->engine->memory, q->choices);
    loam_memory_free(&q->engine->memory, q->overrides);
    return status;
}

loam_status loam_quantize_file(loam_quantize_info *out, loam_engine *engine, struct source *source,
                               struct source *importance_source,
                               const loam_quantize_options *options, loam_write_function write,
                               void *user, loam_error *error)
{
    struct importance importance;
    struct quantizing q = {.engine = engine,
                           .source = source,
                           .options = options,
                           .importance_source = importance_source,
                           .writer = {.write = write, .user = user, .error = error}};
    loam_status status = loam_gguf_read(&q.gguf, source, &engine->memory, error);
    if (status)
        return status;
    if (importance_source) {
        q.importance = &importance;
        status = loam_importance_open(&importance, importance_source, &engine->memory, error);
    }
    if (!status) {
        status = quantize_open(&q, error);
        if (q.importance)
            loam_importance_close(&importance);
    }
    loam_gguf_end(&q.gguf);
    *out = q.info;
    return status;
}
