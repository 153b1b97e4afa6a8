/* SPDX-License-Identifier: MIT */
/* The filters of all files, for the one table. */
#ifndef LOAM_TEMPLATE_FILTERS_H
#define LOAM_TEMPLATE_FILTERS_H

#include "template/native.h"

typedef bool native_call(struct machine *machine, struct value *out, struct value *arguments);
typedef bool native_call_any(struct machine *machine, struct value *out,
                             const struct arguments *arguments);

/* ---- filters_text.c ---- */
native_call loam_filter_string, loam_filter_upper, loam_filter_lower, loam_filter_capitalize,
    loam_filter_title, loam_filter_trim, loam_filter_replace, loam_filter_indent,
    loam_filter_center, loam_filter_wordcount, loam_filter_safe, loam_filter_escape,
    loam_filter_tojson, loam_filter_from_json;
native_call_any loam_filter_format;

/* ---- filters_number.c ---- */
native_call loam_filter_int, loam_filter_float, loam_filter_abs, loam_filter_round;

/* ---- filters_list.c ---- */
native_call loam_filter_default, loam_filter_length, loam_filter_first, loam_filter_last,
    loam_filter_join, loam_filter_list, loam_filter_sum, loam_filter_min, loam_filter_max,
    loam_filter_reverse, loam_filter_items, loam_filter_batch, loam_filter_slice, loam_filter_attr;
native_call_any loam_filter_map, loam_filter_select, loam_filter_reject, loam_filter_selectattr,
    loam_filter_rejectattr;

/* ---- filters_order.c ---- */
native_call loam_filter_sort, loam_filter_unique, loam_filter_dictsort, loam_filter_groupby;

/* ---- shared with methods ---- */

enum text_case { TEXT_UPPER, TEXT_LOWER, TEXT_SWAP, TEXT_CAPITAL, TEXT_TITLE };

/* The text in another case. NULL: failed. */
struct text *loam_filter_case(struct machine *machine, struct text *text, enum text_case wanted);

/* Occurrences of `from` become `to`; count -1: all of them. */
bool loam_filter_replace_text(struct machine *machine, struct value *out, struct text *text,
                              const struct text *from, const struct text *to, int64_t count);

/* Counts the work of a search. */
bool loam_filter_charge(struct machine *machine, const struct text *hay, const struct text *needle);

#endif
