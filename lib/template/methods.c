/* SPDX-License-Identifier: MIT */
/* Methods of lists, mappings, loops, cyclers and joiners. */
#include "template/execute.h"
#include "template/show.h"

/* What would change a value: the sandbox forbids it. */
static bool forbidden(struct machine *machine, struct value *out, const struct arguments *arguments)
{
    (void)out;
    return FAIL(machine, LOAM_FORMAT, "a method that changes a '%s' object is unsafe",
                loam_values_type(arguments->values[0]));
}

/* ---- mappings ----------------------------------------------------------------------------- */

static bool mapping_get(struct machine *machine, struct value *out, struct value *arguments)
{
    struct value *item = loam_mapping_find(machine, arguments[0].mapping, arguments[1]);
    if (machine->status)
        return false;
    *out = item ? *item : arguments[2];
    if (out->kind == VALUE_MISSING)
        *out = value_none();
    return true;
}

static bool view(struct machine *machine, struct value *out, struct value self,
                 enum sequence_flavour flavour)
{
    struct sequence *items = loam_mapping_view(machine, self.mapping, flavour);
    *out = value_sequence(items);
    return items != NULL;
}

static bool mapping_keys(struct machine *machine, struct value *out, struct value *arguments)
{
    return view(machine, out, arguments[0], FLAVOUR_KEYS);
}

static bool mapping_values(struct machine *machine, struct value *out, struct value *arguments)
{
    return view(machine, out, arguments[0], FLAVOUR_VALUES);
}

static bool mapping_items(struct machine *machine, struct value *out, struct value *arguments)
{
    return view(machine, out, arguments[0], FLAVOUR_ITEMS);
}

static bool mapping_copy(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    *out = arguments[0]; /* mappings never change */
    return true;
}

const struct native loam_mapping_methods[] = {
    {"clear", NULL, forbidden, NULL, 0},
    {"copy", mapping_copy, NULL, NULL, 0},
    {"get", mapping_get, NULL, "key,default", 1},
    {"items", mapping_items, NULL, NULL, 0},
    {"keys", mapping_keys, NULL, NULL, 0},
    {"pop", NULL, forbidden, NULL, 0},
    {"popitem", NULL, forbidden, NULL, 0},
    {"setdefault", NULL, forbidden, NULL, 0},
    {"update", NULL, forbidden, NULL, 0},
    {"values", mapping_values, NULL, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

/* ---- lists ---------------------------------------------------------------------------------- */

/* The sandbox of the reference forbids this; published templates use it all the
 * same. A list that the template made may grow, the caller's data may not. */
static bool sequence_append(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *list = arguments[0].sequence;
    if (list->from_data || list->flavour != FLAVOUR_LIST)
        return FAIL(machine, LOAM_FORMAT, "access to attribute 'append' of '%s' object is unsafe",
                    loam_values_type(arguments[0]));
    *out = value_none();
    return loam_sequence_add(machine, list, arguments[1]);
}

static bool sequence_index(struct machine *machine, struct value *out, struct value *arguments)
{
    const struct sequence *list = arguments[0].sequence;
    for (size_t i = 0; i < list->count; i++) {
        bool equal;
        if (!loam_values_equal(machine, &equal, list->items[i], arguments[1]))
            return false;
        if (equal) {
            *out = value_integer((int64_t)i);
            return true;
        }
    }
    return FAIL(machine, LOAM_FORMAT, "the value is not in the list");
}

static bool sequence_count(struct machine *machine, struct value *out, struct value *arguments)
{
    const struct sequence *list = arguments[0].sequence;
    int64_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool equal;
        if (!loam_values_equal(machine, &equal, list->items[i], arguments[1]))
            return false;
        count += equal;
    }
    *out = value_integer(count);
    return true;
}

static bool sequence_copy(struct machine *machine, struct value *out, struct value *arguments)
{
    const struct native *list = loam_native_find(loam_filters, "list", 4);
    return list->call(machine, out, arguments);
}

const struct native loam_sequence_methods[] = {
    {"append", sequence_append, NULL, "object", 1},
    {"clear", NULL, forbidden, NULL, 0},
    {"copy", sequence_copy, NULL, NULL, 0},
    {"count", sequence_count, NULL, "value", 1},
    {"extend", NULL, forbidden, NULL, 0},
    {"index", sequence_index, NULL, "value", 1},
    {"insert", NULL, forbidden, NULL, 0},
    {"pop", NULL, forbidden, NULL, 0},
    {"remove", NULL, forbidden, NULL, 0},
    {"reverse", NULL, forbidden, NULL, 0},
    {"sort", NULL, forbidden, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

/* ---- loops ------------------------------------------------------------------------------------
 */

static bool loop_cycle(struct machine *machine, struct value *out,
                       const struct arguments *arguments)
{
    const struct loop *loop = arguments->values[0].loop;
    if (arguments->count < 2)
        return FAIL(machine, LOAM_FORMAT, "no items for cycling given");
    *out = arguments
               ->values[1 + (uint64_t)(loop->index < 0 ? 0 : loop->index) % (arguments->count - 1)];
    return true;
}

/* Whether the values differ from those of the call before. */
static bool loop_changed(struct machine *machine, struct value *out,
                         const struct arguments *arguments)
{
    struct loop *loop = arguments->values[0].loop;
    struct sequence *now = loam_sequence_new(machine, FLAVOUR_TUPLE, arguments->count);
    bool equal = false;
    for (size_t i = 1; now && i < arguments->count; i++)
        if (!loam_sequence_add(machine, now, arguments->values[i]))
            return false;
    if (!now || (loop->before && !loam_values_equal(machine, &equal, value_sequence(loop->before),
                                                    value_sequence(now))))
        return false;
    loop->before = now;
    *out = value_boolean(!equal);
    return true;
}

const struct native loam_loop_methods[] = {
    {"changed", NULL, loop_changed, NULL, 0},
    {"cycle", NULL, loop_cycle, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

/* ---- cycler and joiner
 * ---------------------------------------------------------------------------- */

static bool cycler_next(struct machine *machine, struct value *out, struct value *arguments)
{
    struct cycler *cycler = arguments[0].cycler;
    (void)machine;
    *out = cycler->items->items[cycler->position];
    cycler->position = (cycler->position + 1) % cycler->items->count;
    return true;
}

static bool cycler_reset(struct machine *machine, struct value *out, struct value *arguments)
{
    (void)machine;
    arguments[0].cycler->position = 0;
    *out = value_none();
    return true;
}

const struct native loam_cycler_methods[] = {
    {"next", cycler_next, NULL, NULL, 0},
    {"reset", cycler_reset, NULL, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

/* Nothing the first time, then the separator. */
static bool joiner_call(struct machine *machine, struct value *out, struct value *arguments)
{
    struct joiner *joiner = arguments[0].joiner;
    struct text *text = joiner->used ? joiner->separator : loam_text_refer(machine, NULL, 0, false);
    joiner->used = true;
    *out = value_text(text);
    return text != NULL;
}

const struct native loam_joiner_methods[] = {
    {"joiner", joiner_call, NULL, NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};
