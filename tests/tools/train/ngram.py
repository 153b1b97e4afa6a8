# SPDX-License-Identifier: MIT
"""An interpolated 5-gram model with modified Kneser-Ney smoothing, to measure against.

(Chen, Goodman: "An empirical study of smoothing techniques for language modeling", 1998.)"""
import numpy

ORDER = 5
BITS = 12  # of a token's id; five of them are one 64-bit number


def grams(documents, end):
    """All 5-grams, one per row, the oldest token first. A document is preceded by four end
    tokens, so that nothing is predicted from the document before it."""
    parts = []
    for ids in documents:
        line = numpy.array([end] * (ORDER - 1) + ids + [end], numpy.int64)
        parts.append(numpy.lib.stride_tricks.sliding_window_view(line, ORDER))
    return numpy.concatenate(parts)


def packed(rows):
    key = numpy.zeros(len(rows), numpy.int64)
    for column in rows.T:
        key = key << BITS | column
    return key


def look_up(keys, values, wanted):
    """values[i] where keys[i] is wanted, 0 where it is not there."""
    at = numpy.minimum(numpy.searchsorted(keys, wanted), len(keys) - 1)
    return numpy.where(keys[at] == wanted, values[at], 0)


class Level:
    """n-grams of one length: their counts, and for each context the sum of counts and how many
    n-grams have a count of 1, of 2, and of more."""

    def __init__(self, keys, counts):
        self.keys, self.counts = keys, counts
        frequency = [numpy.count_nonzero(counts == n) for n in range(1, 5)]
        scale = frequency[0] / (frequency[0] + 2 * frequency[1])
        self.discounts = [n + 1 - (n + 2) * scale * frequency[n + 1] / max(frequency[n], 1) for n in range(3)]
        if not all(0 <= d <= n + 1 for n, d in enumerate(self.discounts)):
            self.discounts = [min(0.75, (n + 1) * 0.75) for n in range(3)]
        contexts = keys >> BITS
        self.contexts, start = numpy.unique(contexts, return_index=True)
        self.sums = numpy.add.reduceat(counts, start)
        self.kinds = [numpy.add.reduceat(kind.astype(numpy.int64), start)
                      for kind in (counts == 1, counts == 2, counts >= 3)]

    def probability(self, key, lower):
        """P(last token | the others), given that of the shorter context."""
        count = look_up(self.keys, self.counts, key)
        context = key >> BITS
        total = look_up(self.contexts, self.sums, context)
        discount = numpy.select([count == 1, count == 2, count >= 3], self.discounts, 0)
        left = sum(d * look_up(self.contexts, kind, context) for d, kind in zip(self.discounts, self.kinds))
        known = total > 0
        total = numpy.where(known, total, 1)
        return numpy.where(known, (numpy.maximum(count - discount, 0) + left * lower) / total, lower)


class Ngram:
    def __init__(self, documents, end, vocabulary):
        self.end, self.vocabulary, self.levels = end, vocabulary, []
        keys, counts = numpy.unique(packed(grams(documents, end)), return_counts=True)
        for order in range(ORDER, 0, -1):
            self.levels.insert(0, Level(keys, counts))
            # Of shorter ones counts: before how many different tokens they stood.
            keys, counts = numpy.unique(keys & ((1 << BITS * (order - 1)) - 1), return_counts=True)

    def surprises(self, documents):
        """-ln P of each token of the documents and of the end behind each."""
        key = packed(grams(documents, self.end))
        probability = numpy.full(len(key), 1 / self.vocabulary)
        for order, level in enumerate(self.levels, 1):
            probability = level.probability(key & ((1 << BITS * order) - 1), probability)
        return -numpy.log(probability)
