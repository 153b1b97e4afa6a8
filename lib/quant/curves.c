/* SPDX-License-Identifier: MIT */
#include "quant/curves.h"

/* clang-format off */
#define E2M1(q) ((q) == 0 ? 0 : (q) == 1 ? 1 : (q) == 2 ? 2 : (q) == 3 ? 3 : (q) == 4 ? 4 : \
    (q) == 5 ? 6 : (q) == 6 ? 8 : (q) == 7 ? 12 : -E2M1_HIGH((q) - 8))
#define E2M1_HIGH(q) ((q) <= 4 ? (q) : (q) == 5 ? 6 : (q) == 6 ? 8 : 12)
#define IQ4(q) ((q) == 0 ? -127 : (q) == 1 ? -104 : (q) == 2 ? -83 : (q) == 3 ? -65 : \
    (q) == 4 ? -49 : (q) == 5 ? -35 : (q) == 6 ? -22 : (q) == 7 ? -10 : (q) == 8 ? 1 : \
    (q) == 9 ? 13 : (q) == 10 ? 25 : (q) == 11 ? 38 : (q) == 12 ? 53 : (q) == 13 ? 69 : \
    (q) == 14 ? 89 : 113)

#define PAIR(curve, low, high) (uint16_t)((curve(low) & 255) | (curve(high) & 255) << 8)
#define FOUR(curve, low, high) PAIR(curve, low, high), PAIR(curve, low + 1, high), \
    PAIR(curve, low + 2, high), PAIR(curve, low + 3, high)
#define LOW(curve, high) FOUR(curve, 0, high), FOUR(curve, 4, high), FOUR(curve, 8, high), \
    FOUR(curve, 12, high)
#define HIGH(curve, from) LOW(curve, from), LOW(curve, from + 1), LOW(curve, from + 2), \
    LOW(curve, from + 3)
#define ALL(curve) {HIGH(curve, 0), HIGH(curve, 4), HIGH(curve, 8), HIGH(curve, 12)}

const uint16_t loam_curve_iq4_pairs[256] = ALL(IQ4);
const uint16_t loam_curve_e2m1_pairs[256] = ALL(E2M1);
/* clang-format on */
