#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The corpus of a fuzz target as one file: each input with its length in front.

    corpus.py pack FOLDER CORPUS
    corpus.py unpack CORPUS FOLDER

To go on fuzzing and keep what was found:

    tests/fuzz/corpus.py unpack tests/fuzz/corpus/split.bin /tmp/seeds
    build/fuzz/tests/fuzz/libfuzzer-split -max_total_time=600 /tmp/found /tmp/seeds
    build/fuzz/tests/fuzz/libfuzzer-split -merge=1 /tmp/least /tmp/found /tmp/seeds
    tests/fuzz/corpus.py pack /tmp/least tests/fuzz/corpus/split.bin"""
import os
import struct
import sys


def pack(folder, path):
    inputs = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), 'rb') as file:
            inputs.append(file.read())
    with open(path, 'wb') as out:
        for data in sorted(inputs, key=lambda data: (len(data), data)):
            out.write(struct.pack('<I', len(data)) + data)


def unpack(path, folder):
    with open(path, 'rb') as file:
        data = file.read()
    os.makedirs(folder, exist_ok=True)
    at = count = 0
    while at < len(data):
        length = struct.unpack_from('<I', data, at)[0]
        with open(os.path.join(folder, f'{count:05}'), 'wb') as out:
            out.write(data[at + 4:at + 4 + length])
        at += 4 + length
        count += 1


if len(sys.argv) != 4 or sys.argv[1] not in ('pack', 'unpack'):
    sys.exit(__doc__)
(pack if sys.argv[1] == 'pack' else unpack)(*sys.argv[2:])
