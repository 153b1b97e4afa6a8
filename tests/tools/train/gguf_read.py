# SPDX-License-Identifier: MIT
"""Reads the vocabulary back from a file that gguf.py wrote."""
import struct

STRING, ARRAY = 8, 9
WIDTHS = {4: 4, 5: 4, 6: 4, 7: 1}  # bytes of the other types that gguf.py writes


def strings_of(data, wanted):
    """The array of strings under a key of a file that gguf.py wrote."""
    def read_text(at):
        size, = struct.unpack_from('<Q', data, at)
        return data[at + 8:at + 8 + size].decode(), at + 8 + size

    count, = struct.unpack_from('<Q', data, 16)
    at = 24
    for _ in range(count):
        key, at = read_text(at)
        kind, at = struct.unpack_from('<I', data, at)[0], at + 4
        items = 1
        if kind == ARRAY:
            kind, items = struct.unpack_from('<IQ', data, at)
            at += 12
        found = []
        for _ in range(items):
            if kind == STRING:
                value, at = read_text(at)
                found.append(value)
            else:
                at += WIDTHS[kind]
        if key == wanted:
            return found
    raise KeyError(wanted)
