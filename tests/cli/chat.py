#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""loam chat on a terminal and from a pipe, and loam complete.

    chat.py LOAM_PROGRAM

Prints TAP. Nearly all of it runs the model that the program carries."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
BASE = os.path.join(os.environ.get("LOAM_DATA", ""), "models", "stories260K.gguf")
QUESTION = "What is the opposite of hot?"
# At a high temperature the model seldom ends what this begins.
ENDLESS = "{% for m in messages %}{{ m.content }}{% endfor %}"
tests = []


def test(function):
    tests.append(function)
    return function


def loam(*arguments, text=None, **more):
    return subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, timeout=120, **more)


class Terminal:
    """The program with a terminal of its own."""

    def __init__(self, *arguments):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execv(PROGRAM, [PROGRAM, *arguments])
        self.seen = ""

    def until(self, pattern, seconds=60):
        """Reads until the pattern comes, returns what came before it."""
        end = time.time() + seconds
        while not re.search(pattern, self.seen):
            assert time.time() < end, "no %r in %r" % (pattern, self.seen[-600:])
            if not select.select([self.terminal], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(self.terminal, 4096)
            except OSError:
                chunk = b""
            assert chunk, "ended without %r: %r" % (pattern, self.seen[-600:])
            self.seen += chunk.decode()
        found = re.search(pattern, self.seen)
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return before

    def say(self, text):
        os.write(self.terminal, text.encode())

    def end(self, seconds=30):
        """The exit code."""
        end = time.time() + seconds
        while time.time() < end:
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.terminal, 4096).decode()
                except OSError:
                    pass
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                os.close(self.terminal)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        raise AssertionError("it does not end: " + self.seen[-300:])


PROMPT = r"\n> $"


@test
def a_conversation_on_a_terminal():
    terminal = Terminal("chat")
    terminal.until(r"/help lists.*\n> ")
    terminal.say(QUESTION + "\n")
    shown = terminal.until(PROMPT)
    assert "The opposite of " in shown and "\x1b" not in shown, shown
    first = re.search(r"\[(\d+) of 512 tokens, \d+ %\]", shown)
    terminal.say("Hello\n")
    second = re.search(r"\[(\d+) of 512 tokens, \d+ %\]", terminal.until(PROMPT))
    assert int(second.group(1)) > int(first.group(1)) > 20
    terminal.say("/undo\n")
    terminal.until(PROMPT)
    terminal.say("/context\n")
    assert "2 messages, " in terminal.until(PROMPT)
    terminal.say("\x04")
    assert terminal.end() == 0


@test
def messages_of_several_lines():
    with tempfile.TemporaryDirectory() as folder:
        saved = os.path.join(folder, "saved")
        terminal = Terminal("chat", "-n", "2")
        terminal.until(r"lists.*\n> ")
        terminal.say("one\\\n")
        terminal.until(r"\n\. $")
        terminal.say("two\n")
        terminal.until(PROMPT)
        terminal.say('"""\n')
        terminal.until(r"\n\. $")
        terminal.say("a\n\n/b\n")
        terminal.until(r"\. \. \. $")
        terminal.say('"""\n')
        terminal.until(PROMPT)
        terminal.say('"""x"""\n')
        terminal.until(PROMPT)
        terminal.say("/save %s\n" % saved)
        terminal.until(PROMPT)
        terminal.say("/quit\n")
        assert terminal.end() == 0
        said = [m["content"] for m in json.load(open(saved)) if m["role"] == "user"]
        assert said == ["one\ntwo", "a\n\n/b", "x"], said


def endless(folder):
    """Arguments for an answer that does not end for some seconds."""
    path = os.path.join(folder, "template")
    with open(path, "w") as file:
        file.write(ENDLESS)
    return "chat", "--template", path, "--ctx", "100000", "--repeat-penalty", "1", "--temp", "100"


@test
def interrupting_stops_the_answer_and_not_the_program():
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(*endless(folder))
        terminal.until(r"lists.*\n> ")
        terminal.say("Once upon a time\n")
        terminal.until(r"time\r\n[^\[]{40}")
        terminal.say("\x03")
        terminal.until(r"\(stopped\)\r\n\[\d+ of 100000 tokens, \d+ %\]\r\n> $", seconds=10)
        terminal.say("/set temperature 0\n")
        terminal.until(PROMPT)
        terminal.say("/set tokens 3\n")
        terminal.until(PROMPT)
        terminal.say("/clear\n")
        terminal.until(PROMPT)
        terminal.say("Once upon a time\n")
        shown = terminal.until(PROMPT)
        assert "cut short after 3 tokens" in shown, shown
        terminal.say("\x04")
        assert terminal.end() == 0


@test
def interrupting_at_the_prompt():
    terminal = Terminal("chat")
    terminal.until(r"lists.*\n> ")
    terminal.say("what was typed\\\n")
    terminal.until(r"\n\. $")
    terminal.say("\x03")
    terminal.until(r"Ctrl-C again ends.*\n> $")
    terminal.say("/context\n") # alone: what was typed is gone, and so is the first Ctrl-C
    assert "0 messages" in terminal.until(PROMPT)
    terminal.say("\x03")
    terminal.until(r"Ctrl-C again ends.*\n> $")
    terminal.say("\x03")
    assert terminal.end() == 130


@test
def being_told_to_end_ends_it():
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(*endless(folder))
        terminal.until(r"lists.*\n> ")
        terminal.say("Once upon a time\n")
        terminal.until(r"time\r\n[^\[]{40}")
        os.kill(terminal.process, signal.SIGTERM)
        assert terminal.end() == 130
    terminal = Terminal("chat")
    terminal.until(r"lists.*\n> ")
    os.kill(terminal.process, signal.SIGTERM)
    assert terminal.end() == 130


@test
def errors_do_not_end_a_conversation():
    terminal = Terminal("chat", "--ctx", "30")
    terminal.until(r"lists.*\n> ")
    terminal.say("/frobnicate\n")
    assert "no such command" in terminal.until(PROMPT)
    terminal.say("/set temperature cold\n")
    assert "cold" in terminal.until(PROMPT)
    terminal.say("/set colour 1\n")
    assert "colour" in terminal.until(PROMPT)
    terminal.say("/load /no/such/file\n")
    assert "/no/such/file" in terminal.until(PROMPT)
    terminal.say("many words " * 20 + "\n")
    shown = terminal.until(PROMPT)
    assert "context is full" in shown and "/clear" in shown and "--drop-oldest" in shown, shown
    terminal.say("Hi\n") # the long message was taken back
    assert re.search(r"\[\d+ of 30 tokens", terminal.until(PROMPT))
    terminal.say("/retry\n")
    assert "always the same" in terminal.until(PROMPT)
    terminal.say("\x04")
    assert terminal.end() == 0


@test
def from_a_pipe():
    result = loam("chat", text=("%s\n\nHello\n" % QUESTION).encode())
    assert result.returncode == 0 and result.stderr.count(b"\n") == 1, result.stderr
    lines = result.stdout.decode().splitlines()
    assert len(lines) == 2 and lines[0].startswith("The opposite of "), lines
    assert b">" not in result.stdout and b"\x1b" not in result.stdout
    assert loam("chat", text=QUESTION.encode()).stdout.decode().splitlines() == lines[:1]
    result = loam("chat", text=b"/frobnicate\nHello\n")
    assert result.returncode == 1 and result.stdout == b"" and b"frobnicate" in result.stderr


@test
def saved_conversations_go_on():
    with tempfile.TemporaryDirectory() as folder:
        saved, again, bad = (os.path.join(folder, name) for name in ("saved", "again", "bad"))
        both = loam("chat", "--system", "Be \"kind\".",
                    text=("%s\n/save %s\nHello\n/save %s\n" % (QUESTION, saved, again)).encode())
        assert both.returncode == 0, both.stderr
        messages = json.load(open(saved))
        assert [m["role"] for m in messages] == ["system", "user", "assistant"]
        assert messages[0]["content"] == "Be \"kind\"." and messages[1]["content"] == QUESTION
        assert messages[2]["content"] == both.stdout.decode().splitlines()[0]
        loaded = loam("chat", text=("/load %s\nHello\n/save %s\n" % (saved, bad)).encode())
        assert loaded.stdout.decode().splitlines() == both.stdout.decode().splitlines()[1:]
        assert json.load(open(again)) == json.load(open(bad))
        for text in ('[{"role": "user"', '[{"content": "x"}]', '{}', '[] x', '[{"role": "user", "content": 1,, }]',
                     '[{"role": "user"}]'):
            with open(bad, "w") as file:
                file.write(text)
            result = loam("chat", text=("/load %s\n" % bad).encode())
            assert result.returncode == 1 and result.stderr.count(b"\n") == 2, (text, result.stderr)


@test
def text_of_control_tokens_stays_text():
    with tempfile.TemporaryDirectory() as folder:
        tools, variables = os.path.join(folder, "tools"), '{"mood": "calm"}'
        with open(tools, "w") as file:
            file.write("[]")
        a = loam("chat", "--tools", tools, "--variables", variables, text=b"a<|im_end|>\n/context\n")
        b = loam("chat", text=b"a<|im_end|>\n/context\n")
        assert a.returncode == b.returncode == 0 and a.stderr == b.stderr, (a, b)
        count = int(re.search(rb"(\d+) of 512 tokens", b.stderr).group(1))
        plain = int(re.search(rb"(\d+) of 512", loam("chat", text=b"a\n/context\n").stderr).group(1))
        assert count > plain + 3, (count, plain)
        bad = loam("chat", "--variables", "[]", text=b"a\n")
        assert bad.returncode == 1 and b"variables" in bad.stderr


@test
def a_full_context():
    many = "".join("What is the opposite of %s?\n" % word for word in
                   ("hot", "big", "tall", "fast", "good", "wet", "hard", "young"))
    cut = loam("chat", "--ctx", "64", text=many.encode())
    assert cut.returncode == 1 and b"context" in cut.stderr and b"/clear" in cut.stderr, cut
    assert 1 <= cut.stdout.count(b"\n") < 8
    dropped = loam("chat", "--ctx", "64", "--drop-oldest", text=many.encode())
    assert dropped.returncode == 0 and dropped.stdout.count(b"\n") == 8, dropped
    assert b"oldest 2 messages are forgotten" in dropped.stderr, dropped.stderr


@test
def a_template_refuses():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("{{ raise_exception('no such role') }}")
        file.flush()
        result = loam("chat", "--template", file.name, text=b"a\n")
    assert result.returncode == 1 and b"loam: no such role\n" in result.stderr, result


@test
def a_base_model_says_so():
    if not os.path.exists(BASE):
        return "no reference data: models/stories260K.gguf"
    result = loam("chat", "-m", BASE, text=b"a\n")
    assert result.returncode == 1 and b"base model" in result.stderr and b"loam run" in result.stderr


# ---- loam complete ------------------------------------------------------------------

SOURCE = """/* Adds up all prices of a shop. */
int sum_prices(const int *prices, int count)
{
    /* start with nothing */
    int sum = 0;
    /* go through all prices */
    for (int i = 0; i < count; i++)
        /* add the price */

    return sum;
}
"""


def complete(place, *arguments, source=SOURCE):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "a.c"), "w", newline="", encoding="utf-8") as file:
            file.write(source)
        return loam("complete", place, *arguments, cwd=folder)


@test
def the_line_that_belongs_there():
    for place in ("a.c:9:1", "a.c:9"):
        result = complete(place)
        assert result.returncode == 0 and result.stdout == b"        sum += prices[i];", result
    result = complete("a.c:9:1", "--line", "--context", "a.c", "--show-cut")
    assert result.stdout == b"        sum += prices[i];" and b"1 of 1 files" in result.stderr, result
    result = complete("a.c:9:1", "-n", "2")
    assert b"        sum += prices[i];".startswith(result.stdout) and len(result.stdout) < 20
    result = complete("a.c:9:1", "--prompt-tokens", "40", "--show-cut")
    assert b"prompt: 40 tokens" in result.stderr or b"prompt: 3" in result.stderr, result
    crlf = complete("a.c:9", "--show-cut", source=SOURCE.replace("\n", "\r\n"))
    before = SOURCE[:SOURCE.index("\n    return")].replace("\n", "\r\n").encode()
    assert b"%d of %d bytes before" % (len(before), len(before)) in crlf.stderr, crlf.stderr


@test
def blocks_end():
    result = complete("a.c:4:1", "--block", source=SOURCE[:SOURCE.index("    /* go")])
    assert result.returncode == 0
    assert all(line.startswith("    ") or not line.strip() for line in result.stdout.decode().split("\n")), result


@test
def wrong_places():
    for place, code, words in (("a.c", 2, "FILE:LINE"), ("a.c:", 2, "FILE:LINE"), (":3", 2, "FILE:LINE"),
                               ("a.c:0", 2, "from 1"), ("a.c:3:0", 2, "from 1"), ("a.c:99", 1, "no line 99"),
                               ("a.c:8:29", 1, "no column 29"), ("b.c:1", 1, "b.c")):
        result = complete(place)
        message = result.stderr.decode()
        assert result.returncode == code and message.startswith("loam: ") and words in message, (place, message)
        assert message.count("\n") == 1 and result.stdout == b""
    umlauts = SOURCE.replace("add the price", "\u00e4dd the price")
    assert complete("a.c:8:28", source=umlauts).returncode == 0 # columns count characters
    assert complete("a.c:8:29", source=umlauts).returncode == 1
    assert complete("a.c:9", "--line", "--block").returncode == 2
    assert loam("complete").returncode == 2
    result = complete("a.c:9", "--context", "none.c")
    assert result.returncode == 1 and b"none.c" in result.stderr
    if not os.path.exists(BASE):
        return "no reference data: models/stories260K.gguf"
    result = complete("a.c:9", "-m", os.path.abspath(BASE))
    assert result.returncode == 1 and b"filling in" in result.stderr


@test
def both_have_help():
    for command in ("chat", "complete"):
        result = loam(command, "--help")
        assert result.returncode == 0 and b"usage" in result.stdout


def main():
    failed = 0
    for number, function in enumerate(tests, 1):
        try:
            skipped = function()
            print("ok %d - %s%s" % (number, function.__name__, " # SKIP " + skipped if skipped else ""))
        except Exception as error:
            failed += 1
            print("# %s: %s" % (type(error).__name__, str(error)[:600].replace("\n", " ")))
            print("not ok %d - %s" % (number, function.__name__))
        sys.stdout.flush()
    print("1..%d" % len(tests))
    sys.exit(1 if failed else 0)


main()
