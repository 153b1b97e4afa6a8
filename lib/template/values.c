/* SPDX-License-Identifier: MIT */
#include "template/values.h"

#include "base/utf8.h"
#include "template/characters.h"

const char *loam_values_kind(enum value_kind kind)
{
    static const char *const names[] = {
        [VALUE_MISSING] = "missing",   [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "NoneType",     [VALUE_BOOLEAN] = "bool",
        [VALUE_INTEGER] = "int",       [VALUE_FLOAT] = "float",
        [VALUE_STRING] = "str",        [VALUE_SEQUENCE] = "list",
        [VALUE_MAPPING] = "dict",      [VALUE_NAMESPACE] = "Namespace",
        [VALUE_FUNCTION] = "function", [VALUE_METHOD] = "builtin_function_or_method",
        [VALUE_MACRO] = "Macro",       [VALUE_LOOP] = "LoopContext",
        [VALUE_CYCLER] = "Cycler",     [VALUE_JOINER] = "Joiner",
        [VALUE_MARK] = "mark"};
    return names[kind];
}

const char *loam_values_type(struct value value)
{
    static const char *const sequences[] = {"list",      "tuple",       "range",     "generator",
                                            "dict_keys", "dict_values", "dict_items"};
    return value.kind == VALUE_SEQUENCE ? sequences[value.sequence->flavour]
                                        : loam_values_kind((enum value_kind)value.kind);
}

bool loam_values_truth(struct value value)
{
    switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOLEAN:
        return value.boolean;
    case VALUE_INTEGER:
        return value.integer != 0;
    case VALUE_FLOAT:
        return value.number != 0;
    case VALUE_STRING:
        return value.text->length > 0;
    case VALUE_SEQUENCE:
        return value.sequence->count > 0 || value.sequence->flavour == FLAVOUR_GENERATOR;
    case VALUE_MAPPING:
        return value.mapping->count > 0;
    default:
        return true;
    }
}

bool loam_values_fail_undefined(struct machine *machine, struct value value)
{
    static const struct text none = {.bytes = "value"};
    const struct text *name = value.text ? value.text : &none;
    if (!value.text || value.detail == UNDEFINED_PLAIN)
        return FAIL(machine, LOAM_FORMAT, "the value is undefined");
    if (value.detail == UNDEFINED_ATTRIBUTE)
        return FAIL(machine, LOAM_FORMAT, "'%s object' has no attribute '%.*s'",
                    loam_values_kind((enum value_kind)value.owner), LOAM_SHOWN(name->length),
                    name->bytes);
    return FAIL(machine, LOAM_FORMAT, "'%.*s' is undefined", LOAM_SHOWN(name->length), name->bytes);
}

/* ---- sequences -------------------------------------------------------------- */

struct sequence *loam_sequence_new(struct machine *machine, enum sequence_flavour flavour,
                                   uint64_t room)
{
    struct sequence *sequence = heap_get_one(&machine->heap, sizeof *sequence);
    struct value *items = room ? loam_heap_get(&machine->heap, room, sizeof *items) : NULL;
    if (!sequence || (room && !items)) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *sequence =
        (struct sequence){.items = items, .capacity = (size_t)room, .flavour = (uint8_t)flavour};
    return sequence;
}

bool loam_sequence_add(struct machine *machine, struct sequence *sequence, struct value value)
{
    if (sequence->count == sequence->capacity &&
        !loam_heap_grow(&machine->heap, (void **)&sequence->items, &sequence->capacity,
                        (uint64_t)sequence->count + 1, sizeof value))
        return loam_machine_fail_memory(machine);
    sequence->items[sequence->count++] = value;
    return machine_spend(machine, 1);
}

static struct sequence *characters_of(struct machine *machine, struct text *text)
{
    struct sequence *list = loam_sequence_new(machine, FLAVOUR_LIST, loam_text_characters(text));
    for (size_t at = 0, step; list && at < text->length; at += step) {
        step = loam_text_step(text, at);
        struct text *character = loam_text_part(machine, text, at, at + step);
        if (!character || !loam_sequence_add(machine, list, value_text(character)))
            return NULL;
    }
    return list;
}

bool loam_values_iterate(struct machine *machine, struct sequence **out, struct value value)
{
    *out = NULL;
    switch (value.kind) {
    case VALUE_SEQUENCE:
        *out = value.sequence;
        if (value.sequence->flavour == FLAVOUR_GENERATOR) {
            if (value.sequence->consumed)
                *out = loam_sequence_new(machine, FLAVOUR_LIST, 0);
            value.sequence->consumed = true;
        }
        break;
    case VALUE_STRING:
        *out = characters_of(machine, value.text);
        break;
    case VALUE_MAPPING:
        *out = loam_mapping_view(machine, value.mapping, FLAVOUR_KEYS);
        break;
    case VALUE_UNDEFINED:
        *out = loam_sequence_new(machine, FLAVOUR_LIST, 0);
        break;
    default:
        return FAIL(machine, LOAM_FORMAT, "'%s' object is not iterable", loam_values_type(value));
    }
    return *out != NULL;
}

bool loam_values_length(struct machine *machine, int64_t *out, struct value value)
{
    *out = 0;
    switch (value.kind) {
    case VALUE_STRING:
        *out = (int64_t)loam_text_characters(value.text);
        return machine_spend(machine, value.text->length / 64);
    case VALUE_MAPPING:
        *out = (int64_t)value.mapping->count;
        return true;
    case VALUE_UNDEFINED:
        return true;
    case VALUE_SEQUENCE:
        if (value.sequence->flavour != FLAVOUR_GENERATOR) {
            *out = (int64_t)value.sequence->count;
            return true;
        }
        break;
    default:
        break;
    }
    return FAIL(machine, LOAM_FORMAT, "object of type '%s' has no len()", loam_values_type(value));
}

bool loam_values_contains(struct machine *machine, bool *out, struct value hay, struct value needle)
{
    *out = false;
    if (hay.kind == VALUE_STRING) {
        if (needle.kind != VALUE_STRING)
            return FAIL(machine, LOAM_FORMAT,
                        "'in <string>' requires string as left operand, not %s",
                        loam_values_type(needle));
        if (!machine_spend(machine,
                           hay.text->length / 16 + hay.text->length / 256 * needle.text->length))
            return false;
        *out = loam_text_find(hay.text, 0, hay.text->length, needle.text->bytes,
                              needle.text->length) != SIZE_MAX;
        return true;
    }
    if (hay.kind == VALUE_MAPPING) {
        *out = loam_mapping_find(machine, hay.mapping, needle) != NULL;
        return machine->status == LOAM_OK;
    }
    struct sequence *items;
    if (hay.kind != VALUE_SEQUENCE && hay.kind != VALUE_UNDEFINED)
        return FAIL(machine, LOAM_FORMAT, "argument of type '%s' is not iterable",
                    loam_values_type(hay));
    if (!loam_values_iterate(machine, &items, hay))
        return false;
    for (size_t i = 0; i < items->count && !*out; i++)
        if (!machine_spend(machine, 1) || !loam_values_equal(machine, out, items->items[i], needle))
            return false;
    return true;
}

/* ---- mappings ---------------------------------------------------------------- */

enum { INDEX_FROM = 12 }; /* entries from which on a mapping has an index */

struct mapping *loam_mapping_new(struct machine *machine)
{
    struct mapping *mapping = heap_get_one(&machine->heap, sizeof *mapping);
    if (!mapping) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *mapping = (struct mapping){0};
    return mapping;
}

/* Equal keys have equal hashes: 1, 1.0 and True are one key. */
static uint32_t hash_of(struct value key)
{
    if (key.kind == VALUE_STRING)
        return loam_text_hash(key.text);
    if (value_is_number(key)) {
        double number = value_to_float(key);
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        bits *= 0x9E3779B97F4A7C15ull;
        return number == 0 ? 2 : (uint32_t)(bits >> 32) | 1;
    }
    return 3;
}

static void index_entry(struct mapping *mapping, size_t entry)
{
    size_t mask = mapping->index_size - 1, at = hash_of(mapping->entries[entry].key) & mask;
    while (mapping->index[at])
        at = (at + 1) & mask;
    mapping->index[at] = (uint32_t)entry + 1;
}

static bool make_index(struct machine *machine, struct mapping *mapping)
{
    size_t size = mapping->index_size ? 2 * mapping->index_size : 32;
    uint32_t *index = loam_heap_get(&machine->heap, size, sizeof *index);
    if (!index)
        return loam_machine_fail_memory(machine);
    memset(index, 0, size * sizeof *index);
    mapping->index = index;
    mapping->index_size = size;
    for (size_t i = 0; i < mapping->count; i++)
        index_entry(mapping, i);
    return true;
}

/* A failed comparison leaves its status in the machine. */
static bool same_key(struct machine *machine, struct value a, struct value b)
{
    bool equal = false;
    if (a.kind == VALUE_STRING && b.kind == VALUE_STRING)
        return text_equal(a.text, b.text);
    return loam_values_equal(machine, &equal, a, b) && equal;
}

/* In a mapping without an index. */
static inline struct value *find_text(const struct mapping *mapping, const struct text *key)
{
    for (size_t i = 0; i < mapping->count; i++) {
        struct entry *entry = &mapping->entries[i];
        if (entry->key.kind == VALUE_STRING && text_equal(entry->key.text, key))
            return &entry->item;
    }
    return NULL;
}

struct value *loam_mapping_find(struct machine *machine, const struct mapping *mapping,
                                struct value key)
{
    if (key.kind == VALUE_MAPPING ||
        (key.kind == VALUE_SEQUENCE && key.sequence->flavour == FLAVOUR_LIST)) {
        (void)FAIL(machine, LOAM_FORMAT, "unhashable type: '%s'", loam_values_type(key));
        return NULL;
    }
    if (!mapping->index && key.kind == VALUE_STRING)
        return find_text(mapping, key.text);
    for (size_t i = 0; i < mapping->count && !mapping->index; i++)
        if (same_key(machine, mapping->entries[i].key, key))
            return &mapping->entries[i].item;
    if (!mapping->index)
        return NULL;
    uint32_t hash = hash_of(key);
    size_t mask = mapping->index_size - 1, at = hash & mask;
    for (; mapping->index[at]; at = (at + 1) & mask) {
        struct entry *entry = &mapping->entries[mapping->index[at] - 1];
        if (!machine_spend(machine, 1))
            return NULL;
        if (hash_of(entry->key) == hash && same_key(machine, entry->key, key))
            return &entry->item;
    }
    return NULL;
}

struct value *loam_mapping_find_text(struct machine *machine, const struct mapping *mapping,
                                     struct text *key)
{
    return mapping->index ? loam_mapping_find(machine, mapping, value_text(key))
                          : find_text(mapping, key);
}

bool loam_mapping_set(struct machine *machine, struct mapping *mapping, struct value key,
                      struct value item)
{
    struct value *found = key.kind == VALUE_STRING && !mapping->index
                              ? find_text(mapping, key.text)
                              : loam_mapping_find(machine, mapping, key);
    if (found)
        *found = item;
    if (found || machine->status)
        return machine->status == LOAM_OK;
    if (mapping->count == mapping->capacity &&
        (mapping->count >= UINT32_MAX / 4 ||
         !loam_heap_grow(&machine->heap, (void **)&mapping->entries, &mapping->capacity,
                         (uint64_t)mapping->count + 1, sizeof(struct entry))))
        return loam_machine_fail_memory(machine);
    mapping->entries[mapping->count++] = (struct entry){.key = key, .item = item};
    if (mapping->count <= INDEX_FROM)
        return true;
    if (!mapping->index || mapping->count > mapping->index_size / 2)
        return make_index(machine, mapping);
    index_entry(mapping, mapping->count - 1);
    return true;
}

struct sequence *loam_mapping_view(struct machine *machine, const struct mapping *mapping,
                                   enum sequence_flavour flavour)
{
    struct sequence *view = loam_sequence_new(machine, flavour, mapping->count);
    for (size_t i = 0; view && i < mapping->count; i++) {
        const struct entry *entry = &mapping->entries[i];
        struct value value = flavour == FLAVOUR_KEYS ? entry->key : entry->item;
        if (flavour == FLAVOUR_ITEMS) {
            struct sequence *pair = loam_sequence_new(machine, FLAVOUR_TUPLE, 2);
            if (!pair)
                return NULL;
            pair->items[0] = entry->key;
            pair->items[1] = entry->item;
            pair->count = 2;
            value = value_sequence(pair);
        }
        if (!loam_sequence_add(machine, view, value))
            return NULL;
    }
    if (view)
        view->from_data = mapping->from_data;
    return view;
}

/* ---- comparing ---------------------------------------------------------------- */

static bool equal_at(struct machine *machine, bool *out, struct value a, struct value b, int depth);

static bool equal_sequences(struct machine *machine, bool *out, const struct sequence *a,
                            const struct sequence *b, int depth)
{
    *out = a == b;
    if (*out || a->flavour != b->flavour || a->count != b->count || a->flavour > FLAVOUR_RANGE)
        return true;
    *out = true;
    for (size_t i = 0; i < a->count && *out; i++)
        if (!equal_at(machine, out, a->items[i], b->items[i], depth))
            return false;
    return true;
}

static bool equal_mappings(struct machine *machine, bool *out, const struct mapping *a,
                           const struct mapping *b, int depth)
{
    *out = a->count == b->count;
    for (size_t i = 0; i < a->count && *out; i++) {
        struct value *item = loam_mapping_find(machine, b, a->entries[i].key);
        if (machine->status)
            return false;
        *out = item != NULL;
        if (item && !equal_at(machine, out, a->entries[i].item, *item, depth))
            return false;
    }
    return true;
}

static bool equal_at(struct machine *machine, bool *out, struct value a, struct value b, int depth)
{
    *out = false;
    if (depth == 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "values nest more than %d deep", VALUE_DEPTH);
    if (!machine_spend(machine, 1))
        return false;
    if (value_is_integer(a) && value_is_integer(b)) {
        *out = value_to_integer(a) == value_to_integer(b);
        return true;
    }
    if (value_is_number(a) && value_is_number(b)) {
        *out = value_to_float(a) == value_to_float(b);
        return true;
    }
    if (a.kind != b.kind)
        return true;
    switch (a.kind) {
    case VALUE_STRING:
        *out = text_equal(a.text, b.text);
        return machine_spend(machine, *out ? a.text->length / 64 : 0);
    case VALUE_SEQUENCE:
        return equal_sequences(machine, out, a.sequence, b.sequence, depth - 1);
    case VALUE_MAPPING:
        return equal_mappings(machine, out, a.mapping, b.mapping, depth - 1);
    case VALUE_NONE:
    case VALUE_UNDEFINED:
        *out = true;
        return true;
    default:
        *out = a.mapping == b.mapping; /* the same object */
        return true;
    }
}

bool loam_values_equal(struct machine *machine, bool *out, struct value a, struct value b)
{
    return equal_at(machine, out, a, b, VALUE_DEPTH);
}

/* Compares by code points of the lower case. */
static int compare_folded(const struct text *a, const struct text *b)
{
    size_t i = 0, j = 0;
    while (i < a->length && j < b->length) {
        uint32_t x, y, left[3], right[3];
        i += loam_utf8_decode(&x, a->bytes + i, a->length - i);
        j += loam_utf8_decode(&y, b->bytes + j, b->length - j);
        loam_characters_convert(left, x, CASE_LOWER);
        loam_characters_convert(right, y, CASE_LOWER);
        if (left[0] != right[0])
            return left[0] < right[0] ? -1 : 1;
    }
    return (i < a->length) - (j < b->length);
}

static int compare_numbers(struct value a, struct value b)
{
    if (value_is_integer(a) && value_is_integer(b)) {
        int64_t x = value_to_integer(a), y = value_to_integer(b);
        return (x > y) - (x < y);
    }
    double x = value_to_float(a), y = value_to_float(b);
    return (x > y) - (x < y);
}

static bool compare_at(struct machine *machine, int *out, struct value a, struct value b,
                       const char *operator, bool fold, int depth)
{
    *out = 0;
    if (depth == 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "values nest more than %d deep", VALUE_DEPTH);
    if (!machine_spend(machine, 1))
        return false;
    if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, a.kind == VALUE_UNDEFINED ? a : b);
    if (value_is_number(a) && value_is_number(b)) {
        *out = compare_numbers(a, b);
        return true;
    }
    if (a.kind == VALUE_STRING && b.kind == VALUE_STRING) {
        *out = fold ? compare_folded(a.text, b.text) : loam_text_compare(a.text, b.text);
        return machine_spend(machine, loam_min(a.text->length, b.text->length) / 16);
    }
    if (a.kind != VALUE_SEQUENCE || b.kind != VALUE_SEQUENCE ||
        a.sequence->flavour != b.sequence->flavour || a.sequence->flavour > FLAVOUR_TUPLE)
        return FAIL(machine, LOAM_FORMAT,
                    "'%s' not supported between instances of '%s' and '%s'", operator,
                    loam_values_type(a), loam_values_type(b));
    const struct sequence *x = a.sequence, *y = b.sequence;
    for (size_t i = 0; i < x->count && i < y->count; i++) {
        bool equal;
        if (!loam_values_equal(machine, &equal, x->items[i], y->items[i]))
            return false;
        if (!equal)
            return compare_at(machine, out, x->items[i], y->items[i], operator, fold, depth - 1);
    }
    *out = (x->count > y->count) - (x->count < y->count);
    return true;
}

bool loam_values_compare(struct machine *machine, int *out, struct value a, struct value b,
                         const char *operator, bool fold)
{
    return compare_at(machine, out, a, b, operator, fold, VALUE_DEPTH);
}

bool loam_values_from_data(struct machine *machine, struct value value, int depth)
{
    bool found = value.from_data;
    if (depth == 0 || !machine_spend(machine, 1))
        return true;
    if (value.kind == VALUE_STRING)
        return loam_text_from_data(value.text);
    if (value.kind == VALUE_SEQUENCE) {
        found = value.sequence->from_data;
        for (size_t i = 0; i < value.sequence->count && !found; i++)
            found = loam_values_from_data(machine, value.sequence->items[i], depth - 1);
    }
    if (value.kind == VALUE_MAPPING || value.kind == VALUE_NAMESPACE) {
        found = value.mapping->from_data;
        for (size_t i = 0; i < value.mapping->count && !found; i++)
            found = loam_values_from_data(machine, value.mapping->entries[i].key, depth - 1) ||
                    loam_values_from_data(machine, value.mapping->entries[i].item, depth - 1);
    }
    return found;
}
