#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a file as a C array, so that a program can carry it: embed.py FILE OUT.c

The array is of 64-bit words, which a compiler reads many times faster than bytes."""
import struct
import sys

with open(sys.argv[1], 'rb') as file:
    data = file.read()
words = struct.unpack(f'<{(len(data) + 7) // 8}Q', data + bytes(-len(data) % 8))
with open(sys.argv[2], 'w', encoding='ascii') as out:
    out.write('#include <stdint.h>\n'
              '#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n'
              '#error "the words are of a little-endian machine"\n#endif\n'
              f'extern const uint64_t builtin_size, builtin_words[];\nconst uint64_t builtin_size = {len(data)};\n'
              'const uint64_t builtin_words[] = {\n')
    for at in range(0, len(words), 5):
        out.write(','.join(f'0x{word:x}' for word in words[at:at + 5]) + ',\n')
    out.write('};\n')
