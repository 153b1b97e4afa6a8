/* SPDX-License-Identifier: MIT */
/* What a nibble stands for in types that are not linear. */
#ifndef LOAM_QUANT_CURVES_H
#define LOAM_QUANT_CURVES_H

#include "base/base.h"

/* IQ4_NL and IQ4_XS, as published in ggml. */
static const int8_t loam_curve_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

/* Twice the float E2M1 of the OCP microscaling formats; -0 is 0. */
static const int8_t loam_curve_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

#endif
