/* SPDX-License-Identifier: MIT */
/* What libFuzzer calls in place of changing bytes: files that stay model files,
 * and bytes where they are none. */
#include "fuzz/families.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static uint8_t changed[1 << 20];
    uint64_t random = seed + 1u;
    size_t room = capacity < sizeof changed ? capacity : sizeof changed;
    size_t found = seed % 16 ? families_change(changed, room, data, size, &random) : 0;
    if (found == 0)
        return LLVMFuzzerMutate(data, size, capacity);
    memcpy(data, changed, found);
    return found;
}
