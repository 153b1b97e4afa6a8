#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `ninja install` puts down is enough to build a program with pkg-config.

    install.py SANITIZERS COMPILER...
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'house'))
import tap  # noqa: E402

SANITIZERS, COMPILER = sys.argv[1], sys.argv[2:]
BUILD = os.environ['LOAM_BUILD']


def run(command, **variables):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False,
                          env={**os.environ, **variables})


def problems(result, status=0):
    return [] if result.returncode == status else (result.stdout + result.stderr).splitlines()[-8:]


def find(root, name):
    return [os.path.join(base, name) for base, _, names in os.walk(root) if name in names]


def main(root):
    tap.check('it installs', problems(run(['meson', 'install', '-C', BUILD, '--no-rebuild',
                                           '--destdir', root])))
    headers = [os.path.relpath(path, root) for path in find(root, 'loam.h') + find(root, 'graph.h')]
    tap.check('headers are under include/loam',
              [] if len(headers) == 2 and all('include/loam/' in path for path in headers)
              else headers + ['expected loam.h and graph.h'])
    found = find(root, 'loam.pc')
    tap.check('there is one loam.pc', [] if len(found) == 1 else found + ['none, or several'])
    if len(found) != 1:
        return
    paths = {'PKG_CONFIG_PATH': os.path.dirname(found[0]), 'PKG_CONFIG_SYSROOT_DIR': root,
             'PKG_CONFIG_ALLOW_SYSTEM_LIBS': '1', 'PKG_CONFIG_ALLOW_SYSTEM_CFLAGS': '1'}
    flags = run(['pkg-config', '--cflags', '--libs', 'loam'], **paths)
    program = os.path.join(root, 'program')
    source = os.path.join(tap.SOURCE, 'tests', 'readme', 'example.c')
    tap.check('pkg-config knows it', problems(flags))
    tap.check('a program compiles', problems(run([*COMPILER, '-std=c99', source, '-o', program,
                                                  *flags.stdout.split()])))
    told = run([program], LD_LIBRARY_PATH=os.path.dirname(os.path.dirname(found[0])))
    tap.check('and finds the shared library',
              [] if told.returncode == 1 and 'give a model file' in told.stderr
              else [f'status {told.returncode}', told.stderr])


if SANITIZERS != 'none':
    print(f'1..0 # SKIP built with -fsanitize={SANITIZERS}, which the program would need as well')
    sys.exit(0)
with tempfile.TemporaryDirectory() as folder:
    main(folder)
tap.end()
