#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes texts to train a tiny model with, or to test it with: simple stories, annotated C
functions (also with a part taken out, to be filled in), short conversations.

    corpus.py [--part train|held-out] [--kind stories|functions|fill-in|chats] [--seed N] DOCUMENTS
    corpus.py --fill-in-test CASES          prefix, suffix and line of each, NUL behind each

Documents follow each other, each with the end-of-text token behind it. The same arguments
give the same bytes on every machine. No text of one part is in the other."""
import argparse
import sys

from draw import Draw
import chats
import functions
import stories

END = '<|endoftext|>'
SPECIAL = [END, '<|im_start|>', '<|im_end|>', '<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>']
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
            "+ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<|im_start|>assistant\\n' }}{% endif %}")


def story(draw, training):
    return stories.story(draw, training) + '\n'


def fill_in(draw, training):
    part = functions.removed_line if draw.chance(80) else functions.removed_part
    return functions.fill_in(*part(draw, training))


KINDS = {'stories': (40, story), 'functions': (12, functions.plain), 'fill-in': (30, fill_in),
         'chats': (18, chats.chat)}


def kind_of(text):
    if text.startswith('<|'):
        return 'fill-in' if text.startswith('<|fim') else 'chats'
    return 'functions' if text.startswith('/*') else 'stories'


def document(seed, number, training, kind=None):
    """One text without its end token."""
    draw = Draw('document', seed, number, 'train' if training else 'held-out')
    make = KINDS[kind][1] if kind else draw.weighted(list(KINDS.values()))
    return make(draw, training)


def documents(seed, count, training, kind=None):
    return [document(seed, number, training, kind) for number in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('count', type=int, nargs='?', default=0, metavar='DOCUMENTS')
    parser.add_argument('--part', choices=['train', 'held-out'], default='train')
    parser.add_argument('--kind', choices=list(KINDS), help='default: all, mixed')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--fill-in-test', type=int, metavar='CASES')
    options = parser.parse_args()
    if options.fill_in_test:
        texts = [text + '\0' for case in functions.unseen_lines(options.fill_in_test) for text in case]
    else:
        texts = [text + END for text in
                 documents(options.seed, options.count, options.part == 'train', options.kind)]
    for text in texts:
        sys.stdout.buffer.write(text.encode())


if __name__ == '__main__':
    main()
