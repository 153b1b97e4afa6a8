/* SPDX-License-Identifier: MIT */
/*
 * The table of CPU kernels. ref/ fills it with the scalar definition; each
 * level then overrides what it has, in order. Every kernel of every level
 * gives the bits of the one in ref/ (docs/numerics.md).
 *
 * Kernels compute one tile: a part of an operation small enough (under a
 * millisecond) to be a unit of scheduling and of cancellation. They allocate
 * nothing, keep no state and use at most 20 KB of stack.
 */
#ifndef LOAM_BACKENDS_CPU_KERNELS_H
#define LOAM_BACKENDS_CPU_KERNELS_H

#include "base/base.h"
#include "quant/types.h"

/* Positions of a page: the chunk of attention. */
enum { PAGE = LOAM_PAGE_TOKENS };

/* Sums run in lanes: of 16, lane l takes elements l, l + 16, ... Products with
 * float weights, many of which run side by side, have one register of AVX2 each;
 * norms, whose row is often alone, as many chains as cover the latency of fma. */
enum { LANES = 16, PRODUCT_LANES = 8, NORM_LANES = 64 };

/* The widest attention head. */
enum { MAX_HEAD_WIDTH = 1024 };

/* Rows of activations quantised by groups, with the sums of their integers
 * that unsigned products need. width is a multiple of 32 and of group; group
 * is 32 or 256. */
struct quantize_tile {
    const float *x;  /* [rows][x_stride] */
    int8_t *q;       /* [rows][width] */
    float *scales;   /* [rows][width / group] */
    int16_t *sums32; /* [rows][width / 32]: of 32 numbers of q */
    int16_t *sums16; /* [rows][width / 16] */
    size_t x_stride, width, group;
    size_t first_row, row_count;
};

/* How many bytes ahead of their use one row's weights are asked for: into L2, and from there
 * into L1. Only speed depends on it; with 0 the line in use is asked for, which does nothing. */
struct stream_distances {
    uint32_t far, near;
};

/* Outputs [first_output, first_output + output_count) for rows [0, rows). */
struct linear_tile {
    /* Float types: [all outputs] rows of row_bytes in the file's layout.
     * Quantised types: panels of 16 outputs, panel_bytes each, as packed
     * (quant/blocks.h); first_output is then a multiple of 16. */
    const void *weights;
    const struct weight_type *type;
    size_t row_bytes, panel_bytes;
    size_t width; /* K */
    size_t first_output, output_count;
    size_t rows;
    const float *x; /* [rows][x_stride]: float products */
    size_t x_stride;
    const int8_t *q;     /* [rows][width]: quantised products, as of struct quantize_tile */
    const float *scales; /* [rows][width / group] */
    const int16_t *sums32, *sums16;
    const float *bias; /* [all outputs] or NULL */
    float *out;        /* [rows][out_stride], indexed by output */
    size_t out_stride;
    struct stream_distances ahead;
};

/* Rows of a weight table as f32, one for each token. */
struct embed_tile {
    const struct weight_type *type;
    const void *weights; /* as of struct linear_tile */
    size_t row_bytes, panel_bytes, width;
    const int32_t *tokens; /* [rows] */
    float *out;            /* [rows][width] */
    size_t first_row, row_count;
};

struct norm_tile {
    const float *x, *weight; /* [rows][width], [width] */
    float *out;              /* [rows][width] */
    size_t width;
    float epsilon;
    size_t first_row, row_count;
};

/* Norms of any kind (LOAM_NORM_...), group by group. */
struct group_norm_tile {
    const float *x;
    const float *weight, *bias; /* [vector_width] or NULL */
    float *out;                 /* [rows][width] */
    int32_t kind;
    float epsilon;
    size_t width, group_width;
    size_t weight_width, bias_width; /* group_width or width */
    size_t first_row, row_count;
};

/* Rotates heads of rows; out may be x. Elements of a head beyond `dimensions`
 * are copied. */
struct rope_tile {
    const float *x;
    float *out; /* [rows][heads * head_width] */
    const float
        *rotation; /* [rows][dimensions]: cosines, then sines, of dimensions / 2 pairs each */
    size_t heads, head_width, dimensions;
    int32_t pairing; /* LOAM_ROPE_... */
    size_t first_row, row_count;
};

/*
 * Keys and values of one layer in one page, KV head h at its own offset:
 *   keys    position-minor: [key_width][PAGE]
 *   values  position-major: [PAGE][value_width]
 * f32 and f16 as such. q8_0: int8 in that order, then f16 scales, for both
 * [ceil(width / 32)][PAGE].
 */
struct kv_layout {
    int32_t type; /* LOAM_KV_F32, F16, Q8_0 */
    uint32_t kv_heads, key_width, value_width;
    size_t key_offset; /* bytes from the page's start to head 0's keys */
    size_t key_bytes;  /* of one head, a multiple of 64 */
    size_t value_offset, value_bytes;
};

/* Stores the keys and values of rows of one sequence. */
struct store_tile {
    const struct kv_layout *layout;
    const float *k, *v; /* [rows][kv_heads * key_width], [rows][kv_heads * value_width] */
    size_t first_row, row_count;
    size_t position;    /* of first_row */
    void *const *pages; /* of the sequence: page i holds positions [64 i, 64 i + 64) */
};

/* What pages gave queries before they are merged, so that pages can be gone through side
 * by side: merging in order gives the same bits. Queries are the rows of a tile, and in
 * each the heads. */
struct attention_parts {
    size_t first, count; /* pages that there is room for */
    float *o;            /* [queries][count][value_width] */
    float *sums;         /* [queries][count][2]: m and l */
    float *merged;       /* [queries][2]: M and L; O is in the tile's `out` */
};

/* Attention of rows of one sequence, for some query heads of one KV head. From `window` on,
 * what is 0 or NULL is not there. */
struct attention_tile {
    const struct kv_layout *layout;
    size_t kv_head;
    size_t first_head, head_count; /* query heads */
    const float *q;                /* [rows][q_stride]; query head h at h * key_width */
    float *out;                    /* [rows][out_stride]; query head h at h * value_width */
    size_t q_stride, out_stride;
    size_t first_row, row_count;
    size_t position; /* of first_row */
    void *const *pages;
    float scale;   /* of scores */
    size_t window; /* positions that a row sees, its own included */
    size_t chunk;  /* rows see nothing before the last multiple of it */
    size_t end;    /* rows look both ways, up to here; half a window is then on each side */
    float soft_cap;
    const float *slopes; /* by query head */
    const float *sinks;  /* by query head */
    /* Scores are also multiplied by the float of 1 + temperature * log(1 +
     * floor((position + offset) / length)). */
    float temperature;
    uint32_t temperature_offset, temperature_length;
    /* Only pages [first_page, end_page), into parts; `out` is for merging. */
    const struct attention_parts *parts;
    size_t first_page, end_page;
};

/* Functions of one number (LOAM_ACTIVATION_...): out = f(x), or f(x) * b. */
struct map_tile {
    const float *x, *b; /* b NULL: there is none */
    float *out;
    int32_t function;
    const float *parameters; /* [4], or NULL where the function has none */
    size_t first, count;     /* elements */
};

/* Which experts each row takes: ids ascending, and their weights. */
struct route_tile {
    const float *scores; /* [rows][count] */
    const float *bias;   /* [count] or NULL: added where experts are chosen */
    uint32_t *ids;       /* [rows][used] */
    float *weights;      /* [rows][used] */
    size_t count, used, groups, groups_used; /* groups 0: none */
    int32_t router;                          /* LOAM_ROUTER_... */
    bool normalised;
    float scale;
    size_t first_row, row_count;
};

/* Sums of groups of numbers. */
struct sum_tile {
    const float *x; /* [groups][group_width] */
    float *out;     /* [groups] */
    size_t group_width;
    size_t first, count; /* groups */
};

/* One number of each group of group_width (LOAM_REDUCE_...). */
struct reduce_tile {
    const float *x;
    float *out; /* [groups] */
    int32_t kind;
    float factor;
    size_t group_width;
    size_t first, count; /* groups */
};

/* Channels [first_channel, first_channel + channel_count) of all rows of one
 * sequence in the step. Windows hold the `taps` - 1 rows that went before. */
struct convolve_tile {
    const float *x;             /* [rows][width] */
    const float *weight, *bias; /* [width][taps], [width]; no weight: the row before */
    float *out;                 /* [rows][width] */
    size_t width, taps, rows;
    size_t first_channel, channel_count;
    const float *window; /* [taps - 1][width] before the first row; NULL: zeros */
    float *next_window;  /* behind the last */
    float *kept_window;  /* behind the first kept_rows, fewer than rows; NULL: not wanted */
    size_t kept_rows;
};

/* Columns [first_column, first_column + column_count) of a scan's matrices, a
 * column for each number of the result: all rows of one sequence in the step.
 * States are laid out in blocks of 16 columns (tensor.h). */
struct scan_tile {
    int32_t rule; /* LOAM_SCAN_... */
    size_t rows, heads, key_heads, key_width, value_width;
    bool in_turn;
    float scale;
    const float *query, *key;   /* [rows][key_heads * key_width] */
    const float *value;         /* [rows][heads * value_width] */
    const float *step, *gain;   /* [rows][heads] */
    const float *rate;          /* [heads], or [heads][key_width] */
    bool rates;                 /* the latter */
    const float *decay, *a, *b; /* [rows][key_heads * key_width] */
    const float *skip;          /* [heads], or NULL */
    float *out;                 /* [rows][heads * value_width] */
    size_t first_column, column_count;
    const float *state; /* before the first row; NULL: zeros */
    float *next_state;  /* behind the last */
    float *kept_state;  /* behind the first kept_rows, fewer than rows; NULL: not wanted */
    size_t kept_rows;
};

/* Sums of the parts of rows, with factors. */
struct mix_tile {
    const float *x;       /* [rows][inputs][width] */
    const float *factors; /* [rows][outputs][inputs] */
    const float *base;    /* [rows][outputs][width] or NULL */
    float *out;           /* likewise */
    size_t inputs, outputs, width;
    size_t first_row, row_count;
};

struct elementwise_tile {
    const float *a, *b;
    float *out;
    size_t first, count; /* elements */
};

/* What an expert, or another part of a sum, adds to a row. */
struct scaled_tile {
    const float *x;
    float factor;
    float *out;
    size_t count;
};

/* Weight types index tables by their GGUF number. */
enum { WEIGHT_TYPES = 48 };

struct cpu_kernels {
    void (*quantize)(const struct quantize_tile *tile);
    void (*linear[WEIGHT_TYPES])(const struct linear_tile *tile); /* NULL: not supported */
    /* multiply-adds that a linear tile does in well under a millisecond */
    uint32_t linear_products;
    struct stream_distances linear_ahead; /* of this CPU, for kernels of packed weights that look */
    /* Outputs of a tile are a multiple of it: of packed weights with several rows and with one,
     * and of float weights with several */
    uint32_t linear_outputs, row_outputs, float_outputs;
    void (*rms_norm)(const struct norm_tile *tile);
    void (*rope)(const struct rope_tile *tile);
    /* false if a key or value is not finite, or leaves the range of f16 */
    bool (*store)(const struct store_tile *tile);
    void (*attention)(const struct attention_tile *tile);
    /* Merges all pages that the tile has parts of, into `out`. Who sees no page before them
     * begins, who sees none behind them is done with the division. */
    void (*attention_merge)(const struct attention_tile *tile);
    uint32_t attention_heads; /* as many of a KV head share the work on a page well */
    uint32_t attention_rows;  /* rows that an attention tile takes at most */
    void (*gate_silu)(const struct elementwise_tile *tile); /* out = silu(a) * b */
    void (*add)(const struct elementwise_tile *tile);       /* out = a + b */
    void (*add_scaled)(const struct scaled_tile *tile);     /* out = fma(factor, x, out) */
    void (*group_norm)(const struct group_norm_tile *tile);
    void (*map)(const struct map_tile *tile);
    void (*route)(const struct route_tile *tile);
    void (*sum)(const struct sum_tile *tile);
    /* false if what is remembered is not finite */
    bool (*convolve)(const struct convolve_tile *tile);
    bool (*scan)(const struct scan_tile *tile);
    uint32_t scan_products; /* as linear_products, of a convolution or scan */
    uint32_t scan_columns;  /* tiles take a multiple of it, 1 or 16 */
};

/* Looks rows up: the exact value of every weight. One for all levels: it moves
 * one row per token. */
void loam_cpu_embed(const struct embed_tile *tile);

/* One for all levels as well: ref/reduce.c. */
void loam_cpu_reduce(const struct reduce_tile *tile);
void loam_cpu_mix(const struct mix_tile *tile);

/* Of the row at `position`: the positions [*first, *end) that it sees, which ascend with
 * it, and the factor of its scores. */
void loam_attention_visible(const struct attention_tile *tile, size_t position, size_t *first,
                            size_t *end);
float loam_attention_scale(const struct attention_tile *tile, size_t position);

/* Bytes of one KV head's keys and values in a page, multiples of 64. */
size_t loam_kv_key_bytes(int32_t type, uint32_t key_width);
size_t loam_kv_value_bytes(int32_t type, uint32_t value_width);

/* The levels, each overriding what it has of the one before; those that this
 * build lacks are not linked (levels.c). */
void loam_kernels_ref(struct cpu_kernels *kernels);  /* the scalar definition */
void loam_kernels_avx2(struct cpu_kernels *kernels); /* AVX2, FMA, F16C */
void loam_kernels_avx_vnni(struct cpu_kernels *kernels);
void loam_kernels_avx512(struct cpu_kernels *kernels);
void loam_kernels_amx(struct cpu_kernels *kernels);
void loam_kernels_neon(struct cpu_kernels *kernels);
void loam_kernels_neon_dotprod(struct cpu_kernels *kernels);
void loam_kernels_neon_i8mm(struct cpu_kernels *kernels);

#endif
