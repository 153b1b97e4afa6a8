#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/unit/tokenizer_json_cases.h: small files in the form of tokenizer.json, each
with one step or a few, and the ids that PyPI's `tokenizers` gives for two texts.

    tokenizer_json_cases.py > tests/unit/tokenizer_json_cases.h"""
import json

import tokenizers

LOW = "\u2581"
TEXTS = ["Ab  12\u00b2 a\u00e9,b\n\n\u00c9a b\u0327\u0301c! \u65e5\u672c ab\u2581 ab\t\ud55c x'S \ufb01 \u00bd "
         "\u2167\r\n 1234567 a.b  <X> ab $3+4 _a\u0130 ",
         " ab<s>  <X> \u2003abab aa bb",
         "a<w> <w> _<w> <w>\u00e9 12<w>.<w><w>\u200d\u24b6<w> a\u200db\u0f33 \u00bd<w>\u00fc \u65e5<w> <w>b\u0327 "
         "abab1234567 \u00fc\u00bc\u00b2, 12\u00b3a \u00b9b,bab <w>"]


def byte_alphabet():
    plain = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def added(first):
    def one(i, content, **more):
        return {"id": first + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": False, **more}
    return [one(0, "<s>", special=True), one(1, "<X>", lstrip=True, rstrip=True), one(2, "<w>", single_word=True)]


def merged(letters, pairs):
    vocab = {letter: i for i, letter in enumerate(letters)}
    for left, right in pairs:
        vocab.setdefault(left + right, len(vocab))
    return vocab, [f"{left} {right}" for left, right in pairs]


def bpe(vocab, merges, **more):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocab, "merges": merges, **more}


def models():
    alphabet = byte_alphabet()
    space, line = alphabet[32], alphabet[10]
    # Merges over all kinds of borders, so that every cut shows.
    vocab, merges = merged([alphabet[byte] for byte in range(256)],
                           [("a", "b"), (space, "ab"), (space, space), ("ab", space), ("1", "2"), ("12", "3"),
                            ("3", "4"), (",", "b"), (line, line), ("a", "."), (".", "b"), (space, "1"), ("'", "S"),
                            ("2", alphabet[0xC2]), ("ab", "ab"), (space, "x"), ("$", "3"), ("a", "a")])
    yield "bytes", bpe(vocab, merges)
    letters = [LOW, *"abcdefghijklmnopqrstuvwxyzAbS123456789.,!'$+", "\u00e9", "\u65e5", "\n", "<0xC3>", "<0x89>"]
    letters = list(dict.fromkeys(letters))
    vocab, merges = merged(["<unk>", *letters],
                           [("a", "b"), (LOW, "ab"), (LOW, LOW), ("ab", LOW), ("1", "2"), ("3", "4"), (",", "b"),
                            ("a", "."), ("\n", "\n"), ("ab", "ab")])
    yield "pieces", bpe(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    scores = [["<unk>", 0.0]] + [[token, -3.5 - i / 8] for i, token in enumerate(list(vocab)[1:])]
    yield "scores", {"type": "Unigram", "unk_id": 0, "vocab": scores, "byte_fallback": False}
    words = ["[UNK]", *"abcdefgx123456789.,!'$+_\u65e5\u672c", "ab", "##ab", "##b", "##a", "##c", "##2", "##s", "s", "end",
             "##\u1161", "\u1112", "##\u11ab"]
    yield "words", {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 6, "vocab": {word: i for i, word in enumerate(dict.fromkeys(words))}}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def step(name, **more):
    return {"type": name, **more}


NORMALIZERS = [
    None, step("NFC"), step("NFD"), step("NFKC"), step("NFKD"), step("Lowercase"), step("StripAccents"),
    step("Strip", strip_left=True, strip_right=False), step("Strip", strip_left=False, strip_right=True),
    step("Prepend", prepend=LOW), step("Replace", pattern={"String": "b"}, content="ab"),
    step("Replace", pattern={"Regex": "\\d+"}, content="1"), step("Replace", pattern={"Regex": " {2,}"}, content=" "),
    step("BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True),
    step("BertNormalizer", clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
    sequence("normalizers", step("NFD"), step("StripAccents"), step("Lowercase")),
]
LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
          "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
CL100K = ("'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|"
          "\\s*[\\r\\n]|\\s+(?!\\S)|\\s")
CUTS = [[split(LLAMA3)], [split(CL100K)], [split(LLAMA3, "Removed", True)], [split("\\s+$")],
        [split(" ?[^(\\s|[.,!?])]+")], [split("\\w+", "Removed")], [split("[^\\s\\w]")], [split("a{2}?b", invert=True)],
        [split("b", "MergedWithPrevious", kind="String")], [split("b", "MergedWithNext", kind="String")],
        [split(" ", "Contiguous", kind="String")], [split(" ", "MergedWithNext", True, kind="String")],
        [step("Digits", individual_digits=True)], [step("Digits", individual_digits=False)],
        [step("Punctuation", behavior="Isolated")], [step("Punctuation", behavior="Contiguous")],
        [step("Punctuation", behavior="Removed")], [step("Punctuation", behavior="MergedWithPrevious")],
        [split("(?<=a)b")], [split("(?<!a)b", "Removed")], [split("(?<![0-9])[0-9](?![0-9])|(?<=\\s)\\S+(?<!b)")],
        [split("(?<=\\p{L})(?=\\d).|(?<!\\s) +(?! )", "MergedWithNext")], [split(" +"), split("(?<! )ab")],
        [split("(?:(?<=b)a|(?<=a)b)+"), step("Digits", individual_digits=True)], [step("Whitespace")],
        [step("WhitespaceSplit")], [step("BertPreTokenizer")], [split("\\r?\\n"), step("Digits", individual_digits=True)]]


def meta(scheme, cut):
    return step("Metaspace", replacement=LOW, prepend_scheme=scheme, split=cut)


def configurations():
    """Model, changes to it, normalizer, pre_tokenizer."""
    metas = [meta(scheme, cut) for scheme in ("always", "first", "never") for cut in (True, False)]
    for cuts in CUTS:
        yield "bytes", {}, None, sequence("pretokenizers", *cuts,
                                          step("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False))
    level = step("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    # Behind ByteLevel a byte is a character: that of Falcon first.
    yield "bytes", {}, None, sequence("pretokenizers", step("Punctuation", behavior="Contiguous"), level,
                                      step("Digits", individual_digits=False), split("[0-9][0-9][0-9]"))
    for cuts in CUTS:
        yield "bytes", {}, None, sequence("pretokenizers", level, *cuts)
    for space in (True, False):
        for pattern in (True, False):
            yield "bytes", {}, None, step("ByteLevel", add_prefix_space=space, trim_offsets=True, use_regex=pattern)
    yield "bytes", {"ignore_merges": True}, None, step("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    for normalizer in NORMALIZERS:
        yield "bytes", {}, normalizer, step("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
        yield "words", {}, normalizer, step("BertPreTokenizer")
        yield "scores", {}, normalizer, sequence("pretokenizers", step("WhitespaceSplit"), meta("always", True))
    yield "words", {}, None, step("Whitespace")
    yield "scores", {}, None, step("Whitespace")
    for pre in metas:
        yield "pieces", {}, None, pre
        yield "scores", {}, None, pre
        yield "pieces", {"byte_fallback": False}, step("NFC"), pre
        yield "pieces", {"byte_fallback": False, "fuse_unk": False}, None, pre
    llama = sequence("normalizers", step("Prepend", prepend=LOW),
                     step("Replace", pattern={"String": " "}, content=LOW))
    yield "pieces", {}, llama, None
    yield "pieces", {}, step("Replace", pattern={"String": " "}, content=LOW), split(" ", "MergedWithPrevious",
                                                                                    kind="String")


def quoted(text):
    """A C string literal, in pieces of one line each."""
    out, line = [], ""
    for byte in text.encode():
        char = chr(byte)
        part = "\\" + char if char in '"\\' else char if 0x20 <= byte < 0x7F and char != "?" else "\\%03o" % byte
        if len(line) + len(part) > 84:
            out.append(line)
            line = ""
        line += part
    return "\n    ".join(f'"{part}"' for part in out + [line])


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    all_models = dict(models())
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Generated by tests/tools/tokenizer_json_cases.py with PyPI's tokenizers %s. Do not edit. */"
          % tokenizers.__version__)
    print("/* clang-format off */\n")
    print("static const char *const case_texts[] = {\n    %s,\n};\n" % ",\n    ".join(quoted(text) for text in TEXTS))
    print("/* A file is begin, steps of the case, and model of the case. */")
    print("static const struct {\n    const char *begin, *steps, *model;\n    const char *ids[%d];\n} cases[] = {" % len(TEXTS))
    names = {}
    for name, changes, normalizer, pre in configurations():
        model = {**all_models[name], **changes}
        head = '{"added_tokens":%s,' % compact(added(len(model["vocab"])))
        steps = '"normalizer":%s,"pre_tokenizer":%s,"model":' % (compact(normalizer), compact(pre))
        tokenizer = tokenizers.Tokenizer.from_str(head + steps + compact(model) + "}")
        ids = [" ".join(map(str, tokenizer.encode(text, add_special_tokens=False).ids)) for text in TEXTS]
        key = compact(model)
        if key not in names:
            names[key] = "MODEL_%d" % len(names)
        print("    {%s,\n    %s,\n    %s,\n    {%s}}," % (
            quoted(head), quoted(steps), names[key], ",\n    ".join(quoted(text) for text in ids)))
    print("};\n")
    return names


if __name__ == "__main__":
    import contextlib
    import io
    body = io.StringIO()
    with contextlib.redirect_stdout(body):
        models_used = main()
    head, rest = body.getvalue().split("/* A file is", 1)
    print(head, end="")
    for text, name in models_used.items():
        lines = quoted(text + "}").replace("\n    ", " \\\n    ")
        print("#define %s \\\n    %s\n" % (name, lines))
    print("/* A file is" + rest, end="")
