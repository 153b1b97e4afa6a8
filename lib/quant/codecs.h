/* SPDX-License-Identifier: MIT */
/* What the files of weight types share. */
#ifndef LOAM_QUANT_CODECS_H
#define LOAM_QUANT_CODECS_H

#include "quant/blocks.h"
#include "quant/list.h"
#include "quant/types.h"

#define LOAM_DECLARE_TYPE(name) extern const struct weight_type loam_type_##name;
#define LOAM_DECLARE_NONE(id, name, elements, bytes)
WEIGHT_TYPE_LIST(LOAM_DECLARE_TYPE, LOAM_DECLARE_NONE)

/* x rounded to the nearest integer, ties to even; |x| below 2^22: adding
 * 1.5 * 2^23 leaves no bits below 1, and IEEE addition rounds to even. */
static inline int32_t loam_round(float x)
{
    return (int32_t)((x + 0x1.8p23f) - 0x1.8p23f);
}

#endif
