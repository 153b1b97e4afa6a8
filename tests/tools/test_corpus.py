#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The generator of the tiny model's text keeps its promises, and loam encodes as the trainer did.

    test_corpus.py LOAM_PROGRAM MODEL
"""
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, folder) for folder in ('corpus', 'train', '../house')]
import corpus  # noqa: E402
import functions  # noqa: E402
import gguf_read  # noqa: E402
import tap  # noqa: E402
from draw import held_out  # noqa: E402
from vocabulary import Vocabulary, learn  # noqa: E402

PROGRAM, MODEL = sys.argv[1:]

# Of 400 documents of either part. The model was trained on this text: whoever changes the
# grammars trains it again, and then writes the new digest here.
DIGEST = '1f6e76f8539427280c801fb9c1d2cc96e6c6b2d62a920c30dc3552f02d925989'


def digest():
    texts = corpus.documents(1, 400, True) + corpus.documents(1, 400, False)
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()


def code_of(text):
    """A function without its comments, as the parts are told apart by."""
    lines = [line for line in text.strip('\n').split('\n') if not line.lstrip().startswith('/*')]
    return '\n'.join([lines[0]] + [line[4:] for line in lines[2:-1]])


def on_the_wrong_side(training):
    problems = []
    for kind, key in (('stories', str.rstrip), ('functions', code_of), ('chats', str)):
        for text in corpus.documents(7, 300, training, kind):
            if held_out(key(text)) == training:
                problems.append(f'{kind}: {text[:60]!r}')
    return problems


def broken_cases():
    cases = functions.unseen_lines(200)
    problems = [f'{line!r} is no line of its function' for prefix, suffix, line in cases
                if not (prefix.endswith('\n') and suffix.startswith('\n') and line.strip())]
    problems += [f'{prefix[:50]!r} may have been trained on' for prefix, suffix, line in cases
                 if not held_out(code_of(prefix + line + suffix))]
    return problems + ([] if len(set(cases)) == 200 else ['a case comes twice'])


def different_ids():
    with open(MODEL, 'rb') as file:
        merges = gguf_read.strings_of(file.read(), 'tokenizer.ggml.merges')
    vocabulary = Vocabulary(corpus.SPECIAL, [tuple(merge.split(' ')) for merge in merges])
    problems = []
    texts = corpus.documents(5, 24, False) + ["don't  stop\n\n   (99 bottles), \"x\"\t;\n  12a ...\n "]
    for text in texts:
        command = [PROGRAM, 'tokens', '--parse-special', '--json', '-m', MODEL]
        result = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        if json.loads(result.stdout) != [0] + vocabulary.encode(text):
            problems.append(repr(text[:60]))
    return problems


def merges_of_a_small_text():
    found = learn(['ab ab ab abc'], ['<end>'], 256 + 1 + 2)
    return [] if found == [('a', 'b'), ('Ġ', 'ab')] else [str(found)]


tap.check('the same seed gives the same text everywhere', [] if digest() == DIGEST else [digest()])
tap.check('no text of one part is of the other', on_the_wrong_side(True) + on_the_wrong_side(False))
tap.check('the fill-in cases are whole and unseen', broken_cases())
tap.check('the commonest pair is merged first', merges_of_a_small_text())
tap.check('loam encodes as the trainer did', different_ids())
tap.end()
