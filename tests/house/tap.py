# SPDX-License-Identifier: MIT
"""TAP for the house tests, and where the source is."""
import os
import sys

SOURCE = os.environ.get('LOAM_SOURCE') or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_number = 0
_failed = 0


def check(name, problems):
    """One test: passes if the list of problems is empty; each is shown."""
    global _number, _failed
    _number += 1
    for problem in problems:
        print(f'# {problem}')
    _failed += bool(problems)
    print(f'{"not ok" if problems else "ok"} {_number} - {name}')


def skip(name, reason):
    global _number
    _number += 1
    print(f'ok {_number} - {name} # SKIP {reason}')


def end():
    print(f'1..{_number}')
    sys.exit(1 if _failed else 0)


def files(folders, endings):
    """Paths relative to the source of all files under the folders, sorted."""
    found = []
    for folder in folders:
        for base, directories, names in os.walk(os.path.join(SOURCE, folder)):
            directories[:] = [d for d in directories if not d.startswith(('build', '.', '__'))]
            found += [os.path.relpath(os.path.join(base, name), SOURCE) for name in names
                      if name.endswith(endings)]
    return sorted(found)


def read(path):
    with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
        return file.read()
