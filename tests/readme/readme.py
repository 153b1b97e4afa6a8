#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The README's example does what the README says.

    readme.py PROGRAM
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'house'))
import tap  # noqa: E402

PROGRAM = sys.argv[1]
MODEL = os.path.join(os.environ.get('LOAM_DATA', ''), 'models', 'stories260K.gguf')


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=250, check=False)


def unhappy(name, arguments, words):
    result = run(*arguments)
    lines = result.stderr.decode().splitlines()
    tap.check(name, ([] if result.returncode == 1 else [f'status {result.returncode}'])
              + ([] if len(lines) == 1 and words in lines[0] else [f'said {lines}']))


if os.path.exists(MODEL):
    told = run(MODEL, 'Once upon a time')
    story = told.stdout.decode()
    tap.check('it tells a story', ([] if told.returncode == 0 else [told.stderr.decode()])
              + ([] if len(story) > 40 and 'the' in story else [f'it said {story!r}']))
    tap.check('the same story twice',
              [] if run(MODEL, 'Once upon a time').stdout.decode() == story else ['another one'])
else:
    tap.skip('it tells a story', 'no models/stories260K.gguf in the reference data')
    tap.skip('the same story twice', 'no models/stories260K.gguf in the reference data')
unhappy('a file that is not there', ['no-such-model.gguf', 'x'], 'no-such-model.gguf')
unhappy('a file that is no model', [os.path.join(tap.SOURCE, 'LICENSE'), 'x'], 'LICENSE')
unhappy('no arguments', [], 'give a model file and a prompt')
tap.end()
