/* SPDX-License-Identifier: MIT */
#include "quant/codecs.h"

#define POINTER(name) &loam_type_##name,
#define SIZE(id, name, elements, bytes)                                                            \
    &(const struct weight_type){id, name, elements, bytes, .dequantize = NULL},

static const struct weight_type *const types[] = {WEIGHT_TYPE_LIST(POINTER, SIZE)};

const struct weight_type *loam_weight_type(uint32_t id)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(types); i++)
        if (types[i]->id == id)
            return types[i];
    return NULL;
}

const struct weight_type *loam_weight_type_at(size_t index)
{
    return index < LOAM_COUNT_OF(types) ? types[index] : NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const struct weight_type *loam_weight_type_named(const char *name, size_t length)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(types); i++) {
        size_t j = 0;
        while (j < length && types[i]->name[j] && types[i]->name[j] == upper(name[j]))
            j++;
        if (j == length && !types[i]->name[j])
            return types[i];
    }
    return NULL;
}
