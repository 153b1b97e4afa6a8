#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the one-file examples: examples.py GENERATE TOKENS TWO_SESSIONS CUSTOM_GRAPH. Prints TAP."""
import os
import subprocess
import sys

MODEL = os.path.join(os.environ.get("LOAM_DATA", ""), "models", "stories260K.gguf")
failed = 0


def check(number, name, arguments, words, needs_model=True, says=b""):
    global failed
    if needs_model and not os.path.exists(MODEL):
        print("ok %d - %s # SKIP no reference data: models/stories260K.gguf" % (number, name))
        return
    result = subprocess.run(arguments, capture_output=True, timeout=120)
    good = result.returncode == 0 and all(word in result.stdout for word in words)
    good = good and says in result.stderr and bool(says) == bool(result.stderr)
    if not good:
        print("# exit %d, %r %r" % (result.returncode, result.stdout[-200:], result.stderr[-200:]))
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", number, name))


generate, chat, tokens, two_sessions, custom_graph = sys.argv[1:]
check(1, "generate", [generate, MODEL, "Once upon a time"], [b", there was a little girl named Lily."])
check(2, "tokens", [tokens, MODEL, "Once upon a time"], [b"back: Once upon a time\n"])
check(3, "two_sessions", [two_sessions, MODEL, "Once upon a time", "Tom was sad because"], [b"0: ", b"1: "])
check(4, "custom_graph", [custom_graph], [b"1 2 -> 8.5084"], needs_model=False)
check(5, "generate without a model", [generate, "Once upon a time"], [b" "], needs_model=False, says=b"built in")
check(6, "tokens without a model", [tokens, "Once upon a time"], [b"back: Once upon a time\n"], needs_model=False,
      says=b"built in")
check(7, "two_sessions without a model", [two_sessions, "Once upon a time", "Tom was"], [b"0: ", b"1: "],
      needs_model=False, says=b"built in")
check(8, "chat without a model", [chat], [b"The opposite of ", b"20 tokens, 0 of them kept", b"52 tokens, 2"],
      needs_model=False, says=b"built in")
print("1..8")
sys.exit(1 if failed else 0)
