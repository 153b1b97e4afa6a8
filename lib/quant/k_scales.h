/* SPDX-License-Identifier: MIT */
/* The 6-bit scales and mins of Q4_K and Q5_K, spread over 12 bytes: those of
 * sub-blocks 0 to 3 in the low bits of bytes 0 to 3 and 4 to 7; the others
 * have 4 bits in bytes 8 to 11 and 2 in the high bits of the former. */
#ifndef LOAM_QUANT_K_SCALES_H
#define LOAM_QUANT_K_SCALES_H

#include "base/base.h"

static inline uint8_t loam_k_scale(const uint8_t s[12], size_t sub_block)
{
    size_t b = sub_block;
    return (uint8_t)(b < 4 ? s[b] & 63 : (s[b + 4] & 15) | s[b - 4] >> 6 << 4);
}

static inline uint8_t loam_k_min(const uint8_t s[12], size_t sub_block)
{
    size_t b = sub_block;
    return (uint8_t)(b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | s[b] >> 6 << 4);
}

/* All of them into the 12 bytes. */
static inline void loam_k_scales_join(uint8_t s[12], const uint8_t scales[8], const uint8_t mins[8])
{
    for (size_t b = 0; b < 4; b++) {
        uint8_t scale = scales[b + 4], min = mins[b + 4];
        s[b] = (uint8_t)(scales[b] | scale >> 4 << 6);
        s[b + 4] = (uint8_t)(mins[b] | min >> 4 << 6);
        s[b + 8] = (uint8_t)((scale & 15) | (min & 15) << 4);
    }
}

/* The same into the packed form, row o of scales[b][o] and mins[b / 2][o][b % 2],
 * and back. Four sub-blocks are in a word, for the sake of speed: weights are packed
 * while somebody waits for the model. */
static inline void loam_k_scales_pack(uint8_t (*scales)[16], uint8_t (*mins)[16][2], size_t o,
                                      const uint8_t s[12])
{
    uint32_t words[3], scale[2], min[2];
    memcpy(words, s, sizeof words);
    scale[0] = words[0] & 0x3F3F3F3Fu;
    min[0] = words[1] & 0x3F3F3F3Fu;
    scale[1] = (words[2] & 0x0F0F0F0Fu) | (words[0] >> 6 & 0x03030303u) << 4;
    min[1] = (words[2] >> 4 & 0x0F0F0F0Fu) | (words[1] >> 6 & 0x03030303u) << 4;
    uint8_t scale_of[8], min_of[8];
    memcpy(scale_of, scale, sizeof scale);
    memcpy(min_of, min, sizeof min);
    for (size_t b = 0; b < 8; b++)
        scales[b][o] = scale_of[b];
    for (size_t b = 0; b < 8; b += 2)
        memcpy(mins[b / 2][o], min_of + b, 2);
}

static inline void loam_k_scales_unpack(uint8_t s[12], const uint8_t (*scales)[16],
                                        const uint8_t (*mins)[16][2], size_t o)
{
    uint8_t of[8], min_of[8];
    for (size_t b = 0; b < 8; b++) {
        of[b] = scales[b][o];
        min_of[b] = mins[b / 2][o][b % 2];
    }
    loam_k_scales_join(s, of, min_of);
}

#endif
