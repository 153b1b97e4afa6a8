/* SPDX-License-Identifier: MIT */
/*
 * lib/api: the public functions of loam.h that are not the whole of a lower
 * function: they check arguments, call inward and write the caller's structs.
 * Nothing is decided here. The one place that names a backend: engine.c.
 */
#ifndef LOAM_API_API_H
#define LOAM_API_API_H

#include "base/error.h"
#include "base/source.h"
#include "session/session.h"

/* Fails with INVALID_ARGUMENT, naming it, if `pointer` is NULL. */
static inline loam_status loam_api_given(const void *pointer, const char *name, loam_error *error)
{
    return pointer ? LOAM_OK : loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", name);
}

/* Opens the source that the caller's struct describes. */
loam_status loam_api_open_source(struct source *out, const loam_source *given, loam_error *error);

struct render_part;

/* Renders a context with parts of it (lib/template/render.h) given apart;
 * options are complete. */
loam_status loam_api_render(loam_rendering **out, loam_template *chat_template, const char *context,
                            size_t length, const struct render_part *parts, size_t part_count,
                            const loam_render_options *options, loam_error *error);

/* Writes a list to the caller's array; TOO_SMALL if it does not fit. */
loam_status loam_api_give_tokens(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                 const struct token_list *list, loam_error *error);

#endif
