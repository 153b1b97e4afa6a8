/* SPDX-License-Identifier: MIT */
/*
 * make-model: random numbers, made in the form in which they are stored.
 *
 * Quantised blocks are random words; their scales are chosen so that numbers
 * have mean 0 and the tensor's spread. A mean other than 0 would add up over a
 * row and drown the rest: where the integers of a block do not balance
 * around 0, the sign of the scale is random (Q4_0, Q6_K) or mins are as large as the
 * middle on average (Q4_K, Q5_K). Words are stored as they are: the machine is
 * little-endian, as everywhere in loam.
 */
#include "tools/make_model.h"

#include "base/half.h"
#include "base/numeric.h"
#include "quant/blocks.h"

#include <loam/graph.h>
#include <math.h>

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", 2014). */
static inline uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline void put_words(unsigned char *out, size_t bytes, uint64_t *state)
{
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = next(state);
        memcpy(out + i, &word, 8);
    }
}

/* The spread of numbers of a block of scale 1, and what dmin is in scales.
 * With q of 4, 5, 6 bits, scales and mins as the functions below make them;
 * s, m: 32 to 63; S: 64 to 127 and -128 to -65. */
static double unit_spread(uint32_t type, double *min)
{
    *min = 0;
    switch (type) {
    case LOAM_TYPE_Q8_0:
        return 52.254; /* difference of two q of 7 bits */
    case LOAM_TYPE_Q4_0:
        return 4.6368; /* q - 8 */
    case LOAM_TYPE_Q4_K:
        *min = 7.5;
        return 243.61; /* s q - 7.5 m */
    case LOAM_TYPE_Q5_K:
        *min = 15.5;
        return 490.49; /* s q - 15.5 m */
    case LOAM_TYPE_Q6_K:
        return 1806.6; /* S (q - 32) */
    default:
        return 1;
    }
}

/* Pairs of a number and its negative; a sum of four of 16 bits is nearly
 * normal, and the same everywhere. */
static void make_samples(struct numbers *numbers, double spread)
{
    const struct weight_type *type = numbers->type;
    for (size_t i = 0; i < SAMPLES; i += 2) {
        uint64_t word = next(&numbers->state);
        int32_t sum = -2 * 65535;
        for (int j = 0; j < 4; j++)
            sum += (int32_t)(word >> 16 * j & 65535);
        /* the sum's deviation is that of one, sqrt((2^32 - 1) / 12), times 2 */
        float x = (float)(sum * spread / 37837.227), both[2] = {x, -x};
        type->quantize(numbers->samples + i * type->block_bytes, both, NULL, 2);
    }
}

void make_numbers_begin(struct numbers *numbers, const struct tensor *tensor, uint64_t seed)
{
    double min, unit = unit_spread(tensor->type->id, &min);
    numbers->state = seed;
    for (const char *c = tensor->name; *c; c++) /* each tensor has a sequence of its own */
        numbers->state = next(&numbers->state) ^ (unsigned char)*c;
    numbers->type = tensor->type;
    for (size_t i = 0; i < SCALES; i++) { /* 0.75 to 1.25 */
        float d = (float)(tensor->spread / unit * (0.75 + ((double)i + 0.5) / (2 * SCALES)));
        numbers->scales[i][0] = loam_half_from_float(d);
        d = loam_half_to_float(numbers->scales[i][0]);
        numbers->scales[i][1] = loam_half_from_float((float)(min * (double)d));
    }
    if (tensor->content == CONTENT_MATRIX && !tensor->type->activation_group)
        make_samples(numbers, tensor->spread);
}

/* ---- blocks ------------------------------------------------------------------ */

static void fill_q8_0(struct numbers *n, unsigned char *out)
{
    const uint64_t low = 0x7F7F7F7F7F7F7F7Fu, high = ~low;
    memcpy(out, n->scales[next(&n->state) % SCALES], 2);
    for (size_t i = 0; i < 32; i += 8) {
        uint64_t a = next(&n->state), b = next(&n->state) & low;
        a = (((a & low) | high) - b) ^ high; /* byte by byte: -127 to 127 */
        memcpy(out + 2 + i, &a, 8);
    }
}

static void fill_q4_0(struct numbers *n, unsigned char *out)
{
    uint64_t word = next(&n->state);
    uint16_t d = (uint16_t)(n->scales[word % SCALES][0] | (word >> 48 & 0x8000));
    memcpy(out, &d, 2);
    put_words(out + 2, 16, &n->state);
}

/* The beginning of Q4_K and Q5_K blocks: scales and mins with their highest
 * bits set, those of sub-blocks 0 to 3 in bits 5 and of the others in bits 7 of the
 * first 8 bytes. */
static void fill_k(struct numbers *n, unsigned char *out, size_t rest)
{
    uint64_t word = next(&n->state), scales = next(&n->state) | 0xA0A0A0A0A0A0A0A0u;
    memcpy(out, n->scales[word % SCALES], 4);
    memcpy(out + 4, &scales, 8);
    word >>= 32;
    memcpy(out + 12, &word, 4);
    put_words(out + 16, rest, &n->state);
}

static void fill_q6_k(struct numbers *n, unsigned char *out)
{
    put_words(out, 192, &n->state);
    for (size_t i = 0; i < 16; i += 8) { /* bit 6 is not bit 7: magnitudes from 64 on */
        uint64_t word = next(&n->state) & 0xBFBFBFBFBFBFBFBFu;
        word |= ~word >> 1 & 0x4040404040404040u;
        memcpy(out + 192 + i, &word, 8);
    }
    memcpy(out + 208, n->scales[next(&n->state) % SCALES], 2);
}

static inline void fill_floats(struct numbers *n, unsigned char *out, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i += 4) {
        uint64_t word = next(&n->state);
        for (size_t j = 0; j < 4; j++)
            memcpy(out + (i + j) * size, n->samples + (word >> 16 * j & (SAMPLES - 1)) * size,
                   size);
    }
}

void make_numbers_matrix(struct numbers *numbers, unsigned char *out, size_t blocks)
{
    size_t bytes = numbers->type->block_bytes;
    switch (numbers->type->id) {
    case LOAM_TYPE_Q8_0:
        for (size_t i = 0; i < blocks; i++)
            fill_q8_0(numbers, out + i * bytes);
        break;
    case LOAM_TYPE_Q4_0:
        for (size_t i = 0; i < blocks; i++)
            fill_q4_0(numbers, out + i * bytes);
        break;
    case LOAM_TYPE_Q4_K:
        for (size_t i = 0; i < blocks; i++)
            fill_k(numbers, out + i * bytes, sizeof(struct block_q4_k) - 16);
        break;
    case LOAM_TYPE_Q5_K:
        for (size_t i = 0; i < blocks; i++)
            fill_k(numbers, out + i * bytes, sizeof(struct block_q5_k) - 16);
        break;
    case LOAM_TYPE_Q6_K:
        for (size_t i = 0; i < blocks; i++)
            fill_q6_k(numbers, out + i * bytes);
        break;
    case LOAM_TYPE_F32:
        fill_floats(numbers, out, blocks, 4);
        break;
    default: /* F16, BF16 */
        fill_floats(numbers, out, blocks, 2);
    }
}

/* ---- what is not a matrix ---------------------------------------------------- */

/* Llama 3.2's: pairs that turn slowly (fewer than once in 8192 positions) turn
 * 32 times slower, those that turn more than four times as before, the ones
 * between in between. */
static float rope_factor(uint64_t pair, const struct shape *shape)
{
    double frequency = loam_pow((double)shape->rope_base, -2.0 * (double)pair / shape->head_width);
    double turns = 8192 * frequency / 6.283185307179586, ramp = (turns - 1) / (4 - 1);
    if (ramp < 0)
        ramp = 0;
    if (ramp > 1)
        ramp = 1;
    return (float)(1 / ((1 - ramp) / 32 + ramp));
}

void make_numbers_vector(struct numbers *numbers, float *out, const struct tensor *tensor,
                         const struct shape *shape)
{
    for (uint64_t i = 0; i < tensor->dimensions[0]; i++) {
        /* -1/8 to 1/8 in steps that f32 has */
        float noise = (float)((int32_t)(next(&numbers->state) >> 40) - (1 << 23)) * 0x1p-26f;
        out[i] = tensor->content == CONTENT_FACTORS ? rope_factor(i, shape)
                 : tensor->content == CONTENT_NORM  ? 1 + noise
                                                    : noise;
    }
}
