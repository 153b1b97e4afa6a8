/* SPDX-License-Identifier: MIT */
/* Filters that compare: sorting, grouping, dropping what is there twice. */
#include "template/execute.h"
#include "template/filters.h"
#include "template/sort.h"

static bool has_path(struct value path)
{
    return path.kind != VALUE_MISSING && path.kind != VALUE_NONE;
}

/* The key of an item: of several attributes ("a,b") a tuple. */
static bool key_of(struct machine *machine, struct value *out, struct value item, struct value path)
{
    *out = item;
    if (!has_path(path))
        return true;
    if (path.kind != VALUE_STRING ||
        loam_text_find(path.text, 0, path.text->length, ",", 1) == SIZE_MAX)
        return loam_native_path(machine, out, item, path);
    struct sequence *keys = loam_sequence_new(machine, FLAVOUR_TUPLE, 0);
    for (size_t start = 0, end; keys && start <= path.text->length; start = end + 1) {
        struct value key;
        end = loam_text_find(path.text, start, path.text->length, ",", 1);
        end = end == SIZE_MAX ? path.text->length : end;
        struct text *part = loam_text_part(machine, path.text, start, end);
        if (!part || !loam_native_path(machine, &key, item, value_text(part)) ||
            !loam_sequence_add(machine, keys, key))
            return false;
    }
    *out = value_sequence(keys);
    return keys != NULL;
}

static bool keys_of(struct machine *machine, struct value **out, const struct sequence *items,
                    struct value path)
{
    *out = loam_heap_get(&machine->heap, items->count, sizeof **out);
    if (!*out)
        return loam_machine_fail_memory(machine);
    for (size_t i = 0; i < items->count; i++)
        if (!machine_spend(machine, 1) || !key_of(machine, &(*out)[i], items->items[i], path))
            return false;
    return true;
}

/* A list of the items in the order of their keys. */
static struct sequence *sorted(struct machine *machine, const struct sequence *items,
                               const struct value *keys, struct sort_order how)
{
    size_t *order;
    if (!loam_sort(machine, &order, keys, items->count, how))
        return NULL;
    struct sequence *list = loam_sequence_new(machine, FLAVOUR_LIST, items->count);
    for (size_t i = 0; list && i < items->count; i++)
        list->items[list->count++] = items->items[order[i]];
    return list;
}

bool loam_filter_sort(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items;
    struct value *keys;
    struct sort_order how = {.fold = !loam_values_truth(arguments[2]),
                             .reverse = loam_values_truth(arguments[1])};
    if (!loam_values_iterate(machine, &items, arguments[0]) ||
        !keys_of(machine, &keys, items, arguments[3]))
        return false;
    struct sequence *list = sorted(machine, items, keys, how);
    *out = value_sequence(list);
    return list != NULL;
}

/* Upper and lower case are one, where the key is text. */
static bool fold_key(struct machine *machine, struct value *key)
{
    if (key->kind != VALUE_STRING)
        return true;
    key->text = loam_filter_case(machine, key->text, TEXT_LOWER);
    return key->text != NULL;
}

bool loam_filter_unique(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items, *list = loam_sequence_new(machine, FLAVOUR_GENERATOR, 0);
    struct mapping *seen = loam_mapping_new(machine);
    struct value *keys;
    if (!list || !seen || !loam_values_iterate(machine, &items, arguments[0]) ||
        !keys_of(machine, &keys, items, arguments[2]))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        if (!loam_values_truth(arguments[1]) && !fold_key(machine, &keys[i]))
            return false;
        struct value *found = loam_mapping_find(machine, seen, keys[i]);
        if (machine->status ||
            (!found && (!loam_mapping_set(machine, seen, keys[i], value_none()) ||
                        !loam_sequence_add(machine, list, items->items[i]))))
            return false;
    }
    *out = value_sequence(list);
    return true;
}

bool loam_filter_dictsort(struct machine *machine, struct value *out, struct value *arguments)
{
    struct text *by = NULL;
    struct sort_order how = {.fold = !loam_values_truth(arguments[1]),
                             .reverse = loam_values_truth(arguments[3])};
    if (arguments[0].kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, arguments[0]);
    if (arguments[0].kind != VALUE_MAPPING)
        return FAIL(machine, LOAM_FORMAT, "'%s object' has no attribute 'items'",
                    loam_values_type(arguments[0]));
    if (!loam_native_string(machine, &by, arguments[2], "by"))
        return false;
    bool by_value = by && loam_text_is(by, "value");
    if (by && !by_value && !loam_text_is(by, "key"))
        return FAIL(machine, LOAM_FORMAT, "you can only sort by either \"key\" or \"value\"");
    struct sequence *items = loam_mapping_view(machine, arguments[0].mapping, FLAVOUR_ITEMS);
    struct sequence *keys = items ? loam_mapping_view(machine, arguments[0].mapping,
                                                      by_value ? FLAVOUR_VALUES : FLAVOUR_KEYS)
                                  : NULL;
    struct sequence *list = keys ? sorted(machine, items, keys->items, how) : NULL;
    *out = value_sequence(list);
    return list != NULL;
}

/* Adds a group of that key. */
static struct sequence *add_group(struct machine *machine, struct sequence *groups,
                                  struct value key)
{
    struct sequence *group = loam_sequence_new(machine, FLAVOUR_TUPLE, 2);
    struct sequence *members = loam_sequence_new(machine, FLAVOUR_LIST, 0);
    if (!group || !members)
        return NULL;
    group->group = true;
    if (!loam_sequence_add(machine, group, key) ||
        !loam_sequence_add(machine, group, value_sequence(members)) ||
        !loam_sequence_add(machine, groups, value_sequence(group)))
        return NULL;
    return members;
}

bool loam_filter_groupby(struct machine *machine, struct value *out, struct value *arguments)
{
    struct sequence *items, *groups = loam_sequence_new(machine, FLAVOUR_LIST, 0), *members = NULL;
    struct value *keys;
    size_t *order;
    bool fold = !loam_values_truth(arguments[3]);
    if (!groups || !loam_values_iterate(machine, &items, arguments[0]) ||
        !keys_of(machine, &keys, items, arguments[1]))
        return false;
    for (size_t i = 0; i < items->count; i++)
        if (keys[i].kind == VALUE_UNDEFINED && arguments[2].kind != VALUE_MISSING)
            keys[i] = arguments[2];
    if (!loam_sort(machine, &order, keys, items->count, (struct sort_order){.fold = fold}))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        int relation = 1;
        if (i &&
            !loam_values_compare(machine, &relation, keys[order[i - 1]], keys[order[i]], "<", fold))
            return false;
        if (relation != 0)
            members = add_group(machine, groups, keys[order[i]]);
        if (!members || !loam_sequence_add(machine, members, items->items[order[i]]))
            return false;
    }
    *out = value_sequence(groups);
    return true;
}
