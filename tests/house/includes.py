#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Includes point one way: each folder uses only what stands below it, operating-system
headers are used in lib/base alone, and examples see the public headers only."""
import os
import re

import tap

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# Folder under lib/ -> the folders it may include, besides itself.
MAY_USE = {
    'base': set(),
    'template': {'base'},
    'quant': {'base'},
    'tensor': {'quant', 'base'},
    'format': {'tensor', 'quant', 'base'},
    'arch': {'format', 'tensor', 'quant', 'base'},
    'text': {'format', 'tensor', 'quant', 'base'},
    'cache': {'format', 'tensor', 'quant', 'base'},
    'sample': {'format', 'tensor', 'quant', 'base'},
}
MAY_USE['session'] = set(MAY_USE)
MAY_USE['api'] = set(MAY_USE)
BACKENDS_MAY_USE = {'tensor', 'quant', 'base'}
# What the API includes of a backend: the header with its one constructor.
CONSTRUCTORS = {'cpu/cpu.h'}
# What the mock device computes with: the scalar kernels, by their table alone.
MOCK_MAY_USE = {'cpu/kernels.h'}

# Headers of C itself that keep nothing and ask nothing of the system. Of stdio.h only
# snprintf is used: symbols.py sees to that.
FREE = {'float.h', 'inttypes.h', 'limits.h', 'math.h', 'stdalign.h', 'stdarg.h', 'stdatomic.h',
        'stdbool.h', 'stddef.h', 'stdint.h', 'stdio.h', 'string.h'}
# Instructions of one kind of CPU.
INTRINSICS = {'immintrin.h', 'xmmintrin.h', 'emmintrin.h', 'arm_neon.h', 'cpuid.h'}


def includes(path):
    return [(mark == '<', name) for mark, name in INCLUDE.findall(tap.read(path))]


def resolve(path, name, folders):
    """The file that a quoted include means, relative to the source, or None."""
    for folder in [os.path.dirname(path)] + folders:
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(tap.SOURCE, candidate)):
            return candidate
    return None


def layer(path):
    """('lib', 'base') and the like."""
    parts = path.split('/')
    return parts[0], parts[1] if len(parts) > 2 else ''


def internal_problem(path, name):
    """What is wrong with a quoted include of a library file, or None."""
    target = resolve(path, name, ['lib', 'backends', 'include'])
    if target is None:
        return f'{path}: "{name}" is no file of the library'
    (root, folder), (target_root, target_folder) = layer(path), layer(target)
    if target_root == 'include' or (root, folder) == (target_root, target_folder):
        return None
    if target_root == 'lib' and root == 'lib':
        fine = target_folder in MAY_USE.get(folder, set())
    elif target_root == 'lib' and root == 'backends':
        fine = target_folder in BACKENDS_MAY_USE
    elif target_root == 'backends' and (root, folder) == ('backends', 'mock'):
        fine = name in MOCK_MAY_USE
    else:
        fine = root == 'lib' and folder == 'api' and name in CONSTRUCTORS
    return None if fine else f'{path}: {root}/{folder} must not include "{name}"'


def system_problem(path, name):
    """What is wrong with an include in angle brackets, or None."""
    root, folder = layer(path)
    if name in FREE or name.startswith('loam/') or (root, folder) == ('lib', 'base'):
        return None
    if name in INTRINSICS and root == 'backends':
        return None
    return f'{path}: <{name}> is for lib/base only'


def library():
    wrong_way, system = [], []
    for path in tap.files(['lib', 'backends'], ('.c', '.h')):
        for angled, name in includes(path):
            problem = system_problem(path, name) if angled else internal_problem(path, name)
            if problem:
                (system if angled else wrong_way).append(problem)
    tap.check('the library includes downwards only', wrong_way)
    tap.check('system headers in lib/base only', system)


def folders_known():
    found = {path.split('/')[1] for path in tap.files(['lib'], ('.c', '.h'))}
    tap.check('every folder of lib has its place in the order',
              [f'lib/{folder} is in no rule' for folder in sorted(found - set(MAY_USE))])


def public_headers():
    problems = []
    for path in tap.files(['include'], ('.h',)):
        for angled, name in includes(path):
            if not angled or name not in ('stddef.h', 'stdint.h', 'loam/loam.h', 'loam/graph.h'):
                problems.append(f'{path}: includes {name}')
    tap.check('public headers need nothing but stddef.h and stdint.h', problems)


def users():
    problems = []
    for path in tap.files(['examples', 'bindings'], ('.c', '.h', '.cpp')):
        for angled, name in includes(path):
            if angled and name.startswith(('lib/', 'backends/')):
                problems.append(f'{path}: <{name}>')
            local = None if angled else resolve(path, name, ['examples'])
            # examples/model lends the others a model.
            if not angled and (local is None or layer(local) not in (layer(path), ('examples', 'model'))):
                problems.append(f'{path}: "{name}" is not of its own folder')
    tap.check('examples and bindings see the public headers only', problems)


library()
folders_known()
public_headers()
users()
tap.end()
