/* SPDX-License-Identifier: MIT */
#include "text/trie.h"

enum { FIRST_SLOTS = 1 << 10, MAX_PROBES = 512 };

static bool add_node(struct trie *trie)
{
    if (!loam_memory_grow(trie->memory, (void **)&trie->values, &trie->node_capacity,
                          trie->node_count + 1, sizeof *trie->values))
        return false;
    trie->values[trie->node_count++] = -1;
    return true;
}

loam_status loam_trie_create(struct trie *trie, struct memory *memory, loam_error *error)
{
    *trie = (struct trie){.memory = memory, .mask = FIRST_SLOTS - 1};
    trie->slots = loam_memory_get_zero(memory, FIRST_SLOTS, sizeof *trie->slots);
    if (!trie->slots || !add_node(trie))
        return loam_fail_memory(error, FIRST_SLOTS * sizeof *trie->slots);
    return LOAM_OK;
}

void loam_trie_destroy(struct trie *trie)
{
    if (!trie->memory)
        return;
    loam_memory_free(trie->memory, trie->slots);
    loam_memory_free(trie->memory, trie->values);
}

/* The slot of the key, or the empty one where it belongs, or NULL after too
 * many steps. */
static struct trie_slot *find_slot(const struct trie *trie, uint32_t key)
{
    uint64_t at = loam_trie_slot(trie, key);
    for (int probes = 0; probes < MAX_PROBES; probes++, at = (at + 1) & trie->mask)
        if (trie->slots[at].child == 0 || trie->slots[at].key == key)
            return &trie->slots[at];
    return NULL;
}

/* Twice as many slots. A table that is at most half full always has room; edges
 * that hash alike are noticed when they are put. */
static bool double_slots(struct trie *trie)
{
    struct trie old = *trie;
    uint64_t size = 2 * (old.mask + 1);
    trie->slots = loam_memory_get_zero(trie->memory, size, sizeof *trie->slots);
    if (!trie->slots) {
        trie->slots = old.slots;
        return false;
    }
    trie->mask = size - 1;
    for (uint64_t i = 0; i <= old.mask; i++) {
        if (old.slots[i].child == 0)
            continue;
        uint64_t at = loam_trie_slot(trie, old.slots[i].key);
        while (trie->slots[at].child)
            at = (at + 1) & trie->mask;
        trie->slots[at] = old.slots[i];
    }
    loam_memory_free(trie->memory, old.slots);
    return true;
}

loam_status loam_trie_put(struct trie *trie, const char *text, size_t length, int32_t value,
                          loam_error *error)
{
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < length; i++) {
        uint32_t key = node << 8 | (unsigned char)text[i];
        struct trie_slot *slot = find_slot(trie, key);
        if (!slot || trie->node_count == TRIE_MAX_NODES)
            return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.tokens: %s",
                             slot ? "too many bytes" : "too many tokens hash alike");
        if (slot->child == 0) {
            if (!add_node(trie))
                return loam_fail_memory(error, trie->node_count * sizeof *trie->values);
            *slot = (struct trie_slot){key, (uint32_t)trie->node_count - 1};
        }
        node = slot->child;
        if (2 * trie->node_count > trie->mask && !double_slots(trie))
            return loam_fail_memory(error, 4 * trie->mask * sizeof *trie->slots);
    }
    trie->values[node] = value;
    return LOAM_OK;
}

int32_t loam_trie_longest(const struct trie *trie, const char *text, size_t length, size_t *found)
{
    int32_t node = TRIE_ROOT, value = -1;
    *found = 0;
    for (size_t i = 0; i < length; i++) {
        node = loam_trie_step(trie, node, (unsigned char)text[i]);
        if (node == TRIE_NONE)
            break;
        if (trie->values[node] >= 0) {
            value = trie->values[node];
            *found = i + 1;
        }
    }
    return value;
}
