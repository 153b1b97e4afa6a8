/* SPDX-License-Identifier: MIT */
/* JSON to values. */
#ifndef LOAM_TEMPLATE_JSON_READ_H
#define LOAM_TEMPLATE_JSON_READ_H

#include "template/values.h"

/* Reads one JSON text, all of it; what it holds counts as data if from_data.
 * Strings without escapes refer to `text`, which must outlive the machine.
 * Errors name line and column. `what` is for messages: "context". */
bool loam_json_read(struct machine *machine, struct value *out, const char *text, size_t length,
                    bool from_data, const char *what);

#endif
