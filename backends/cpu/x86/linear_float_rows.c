/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products of many rows with F32, F16 and BF16 weights. OUTPUTS rows of weights
 * are converted, CHUNK numbers at a time, once for MANY rows of x, of which ROWS at a time
 * stay in L1 while they meet all of them; meanwhile the lanes of all these products wait
 * in memory, which changes no order.
 *
 * Per 8 numbers a block of TOGETHER x ROWS products has 7 loads and 12 fma, all that 16
 * registers hold. Bound: two fma per cycle; where the core's other half works, loads, of
 * which there is then one a cycle (two of weights as operands of fma: 0.75 of the speed).
 */
#include "cpu/x86/linear_float.h"

enum {
    FEWEST = 8, /* rows that this is for */
    MANY = 48,
    OUTPUTS = 12, /* as float_outputs of the kernels */
    TOGETHER = 3, /* outputs of a block, and rows */
    ROWS = 4,
    CHUNK = 512
};

/* 42 KB of stack. */
struct panel {
    _Alignas(64) float weights[OUTPUTS][CHUNK]; /* with +0 up to a multiple of 8 */
    _Alignas(64) float lanes[MANY / ROWS][OUTPUTS][ROWS][PRODUCT_LANES];
    size_t outputs; /* what is behind them is computed as well, and not used */
    size_t begin;   /* of the chunk in the rows of weights and x */
    size_t count;   /* numbers, CHUNK at most */
};

INLINE void open_chunk(struct panel *panel, const struct linear_tile *tile, size_t output,
                       uint32_t type)
{
    size_t whole = panel->count & ~(size_t)7, rest = panel->count - whole;
    for (size_t o = 0; o < panel->outputs; o++) {
        const unsigned char *from = (const unsigned char *)tile->weights +
                                    (output + o) * tile->row_bytes + panel->begin * size_of(type);
        unsigned char last[8 * 4] = {0};
        for (size_t i = 0; i < whole; i += 8)
            _mm256_store_ps(panel->weights[o] + i, widen(from + i * size_of(type), type));
        if (rest == 0)
            continue;
        memcpy(last, from + whole * size_of(type), rest * size_of(type));
        _mm256_store_ps(panel->weights[o] + whole, widen(last, type));
    }
}

/* `count` numbers, a multiple of 8, of the weights of TOGETHER outputs and of ROWS rows of
 * x; `first`: lanes begin with +0. */
static __attribute__((noinline)) void add_block(float (*lanes)[ROWS][PRODUCT_LANES],
                                                const float (*weights)[CHUNK],
                                                const float *const rows[ROWS], size_t count,
                                                bool first)
{
    __m256 sums[TOGETHER][ROWS];
    const float *x[ROWS] = {rows[0], rows[1], rows[2], rows[3]};
    for (int o = 0; o < TOGETHER; o++)
        for (int r = 0; r < ROWS; r++)
            sums[o][r] = first ? _mm256_setzero_ps() : _mm256_load_ps(lanes[o][r]);
#pragma GCC unroll 4
    for (size_t i = 0; i < count; i += 8) {
        __m256 w[TOGETHER];
        for (int o = 0; o < TOGETHER; o++)
            w[o] = _mm256_load_ps(weights[o] + i);
        for (int r = 0; r < ROWS; r++) {
            __m256 eight = loaded(x[r] + i);
            for (int o = 0; o < TOGETHER; o++)
                sums[o][r] = _mm256_fmadd_ps(w[o], eight, sums[o][r]);
        }
    }
    for (int o = 0; o < TOGETHER; o++)
        for (int r = 0; r < ROWS; r++)
            _mm256_store_ps(lanes[o][r], sums[o][r]);
}

/* The numbers behind the last multiple of 8, filled up with +0. */
static __attribute__((noinline)) void
add_rest(struct panel *panel, float (*lanes)[ROWS][PRODUCT_LANES], const float *const rows[ROWS])
{
    size_t whole = panel->count & ~(size_t)7;
    float ends[ROWS][8] = {{0}};
    for (int r = 0; r < ROWS; r++)
        memcpy(ends[r], rows[r] + whole, (panel->count - whole) * sizeof *ends[r]);
    const float *const last[ROWS] = {ends[0], ends[1], ends[2], ends[3]};
    for (size_t o = 0; o < panel->outputs; o += TOGETHER)
        add_block(lanes + o, (const float(*)[CHUNK])(panel->weights[o] + whole), last, 8, false);
}

/* The chunk for ROWS rows, which may be the same. */
INLINE void add_rows(struct panel *panel, float (*lanes)[ROWS][PRODUCT_LANES],
                     const float *const rows[ROWS])
{
    for (size_t o = 0; o < panel->outputs; o += TOGETHER)
        add_block(lanes + o, (const float(*)[CHUNK])panel->weights + o, rows,
                  panel->count & ~(size_t)7, panel->begin == 0);
    if (panel->count % 8 != 0)
        add_rest(panel, lanes, rows);
}

/* The products of a row from its lanes. */
static void store_row(const struct linear_tile *tile, const struct panel *panel,
                      const float (*lanes)[ROWS][PRODUCT_LANES], int lane_row, size_t output,
                      size_t row)
{
    float sums[OUTPUTS], *out = tile->out + row * tile->out_stride + output;
    for (size_t o = 0; o < OUTPUTS; o += 4) {
        __m256 four[4];
        for (size_t i = 0; i < 4; i++)
            four[i] = _mm256_load_ps(lanes[o + i][lane_row]);
        _mm_storeu_ps(sums + o, four_trees8(four));
    }
    for (size_t o = 0; o < panel->outputs; o++)
        out[o] = tile->bias ? sums[o] + tile->bias[output + o] : sums[o];
}

/* The outputs of a panel from `output` on for `count` rows, MANY at most. */
INLINE void run_panel(struct panel *panel, const struct linear_tile *tile, size_t output,
                      size_t first, size_t count, uint32_t type)
{
    for (panel->begin = 0; panel->begin < tile->width; panel->begin += CHUNK) {
        panel->count = loam_min(CHUNK, tile->width - panel->begin);
        open_chunk(panel, tile, output, type);
        for (size_t r = 0; r < count; r += ROWS) {
            const float *rows[ROWS];
            for (size_t j = 0; j < ROWS; j++)
                rows[j] =
                    tile->x + (first + loam_min(r + j, count - 1)) * tile->x_stride + panel->begin;
            add_rows(panel, panel->lanes[r / ROWS], rows);
        }
    }
    for (size_t r = 0; r < count; r++)
        store_row(tile, panel, (const float(*)[ROWS][PRODUCT_LANES])panel->lanes[r / ROWS],
                  (int)(r % ROWS), output, first + r);
}

INLINE size_t float_rows(const struct linear_tile *tile, uint32_t type)
{
    struct panel panel;
    size_t row = 0, end = tile->first_output + tile->output_count;
    memset(panel.weights, 0, sizeof panel.weights);
    while (tile->rows - row >= FEWEST) {
        size_t rows = loam_min(MANY, tile->rows - row);
        for (size_t output = tile->first_output; output < end; output += OUTPUTS) {
            panel.outputs = loam_min(OUTPUTS, end - output);
            run_panel(&panel, tile, output, row, rows, type);
        }
        row += rows;
    }
    return row;
}

static __attribute__((noinline)) size_t rows_f32(const struct linear_tile *tile)
{
    return float_rows(tile, LOAM_TYPE_F32);
}

static __attribute__((noinline)) size_t rows_f16(const struct linear_tile *tile)
{
    return float_rows(tile, LOAM_TYPE_F16);
}

static __attribute__((noinline)) size_t rows_bf16(const struct linear_tile *tile)
{
    return float_rows(tile, LOAM_TYPE_BF16);
}

size_t loam_avx2_float_rows(const struct linear_tile *tile, uint32_t type)
{
    return type == LOAM_TYPE_F32 ? rows_f32(tile)
                                 : (type == LOAM_TYPE_F16 ? rows_f16 : rows_bf16)(tile);
}
