# SPDX-License-Identifier: MIT
"""Documents of the corpus as rows of tokens."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'corpus'))
import corpus  # noqa: E402
from draw import Draw  # noqa: E402

OPEN_ROWS = 64
NOTHING = -100  # no target: what follows here is not learned


def pack(documents, length, end):
    """Rows of length + 1 ids, each [end] document [end] document [end] ..., and -100 to the end
    of the row. A document goes into the first open row with room, so that none is cut; those
    that no row can hold are left out."""
    done, rows = [], []
    for ids in documents:
        if len(ids) + 2 > length + 1:
            continue
        row = next((row for row in rows if len(row) + len(ids) + 1 <= length + 1), None)
        if row is None:
            if len(rows) == OPEN_ROWS:
                fullest = max(range(OPEN_ROWS), key=lambda i: len(rows[i]))
                done.append(rows.pop(fullest))
            row = [end]
            rows.append(row)
        row += ids + [end]
    return [row + [NOTHING] * (length + 1 - len(row)) for row in done + rows]


def shuffled_rows(documents, length, end, *names):
    return Draw('rows', *names).shuffled(pack(documents, length, end))
