# SPDX-License-Identifier: MIT
"""Byte-level BPE in the manner of GPT-2: learns a vocabulary from a corpus and encodes with it.

(Sennrich, Haddow, Birch: "Neural machine translation of rare words with subword units", 2016;
Radford et al.: "Language models are unsupervised multitask learners", 2019.)"""
import collections
import re

# GPT-2's pattern for text of ASCII alone, which the corpus is.
WORDS = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def byte_signs():
    """GPT-2's visible sign for each byte."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    signs = {byte: chr(byte) for byte in visible}
    signs.update({byte: chr(256 + i) for i, byte in enumerate(others)})
    return [signs[byte] for byte in range(256)]


def join(word, pair, new):
    """`word` with each occurrence of the pair as `new`, from the left."""
    out, i = [], 0
    while i < len(word):
        if word[i:i + 2] == pair:
            out.append(new)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def split_special(text, special):
    return [part for part in re.split('(' + '|'.join(map(re.escape, special)) + ')', text) if part]


def learn(texts, special, size):
    """The merges, best first: [(left, right)], so that bytes, merges and special tokens are
    `size` tokens. Ties are decided by the order of the tokens' texts."""
    signs = byte_signs()
    counts = collections.Counter()
    for text in texts:
        for part in split_special(text, special):
            if part not in special:
                counts.update(WORDS.findall(part))
    words = [(tuple(signs[byte] for byte in word.encode()), count) for word, count in sorted(counts.items())]
    merges = []
    while 256 + len(merges) + len(special) < size:
        pairs = collections.Counter()
        for word, count in words:
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            raise ValueError(f'the corpus gives only {len(merges)} merges')
        merges.append(best)
        new = best[0] + best[1]
        words = [(join(word, best, new) if new in ''.join(word) else word, count) for word, count in words]
    return merges


class Vocabulary:
    """Ids: special tokens first, then the 256 bytes, then the merges in order."""

    def __init__(self, special, merges):
        self.special, self.merges = list(special), list(merges)
        self.signs = byte_signs()
        self.tokens = self.special + self.signs + [left + right for left, right in self.merges]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self.ids) != len(self.tokens):
            raise ValueError('two tokens have one text')
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self.known = {}

    def word(self, text):
        if text not in self.known:
            word = tuple(self.signs[byte] for byte in text.encode())
            while len(word) > 1:
                best = min(zip(word, word[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                word = join(word, best, best[0] + best[1])
            self.known[text] = [self.ids[token] for token in word]
        return self.known[text]

    def encode(self, text):
        """Ids of the text; the text of a special token becomes that token."""
        if not text.isascii():
            raise ValueError('the training text is ASCII')
        ids = []
        for part in split_special(text, self.special):
            if part in self.special:
                ids.append(self.ids[part])
            else:
                for word in WORDS.findall(part):
                    ids += self.word(word)
        return ids
