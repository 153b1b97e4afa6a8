#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The counter of tests/all counts what it should: it is the judge of all other tests."""
import os
import sys

import tap

sys.path.insert(0, os.path.join(tap.SOURCE, 'tests', 'tools'))
import count  # noqa: E402


def expect(name, text, passed, failed, skipped, ended_well=True):
    got = count.count_tap('p', text, ended_well)
    numbers = got.passed, len(got.failed), len(got.skipped)
    wanted = passed, failed, skipped
    tap.check(name, [] if numbers == wanted else [f'counted {numbers}, expected {wanted}'])


expect('all kinds', 'ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no data\n1..3\n', 1, 1, 1, False)
expect('plan first', '1..2\nok 1 - a\nok 2\n', 2, 0, 0)
expect('program skipped', '1..0 # SKIP not here\n', 0, 0, 1)
expect('plan missing', 'ok 1 - a\n', 1, 1, 0)
expect('plan too large', 'ok 1 - a\n1..2\n', 1, 1, 0)
expect('plan too small', 'ok 1 - a\nok 2 - b\n1..1\n', 2, 1, 0)
expect('numbers out of order', 'ok 2 - a\nok 1 - b\n1..2\n', 0, 2, 0)
expect('error after good tests', 'ok 1 - a\n1..1\n', 1, 1, 0, False)
expect('bail out', 'ok 1 - a\nBail out! no more\n1..1\n', 1, 1, 0)
expect('nothing printed', '', 0, 1, 0)

died = {'name': 'x', 'result': 'FAIL', 'returncode': -11, 'stdout': 'ok 1 - a\n1..1\n'}
tap.check('killed by a signal', [] if count.count_program('b', died).failed else ['not counted'])
late = {'name': 'x', 'result': 'TIMEOUT', 'returncode': 0, 'stdout': 'ok 1 - a\n1..1\n'}
tap.check('timed out', [] if count.count_program('b', late).failed else ['not counted'])
lost = count.count_build('b', os.path.join(tap.SOURCE, 'tests', 'no-such-folder'))
tap.check('no log', [] if lost.failed else ['not counted'])
tap.end()
