/* SPDX-License-Identifier: MIT */
/* Values as text: what print, str, repr and tojson show. */
#ifndef LOAM_TEMPLATE_SHOW_H
#define LOAM_TEMPLATE_SHOW_H

#include "template/values.h"

/* Appends what Python's str() or repr() gives. */
bool loam_show_print(struct machine *machine, struct text_builder *builder, struct value value);
bool loam_show_repr(struct machine *machine, struct text_builder *builder, struct value value);

/* str() as a text; a text is itself. NULL: failed. */
struct text *loam_show_text(struct machine *machine, struct value value);

/* Arguments of Python's json.dumps. */
struct json_style {
    const struct text *indent;                         /* NULL: on one line */
    const struct text *item_separator, *key_separator; /* NULL: ", " or ",", and ": " */
    bool ensure_ascii, sort_keys;
};

/* Appends the value as JSON. */
bool loam_show_json(struct machine *machine, struct text_builder *builder, struct value value,
                    const struct json_style *style);

#endif
