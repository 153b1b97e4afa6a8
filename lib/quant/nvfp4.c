/* SPDX-License-Identifier: MIT */
/*
 * NVFP4: 4 sub-blocks of 16 floats of 4 bits (E2M1), each with a float of 8 bits
 * (E4M3 without sign) as scale; value scale / 2 * twice the float.
 */
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/integers.h"

struct block {
    uint8_t d[4];
    uint8_t qs[32]; /* byte 8 s + j: numbers j and j + 8 of sub-block s */
};

/* Half of an unsigned E4M3: (8 + m) * 2^(e - 11), or m * 2^-10 for e 0. */
static float half_of(uint8_t scale)
{
    int32_t e = scale >> 3 & 15, m = scale & 7;
    if (scale == 0x7F) /* not a number: the format takes it as 0 */
        return 0;
    return e ? loam_float_from_bits((uint32_t)(116 + e) << 23) * (float)(8 + m)
             : (float)m * 0x1p-10f;
}

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    for (size_t s = 0; s < 4; s++) {
        out->d[s] = half_of(block.d[s]);
        for (size_t j = 0; j < 8; j++) {
            out->q[16 * s + j] = loam_curve_e2m1[block.qs[8 * s + j] & 15];
            out->q[16 * s + 8 + j] = loam_curve_e2m1[block.qs[8 * s + j] >> 4];
        }
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_nvfp4, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 16, .largest = 12, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 64, .unit_bytes = 576};

const struct weight_type loam_type_nvfp4 = {.id = 40,
                                            .name = "NVFP4",
                                            .block_elements = 64,
                                            .block_bytes = 36,
                                            .activation_group = 32,
                                            .dequantize = dequantize,
                                            .packing = &packing,
                                            .integers = &integers};
