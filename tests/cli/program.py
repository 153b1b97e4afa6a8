#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The loam program as a person uses it, right and wrong.

    program.py LOAM_PROGRAM

Prints TAP. The model is models/stories260K.gguf of the reference data."""
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
DATA = os.environ.get("LOAM_DATA", "")
MODEL = os.path.join(DATA, "models", "stories260K.gguf")
# Of random weights, with rows of 256 numbers.
WIDE_MODEL = os.path.join(os.environ.get("LOAM_BUILD", "."), "tests", "tools", "tiny-256-F16.gguf")
tests = []


def test(function):
    tests.append(function)
    return function


def loam(*arguments, text=None, **more):
    return subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, timeout=60, **more)


def expect_error(result, code, *words):
    """One line on stderr that begins with "loam: " and names the words."""
    message = result.stderr.decode()
    assert result.returncode == code, (result.returncode, message)
    assert message.startswith("loam: ") and message.count("\n") == 1, message
    for word in words:
        assert word in message, (word, message)


@test
def no_command_and_unknown_command():
    assert loam().returncode == 2
    expect_error(loam("frobnicate"), 2, "frobnicate")
    assert b"usage" in loam("--help").stdout
    assert b"loam 0." in loam("--version").stdout


@test
def every_command_has_help():
    for command in ("run", "info", "tokens", "count", "split", "logits", "nll", "template", "bench", "embed", "chat", "complete", "pack", "quantize",
                    "imatrix"):
        result = loam(command, "--help")
        assert result.returncode == 0 and b"usage" in result.stdout, command


@test
def templates_are_rendered():
    with tempfile.TemporaryDirectory() as folder:
        template, context = os.path.join(folder, "t.jinja"), os.path.join(folder, "c.json")
        with open(template, "wb") as file:
            file.write(b"{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\r\n{% endfor %}"
                       b"{% if late %}{{ strftime_now('%d %b %Y') }}{% endif %}"
                       b"{% if bad %}{{ raise_exception('no such role') }}{% endif %}")
        with open(context, "w", encoding="utf-8") as file:
            file.write('{"messages": [{"role": "user", "content": "h\u00e9 <s>"}], "bos_token": "<s>"}')
        result = loam("template", "--template", template, "--context", context)
        assert result.stdout == "<s><|user|>h\u00e9 <s>\n".encode() and result.returncode == 0, result
        spans = loam("template", "--template", template, "--context", context, "--spans",
                     "--trust", "bos_token").stdout.decode().splitlines()
        assert spans == ['template\t"<s><|user|>"', 'data\t"h\u00e9 <s>"', 'template\t"\\n"'], spans
        result = loam("template", "--template", template, "--context", "-", "--now",
                      "2026-01-15T09:30:45", text=b'{"late": true}')
        assert result.stdout == b"15 Jan 2026", result
        expect_error(loam("template", "--template", template, "--context", "-", text=b'{"late": 1}'),
                     1, "line 2", "time")
        expect_error(loam("template", "--template", template, "--context", "-", text=b'{"bad": 1}'),
                     1, "no such role")
        expect_error(loam("template", "--template", template, "--context", "-", text=b'{"bad" 1}'),
                     1, "context: line 1, column 8")
        expect_error(loam("template", "--template", template, "--context", "-", "--now", "today",
                          text=b"{}"), 2, "today")
    expect_error(loam("template", "--context", "-"), 2, "--template")


@test
def wrong_options():
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--sharp"), 2, "--sharp")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "-n", "many"), 2, "many", "integer")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--temp", "-1"), 2, "--temp")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--temp", "nan"), 2, "--temp")
    expect_error(loam("run", "-m", MODEL, "-p"), 2, "missing")
    expect_error(loam("run", "-m", MODEL), 2, "-p")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--cpu", "abacus"), 2, "abacus")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--kv", "f64"), 2, "f64")
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--memory-limit", "9Q"), 2, "9Q")


def said_built_in(result):
    """One line on stderr says that no model was named."""
    assert result.returncode == 0, result.stderr
    assert result.stderr.count(b"\n") == 1 and b"built in" in result.stderr, result.stderr
    return result.stdout.decode()


@test
def without_a_model_the_one_built_in_tells_a_story():
    text = said_built_in(loam("run", "-p", "Once upon a time"))
    assert text == said_built_in(loam("run", "-p", "Once upon a time")), "another story"
    words = text.split()
    assert 40 < len(words) < 250 and text.rstrip()[-1] in '.!"', text
    assert len(set(words)) > len(words) / 3, "it repeats itself: " + text
    stop = json.loads(said_built_in(loam("run", "-p", "Once upon a time", "--json")))["stop"]
    assert stop == "end", stop


@test
def the_model_built_in_serves_every_command():
    info = json.loads(said_built_in(loam("info", "--json")))
    assert info["metadata"]["general.name"] == "loam tiny" and info["file_bytes"] <= 3000000
    assert "memory" in said_built_in(loam("info"))
    ids = said_built_in(loam("tokens", "--no-bos", text=b"Once upon a time"))
    assert 4 <= len(ids.split()) < 16, ids
    assert json.loads(said_built_in(loam("nll", "-f", "-", "--json", text=b"Once upon a time there was")))["tokens"] > 4
    assert json.loads(said_built_in(loam("bench", "-p", "8", "-n", "2", "-r", "1", "--no-limits", "--json")))["decode_tps"] > 0
    assert b"built in" in loam("run", "--help").stdout


@test
def documents_are_counted_and_split():
    text = ("Once upon a time there was a cat.\n\n" * 40 + "The end").encode()
    count = int(said_built_in(loam("count", "--no-bos", text=text)))
    assert count == len(said_built_in(loam("tokens", "--no-bos", text=text)).split())
    lines = [line.split() for line in said_built_in(loam("split", "-n", "64", "--no-bos", text=text)).splitlines()]
    begins, ends = [int(line[0]) for line in lines], [int(line[1]) for line in lines]
    assert begins[0] == 0 and begins[1:] == ends[:-1] and ends[-1] == len(text)
    assert all(int(line[2]) <= 64 for line in lines) and {line[3] for line in lines[:-1]} == {"block"}
    chunks = [json.loads(line) for line in
              said_built_in(loam("split", "-n", "64", "--overlap", "20", "--json", text=text)).splitlines()]
    assert all(a["begin"] < b["begin"] <= a["end"] for a, b in zip(chunks, chunks[1:]))
    assert all(c["text"].encode() == text[c["begin"]:c["end"]] for c in chunks)
    assert loam("split", text=b"").stdout == b""
    refused = loam("split", "-n", "8", "--overlap", "7", text=text)
    assert refused.returncode == 2 and b"overlap_tokens" in refused.stderr


@test
def tokenizer_json_is_a_vocabulary():
    vocabulary = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
                  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tokenizer.json")
        def write(value):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=1)
        write(vocabulary)
        assert loam("tokens", "-m", path, text=b"abba").stdout == b"2 1 0\n"
        assert loam("count", "-m", path, text=b"abba").stdout == b"3\n"
        write({**vocabulary, "normalizer": {"type": "Nonsense"}})
        expect_error(loam("tokens", "-m", path, text=b"a"), 1, "tokenizer.json", "Nonsense", "normalizer", "line 1")


@test
def control_tokens_only_when_asked_for():
    chat = "<|im_start|>user\nWhat is the opposite of hot?<|im_end|>\n<|im_start|>assistant\n"
    answer = said_built_in(loam("run", "--parse-special", "-p", chat, "-n", "24"))
    assert answer.startswith("The opposite of ") and answer.count("\n") == 1, answer
    plain = json.loads(said_built_in(loam("run", "-p", chat, "-n", "1", "--json")))
    parsed = json.loads(said_built_in(loam("run", "--parse-special", "-p", chat, "-n", "1", "--json")))
    assert parsed["prompt_tokens"] < plain["prompt_tokens"]


@test
def wrong_files():
    expect_error(loam("run", "-m", "/no/such/file.gguf", "-p", "a"), 1, "/no/such/file.gguf", "no such file")
    expect_error(loam("run", "-m", "/", "-p", "a"), 1, "directory")
    expect_error(loam("info", __file__), 1, "magic")
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        expect_error(loam("info", fifo), 1, "not a regular file")


def needs_model(function):
    def run():
        if not os.path.exists(MODEL):
            return "no reference data: models/stories260K.gguf"
        return function()
    run.__name__ = function.__name__
    return test(run)


@needs_model
def text_from_option_file_and_pipe_is_the_same():
    a = loam("run", "-m", MODEL, "-p", "Once upon", "-n", "12")
    b = loam("run", "-m", MODEL, "-p", "-", "-n", "12", text=b"Once upon")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"Once upon")
        file.flush()
        c = loam("run", "-m", MODEL, "-f", file.name, "-n", "12")
    assert a.stdout == b.stdout == c.stdout and len(a.stdout) > 10
    assert a.stderr == b"", "silent when piped"


@needs_model
def json_is_whole():
    result = loam("run", "-m", MODEL, "-p", "Once upon", "-n", "12", "--json", "--logprobs", "1")
    out = json.loads(result.stdout)
    assert out["stop"] == "length" and len(out["ids"]) == 12 == len(out["logprobs"])
    assert out["prompt_tokens"] == 3 and out["timings"]["generated_tokens"] == 12
    assert out["text"].encode() + b"\n" == loam("run", "-m", MODEL, "-p", "Once upon", "-n", "12").stdout
    ids = loam("run", "-m", MODEL, "-p", "Once upon", "-n", "12", "--ids").stdout.split()
    assert [int(i) for i in ids] == out["ids"]


@needs_model
def a_seed_decides():
    def draw(seed):
        return loam("run", "-m", MODEL, "-p", "Once", "-n", "20", "--temp", "1", "--seed", str(seed)).stdout
    assert draw(1) == draw(1) and draw(1) != draw(2)


@needs_model
def stop_strings_are_not_shown():
    out = json.loads(loam("run", "-m", MODEL, "-p", "Once upon a time", "-n", "60", "--stop", "Lily", "--json").stdout)
    assert out["stop"] == "string" and "Lily" not in out["text"] and out["text"].endswith("named "), out


@needs_model
def empty_prompt_begins_a_text():
    result = loam("run", "-m", MODEL, "-p", "", "-n", "5")
    assert result.returncode == 0 and result.stdout.startswith(b"Once"), result


@needs_model
def a_long_prompt_is_refused_not_cut():
    expect_error(loam("run", "-m", MODEL, "-p", "a" * 5000, "-n", "1"), 1, "512")
    expect_error(loam("run", "-m", MODEL, "-p", "Once upon a time", "--ctx", "2"), 1, "context")


@needs_model
def a_full_context_is_said():
    out = json.loads(loam("run", "-m", MODEL, "-p", "Once", "-n", "0", "--ctx", "20", "--ignore-eos", "--json").stdout)
    assert out["stop"] == "context" and len(out["ids"]) == 18, out


@needs_model
def a_full_disk_is_an_error():
    if not os.path.exists("/dev/full"):
        return "no /dev/full"
    with open("/dev/full", "wb") as full:
        result = subprocess.run([PROGRAM, "run", "-m", MODEL, "-p", "a", "-n", "3"], stdout=full,
                                stderr=subprocess.PIPE, timeout=60)
    assert result.returncode == 1 and b"No space" in result.stderr


@needs_model
def a_closed_pipe_ends_quietly():
    program = subprocess.Popen([PROGRAM, "run", "-m", MODEL, "-p", "Once", "-n", "400", "--ignore-eos"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    program.stdout.read(1)
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait(60) == 1


@needs_model
def interrupt_ends_with_what_there_is():
    program = subprocess.Popen([PROGRAM, "run", "-m", MODEL, "-p", "Once", "-n", "480", "--ignore-eos", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(0.15)
    program.send_signal(signal.SIGINT)
    out, errors = program.communicate(timeout=60)
    result = json.loads(out)
    assert result["stop"] in ("cancelled", "length"), result["stop"]
    assert program.returncode == (130 if result["stop"] == "cancelled" else 0)
    assert errors == b""


@needs_model
def memory_limit_is_kept():
    expect_error(loam("run", "-m", MODEL, "-p", "a", "--memory-limit", "500K"), 1, "limit")


@needs_model
def an_architecture_or_type_that_is_not_supported_is_named():
    """Beside what is."""
    with open(MODEL, "rb") as file:
        content = file.read()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "other.gguf")
        with open(path, "wb") as file: # the name is as long as the one before
            file.write(content.replace(struct.pack("<Q", 5) + b"llama", struct.pack("<Q", 5) + b"lemma", 1))
        info = loam("info", path).stdout
        assert b"architecture lemma (not supported)" in info and b"F32" in info
        assert b"supported architectures: " in info and b", gemma4, " in info and b", qwen3," in info
        assert json.loads(loam("info", path, "--json").stdout)["memory"]["error"].count("lemma") == 1
        expect_error(loam("run", "-m", path, "-p", "hi"), 1, "lemma", "not supported", "models.md")
        name = b"token_embd.weight"
        at = content.index(name) + len(name) + 4 + 2 * 8
        with open(path, "wb") as file:
            file.write(content[:at] + struct.pack("<I", 99) + content[at + 4:])
        expect_error(loam("info", path), 1, "token_embd.weight", "99", "Q4_K", "MXFP4")
    assert b"supported" not in loam("info", MODEL).stdout


@needs_model
def info_and_tokens():
    info = json.loads(loam("info", MODEL, "--json").stdout)
    assert info["metadata"]["general.architecture"] == "llama"
    assert info["memory"]["total_bytes"] > info["memory"]["weight_bytes"] > 1000000
    assert b"stories" in loam("info", MODEL).stdout or b"llama" in loam("info", MODEL).stdout
    assert loam("tokens", "-m", MODEL, text=b"Once upon").stdout == b"1 403 407\n"
    assert loam("tokens", "-m", MODEL, "--no-bos", text=b"Once upon").stdout == b"403 407\n"
    assert loam("tokens", "-m", MODEL, "--no-bos", "--parse-special", text=b"<s>").stdout.split()[0] == b"1"
    assert json.loads(loam("tokens", "-m", MODEL, "--json", text=b"Once upon").stdout) == [1, 403, 407]


def float_types(path):
    return {t["name"]: t["type"] for t in json.loads(loam("info", path, "--json").stdout)["tensors"]}


@needs_model
def a_model_is_quantised():
    with tempfile.TemporaryDirectory() as folder:
        text, matrix, out = [os.path.join(folder, name) for name in ("t.txt", "m.imatrix", "o.gguf")]
        with open(text, "w") as file:
            file.write("Once upon a time there was a little girl. " * 60)
        result = loam("imatrix", "-m", MODEL, "-f", text, "-o", matrix, "--chunk", "64", "--chunks", "3")
        assert result.returncode == 0 and b"3 chunks" in result.stderr, result.stderr
        result = loam("quantize", MODEL, out, "q4_0", "--imatrix", matrix, "--tensor", "attn_v=q8_0", "-q")
        assert result.returncode == 0 and not result.stderr, result.stderr
        types = float_types(out)
        assert types["blk.0.attn_v.weight"] == "Q8_0" and types["output.weight"] == "Q8_0", types
        assert types["blk.1.attn_q.weight"] == "Q4_0" and types["output_norm.weight"] == "F32", types
        again = loam("quantize", MODEL, os.path.join(folder, "1.gguf"), "Q4_0", "--imatrix", matrix,
                     "--tensor", "attn_v=q8_0", "-t", "1")
        assert again.returncode == 0 and b"quantised" in again.stderr, again.stderr
        assert open(out, "rb").read() == open(os.path.join(folder, "1.gguf"), "rb").read()
        said = loam("run", "-m", out, "-p", "Once upon a time", "-n", "20", "--temp", "0")
        assert said.returncode == 0 and len(said.stdout) > 20, said
        dry = loam("quantize", MODEL, os.path.join(folder, "none"), "Q8_0", "--dry-run")
        assert dry.returncode == 0 and b"MB" in dry.stderr
        assert sorted(os.listdir(folder)) == ["1.gguf", "m.imatrix", "o.gguf", "t.txt"]
        assert b"Q4_K_M\n" in loam("quantize", "--list").stdout


@needs_model
def wrong_quantising_leaves_nothing():
    with tempfile.TemporaryDirectory() as folder:
        out, copy = os.path.join(folder, "o.gguf"), os.path.join(folder, "o.gguf.part")
        if os.path.exists(WIDE_MODEL):
            expect_error(loam("quantize", WIDE_MODEL, out, "IQ2_XXS"), 2, "importance")
        expect_error(loam("quantize", MODEL, out, "Q7_K"), 2, "Q7_K")
        expect_error(loam("quantize", MODEL, out, "Q8_0", "--tensor", "x"), 2, "PATTERN=TYPE")
        expect_error(loam("quantize", MODEL, out), 2, "three")
        expect_error(loam("quantize", out, out, "Q8_0"), 1, "o.gguf")
        expect_error(loam("imatrix", "-m", MODEL, "-f", MODEL), 2, "-o")
        assert os.listdir(folder) == []
        with open(out, "wb") as file:
            file.write(open(MODEL, "rb").read())
        before = os.stat(out).st_mtime_ns
        expect_error(loam("quantize", out, out, "Q8_0"), 2, "is read")
        os.link(out, copy)  # what is written would go here first
        expect_error(loam("quantize", copy, out, "Q8_0"), 2, "is read")
        os.remove(copy)
        limit = loam("quantize", MODEL, out, "Q8_0", preexec_fn=limit_files)
        expect_error(limit, 1, out, "File too large")
        assert os.listdir(folder) == ["o.gguf"] and os.stat(out).st_mtime_ns == before
        if os.path.exists("/dev/full"):
            expect_error(loam("quantize", MODEL, "/dev/full", "Q8_0"), 1, "No space")


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))


@test
def interrupted_quantising_leaves_nothing():
    if not os.path.exists(WIDE_MODEL):
        return "no tiny-256-F16.gguf in the build directory"
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "o.gguf")
        # Slow types, so that there is time.
        program = subprocess.Popen([PROGRAM, "quantize", WIDE_MODEL, out, "IQ3_S", "-t", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not os.path.exists(out + ".part") and program.poll() is None:
            time.sleep(0.005)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
        assert program.returncode == 130, program.returncode
        assert os.listdir(folder) == []


@needs_model
def logits_in_any_pieces():
    ids = os.path.join(DATA, "models", "logits0.tokens.i32")
    expected = open(os.path.join(DATA, "models", "logits0.f32"), "rb").read()
    with tempfile.TemporaryDirectory() as folder:
        outputs = []
        for pieces in ("1", "7", "256"):
            out = os.path.join(folder, pieces)
            assert loam("logits", "-m", MODEL, "--tokens", ids, "--out", out, "--pieces", pieces).returncode == 0
            outputs.append(open(out, "rb").read())
        assert sorted(os.listdir(folder)) == ["1", "256", "7"], "no partial files"
        wrong = os.path.join(folder, "missing", "out")
        expect_error(loam("logits", "-m", MODEL, "--tokens", ids, "--out", wrong), 1, wrong)
    assert outputs[0] == outputs[1] == outputs[2]
    values = struct.unpack("<%df" % (len(expected) // 4), expected)
    found = struct.unpack("<%df" % (len(expected) // 4), outputs[0])
    assert max(abs(a - b) for a, b in zip(values, found)) < 1e-4


@needs_model
def embeddings():
    case = os.path.join(DATA, "arch", "bert")
    model, ids = os.path.join(case, "model.gguf"), os.path.join(case, "tokens.i32")
    expected = open(os.path.join(case, "embedding.f32"), "rb").read()
    out = loam("embed", "-m", model, "--tokens", ids, "--out", "-")
    assert out.returncode == 0 and len(out.stdout) == len(expected), out.stderr
    count = len(expected) // 4
    pairs = zip(struct.unpack("<%df" % count, expected), struct.unpack("<%df" % count, out.stdout))
    assert max(abs(a - b) for a, b in pairs) < 1e-4
    each = loam("embed", "-m", model, "--tokens", ids, "--out", "-", "--pooling", "tokens")
    assert len(each.stdout) == len(expected) * (os.path.getsize(ids) // 4)
    unit = loam("embed", "-m", model, "--tokens", ids, "--out", "-", "--normalise")
    assert abs(sum(x * x for x in struct.unpack("<%df" % count, unit.stdout)) - 1) < 1e-5
    expect_error(loam("embed", "-m", model, "--tokens", ids, "--out", "-", "--pooling", "x"), 2, "x")
    expect_error(loam("run", "-m", model, "-p", "a"), 1)


@needs_model
def likelihood():
    ids = os.path.join(DATA, "models", "nll.tokens.i32")
    out = json.loads(loam("nll", "-m", MODEL, "--tokens", ids, "--json").stdout)
    assert out["tokens"] == 499 and abs(out["nll"] - 1.3305146887339008) < 1e-5, out
    expect_error(loam("nll", "-m", MODEL), 2, "--tokens")


def bench(*arguments):
    """What one round of `loam bench` prints as JSON."""
    result = loam("bench", "-r", "1", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@needs_model
def bench_prints_json():
    out = bench("-m", MODEL, "-p", "16", "-n", "4", "--no-limits")
    assert out["prompt_tps"] > 0 and out["decode_tps"] > 0 and out["load_s"] > 0
    assert out["peak_bytes"] > out["engine_peak_bytes"] > 1000000, out
    assert out["threads"] >= 1 and out["cpu"] != "best" and out["decode_row_tps"] == out["decode_tps"]
    assert not [key for key in out if "limit" in key or "fraction" in key], out
    # Each weight once, the embedding table not at all: the output matrix is another.
    tensors = json.loads(loam("info", MODEL, "--json").stdout)["tensors"]
    read = [t for t in tensors if t["name"] != "token_embd.weight"]
    assert len(read) == len(tensors) - 1 and "output.weight" in [t["name"] for t in read]
    matrices = [t["shape"][0] * t["shape"][1] for t in read if len(t["shape"]) == 2]
    assert out["weight_bytes_per_token"] == sum(t["bytes"] for t in read)
    assert out["multiply_adds_per_token"] == sum(matrices)


@needs_model
def bench_measures_the_limits_beside():
    # Of one round the shares are what its numbers say, whatever the machine does.
    path = os.path.join(DATA, "models", "stories260K-Q8_0.gguf")
    out = bench("-m", path, "-p", "16", "-n", "4", "-t", "2", "--read-bytes", "64M")
    reads = out["decode_tps"] * out["weight_bytes_per_token"] / 1e9
    products = out["prompt_tps"] * out["multiply_adds_per_token"] / 1e9
    assert out["prompt_unit"] == "int8" and out["limit_f32_gmacs"] > 0
    assert close(out["decode_fraction"], reads / out["limit_read_gbps"]), out
    assert close(out["prompt_fraction"], products / out["limit_int8_gmacs"]), out
    # Float weights are held against the other unit, and no unit is above the level.
    scalar = bench("-m", MODEL, "-p", "16", "-n", "1", "-t", "1", "--cpu", "scalar", "--read-bytes", "4M")
    products = scalar["prompt_tps"] * scalar["multiply_adds_per_token"] / 1e9
    assert scalar["prompt_unit"] == "f32" and close(scalar["prompt_fraction"], products / scalar["limit_f32_gmacs"]), scalar
    # What the limits take is not counted: 64 MB against 4.
    assert abs(out["peak_bytes"] - scalar["peak_bytes"]) < 20000000, (out, scalar)
    said = loam("bench", "-m", MODEL, "-p", "4", "-n", "1", "-r", "1", "--read-bytes", "4M").stdout
    assert b"of the f32 unit" in said and b"of the read bandwidth" in said, said
    expect_error(loam("bench", "-m", MODEL, "--read-bytes", "5"), 2, "--read-bytes")


def close(a, b):
    """As near as the digits that are printed allow."""
    return abs(a - b) <= 1e-5 + 1e-3 * abs(b)


@needs_model
def bench_fills_and_rows():
    def measure(depth, rows):
        out = bench("-m", MODEL, "-p", "8", "-n", "2", "--depth", str(depth), "--rows", str(rows), "--no-limits")
        assert (out["depth"], out["rows"]) == (depth, rows), out
        return out
    deep, deeper, wide = measure(1500, 1), measure(3000, 1), measure(1500, 20)
    # Pages of 64 positions, as many as the content needs, for each session.
    page = json.loads(loam("info", MODEL, "--json").stdout)["memory"]["kv_bytes"] / 8
    assert deeper["engine_peak_bytes"] - deep["engine_peak_bytes"] >= 23 * page, (deep, deeper, page)
    assert wide["engine_peak_bytes"] - deep["engine_peak_bytes"] >= 19 * 24 * page, (deep, wide, page)
    assert close(wide["decode_row_tps"], wide["decode_tps"] / 20)
    expect_error(loam("bench", "-m", MODEL, "--rows", "0"), 2, "--rows")


@test
def bench_sizes_of_nothing():
    if not os.path.exists(MODEL):
        return "no reference data: models/stories260K.gguf"
    nothing = bench("-m", MODEL, "-p", "0", "-n", "0", "--no-limits")
    assert nothing["prompt_tps"] == 0 and nothing["decode_tps"] == 0
    assert bench("-m", MODEL, "-p", "0", "-n", "2", "--rows", "2", "--no-limits")["decode_tps"] > 0
    for arch in ("jamba", "mixtral"):
        path = os.path.join(DATA, "arch", arch, "model.gguf")
        if not os.path.exists(path):
            return "no reference data: arch/%s/model.gguf" % arch
        out = bench("-m", path, "-p", "8", "-n", "3", "-d", "70", "--rows", "3", "--no-limits")
        assert out["prompt_tps"] > 0 and out["decode_tps"] > 0, out


@test
def bench_counts_the_experts_that_a_token_uses():
    path = os.path.join(DATA, "arch", "mixtral", "model.gguf")
    if not os.path.exists(path):
        return "no reference data: arch/mixtral/model.gguf"
    info = json.loads(loam("info", path, "--json").stdout)
    used = info["metadata"]["llama.expert_used_count"] / info["metadata"]["llama.expert_count"]
    assert 0 < used < 1, used
    read = [t for t in info["tensors"] if t["name"] != "token_embd.weight"]
    assert [t for t in read if "_exps." in t["name"]]
    expected = sum(t["bytes"] * (used if "_exps." in t["name"] else 1) for t in read)
    found = bench("-m", path, "-p", "4", "-n", "1", "--no-limits")["weight_bytes_per_token"]
    assert abs(found - expected) <= 1, (found, expected)


@test
def bench_counts_a_table_that_is_the_output_as_well():
    path = os.path.join(DATA, "arch", "llama-gqa-headdim", "model.gguf")
    if not os.path.exists(path):
        return "no reference data: arch/llama-gqa-headdim/model.gguf"
    out = bench("-m", path, "-p", "4", "-n", "1", "--no-limits")
    tensors = json.loads(loam("info", path, "--json").stdout)["tensors"]
    assert "output.weight" not in [t["name"] for t in tensors]
    assert out["weight_bytes_per_token"] == sum(t["bytes"] for t in tensors)


def main():
    failed = 0
    for number, function in enumerate(tests, 1):
        try:
            skipped = function()
            print("ok %d - %s%s" % (number, function.__name__, " # SKIP " + skipped if skipped else ""))
        except Exception as error:
            failed += 1
            print("# %s: %s" % (type(error).__name__, str(error)[:400].replace("\n", " ")))
            print("not ok %d - %s" % (number, function.__name__))
        sys.stdout.flush()
    print("1..%d" % len(tests))
    sys.exit(1 if failed else 0)


main()
