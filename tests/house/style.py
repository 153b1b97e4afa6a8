#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What CONTRIBUTING.md says of files and functions, as far as a program can see it."""
import os
import re

import tap

FOLDERS = ['include', 'lib', 'backends', 'bindings', 'examples', 'tests', 'docs']
CODE = ('.c', '.h', '.cpp', '.hpp')
FILE_LINES = 800
FUNCTION_LINES = 100

# The header is the whole documentation of the API, in one place on purpose.
HEADER = 'include/loam/loam.h'
# Tables made by a program of tests/tools: as long as what they list.
GENERATED = re.compile(r'^lib/(text/unicode|text/normal|template/character)_tables?\.[ch]$'
                       r'|^tests/unit/tokenizer_json_cases\.h$')

# Marks of unfinished work, and paths of one machine. Spelled in pieces, so that
# this file does not find itself.
MARKS = re.compile(r'\b(' + '|'.join(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X']) + r')\b')
CONFLICTS = re.compile(r'^(<{7}|>{7}|\|{7}) |^={7}$')
PATHS = re.compile(r'(?<![\w.])/(?:' + '|'.join(['ho' + 'me', 'ro' + 'ot', 'wo' + 'rk', 'Us' + 'ers'])
                   + r')/\w')


def text_files():
    ends = CODE + ('.py', '.sh', '.md', 'meson.build', '.txt')
    top = [name for name in sorted(os.listdir(tap.SOURCE))
           if name.endswith(ends) and os.path.isfile(os.path.join(tap.SOURCE, name))]
    return top + [path for path in tap.files(FOLDERS, ends) if '/corpus/' not in path] + ['tests/all']


def functions(text):
    """(first line, lines) of each function: a body opens and closes in column 0."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith('{'):
            start = number
        elif line.startswith('}') and start is not None:
            yield start, number - start + 1
            start = None


def lines_matching(pattern, paths):
    return [f'{path}:{number}: {line.strip()[:80]}' for path in paths
            for number, line in enumerate(tap.read(path).splitlines(), 1) if pattern.search(line)]


def sizes():
    code = [path for path in text_files() if path.endswith(CODE + ('.py',))]
    lengths = {path: len(tap.read(path).splitlines()) for path in code}
    tap.check(f'files have at most {FILE_LINES} lines',
              [f'{path}: {lines} lines' for path, lines in lengths.items()
               if lines > FILE_LINES and not GENERATED.match(path) and path != HEADER])
    tap.check(f'functions have at most {FUNCTION_LINES} lines',
              [f'{path}:{start}: {lines} lines' for path in code if path.endswith(CODE)
               for start, lines in functions(tap.read(path)) if lines > FUNCTION_LINES])


def licence():
    problems = []
    for path in text_files():
        head = tap.read(path).splitlines()[:3]
        if path.endswith(CODE + ('.py', '.sh')) or path == 'tests/all':
            if not any('SPDX-License-Identifier: MIT' in line for line in head):
                problems.append(f'{path}: no licence line on top')
    tap.check('every source file names its licence', problems)


def white_space():
    paths = [path for path in text_files() if not path.endswith('.txt')]
    tap.check('no tabs', lines_matching(re.compile('\t'), [p for p in paths if p.endswith(CODE)]))
    tap.check('no space at the end of a line', lines_matching(re.compile(r'[ \t]+$'), paths))
    tap.check('files end with a newline',
              [path for path in paths if tap.read(path) and not tap.read(path).endswith('\n')])


def heads():
    problems = []
    for folder in sorted(os.listdir(os.path.join(tap.SOURCE, 'lib'))):
        headers = [p for p in tap.files([f'lib/{folder}'], ('.h',)) if p.count('/') == 2]
        if headers and not any(re.search(rf'^(/\*| \*) lib/{folder}: ', tap.read(p), re.MULTILINE)
                               for p in headers):
            problems.append(f'lib/{folder}: no header says "lib/{folder}: what it is for"')
    tap.check('every folder of lib says what it is', problems)


sizes()
licence()
white_space()
tap.check('no marks of unfinished work', lines_matching(MARKS, text_files()))
tap.check('no conflict of a merge is left', lines_matching(CONFLICTS, text_files()))
tap.check('no paths of one machine', lines_matching(PATHS, text_files()))
heads()
tap.end()
