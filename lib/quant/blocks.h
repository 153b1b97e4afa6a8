/* SPDX-License-Identifier: MIT */
/*
 * Blocks of the weight types as they lie in files (little-endian, d, dmin:
 * f16), and units of their packed form. In units, o counts the 16 rows; the
 * 4 bytes of a row stand together, so that a vector of 16 x 4 bytes meets one
 * word of 4 activations:
 *
 *   bytes q[v][o][j]    number 4 v + j
 *   nibbles q[v][o][j]  number 4 v + j low, 16 + 4 v + j high, of 32 numbers
 *
 * A unit's parts lie in the order in which products use them, since one row's product
 * reads memory as fast as it comes only line after line.
 */
#ifndef LOAM_QUANT_BLOCKS_H
#define LOAM_QUANT_BLOCKS_H

#include "quant/types.h"

/* value = d * q */
struct block_q8_0 {
    uint16_t d;
    int8_t qs[32];
};
struct unit_q8_0 { /* two blocks b of 32 */
    uint16_t d[2][16];
    int8_t q[2][8][16][4];
};

/* value = d * (q - 8) */
struct block_q4_0 {
    uint16_t d;
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high */
};
struct unit_q4_0 { /* two blocks b of 32 */
    uint16_t d[2][16];
    uint8_t q[2][4][16][4];
};

/* Sub-blocks of 32: value = d * scale * q - dmin * min, scale and min of 6 bits. */
struct block_q4_k {
    uint16_t d, dmin;
    uint8_t s[12]; /* scales and mins, spread over bytes (shared with Q5_K) */
    uint8_t qs[128];
};
struct unit_q4_k { /* one block, sub-blocks s of 32 */
    uint8_t scales[8][16];
    uint8_t q[8][4][16][4];
    uint8_t mins[4][16][2]; /* [p][o][i]: of sub-block 2 p + i */
    uint16_t d[16], dmin[16];
};

struct block_q5_k {
    uint16_t d, dmin;
    uint8_t s[12];
    uint8_t qh[32];
    uint8_t qs[128];
};
struct unit_q5_k {
    uint8_t scales[8][16];
    struct {
        uint8_t high[16][4]; /* [o][j]: bit v is bit 4 of number 4 v + j of the sub-block */
        uint8_t q[4][16][4];
    } sub_blocks[8];
    uint8_t mins[4][16][2];
    uint16_t d[16], dmin[16];
};

/* Sub-blocks of 16: value = d * scale * (q - 32). */
struct block_q6_k {
    uint8_t ql[128], qh[64];
    int8_t scales[16];
    uint16_t d;
};
struct unit_q6_k { /* one block, pairs p of sub-blocks: 32 numbers, the first 16 in the low nibbles
                    */
    int8_t scales[8][16][2]; /* [p][o][i]: of sub-block 2 p + i */
    struct {
        uint8_t high[2][16][4]; /* [i][o][j]: bits 2 v and 2 v + 1 are bits 4 and 5 of number
                                   16 i + 4 v + j */
        uint8_t q[4][16][4];
    } pairs[8];
    uint16_t d[16], unused[16];
};

/* Types whose packed form is a list of fields (struct weight_packing); what bits mean is said
 * in their files. Nibbles and b as in Q4_0. */
struct unit_q4_1 {
    uint16_t d[2][16], m[2][16];
    uint8_t q[2][4][16][4];
};
struct unit_q5_0 {
    uint16_t d[2][16];
    uint8_t high[2][16][4]; /* 32 bits of a row */
    uint8_t q[2][4][16][4];
};
struct unit_q5_1 {
    uint16_t d[2][16], m[2][16];
    uint8_t high[2][16][4];
    uint8_t q[2][4][16][4];
};
struct unit_iq4_nl {
    uint16_t d[2][16];
    uint8_t q[2][4][16][4];
};
struct unit_q1_0 { /* two blocks b of 128 */
    uint16_t d[2][16];
    uint8_t q[2][4][16][4]; /* bits */
};
struct unit_q2_0 { /* two blocks b of 64 */
    uint16_t d[2][16];
    uint8_t q[2][4][16][4];
};
struct unit_mxfp4 {
    uint8_t e[4][16];
    uint8_t q[4][4][16][4];
};
struct unit_nvfp4 { /* sub-blocks s of 16 */
    uint8_t d[4][16];
    uint8_t q[4][2][16][4]; /* nibbles: number 4 v + j low, 8 + 4 v + j high */
};
struct unit_iq4_xs { /* sub-blocks s of 32 */
    uint16_t d[16], high[16];
    uint8_t scales[16][4];
    uint8_t q[8][4][16][4];
};
struct unit_q2_k {
    uint8_t scales[4][16][4];
    uint8_t q[2][8][16][4]; /* [h][v]: bits 2 j are number 128 h + 32 j + 4 v + i of byte i */
    uint16_t d[16], dmin[16];
};
struct unit_q3_k {
    uint8_t scales[3][16][4];
    uint8_t high[8][16][4];
    uint8_t q[2][8][16][4];
    uint16_t d[16], unused[16];
};
struct unit_tq1_0 {
    uint8_t q[13][16][4]; /* the last four of `last` */
    uint16_t d[16], unused[16];
};
struct unit_tq2_0 {
    uint8_t q[2][8][16][4];
    uint16_t d[16], unused[16];
};

_Static_assert(sizeof(struct block_q8_0) == 34 && sizeof(struct unit_q8_0) == 1088, "layout");
_Static_assert(sizeof(struct block_q4_0) == 18 && sizeof(struct unit_q4_0) == 576, "layout");
_Static_assert(sizeof(struct block_q4_k) == 144 && sizeof(struct unit_q4_k) == 2368, "layout");
_Static_assert(sizeof(struct block_q5_k) == 176 && sizeof(struct unit_q5_k) == 2880, "layout");
_Static_assert(sizeof(struct block_q6_k) == 210 && sizeof(struct unit_q6_k) == 3392, "layout");
_Static_assert(sizeof(struct unit_q4_1) == 640 && sizeof(struct unit_q5_0) == 704 &&
                   sizeof(struct unit_q5_1) == 768 && sizeof(struct unit_iq4_nl) == 576,
               "layout");
_Static_assert(sizeof(struct unit_q1_0) == 576 && sizeof(struct unit_q2_0) == 576 &&
                   sizeof(struct unit_mxfp4) == 1088 && sizeof(struct unit_nvfp4) == 576 &&
                   sizeof(struct unit_iq4_xs) == 2176,
               "layout");
_Static_assert(sizeof(struct unit_q2_k) == 1344 && sizeof(struct unit_q3_k) == 1792 &&
                   sizeof(struct unit_tq1_0) == 896 && sizeof(struct unit_tq2_0) == 1088,
               "layout");

#endif
