/* SPDX-License-Identifier: MIT */
/*
 * The table of weight types: ggml's type numbers, ascending. TYPE(name): the
 * constant loam_type_name of a file of its own. SIZE(...): a type known by size
 * only, so that any file can be looked at.
 */
#ifndef LOAM_QUANT_LIST_H
#define LOAM_QUANT_LIST_H

/* clang-format off */
#define WEIGHT_TYPE_LIST(TYPE, SIZE) \
    TYPE(f32) \
    TYPE(f16) \
    TYPE(q4_0) \
    TYPE(q4_1) \
    TYPE(q5_0) \
    TYPE(q5_1) \
    TYPE(q8_0) \
    SIZE(9, "Q8_1", 32, 36) \
    TYPE(q2_k) \
    TYPE(q3_k) \
    TYPE(q4_k) \
    TYPE(q5_k) \
    TYPE(q6_k) \
    SIZE(15, "Q8_K", 256, 292) \
    TYPE(iq2_xxs) \
    TYPE(iq2_xs) \
    TYPE(iq3_xxs) \
    TYPE(iq1_s) \
    TYPE(iq4_nl) \
    TYPE(iq3_s) \
    TYPE(iq2_s) \
    TYPE(iq4_xs) \
    SIZE(24, "I8", 1, 1) \
    SIZE(25, "I16", 1, 2) \
    SIZE(26, "I32", 1, 4) \
    SIZE(27, "I64", 1, 8) \
    SIZE(28, "F64", 1, 8) \
    TYPE(iq1_m) \
    TYPE(bf16) \
    TYPE(tq1_0) \
    TYPE(tq2_0) \
    TYPE(mxfp4) \
    TYPE(nvfp4) \
    TYPE(q1_0) \
    TYPE(q2_0)
/* clang-format on */

#endif
