#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library is small: at most 2 MB stripped.

    sizes.py SHARED_LIBRARY SANITIZERS
"""
import os
import subprocess
import sys
import tempfile

import tap

LIMIT = 2_000_000
library, sanitizers = sys.argv[1:3]
if sanitizers != 'none':
    print(f'1..0 # SKIP built with -fsanitize={sanitizers}, which adds code')
    sys.exit(0)
with tempfile.TemporaryDirectory() as folder:
    stripped = os.path.join(folder, 'stripped')
    subprocess.run(['strip', '-o', stripped, library], check=True)
    size = os.path.getsize(stripped)
print(f'# {size} bytes stripped')
tap.check(f'at most {LIMIT} bytes stripped', [] if size <= LIMIT else [f'{size} bytes'])
tap.end()
