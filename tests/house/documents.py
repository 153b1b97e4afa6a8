#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Documents do not rot: the files they name exist, and the README's example is the
text of a program that is compiled and run (tests/readme).
"""
import os
import re

import tap

# `folder/...` in backquotes, for folders of this repository.
PATH = re.compile(r'`((?:include|lib|backends|bindings|examples|tests|docs)/[\w./-]+?)/?`')
LINK = re.compile(r'\]\(([^)#:]+)\)')


def missing(paths_of):
    problems = []
    for path in ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'] + tap.files(['docs'], ('.md',)):
        for name, target in paths_of(path, tap.read(path)):
            if not os.path.exists(os.path.join(tap.SOURCE, target)):
                problems.append(f'{path}: {name} does not exist')
    return problems


tap.check('links of documents lead somewhere', missing(lambda path, text: [
    (name, os.path.normpath(os.path.join(os.path.dirname(path), name)))
    for name in LINK.findall(text)]))
tap.check('files that documents name exist', missing(lambda path, text: [
    (name, name) for name in PATH.findall(text)]))

blocks = re.findall(r'```c\n(.*?)```', tap.read('README.md'), re.DOTALL)
program = tap.read('tests/readme/example.c').split('\n', 1)[1]
tap.check("the README's example is tests/readme/example.c",
          [] if blocks == [program] else ['the texts differ'])
tap.end()
