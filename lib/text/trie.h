/* SPDX-License-Identifier: MIT */
/* Texts in a tree of bytes: which of them a text begins with, byte by byte. */
#ifndef LOAM_TEXT_TRIE_H
#define LOAM_TEXT_TRIE_H

#include "base/error.h"
#include "base/memory.h"

/* An edge, in an open hash table; child 0, the root, is no child. */
struct trie_slot {
    uint32_t key; /* parent << 8 | byte */
    uint32_t child;
};

struct trie {
    struct memory *memory;
    struct trie_slot *slots;
    uint64_t mask;
    int32_t *values; /* of each node: what was put there, or -1 */
    size_t node_count, node_capacity;
};

/* TRIE_NONE: no text goes on like that. */
enum { TRIE_ROOT = 0, TRIE_NONE = -1, TRIE_MAX_NODES = 1 << 24 };

loam_status loam_trie_create(struct trie *trie, struct memory *memory, loam_error *error);
void loam_trie_destroy(struct trie *trie);

/* Puts a text there, instead of what stood there. value at least 0.
 * [errors: MEMORY, FORMAT (too many texts, or edges that hash alike)] */
loam_status loam_trie_put(struct trie *trie, const char *text, size_t length, int32_t value,
                          loam_error *error);

static inline uint64_t loam_trie_slot(const struct trie *trie, uint32_t key)
{
    uint64_t hash = (uint64_t)key * 0x9E3779B97F4A7C15ull;
    return (hash ^ hash >> 32) & trie->mask;
}

/* The node behind `node` by that byte, or TRIE_NONE. */
static inline int32_t loam_trie_step(const struct trie *trie, int32_t node, unsigned char byte)
{
    uint32_t key = (uint32_t)node << 8 | byte;
    for (uint64_t at = loam_trie_slot(trie, key);; at = (at + 1) & trie->mask) {
        const struct trie_slot *slot = &trie->slots[at];
        if (slot->child == 0)
            return TRIE_NONE;
        if (slot->key == key)
            return (int32_t)slot->child;
    }
}

/* The value of the longest text that text[length] begins with, and its length;
 * -1 and 0 if there is none. */
int32_t loam_trie_longest(const struct trie *trie, const char *text, size_t length, size_t *found);

#endif
