/* SPDX-License-Identifier: MIT */
/* What % formatting and str.format share. */
#ifndef LOAM_TEMPLATE_FORMAT_H
#define LOAM_TEMPLATE_FORMAT_H

#include "template/native.h"

enum { FORMAT_MOST = 10000 }; /* width and precision */

struct format_spec {
    struct text *fill; /* NULL: a space */
    char align;        /* '<', '>', '^', '=' (behind the sign), 0: as the type has it */
    char sign;         /* '+', ' ' or 0 */
    bool alternate;    /* '#' */
    bool zero;         /* fill with zeros behind the sign */
    char group;        /* ',' or '_' between groups of digits, or 0 */
    int width;
    int precision; /* -1: not given */
    char type;     /* s, d, x, f and so on; 0: none */
};

/* Appends a value by the specification; types d b o x X c e E f F g G %. */
bool loam_format_number(struct machine *machine, struct text_builder *builder, struct value value,
                        const struct format_spec *spec);

/* Appends a text, cut to the precision and filled up to the width. */
bool loam_format_text(struct machine *machine, struct text_builder *builder, struct text *text,
                      const struct format_spec *spec);

/* Reads a decimal number at bytes[*at]; false: more than FORMAT_MOST. */
bool loam_format_read(const struct text *text, size_t *at, int *out);

#endif
