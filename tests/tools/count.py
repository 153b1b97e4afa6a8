#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts single tests in the logs of `meson test` and names what did not pass.

    count.py NAME=BUILD_DIRECTORY | NAME=failed:WHY | NAME=skipped:WHY ...

Each test program prints TAP (testanything.org); its own lines are counted, not
what meson made of them. A program that crashed, timed out, ended with an error
but without a failed test, or printed no plan or a wrong one counts as one
failed test more. The last line is `N passed, N failed, N skipped`; the exit
status is 0 if nothing failed and something passed. WHY has _ for each space.
"""
import json
import os
import re
import sys

RESULT = re.compile(r'^(not )?ok\b[ \t]*(\d+)?(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)(?:[ \t]*#[ \t]*skip\S*[ \t]*(.*))?$', re.IGNORECASE)
SKIP = re.compile(r'#[ \t]*skip\S*[ \t]*(.*)$', re.IGNORECASE)


class Count:
    """What came of some tests: passed is a number, the others lists of lines to show."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count_tap(program, text, ended_well):
    """Counts one program's output. ended_well: exit status 0, no signal, no timeout."""
    count, seen, plan, notes = Count(), 0, None, []
    for line in text.splitlines():
        result, planned = RESULT.match(line), PLAN.match(line)
        if result:
            seen += 1
            number, rest = result.group(2), result.group(3).strip().lstrip('- ')
            skip = SKIP.search(rest)
            if number and int(number) != seen:
                count.failed.append(f'{program}: test {number} came where {seen} was expected')
            elif result.group(1):
                count.failed.append(f'{program}: {rest}' + ''.join(f'\n    {n}' for n in notes[-8:]))
            elif skip:
                name = rest[:skip.start()].strip()
                count.skipped.append(f'{program}: {name}: {skip.group(1) or "no reason given"}')
            else:
                count.passed += 1
            notes = []
        elif planned:
            if plan is not None:
                count.failed.append(f'{program}: printed two plans')
            plan = int(planned.group(1))
            if plan == 0 and planned.group(2) is not None:
                count.skipped.append(f'{program}: {planned.group(2) or "no reason given"}')
        elif line.startswith('Bail out!'):
            count.failed.append(f'{program}: {line}')
        elif line.startswith('#'):
            notes.append(line)
    if plan is None:
        count.failed.append(f'{program}: ended without a plan after {seen} tests')
    elif plan != seen:
        count.failed.append(f'{program}: planned {plan} tests, ran {seen}')
    if not ended_well and not count.failed:
        count.failed.append(f'{program}: ended with an error though no test failed')
    return count


def count_program(label, entry):
    """Counts one line of meson's testlog.json."""
    program = f'{label}: {entry["name"]}'
    result, text = entry.get('result', ''), entry.get('stdout') or ''
    died = result in ('TIMEOUT', 'INTERRUPT') or entry.get('returncode', 0) < 0
    count = count_tap(program, text, not died and entry.get('returncode', 0) == 0)
    if died:
        count.failed.append(f'{program}: {result.lower()} (status {entry.get("returncode")})')
    if count.failed:
        tail = (entry.get('stderr') or '').strip().splitlines()[-12:]
        count.failed[-1] += ''.join(f'\n    {line}' for line in tail)
    return count


def count_build(label, directory):
    count, programs = Count(), 0
    try:
        with open(os.path.join(directory, 'meson-logs', 'testlog.json'), encoding='utf-8') as log:
            for line in log:
                if line.strip():
                    programs += 1
                    count.add(count_program(label, json.loads(line)))
    except (OSError, ValueError) as problem:
        count.failed.append(f'{label}: no test results: {problem}')
    if programs == 0 and not count.failed:
        count.failed.append(f'{label}: no test was run')
    return count


def main(arguments):
    total = Count()
    for argument in arguments:
        label, _, value = argument.partition('=')
        if value.startswith('failed:'):
            total.failed.append(f'{label}: {value[7:].replace("_", " ")}')
        elif value.startswith('skipped:'):
            total.skipped.append(f'{label}: {value[8:].replace("_", " ")}')
        else:
            total.add(count_build(label, value))
    for line in total.skipped:
        print(f'skipped: {line}')
    for line in total.failed:
        print(f'failed: {line}')
    print(f'{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped')
    return 1 if total.failed or not total.passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
