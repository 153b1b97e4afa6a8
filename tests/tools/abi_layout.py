#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recorded ABI of the public headers.

    abi_layout.py write     writes tests/abi/layout.c and tests/abi/symbols.txt
                            from the headers as they are (needs a C compiler)
    abi_layout.py check     TAP: both name every struct, field, enumerator and
                            function of the headers
    abi_layout.py exports SHARED_LIBRARY
                            TAP: the library exports what symbols.txt lists

Writing is a decision: from 1.0 on a difference may only be an addition at the
end of a struct, of an enumeration or of the list of functions.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'house'))
import tap  # noqa: E402

LAYOUT = 'tests/abi/layout.c'
SYMBOLS = 'tests/abi/symbols.txt'
HEADERS = ['include/loam/loam.h', 'include/loam/graph.h']
# Counts the enumerators before it, so it grows with them.
NOT_FROZEN = {'LOAM_CPU_LEVEL_COUNT'}

HEAD = '''/* SPDX-License-Identifier: MIT */
/*
 * The recorded ABI on 64-bit machines: sizes and offsets of public structs,
 * values of enumerators. Written by tests/tools/abi_layout.py; a difference
 * does not compile. What graph.h adds is experimental and may change; it is
 * recorded as well, so that it changes deliberately.
 */
#define LOAM_EXPERIMENTAL
#include <loam/loam.h>

#if UINTPTR_MAX == UINT64_MAX
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define FIELD(type, field, at, size)                                                               \\
    _Static_assert(offsetof(type, field) == (at) && sizeof(((type *)0)->field) == (size),          \\
                   "place of " #type "." #field)
#else
#define SIZE(type, size) _Static_assert(1, "")
#define FIELD(type, field, at, size) _Static_assert(1, "")
#endif
#define VALUE(name, value) _Static_assert((name) == (value), "value of " #name)
'''


def plain(path):
    """The header without comments and preprocessor lines."""
    text = re.sub(r'/\*.*?\*/', ' ', tap.read(path), flags=re.DOTALL)
    text = re.sub(r'\\\n', ' ', text)
    return '\n'.join(line for line in text.splitlines() if not line.lstrip().startswith('#'))


def structs(path):
    """name -> field names, in the header's order."""
    found = {}
    text = plain(path)
    for match in re.finditer(r'(?:typedef )?struct (\w+) \{(.*?)\n\}( \w+)?;', text, re.DOTALL):
        fields = []
        for declaration in match.group(2).split(';'):
            pointer = re.search(r'\(\*(\w+)\)', declaration)
            names = [pointer.group(1)] if pointer else re.findall(
                r'(\w+)(?:\[[^\]]*\])?\s*(?:,|$)', declaration.strip())
            fields += names
        found[match.group(1)] = fields
    return found


def enumerators(path):
    text, names = plain(path), []
    for body in re.findall(r'enum \{(.*?)\}', text, re.DOTALL):
        names += re.findall(r'\b(LOAM_[A-Z0-9_]+)\b(?=\s*(?:=|,|$|\n))', body)
    if path.endswith('loam.h'):
        names += ['LOAM_' + name for name in
                  re.findall(r'^\s+X\((\w+), \d+,', tap.read(path), re.MULTILINE)]
    return [name for name in dict.fromkeys(names) if name not in NOT_FROZEN]


def functions():
    names = []
    for path in HEADERS:
        for declaration in re.findall(r'LOAM_API (.*?);', plain(path), re.DOTALL):
            names.append(re.search(r'\b(loam_\w+)\(', declaration).group(1))
    return sorted(names)


def measure():
    """The lines of layout.c, measured by a program made for it."""
    lines = []
    for path in HEADERS:
        lines.append(f'puts("\\n/* {path[8:]} */");')
        for name, fields in structs(path).items():
            lines.append(f'printf("SIZE({name}, %zu);\\n", sizeof({name}));')
            lines += [f'printf("FIELD({name}, {field}, %zu, %zu);\\n", offsetof({name}, {field}), '
                      f'sizeof((({name} *)0)->{field}));' for field in fields]
        lines += [f'printf("VALUE({name}, %lld);\\n", (long long){name});'
                  for name in enumerators(path)]
    body = '\n'.join(lines)
    program = f'''#define LOAM_EXPERIMENTAL
#include <loam/loam.h>
#include <stdio.h>
int main(void) {{ {body} return 0; }}
'''
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, 'measure.c'), os.path.join(folder, 'measure')
        with open(source, 'w', encoding='utf-8') as file:
            file.write(program)
        subprocess.run([os.environ.get('CC', 'cc'), '-I' + os.path.join(tap.SOURCE, 'include'),
                        source, '-o', binary], check=True)
        return subprocess.run([binary], check=True, capture_output=True, text=True).stdout


def write():
    with open(os.path.join(tap.SOURCE, LAYOUT), 'w', encoding='utf-8') as file:
        file.write(HEAD + measure())
    with open(os.path.join(tap.SOURCE, SYMBOLS), 'w', encoding='utf-8') as file:
        file.write('\n'.join(functions()) + '\n')


def difference(recorded, present):
    return ([f'not recorded: {name}' for name in sorted(set(present) - set(recorded))]
            + [f'recorded, but gone: {name}' for name in sorted(set(recorded) - set(present))])


def check():
    recorded = tap.read(LAYOUT)
    fields, names = [], []
    for path in HEADERS:
        for name, members in structs(path).items():
            fields += [f'{name}.{member}' for member in ['(size)'] + members]
        names += enumerators(path)
    written = [f'{name}.(size)' for name in re.findall(r'^SIZE\((\w+),', recorded, re.MULTILINE)]
    written += [f'{name}.{field}' for name, field in
                re.findall(r'^FIELD\((\w+), (\w+),', recorded, re.MULTILINE)]
    tap.check('every public struct and field is recorded', difference(written, fields))
    values = re.findall(r'^VALUE\((\w+),', recorded, re.MULTILINE)
    tap.check('every enumerator is recorded', difference(values, names))
    tap.check('every public function is recorded',
              difference(tap.read(SYMBOLS).split(), functions()))
    tap.end()


def exports(library):
    output = subprocess.run(['nm', '-D', '--defined-only', library], check=True,
                            capture_output=True, text=True).stdout
    found = [line.split()[-1].split('@')[0] for line in output.splitlines()]
    found = [name for name in found if name.startswith('loam_')]
    tap.check('the library exports the recorded functions, no more, no fewer',
              difference(tap.read(SYMBOLS).split(), found))
    tap.end()


if sys.argv[1:] == ['write']:
    write()
elif sys.argv[1:] == ['check']:
    check()
elif len(sys.argv) == 3 and sys.argv[1] == 'exports':
    exports(sys.argv[2])
else:
    sys.exit(__doc__)
