#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the tiny model of examples/model from nothing and writes it as a GGUF file.

    train.py OUT [--steps N] [--seed N] [--threads N]

Writes OUT.gguf, the loss curve OUT.csv, and the weights before rounding OUT.npz. Needs PyTorch
and numpy; reads nothing, opens no connection. The same seed, threads and version of PyTorch give
the same file; another number of threads changes roundings, and the loss by far less than 2 %."""
import argparse
import math
import time

import numpy
import torch
from torch.nn import functional

import data
import gguf
import network
import muon
from data import corpus
from vocabulary import Vocabulary, learn

SHAPE = {'width': 256, 'hidden': 512, 'heads': 4, 'layers': 3, 'vocabulary': 1280, 'context': 512,
         'epsilon': 1e-5, 'rope_base': 10000.0}
VOCABULARY_DOCUMENTS = 6000
TOKENS_IN_STEP = 2048
SHORT, LONG = 256, 512  # tokens of a row: at first, and in the last part
LONG_PART = 0.15
MATRIX_RATE, TABLE_RATE = 0.02, 4e-3  # of Muon, and of Adam for embeddings and norms
WARM_UP, FALLING, DECAY = 40, 0.6, 0.02  # steps; the last part of the steps; of matrices


def report(words):
    print(words, flush=True)


def parts(options):
    """The vocabulary, the rows of training in order, and held-out rows."""
    per_document = 105  # tokens of a document, less than there are, so that no row is used twice
    count = options.steps * TOKENS_IN_STEP // per_document
    texts = corpus.documents(options.seed, count, True)
    vocabulary = Vocabulary(corpus.SPECIAL, learn(texts[:VOCABULARY_DOCUMENTS], corpus.SPECIAL, SHAPE['vocabulary']))
    ids = [vocabulary.encode(text) for text in texts]
    report(f'{count} documents, {sum(map(len, ids))} tokens, longest {max(map(len, ids))}')
    end = vocabulary.ids[corpus.END]
    cut = int(count * (1 - LONG_PART))
    short = data.shuffled_rows(ids[:cut], SHORT, end, options.seed, SHORT)
    long = data.shuffled_rows(ids[cut:], LONG, end, options.seed, LONG)
    held = [vocabulary.encode(text) for text in corpus.documents(options.seed, 150, False)]
    return vocabulary, short, long, torch.tensor(data.pack(held, SHORT, end))


def batches(short, long, steps):
    """[(rows)] of each step; the last part has rows of LONG tokens."""
    late = int(steps * LONG_PART)
    for rows, length, number in ((short, SHORT, steps - late), (long, LONG, late)):
        size = TOKENS_IN_STEP // length
        if number * size > len(rows):
            raise ValueError(f'{len(rows)} rows of {length} tokens are not enough for {number} steps')
        for i in range(number):
            yield torch.tensor(rows[i * size:(i + 1) * size])


def loss_of(net, rows):
    ids, targets = rows[:, :-1].clamp(min=0), rows[:, 1:]
    return functional.cross_entropy(net(ids).flatten(0, 1), targets.flatten(), ignore_index=data.NOTHING)


def held_out_loss(net, rows):
    with torch.no_grad():
        losses = [(loss_of(net, part), (part[:, 1:] >= 0).sum()) for part in rows.split(16)]
    return float(sum(loss * count for loss, count in losses) / sum(count for _, count in losses))


def rate(step, steps):
    """What the rates are multiplied with: rises, stays at 1, falls to nothing."""
    return min(1, (step + 1) / WARM_UP, (steps - step) / (steps * FALLING))


def train(options, short, long, held):
    torch.manual_seed(options.seed)
    net = network.Network(SHAPE)
    report(f'{sum(p.numel() for p in net.parameters())} parameters')
    matrices = [p for name, p in net.named_parameters() if p.dim() == 2 and 'embd' not in name]
    others = [p for name, p in net.named_parameters() if p.dim() == 1 or 'embd' in name]
    optimizers = {muon.Muon(matrices, MATRIX_RATE, DECAY): MATRIX_RATE,
                  torch.optim.AdamW(others, TABLE_RATE, betas=(0.9, 0.98), weight_decay=0.0): TABLE_RATE}
    curve, recent, start = [], [], time.time()
    for step, rows in enumerate(batches(short, long, options.steps)):
        loss = loss_of(net, rows)
        net.zero_grad()
        loss.backward()
        for optimizer, full in optimizers.items():
            for group in optimizer.param_groups:
                group['lr'] = full * rate(step, options.steps)
            optimizer.step()
        recent.append(loss.item())
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            curve.append((step + 1, (step + 1) * TOKENS_IN_STEP, sum(recent) / len(recent), held_out_loss(net, held)))
            recent = []
            report('step %d, %d tokens: loss %.4f, held out %.4f' % curve[-1] + f', {time.time() - start:.0f} s')
    return net, curve


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', metavar='OUT')
    parser.add_argument('--steps', type=int, default=1200)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--every', type=int, default=50, help='steps between two reports')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    vocabulary, short, long, held = parts(options)
    net, curve = train(options, short, long, held)
    tensors = {name: part.numpy() for name, part in net.tensors().items()}
    with open(options.out + '.gguf', 'wb') as file:
        file.write(gguf.file(gguf.metadata(SHAPE, vocabulary, corpus.TEMPLATE), tensors))
    numpy.savez(options.out + '.npz', **tensors)
    with open(options.out + '.csv', 'w', encoding='ascii') as file:
        file.write('step,tokens,loss,held_out_loss\n')
        file.writelines('%d,%d,%.4f,%.4f\n' % line for line in curve)


if __name__ == '__main__':
    main()
