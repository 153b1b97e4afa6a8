#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures a trained model with the loam program on text that it has not seen.

    evaluate.py LOAM MODEL.gguf [--train DOCUMENTS]

Prints the perplexity on held-out documents beside that of an interpolated 5-gram model of the same
tokens, trained on the first DOCUMENTS of the training corpus; how many of the lines taken out of
200 unseen functions come back exactly; and continuations of unseen beginnings, at temperature 0.
tests/conformance/tiny_model.c repeats the first two, and holds the 5-gram model's number. Needs
numpy."""
import argparse
import math
import os
import subprocess
import tempfile

import numpy

import gguf_read
import ngram
from data import corpus
from vocabulary import Vocabulary

HELD_OUT_SEED, HELD_OUT_DOCUMENTS = 1000, 100
CASES = 200


def run(*arguments, **more):
    return subprocess.run(arguments, capture_output=True, check=True, **more).stdout.decode()


def surprise_of(loam, model, ids):
    """(sum of -ln P of ids[1:], their number)"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'ids')
        numpy.array(ids, '<i4').tofile(path)
        words = run(loam, 'nll', '-m', model, '--tokens', path, '--kv', 'f16').split()
    return float(words[3]) * int(words[1]), int(words[1])


def perplexities(options, vocabulary):
    end = vocabulary.ids[corpus.END]
    held = [vocabulary.encode(text) for text in corpus.documents(HELD_OUT_SEED, HELD_OUT_DOCUMENTS, False)]
    train = [vocabulary.encode(text) for text in corpus.documents(options.seed, options.train, True)]
    print(f'5-gram model of {sum(map(len, train)) + len(train)} tokens', flush=True)
    known = ngram.Ngram(train, end, len(vocabulary.tokens)).surprises(held)
    kinds = [corpus.kind_of(text) for text in corpus.documents(HELD_OUT_SEED, HELD_OUT_DOCUMENTS, False)]
    sums = {}
    at = 0
    for kind, ids in zip(kinds, held):
        found, count = surprise_of(options.loam, options.model, [end] + ids + [end])
        theirs, at = float(known[at:at + count].sum()), at + count
        for name in (kind, 'all'):
            old = sums.get(name, (0, 0, 0))
            sums[name] = (old[0] + found, old[1] + theirs, old[2] + count)
    for name, (ours, theirs, count) in sorted(sums.items()):
        print(f'{name}: {count} tokens, -ln P a token {ours / count:.4f} and {theirs / count:.4f} (5-gram), '
              f'perplexity {math.exp(ours / count):.3f} and {math.exp(theirs / count):.3f}', flush=True)


def lines(options):
    good = 0
    for prefix, suffix, line in corpus.functions.unseen_lines(CASES):
        prompt = corpus.functions.fill_in(prefix, suffix, '')
        found = run(options.loam, 'run', '-m', options.model, '--parse-special', '-n', '64', '-p', prompt)
        good += found == line + '\n'
        if options.show and found != line + '\n':
            print(f'expected {line!r}, found {found!r}')
    print(f'{good} of {CASES} lines come back exactly')


def continuations(options):
    texts = corpus.documents(HELD_OUT_SEED + 1, 5, False, 'stories')
    for text in ['Once upon a time'] + [text[:text.index('.', 90) + 1] for text in texts]:
        print(f'> {text}\n{run(options.loam, "run", "-m", options.model, "-p", text)}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('loam', metavar='LOAM')
    parser.add_argument('model', metavar='MODEL')
    parser.add_argument('--train', type=int, default=100000, help='documents for the 5-gram model')
    parser.add_argument('--seed', type=int, default=1, help='of the training corpus')
    parser.add_argument('--show', action='store_true', help='lines that come back wrong')
    options = parser.parse_args()
    with open(options.model, 'rb') as file:
        merges = gguf_read.strings_of(file.read(), 'tokenizer.ggml.merges')
    vocabulary = Vocabulary(corpus.SPECIAL, [tuple(merge.split(' ')) for merge in merges])
    continuations(options)
    lines(options)
    perplexities(options, vocabulary)


if __name__ == '__main__':
    main()
