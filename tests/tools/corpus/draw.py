# SPDX-License-Identifier: MIT
"""Random choices that are the same on every machine and version of Python."""
import hashlib

MASK = (1 << 64) - 1


class Draw:
    """The numbers of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
    generators", 2014), started from any values that name what is drawn."""

    def __init__(self, *names):
        digest = hashlib.sha256('\0'.join(str(name) for name in names).encode()).digest()
        self.state = int.from_bytes(digest[:8], 'little')

    def number(self, limit):
        """An integer in [0, limit)."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) * limit) >> 64

    def chance(self, percent):
        return self.number(100) < percent

    def pick(self, items):
        return items[self.number(len(items))]

    def some(self, items, count):
        """`count` different ones, in random order."""
        left = list(items)
        return [left.pop(self.number(len(left))) for _ in range(count)]

    def shuffled(self, items):
        return self.some(items, len(items))

    def weighted(self, pairs):
        """One of [(weight, item)]."""
        at = self.number(sum(weight for weight, _ in pairs))
        for weight, item in pairs:
            at -= weight
            if at < 0:
                return item
        raise AssertionError('weights do not add up')


def held_out(key):
    """Whether what `key` names belongs to the held-out part: one in sixteen. What decides is
    the key alone, so that no text of one part can come up in the other, whatever the seed."""
    return hashlib.sha256(('part\0' + key).encode()).digest()[0] < 16
