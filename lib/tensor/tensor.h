/* SPDX-License-Identifier: MIT */
/*
 * lib/tensor: tensors, graphs, the engine that they live in, and the interface
 * of a backend. Knows no model, no file and no backend in particular. The
 * public builder functions of loam/graph.h are implemented here, and
 * lib/arch uses the same ones.
 *
 * tensor.h: what a graph is inside.
 */
#ifndef LOAM_TENSOR_TENSOR_H
#define LOAM_TENSOR_TENSOR_H

#include <loam/graph.h>

#include "base/error.h"
#include "base/memory.h"
#include "quant/types.h"

enum operation {
    OP_INPUT,          /* index: of the step's inputs */
    OP_WEIGHT,         /* index: of the graph's weights */
    OP_EMBED,          /* weight */
    OP_LINEAR,         /* x, weight, bias or none */
    OP_RMS_NORM,       /* x, weight */
    OP_ROPE,           /* x */
    OP_ATTENTION,      /* q, k, v; index: of its keys and values */
    OP_GATE,           /* gate, up */
    OP_ADD,            /* a, b */
    OP_OUTPUTS,        /* x */
    OP_NORM,           /* x, weight or none, bias or none */
    OP_MAP,            /* x */
    OP_MULTIPLY,       /* a, b */
    OP_SLICE,          /* x */
    OP_CONCATENATE,    /* a, b */
    OP_EMBED_POSITION, /* weight */
    OP_AFFINE,         /* x, weight or none, bias or none */
    OP_LINEAR_HEADS,   /* x, weight */
    OP_EXPERTS,        /* x, scores, EXPERT_GATE to EXPERT_SCALES; index: mixture */
    OP_SUM,            /* x */
    OP_CONVOLVE,       /* x, weight or none (the row before), bias or none */
    OP_SCAN,           /* SCAN_QUERY to SCAN_SKIP */
    OP_ADD_REPEATED,   /* a, b, which is narrower */
    OP_REDUCE,         /* x */
    OP_MIX,            /* x, factors, base or none */
    OPERATIONS
};

/* Inputs of OP_SCAN. What one rule has and the others have not shares places. */
enum {
    SCAN_QUERY,
    SCAN_KEY,
    SCAN_VALUE,
    SCAN_STEP,
    SCAN_DECAY = SCAN_STEP,
    SCAN_RATE,
    SCAN_A = SCAN_RATE,
    SCAN_GAIN,
    SCAN_B = SCAN_GAIN,
    SCAN_SKIP
};

/* A matrix of a scan keeps its columns, one for each number of the result, in
 * blocks of 16 side by side: [column / 16][key_width][16]. */
enum { SCAN_LANES = 16, MAX_SCAN_WIDTH = 1024, MAX_TAPS = 64 };

/* Inputs of OP_EXPERTS behind x and scores. */
enum {
    EXPERT_GATE = 2,
    EXPERT_UP,
    EXPERT_DOWN,
    EXPERT_GATE_BIAS,
    EXPERT_UP_BIAS,
    EXPERT_DOWN_BIAS,
    EXPERT_SELECTION_BIAS,
    EXPERT_SCALES
};

enum { MAX_EXPERTS = 1024, MAX_EXPERTS_USED = 64 };

/* Tensors that a node takes at most. */
enum { NODE_INPUTS = 10 };

struct rope {
    uint32_t head_width, dimensions;
    int32_t pairing;
    float magnitude;
    const double *frequencies;      /* [dimensions / 2], owned by the graph */
    const double *long_frequencies; /* likewise, or NULL */
    uint32_t long_from;
};

struct slice {
    uint32_t group_width, first, count;
};

/* One tensor and the operation that makes it. Inputs come before it. */
struct node {
    enum operation operation;
    loam_tensor inputs[NODE_INPUTS]; /* LOAM_NO_TENSOR: not there */
    uint32_t width;
    bool outputs_only; /* rows are the output rows of the step, not all */
    uint32_t index;
    float epsilon;
    int32_t activation;
    float parameters[4];
    struct rope rope;
    loam_norm_options norm;
    struct slice slice;               /* OP_CONCATENATE: group_width of the result, count of a */
    uint32_t taps;                    /* OP_CONVOLVE */
    loam_scan_options scan;
    uint64_t state_offset;            /* of its part of a sequence's state, in numbers */
    loam_reduce_options reduce;
    uint32_t heads;                   /* OP_LINEAR_HEADS; OP_MIX: parts of x */
    loam_experts_options experts;     /* its inputs stand above */
    uint32_t hidden;                  /* of an expert */
    loam_attention_options attention; /* slopes owned by the graph; sinks are inputs[3] */
};

/* An attention that writes no keys and values, but uses those of another. */
static inline bool loam_node_shares(const struct node *node)
{
    return node->operation == OP_ATTENTION && node->attention.shares_kv;
}

/* What one row, or a group of its numbers, needs beyond plain causal attention. */
static inline bool loam_node_is_plain_attention(const struct node *node)
{
    const loam_attention_options *a = &node->attention;
    return !a->both_ways && !a->chunk && a->soft_cap == 0 && !a->slopes && !a->has_sinks &&
           a->temperature == 0;
}

/* A weight matrix [rows][width]. */
struct weight {
    const char *name;
    const struct weight_type *type;
    uint32_t width, rows;
    uint64_t bytes;       /* in the file's layout, also if it is packed already */
    bool packed;          /* what is read is in the packed form */
    const void *data;     /* of the caller, or NULL */
    uint64_t file_offset; /* where the bytes are if data is NULL */
    const void *mapped;   /* the weight in the form that kernels use, kept by others longer than the
                             graph; or NULL */
    void *room;           /* for the CPU backend's copy, kept by others; NULL: it takes its own */
    void *resident;       /* the backend's copy */
    uint64_t resident_bytes;
};

/* Where the bytes of weights come from while a graph is compiled. */
struct weight_reader {
    void *user;
    bool concurrent; /* read may be called by several threads at once, else by the compiling one */
    /* Fills out[size] from `offset` of a weight's bytes. */
    loam_status (*read)(void *user, const struct weight *weight, uint64_t offset, void *out,
                        size_t size, loam_error *error);
    /* Told on the compiling thread how many bytes were read since it was told
     * last, at most 8 MB; other than OK ends the compiling. May be NULL. */
    loam_status (*advance)(void *user, uint64_t bytes, loam_error *error);
};

struct loam_graph {
    loam_engine *engine;
    struct memory *memory;
    struct arena arena;
    struct node *nodes;
    size_t node_count, node_capacity;
    struct weight *weights;
    size_t weight_count, weight_capacity;
    uint32_t input_count, attention_count, mixture_count;
    uint64_t state_floats;   /* of a sequence; a multiple of 16 */
    uint32_t token_limit;    /* fewest rows of an embedded weight; 0: no embed */
    uint32_t position_limit; /* fewest rows of a weight embedded by position; 0: none */
    loam_error failure;      /* the first; code OK: none */
    bool both_ways;       /* an attention sees what follows: sequences take one step */
    loam_tensor result;
    loam_compile_options options;
    struct plan *plan;         /* compiled */
    const unsigned char *file; /* the model file as mapped, kept longer than the graph; or NULL */
};

/* What compiling would take. */
struct graph_size {
    uint64_t weight_bytes; /* a weight that several backends use counts for each */
    uint64_t scratch_bytes;
    uint64_t page_bytes;        /* of each page, memory of the caller */
    uint64_t device_page_bytes; /* taken by devices for each page that is open */
    uint64_t upload_bytes; /* taken while weights are read, given back before the scratch is */
};

/* As loam_graph_weight, with the content at `file_offset` of what the reader
 * given to loam_graph_compile_from reads, or of graph->file; packed (see
 * quant/types.h) or in the type's GGUF layout. */
loam_tensor loam_graph_weight_at(loam_graph *graph, const char *name,
                                 const struct weight_type *type, uint32_t width, uint32_t rows,
                                 bool packed, uint64_t file_offset);

/* As loam_graph_compile, weights without data read by `reader`. */
loam_status loam_graph_compile_from(loam_graph *graph, loam_tensor result,
                                    const loam_compile_options *options,
                                    const struct weight_reader *reader, loam_error *error);

/* Checks the graph as compiling does and says what it would take. */
loam_status loam_graph_measure(struct graph_size *out, loam_graph *graph, loam_tensor result,
                               const loam_compile_options *options, loam_error *error);

/* Begins and ends the life of a page of a compiled graph: devices keep their
 * part of it elsewhere. Must enclose the page's use in steps if the engine has
 * devices; without, both do nothing. A page ends before the graph does.
 * Thread-safe.
 * [errors: MEMORY] */
loam_status loam_graph_page_open(const loam_graph *graph, void *page, loam_error *error);
void loam_graph_page_close(const loam_graph *graph, void *page);

/* As loam_graph_run, by one who holds the engine (loam_engine_enter). The
 * descriptor is complete and checked by the caller. */
loam_status loam_graph_execute(loam_graph *graph, const loam_step_descriptor *step,
                               loam_error *error);

/* The graph's failure as a status with its message. */
loam_status loam_graph_failure(const loam_graph *graph, loam_error *error);

static inline const struct node *loam_graph_node(const loam_graph *graph, loam_tensor tensor)
{
    return &graph->nodes[tensor];
}

/* The weight that a WEIGHT node stands for. */
static inline const struct weight *loam_graph_weight_of(const loam_graph *graph, loam_tensor tensor)
{
    return &graph->weights[graph->nodes[tensor].index];
}

#endif
