/* SPDX-License-Identifier: MIT */
/*
 * loam/graph.h: tensors and graphs. EXPERIMENTAL: may change with any version
 * until two device backends exist. loam's own model families are built with
 * nothing but this header.
 *
 * A graph describes one step of a model: how rows of numbers, one row per
 * token, become rows of results. It is built once, compiled once and run many
 * times. A tensor of a graph is a matrix of f32, [rows][width]: width is fixed
 * when the graph is built; rows is that of the step, or, behind
 * loam_graph_outputs, the number of rows whose output flag is set.
 *
 * Building does not report errors call by call: an operation that cannot be
 * added (shapes that do not fit, no memory, LOAM_NO_TENSOR as input) returns
 * LOAM_NO_TENSOR, the graph remembers the first reason, and
 * loam_graph_compile returns it. So a family is written as its formula.
 *
 * Numerics are those of docs/numerics.md: the same bits on every CPU level,
 * with any number of threads and any split into steps.
 */
#ifndef LOAM_GRAPH_H
#define LOAM_GRAPH_H

#include <loam/loam.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A graph under construction, or compiled.
 * Thread-compatible. */
typedef struct loam_graph loam_graph;

/* A tensor of one graph. */
typedef int32_t loam_tensor;
#define LOAM_NO_TENSOR (-1)

/* Types of weights: the numbers are those of GGUF. The library may know more;
 * these are the ones that it computes with. */
enum {
    LOAM_TYPE_F32 = 0,
    LOAM_TYPE_F16 = 1,
    LOAM_TYPE_Q4_0 = 2,
    LOAM_TYPE_Q8_0 = 8,
    LOAM_TYPE_Q4_K = 12,
    LOAM_TYPE_Q5_K = 13,
    LOAM_TYPE_Q6_K = 14,
    LOAM_TYPE_BF16 = 30
};

/* Makes an empty graph. On success *out is owned by the caller.
 * [may allocate; errors: MEMORY] */
LOAM_API loam_status loam_graph_create(loam_graph **out, loam_engine *engine, loam_error *error);

/* Ends the graph and what was compiled of it. NULL does nothing. */
LOAM_API void loam_graph_release(loam_graph *graph);

/* ---- leaves ------------------------------------------------------------ */

/* Rows given with each step: f32 [rows][width]. The n-th input of a graph is
 * inputs[n] of the step. */
LOAM_API loam_tensor loam_graph_input(loam_graph *graph, uint32_t width);

/* A weight matrix [rows][width] in `type`; width, the contiguous dimension, is
 * what it is multiplied along and a multiple of the type's block. `data` holds
 * the matrix in the type's GGUF layout and is read during loam_graph_compile,
 * until which it must live. `name`, NUL-terminated and copied, is for messages.
 * A vector (norm weight, bias) has 1 row and type F32. */
LOAM_API loam_tensor loam_graph_weight(loam_graph *graph, const char *name, uint32_t type,
                                       uint32_t width, uint32_t rows, const void *data);

/* ---- operations -------------------------------------------------------- */

/* Row of `weight` for the token of each row, as f32. [rows][weight's width] */
LOAM_API loam_tensor loam_graph_embed(loam_graph *graph, loam_tensor weight);

/* Row of `weight` for the position of each row. A sequence then holds no more
 * positions than the weight has rows. */
LOAM_API loam_tensor loam_graph_embed_position(loam_graph *graph, loam_tensor weight);

/* x times weight: [rows][x's width] and [n][x's width] give [rows][n]. `bias`
 * is a vector of n, or LOAM_NO_TENSOR. */
LOAM_API loam_tensor loam_graph_linear(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                       loam_tensor bias);

/* The same for each of `heads` parts of a row with a matrix of its own: x is
 * [rows][heads * width] and weight, the heads' matrices one after the other,
 * [heads * n][width]: [rows][heads * n]. */
LOAM_API loam_tensor loam_graph_linear_heads(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                             uint32_t heads);

/* Root mean square norm of each row: x / sqrt(mean(x^2) + epsilon) * weight.
 * (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.) */
LOAM_API loam_tensor loam_graph_rms_norm(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                         float epsilon);

/* How numbers are brought to unit size together. */
enum {
    LOAM_NORM_RMS = 0,   /* x / sqrt(mean(x^2) + epsilon) */
    LOAM_NORM_LAYER = 1, /* (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) */
    LOAM_NORM_L2 = 2     /* x / max(sqrt(sum(x^2)), epsilon) */
};

typedef struct loam_norm_options {
    size_t struct_size;
    int32_t kind;         /* LOAM_NORM_... */
    uint32_t group_width; /* numbers that are normed together, such as a head's: divides the row's; 0: all */
    float epsilon;
} loam_norm_options;

/* Norm of each group of each row, times weight, plus bias. Both are F32 and
 * hold the numbers of one group, for all groups alike, or of the whole row;
 * either may be LOAM_NO_TENSOR. (Ba et al., "Layer Normalization", 2016.) */
LOAM_API loam_tensor loam_graph_norm(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                     loam_tensor bias, const loam_norm_options *options);

/* Which two numbers of a head are rotated together. */
enum {
    LOAM_ROPE_ADJACENT = 0, /* 2i and 2i + 1 (Llama) */
    LOAM_ROPE_HALVES = 1    /* i and i + dimensions / 2 (GPT-NeoX) */
};

/* Rotary position embedding. (Su et al., "RoFormer", 2021; YaRN: Peng et al.,
 * 2023.) Pair i of each head turns by position * frequencies[i]. */
typedef struct loam_rope_options {
    size_t struct_size;
    uint32_t head_width;
    uint32_t dimensions; /* the first of a head's numbers that are rotated: even, at most head_width */
    int32_t pairing;     /* LOAM_ROPE_ADJACENT or LOAM_ROPE_HALVES */
    float magnitude;     /* cosine and sine are multiplied by it; 0 means 1 */
    const double *frequencies; /* [dimensions / 2], radians per position; copied */
    /* Used instead in sequences that are to grow beyond long_from positions
     * (loam_step_sequence.context); copied. NULL: there is one kind. */
    const double *long_frequencies;
    uint32_t long_from;
} loam_rope_options;

/* Rotates the heads of each row by the row's position. */
LOAM_API loam_tensor loam_graph_rope(loam_graph *graph, loam_tensor x,
                                     const loam_rope_options *options);

/* Causal attention over the sequence's past, keys and values kept in pages. */
typedef struct loam_attention_options {
    size_t struct_size;
    uint32_t heads;       /* query heads */
    uint32_t kv_heads;    /* divides heads */
    uint32_t key_width;   /* per head: width of q is heads * key_width; at most 1024 */
    uint32_t value_width; /* per head: width of the result is heads * value_width; at most 1024 */
    float scale;          /* scores are multiplied by it; 0 means 1 / sqrt(key_width) */
    uint32_t window;      /* a row sees so many positions, its own included; 0: all before it */
    int32_t both_ways;    /* not 0: rows see what follows as well, up to the sequence's last row in
                             the step, and with a window what is at most window / 2 away */
    uint32_t chunk;       /* rows see nothing before the last multiple of chunk; 0: no chunks */
    float soft_cap;       /* scores become soft_cap * tanh(score / soft_cap); 0: they stay */
    const float *slopes;  /* [heads], copied: a score loses slope * distance (Press et al., "Train
                             Short, Test Long", 2021); NULL: nothing */
    int32_t has_sinks;    /* not 0: sinks is used */
    loam_tensor sinks;    /* F32 weight [heads]: a score without value that takes its share (Xiao et
                             al., "Efficient Streaming Language Models with Attention Sinks", 2023) */
    /* Scores of a row at position p are multiplied by 1 + temperature * log(1 +
     * floor((p + temperature_offset) / temperature_length)); 0: they are not. */
    float temperature;
    uint32_t temperature_offset, temperature_length;
    int32_t shares_kv;    /* not 0: k and v are LOAM_NO_TENSOR, and keys and values are those that
                             the attention shared_kv wrote, whose heads have the same shape */
    loam_tensor shared_kv;
} loam_attention_options;

/* Writes k [rows][kv_heads * key_width] and v [rows][kv_heads * value_width]
 * to the pages of each row's sequence, then gives each row's attention over
 * positions 0 to its own: [rows][heads * value_width]. */
LOAM_API loam_tensor loam_graph_attention(loam_graph *graph, loam_tensor q, loam_tensor k,
                                          loam_tensor v, const loam_attention_options *options);

/* Functions of one number x; a, b, c are their parameters. */
enum {
    LOAM_ACTIVATION_SILU = 0,         /* x / (1 + exp(-x)) */
    LOAM_ACTIVATION_GELU = 1,         /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
    LOAM_ACTIVATION_GELU_QUICK = 2,   /* x / (1 + exp(-1.702 x)) */
    LOAM_ACTIVATION_RELU = 3,         /* max(x, 0) */
    LOAM_ACTIVATION_RELU_SQUARED = 4, /* max(x, 0)^2 */
    LOAM_ACTIVATION_SIGMOID = 5,      /* 1 / (1 + exp(-x)) */
    LOAM_ACTIVATION_TANH = 6,
    LOAM_ACTIVATION_SOFTPLUS = 7, /* log(1 + exp(x)) */
    LOAM_ACTIVATION_SCALE = 8,    /* a x + b */
    LOAM_ACTIVATION_CLAMP = 9,    /* x between a and b */
    LOAM_ACTIVATION_SOFT_CAP = 10, /* a tanh(x / a) */
    /* a x^2 + c x where x > 0, else b (exp(min(x, d)) - 1 - x) + c x (Huang and Schlag,
     * "Deriving Activation Functions Using Integration", 2024) */
    LOAM_ACTIVATION_XIELU = 11,
    LOAM_ACTIVATION_EXP = 12, /* exp(x) */
    LOAM_ACTIVATION_COUNT,
    /* Of experts alone, with the other factor u: min(x, b) / (1 + exp(-a min(x, b))) times u
     * between -b and b, plus 1 (OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025) */
    LOAM_ACTIVATION_CLAMPED_SWIGLU = 100
};

/* The function of each number. parameters[4] is a, b, c, d; NULL: all 0. */
LOAM_API loam_tensor loam_graph_map(loam_graph *graph, loam_tensor x, int32_t function,
                                    const float *parameters);

/* activation(gate) * up, elementwise; equal widths. The activation is one
 * without parameters. (Shazeer, "GLU Variants
 * Improve Transformer", 2020.) */
LOAM_API loam_tensor loam_graph_gate(loam_graph *graph, loam_tensor gate, loam_tensor up,
                                     int32_t activation);

/* a + b, elementwise; b is repeated where a is wider, whose width is a multiple
 * of b's. */
LOAM_API loam_tensor loam_graph_add(loam_graph *graph, loam_tensor a, loam_tensor b);

/* a * b: each number of b multiplies a run of a's width / b's width numbers,
 * one where the widths are equal. */
LOAM_API loam_tensor loam_graph_multiply(loam_graph *graph, loam_tensor a, loam_tensor b);

/* x * weight + bias: weight and bias are F32 vectors as wide as x, or LOAM_NO_TENSOR. */
LOAM_API loam_tensor loam_graph_affine(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                       loam_tensor bias);

/* Numbers [first, first + count) of each run of group_width numbers. */
LOAM_API loam_tensor loam_graph_slice(loam_graph *graph, loam_tensor x, uint32_t group_width,
                                      uint32_t first, uint32_t count);

/* In each of `groups` groups the numbers of a's group, then those of b's. */
LOAM_API loam_tensor loam_graph_concatenate(loam_graph *graph, loam_tensor a, loam_tensor b,
                                            uint32_t groups);

/* One number of each group of a row. */
enum {
    LOAM_REDUCE_LENGTH = 0,   /* sqrt(sum(x^2)) */
    LOAM_REDUCE_DEVIATION = 1 /* mean(x) + factor sqrt(sum((x - mean(x))^2) / (n - 1)) */
};

typedef struct loam_reduce_options {
    size_t struct_size;
    int32_t kind;         /* LOAM_REDUCE_... */
    uint32_t group_width; /* n: divides the row's; 0: all */
    float factor;
} loam_reduce_options;

/* [rows][groups] */
LOAM_API loam_tensor loam_graph_reduce(loam_graph *graph, loam_tensor x,
                                       const loam_reduce_options *options);

/* Sums of the `inputs` parts of a row, each sum with factors of its own: x is
 * [rows][inputs * width], factors [rows][outputs * inputs], the result, and
 * base, which is added if it is not LOAM_NO_TENSOR, [rows][outputs * width].
 * (Baykal et al., "Alternating Updates for Efficient Transformers", 2023; Zhu
 * et al., "Hyper-Connections", 2024.) */
LOAM_API loam_tensor loam_graph_mix(loam_graph *graph, loam_tensor x, loam_tensor factors,
                                    loam_tensor base, uint32_t inputs);

/* What makes probabilities of a router's scores. */
enum {
    LOAM_ROUTER_SOFTMAX = 0,
    LOAM_ROUTER_SIGMOID = 1,
    LOAM_ROUTER_SOFTMAX_CHOSEN = 2, /* softmax over the chosen alone */
    LOAM_ROUTER_SIGMOID_SCORES = 3  /* chosen by the scores, weighted by their sigmoid */
};

/* Weights of all experts, one after the other; each a weight, or
 * LOAM_NO_TENSOR for what is not there. */
typedef struct loam_experts_weights {
    loam_tensor gate, up;  /* [count * hidden][width]; without gate: activation(up) */
    loam_tensor down;      /* [count * width][hidden] */
    loam_tensor gate_bias, up_bias, down_bias; /* F32 [count * hidden], [count * width] */
    loam_tensor selection_bias; /* F32 [count]: added where experts are chosen, not to their weight */
} loam_experts_weights;

typedef struct loam_experts_options {
    size_t struct_size;
    uint32_t count, used;         /* experts; of them for each row: at most 1024 and 64 */
    uint32_t groups, groups_used; /* experts are chosen in the groups whose two best are best; 0: no groups */
    int32_t router;               /* LOAM_ROUTER_... */
    int32_t normalised;           /* not 0: weights of the chosen are divided by their sum */
    float scale;                  /* weights are multiplied by it; 0 means 1 */
    int32_t weighs_input;         /* not 0: weights multiply what experts take, not what they give */
    int32_t activation;           /* LOAM_ACTIVATION_..., or CLAMPED_SWIGLU */
    float parameters[4];          /* of the activation */
    int32_t gate_in_up;           /* not 0: up is [count * 2 hidden][width], of each expert the gate's
                                     rows, then its own; gate is LOAM_NO_TENSOR */
    int32_t has_scales;           /* not 0: scales is used */
    loam_tensor scales;           /* F32 weight [count]: what an expert gives is multiplied by its number */
} loam_experts_options;

/* A mixture of experts: for each row the `used` best by its scores
 * [rows][count], each down(activation(gate x) * up x), weighted and summed.
 * (Shazeer et al., "Outrageously Large Neural Networks", 2017; groups and
 * selection bias: DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024.) */
LOAM_API loam_tensor loam_graph_experts(loam_graph *graph, loam_tensor x, loam_tensor scores,
                                        const loam_experts_weights *weights,
                                        const loam_experts_options *options);

/* The sum of each run of group_width numbers: [rows][x's width / group_width]. */
LOAM_API loam_tensor loam_graph_sum(loam_graph *graph, loam_tensor x, uint32_t group_width);

/* ---- operations that remember -------------------------------------------- */

/* What these keep from one row of a sequence to the next is the sequence's
 * state: f32, loam_graph_state_bytes for the whole graph, memory of the caller.
 * A step reads it where the last step wrote it, and writes another
 * (loam_step_sequence). A sequence begins with zeros. */

/* Convolution of each channel with its own past: the sum of weight[channel][i]
 * * x[row - taps + 1 + i][channel] over i, plus bias. weight is F32
 * [channels][taps], 2 to 64 taps; bias a vector of channels or LOAM_NO_TENSOR. */
LOAM_API loam_tensor loam_graph_convolve(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                         loam_tensor bias);

/* The row before each row of its sequence; zeros for the first. */
LOAM_API loam_tensor loam_graph_previous(loam_graph *graph, loam_tensor x);

/* How a scan's matrices change with each row. */
enum {
    /* S = d S + v (step k)^T, d = exp(step * rate). (Gu and Dao, "Mamba", 2023;
     * Dao and Gu, "Transformers are SSMs", 2024.) */
    LOAM_SCAN_STATE_SPACE = 0,
    /* S = d S, then S = S + gain (v - S k) k^T, the same d. (Yang et al., "Gated Delta
     * Networks", 2024.) */
    LOAM_SCAN_GATED_DELTA = 1,
    /* S = S diag(decay) + v k^T + (S a) b^T. (Peng et al., "RWKV-7 Goose", 2025.) */
    LOAM_SCAN_GENERAL_DELTA = 2
};

/* What a scan takes; LOAM_NO_TENSOR for what its rule does not have. */
typedef struct loam_scan_inputs {
    loam_tensor query, key; /* [rows][key_heads * key_width] */
    loam_tensor value;      /* [rows][heads * value_width] */
    loam_tensor step;       /* [rows][heads]: state space, gated delta */
    loam_tensor rate;       /* F32 weight [heads], or [heads * key_width]: likewise */
    loam_tensor gain;       /* [rows][heads]: gated delta */
    loam_tensor decay, a, b; /* [rows][key_heads * key_width]: general delta */
    loam_tensor skip; /* F32 weight [heads]: skip * v is added to the result; may be LOAM_NO_TENSOR */
} loam_scan_inputs;

typedef struct loam_scan_options {
    size_t struct_size;
    int32_t rule;         /* LOAM_SCAN_... */
    uint32_t heads;       /* each with a matrix S [value_width][key_width] */
    uint32_t key_heads;   /* divides heads; 0: heads */
    uint32_t key_width;   /* at most 1024 */
    uint32_t value_width;
    int32_t in_turn;      /* not 0: head h takes key head h % key_heads, else h / (heads / key_heads) */
    float scale;          /* results are multiplied by it; 0 means 1 */
} loam_scan_options;

/* For each row and head, changes the head's matrix S by the rule and gives
 * scale * S q: [rows][heads * value_width]. */
LOAM_API loam_tensor loam_graph_scan(loam_graph *graph, const loam_scan_inputs *inputs,
                                     const loam_scan_options *options);

/* ---- rows ---------------------------------------------------------------- */

/* Only the rows of x whose output flag is set, in order. */
LOAM_API loam_tensor loam_graph_outputs(loam_graph *graph, loam_tensor x);

/* ---- compiling and running --------------------------------------------- */

typedef struct loam_compile_options {
    size_t struct_size;
    uint32_t max_rows;      /* of a step; 0: 256 */
    uint32_t max_sequences; /* of a step; 0: 16 */
    uint32_t max_outputs;   /* rows with the output flag in a step; 0: max_rows */
    int32_t kv_type;        /* LOAM_KV_... */
} loam_compile_options;

/* Ends the building: `result` is what a step gives. Reads the weights and lays
 * out all memory for the largest step. options may be NULL. On failure the
 * graph can only be released.
 * [may allocate; blocks; errors: MEMORY, UNSUPPORTED, and what building it met] */
LOAM_API loam_status loam_graph_compile(loam_graph *graph, loam_tensor result,
                                        const loam_compile_options *options, loam_error *error);

/* Bytes of one page: keys and values of LOAM_PAGE_TOKENS positions of one
 * sequence in all attention layers; 0 without attention. Pages are memory of
 * the caller, aligned to 64 bytes, and need not be initialised. */
LOAM_API uint64_t loam_graph_page_bytes(const loam_graph *graph);

/* Bytes of the state of one sequence, a multiple of 64; 0: it has none. States
 * are memory of the caller, aligned to 64 bytes. */
LOAM_API uint64_t loam_graph_state_bytes(const loam_graph *graph);

/* One sequence of a step. */
typedef struct loam_step_sequence {
    uint32_t first_row; /* its rows are contiguous */
    uint32_t row_count; /* at least 1 */
    uint32_t position;  /* of its first row; the others follow */
    uint32_t page_count;
    void *const *pages; /* page i holds positions [64 i, 64 i + 64); reaches to the last row's position */
    uint32_t context;   /* positions that it may grow to, the same in all of its steps; 0: unknown */
    /* If the graph has a state: what lies before first_row, NULL at position 0;
     * and room for what lies behind the last row. They are not the same memory,
     * so that a step which was cancelled can be run again. */
    const float *state;
    float *next_state;
    /* If kept_rows is not 0: room for what lies behind the first kept_rows
     * rows as well, fewer than row_count. */
    float *kept_state;
    uint32_t kept_rows;
} loam_step_sequence;

/* What a product is about to take. */
typedef struct loam_observation {
    size_t struct_size;
    const char *weight; /* the name of its weight; lives as long as the graph */
    uint32_t matrix;    /* which of the weight's matrices: an expert, or a head */
    uint32_t matrices;  /* how many it has */
    uint32_t width;     /* numbers that the product takes of each row */
    uint32_t rows;
    size_t stride;      /* numbers from row to row */
    const float *x;     /* [rows][stride]; readable during the call */
} loam_observation;

/* One pass over the weights. Thread rule: all of it must stay unchanged until
 * loam_graph_run returns. */
typedef struct loam_step_descriptor {
    size_t struct_size;
    uint32_t rows;              /* at least 1, at most max_rows */
    uint32_t sequence_count;    /* at least 1: every row belongs to one */
    const loam_step_sequence *sequences; /* [sequence_count], rows ascending, without gaps */
    const int32_t *tokens;      /* [rows]; NULL if the graph has no embed */
    const uint8_t *output_rows; /* [rows], not 0: wanted; NULL: all */
    const float *const *inputs; /* one f32 [rows][width] for each input of the graph */
    float *result;              /* [output rows or rows][width of the result] */
    uint8_t *sequence_numeric;  /* [sequence_count] or NULL: set to 1 where keys or values left the range of their type */
    /* Asked before each tile of work, from any of the engine's threads; not 0
     * ends the step with CANCELLED. May be NULL. */
    int32_t (*stop)(void *user);
    void *stop_user;
    /* Shown the input of each product that the CPU computes, in the graph's
     * order, on the calling thread. May be NULL, and costs nothing then. */
    void (*observe)(void *user, const loam_observation *observation);
    void *observe_user;
} loam_step_descriptor;

/* Runs one step. Allocates nothing.
 * [blocks; errors: CANCELLED, FORKED] */
LOAM_API loam_status loam_graph_run(loam_graph *graph, const loam_step_descriptor *step,
                                    loam_error *error);

#ifdef __cplusplus
}
#endif
#endif
