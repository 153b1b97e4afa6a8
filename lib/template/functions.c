/* SPDX-License-Identifier: MIT */
/* Global functions. */
#include "template/execute.h"
#include "template/show.h"

enum { RANGE_MOST = 100000 }; /* as in the sandbox of the reference */

static bool call_range(struct machine *machine, struct value *out, struct value *arguments)
{
    int64_t start = 0, stop = 0, step = 1;
    bool one = arguments[2].kind == VALUE_MISSING;
    for (int i = 1; i <= 3; i++)
        if (arguments[i].kind == VALUE_NONE)
            return FAIL(machine, LOAM_FORMAT, "range() takes integers, not None");
    if (!loam_native_integer(machine, &stop, arguments[one ? 1 : 2], "stop") ||
        (!one && !loam_native_integer(machine, &start, arguments[1], "start")) ||
        !loam_native_integer(machine, &step, arguments[3], "step"))
        return false;
    if (step == 0)
        return FAIL(machine, LOAM_FORMAT, "range() arg 3 must not be zero");
    uint64_t distance = 0, pace = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (step > 0 ? start < stop : start > stop)
        distance = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t count = distance / pace + (distance % pace != 0);
    if (count > RANGE_MOST)
        return FAIL(machine, LOAM_UNSUPPORTED, "range too big, at most %d items", RANGE_MOST);
    struct sequence *range = loam_sequence_new(machine, FLAVOUR_RANGE, count);
    for (uint64_t i = 0; range && i < count; i++)
        if (!loam_sequence_add(machine, range,
                               value_integer((int64_t)((uint64_t)start + i * (uint64_t)step))))
            return false;
    if (!range)
        return false;
    range->start = start;
    range->stop = stop;
    range->step = step;
    *out = value_sequence(range);
    return true;
}

/* Puts the items of a mapping, or pairs of key and item, into another. */
static bool add_all(struct machine *machine, struct mapping *mapping, struct value from)
{
    struct sequence *items, *pair;
    if (from.kind == VALUE_MAPPING || from.kind == VALUE_NAMESPACE) {
        for (size_t i = 0; i < from.mapping->count; i++)
            if (!loam_mapping_set(machine, mapping, from.mapping->entries[i].key,
                                  from.mapping->entries[i].item))
                return false;
        return true;
    }
    if (!loam_values_iterate(machine, &items, from))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        if (!loam_values_iterate(machine, &pair, items->items[i]))
            return false;
        if (pair->count != 2)
            return FAIL(machine, LOAM_FORMAT, "element %zu has length %zu; 2 is required", i,
                        pair->count);
        if (!loam_mapping_set(machine, mapping, pair->items[0], pair->items[1]))
            return false;
    }
    return true;
}

static bool make_mapping(struct machine *machine, struct value *out,
                         const struct arguments *arguments, enum value_kind kind)
{
    struct mapping *mapping = loam_mapping_new(machine);
    if (!mapping || (arguments->count > 1 && !add_all(machine, mapping, arguments->values[1])))
        return false;
    if (arguments->count > 2)
        return FAIL(machine, LOAM_FORMAT, "at most one positional argument is expected");
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (!loam_mapping_set(machine, mapping, arguments->keywords[2 * i],
                              arguments->keywords[2 * i + 1]))
            return false;
    *out = value_mapping(mapping);
    out->kind = (uint8_t)kind;
    return true;
}

static bool call_dict(struct machine *machine, struct value *out, const struct arguments *arguments)
{
    return make_mapping(machine, out, arguments, VALUE_MAPPING);
}

static bool call_namespace(struct machine *machine, struct value *out,
                           const struct arguments *arguments)
{
    return make_mapping(machine, out, arguments, VALUE_NAMESPACE);
}

static bool call_cycler(struct machine *machine, struct value *out,
                        const struct arguments *arguments)
{
    struct cycler *cycler = loam_heap_get(&machine->heap, 1, sizeof *cycler);
    struct sequence *items = loam_sequence_new(machine, FLAVOUR_LIST, arguments->count);
    if (!cycler || !items)
        return loam_machine_fail_memory(machine);
    if (arguments->count < 2)
        return FAIL(machine, LOAM_FORMAT, "at least one item has to be provided");
    for (size_t i = 1; i < arguments->count; i++)
        if (!loam_sequence_add(machine, items, arguments->values[i]))
            return false;
    *cycler = (struct cycler){.items = items};
    *out = (struct value){.kind = VALUE_CYCLER, .cycler = cycler};
    return true;
}

static bool call_joiner(struct machine *machine, struct value *out, struct value *arguments)
{
    struct joiner *joiner = loam_heap_get(&machine->heap, 1, sizeof *joiner);
    if (!joiner)
        return loam_machine_fail_memory(machine);
    *joiner = (struct joiner){0};
    joiner->separator = arguments[1].kind == VALUE_MISSING
                            ? loam_text_refer(machine, ", ", 2, false)
                            : loam_show_text(machine, arguments[1]);
    *out = (struct value){.kind = VALUE_JOINER, .joiner = joiner};
    return joiner->separator != NULL;
}

/* The message, exactly: no place is put before it. */
static bool call_raise(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *message = loam_show_text(machine, arguments[1]);
    (void)out;
    if (!message)
        return false;
    machine->refused = true;
    return FAIL(machine, LOAM_REFUSED, "%.*s",
                (int)loam_min(message->length, sizeof(((loam_error *)0)->message)), message->bytes);
}

static bool call_strftime_now(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text_builder builder = {0};
    struct text *format = NULL;
    if (!loam_native_string(machine, &format, arguments[1], "format"))
        return false;
    if (!format)
        return FAIL(machine, LOAM_FORMAT, "strftime_now needs a format");
    if (!machine->time)
        return FAIL(machine, LOAM_STATE, "the template asks for the time, and none was given");
    if (!loam_strftime(machine, &builder, format, machine->time))
        return false;
    struct text *text = loam_builder_finish(machine, &builder);
    *out = value_text(text);
    return text != NULL;
}

const struct native loam_functions[] = {
    {"cycler", NULL, call_cycler, NULL, 0},
    {"dict", NULL, call_dict, NULL, 0},
    {"joiner", call_joiner, NULL, "sep", 0},
    {"namespace", NULL, call_namespace, NULL, 0},
    {"raise_exception", call_raise, NULL, "message", 1},
    {"range", call_range, NULL, "start,stop,step", 1},
    {"strftime_now", call_strftime_now, NULL, "format", 1},
    {NULL, NULL, NULL, NULL, 0},
};
