#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A good guest, seen in the built objects: what the library asks of libc, what it
exports, and that it keeps no state of its own.

    symbols.py STATIC_LIBRARY SHARED_LIBRARY SANITIZERS
"""
import os
import re
import subprocess
import sys

import tap

STATIC, SHARED, SANITIZERS = sys.argv[1:4]
ALLOWED_FILE = 'tests/house/symbols_allowed.txt'
# Never, whatever the list of allowed symbols says.
FORBIDDEN = set('''
    abort exit _exit _Exit quick_exit atexit on_exit __assert_fail __assert raise kill longjmp
    printf fprintf vprintf vfprintf dprintf puts putchar putc fputs fputc fwrite perror psignal
    stdout stderr stdin syslog getenv secure_getenv setenv putenv environ signal sigaction
    socket connect bind listen accept send recv getaddrinfo system popen fork execve
    setlocale uselocale rand srand random srandom localtime gmtime ctime asctime strtok strerror
    time tmpnam mktemp
    '''.split())
# What a shared library of any program needs.
NEEDED = re.compile(r'^(libc\.so|libm\.so|libpthread\.so|ld-linux)[-\w.]*$')


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def base_name(symbol):
    """memcpy for __memcpy_chk: fortified builds call it instead."""
    symbol = symbol.split('@')[0]
    match = re.match(r'^__(\w+)_chk$', symbol)
    return match.group(1) if match and symbol != '__stack_chk_fail' else symbol


def symbols():
    """(object, symbol, class letter, section) of all symbols of the static library."""
    rows, member = [], ''
    for line in run('nm', '--format=sysv', STATIC).splitlines():
        cells = [cell.strip() for cell in line.split('|')]
        if len(cells) == 7 and cells[0] != 'Name':
            rows.append((member, cells[0], cells[2], cells[6]))
        elif 'from' in line and line.rstrip().endswith(':'):
            member = re.split(r'[\[(:]', line.split('from')[-1])[-2].rstrip(']')
    return rows


def allowed():
    """symbol -> 'any' or 'base', from the list."""
    table = {}
    for line in tap.read(ALLOWED_FILE).splitlines():
        words = line.split('#')[0].split()
        if words:
            table[words[0]] = words[1]
    return table


def is_base(member):
    return 'lib_base_' in member


def imports(rows):
    defined = {name for _, name, kind, _ in rows if kind not in 'Uw'}
    wanted = {(member, base_name(name)) for member, name, kind, _ in rows
              if kind in 'Uw' and name not in defined}
    tap.check('the objects name where they come from',
              [] if any(is_base(m) for m, *_ in rows) else ['no object of lib/base found'])
    tap.check('no call that a guest must not make',
              [f'{member}: {name}' for member, name in sorted(wanted) if name in FORBIDDEN])
    table = allowed()
    problems = [f'{member}: {name} is not in {ALLOWED_FILE}' for member, name in sorted(wanted)
                if name not in table]
    problems += [f'{member}: {name} is for lib/base only' for member, name in sorted(wanted)
                 if table.get(name) == 'base' and not is_base(member)]
    tap.check('only listed symbols are asked of the system', problems)
    tap.check('the list allows nothing forbidden', sorted(set(table) & FORBIDDEN))


def definitions(rows):
    tap.check('global names begin with loam_',
              [f'{member}: {name}' for member, name, kind, _ in rows
               if kind.isupper() and kind not in 'UW' and not name.startswith('loam_')])
    # Tables of pointers lie in .data.rel.ro: constant once the loader is done.
    tap.check('no writable data',
              [f'{member}: {name} in {section}' for member, name, kind, section in rows
               if kind in 'dDbBsSgGC' and not section.startswith('.data.rel.ro')])


def shared():
    exported = [line.split()[-1].split('@')[0]
                for line in run('nm', '-D', '--defined-only', SHARED).splitlines()]
    tap.check('the shared library exports loam_ only',
              [name for name in exported if not name.startswith('loam_')]
              + ([] if exported else ['it exports nothing']))
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', run('readelf', '-dW', SHARED))
    tap.check('the shared library needs libc and libm only',
              [name for name in needed if not NEEDED.match(name)])


if SANITIZERS != 'none':
    print(f'1..0 # SKIP built with -fsanitize={SANITIZERS}, which adds symbols')
    sys.exit(0)
os.environ['LC_ALL'] = 'C'
table_rows = symbols()
imports(table_rows)
definitions(table_rows)
shared()
tap.end()
