#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Text to tokens: loam against the tokenizers of PyPI, in turn, with one vocabulary.

    race_tokenize.py make FOLDER COUNT TEXT...
        trains a byte-level vocabulary of COUNT tokens on the beginning of each text
        and writes it as FOLDER/bpe.json, bpe.tiktoken and bpe.gguf (needs tokenizers)
    race_tokenize.py bpe TOKENIZE FOLDER TEXT...
        against tiktoken and tokenizers
    race_tokenize.py spm TOKENIZE VOCABULARY.gguf TEXT...
        against sentencepiece, for which the vocabulary is written as its model

TOKENIZE is the program tests/bench/tokenize. It encodes each text as a whole, the
others its first 10 MB in stretches that they are fast at; the number of tokens
must be the same where a text is encoded in the same stretches. All times are
processor time of one thread. Prints the megabytes a second of each program, of three
rounds the best, and loam's ratio to the faster of the others in each round."""
import base64
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

os.environ['RAYON_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r'|\s*[\r\n]+|\s+(?!\S)|\s+')
ROUNDS, PART = 3, 10_000_000


# ---- vocabularies ------------------------------------------------------------------


def text_of(data):
    data = data if isinstance(data, bytes) else data.encode()
    return struct.pack('<Q', len(data)) + data


def array_of(kind, items, write):
    return struct.pack('<IIQ', 9, kind, len(items)) + b''.join(write(item) for item in items)


def byte_alphabet():
    """The byte for each character of GPT-2's alphabet."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{chr(byte): byte for byte in printable},
            **{chr(256 + i): byte for i, byte in enumerate(others)}}


def write_gguf(path, tokens, merges):
    keys = [text_of('tokenizer.ggml.model') + struct.pack('<I', 8) + text_of('gpt2'),
            text_of('tokenizer.ggml.pre') + struct.pack('<I', 8) + text_of('dbrx'),
            text_of('tokenizer.ggml.tokens') + array_of(8, tokens, text_of),
            text_of('tokenizer.ggml.token_type') +
            array_of(5, tokens, lambda _: struct.pack('<i', 1)),
            text_of('tokenizer.ggml.merges') + array_of(8, merges, text_of)]
    with open(path, 'wb') as file:
        file.write(b'GGUF' + struct.pack('<IQQ', 3, 0, len(keys)) + b''.join(keys))


def make(folder, count, paths):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), 'isolated'),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=count, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())

    def texts():
        for path in paths:
            text = read(path, 6 * PART)
            for at in range(0, len(text), 200_000):
                yield text[at:at + 200_000]
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.save(os.path.join(folder, 'bpe.json'))
    model = json.loads(tokenizer.to_str())['model']
    tokens = sorted(model['vocab'], key=model['vocab'].get)
    merges = [merge if isinstance(merge, str) else ' '.join(merge) for merge in model['merges']]
    write_gguf(os.path.join(folder, 'bpe.gguf'), tokens, merges)
    alphabet = byte_alphabet()
    with open(os.path.join(folder, 'bpe.tiktoken'), 'wb') as file:
        for i, token in enumerate(tokens):
            file.write(base64.b64encode(bytes(alphabet[c] for c in token)) + b' %d\n' % i)
    print(f'{len(tokens)} tokens, {len(merges)} merges')


def read_keys(path):
    """The keys of a GGUF file, as far as a vocabulary has them."""
    with open(path, 'rb') as file:
        data = file.read()
    at, keys = 24, {}
    formats = {0: 'B', 1: 'b', 2: 'H', 3: 'h', 4: 'I', 5: 'i', 6: 'f', 7: '?', 10: 'Q', 11: 'q', 12: 'd'}

    def text():
        nonlocal at
        length = struct.unpack_from('<Q', data, at)[0]
        at += 8 + length
        return data[at - length:at]

    def value(kind):
        nonlocal at
        if kind == 8:
            return text()
        if kind == 9:
            kind, count = struct.unpack_from('<IQ', data, at)
            at += 12
            return [value(kind) for _ in range(count)]
        result = struct.unpack_from('<' + formats[kind], data, at)[0]
        at += struct.calcsize('<' + formats[kind])
        return result
    for _ in range(struct.unpack_from('<Q', data, 16)[0]):
        name = text().decode()
        kind = struct.unpack_from('<I', data, at)[0]
        at += 4
        keys[name] = value(kind)
    return keys


def varint(number):
    out = b''
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, wire, data):
    return varint(number << 3 | wire) + data


def message(number, data):
    return field(number, 2, varint(len(data)) + data)


def write_model(path, vocabulary):
    """sentencepiece's model file: pieces, trainer (BPE, byte fall-back), normalizer (identity)."""
    keys = read_keys(vocabulary)
    rows = zip(keys['tokenizer.ggml.tokens'], keys['tokenizer.ggml.scores'],
               keys['tokenizer.ggml.token_type'])
    data = b''.join(message(1, message(1, token) + field(2, 5, struct.pack('<f', score)) +
                            field(3, 0, varint(kind))) for token, score, kind in rows)
    data += message(2, field(3, 0, varint(2)) + field(35, 0, varint(1)))
    data += message(3, message(1, b'identity') + field(3, 0, varint(1)) + field(4, 0, varint(0)) +
                    field(5, 0, varint(1)))
    with open(path, 'wb') as file:
        file.write(data)


# ---- the race ------------------------------------------------------------------------


def read(path, count):
    with open(path, encoding='utf-8', errors='ignore', newline='') as file:
        return file.read(count)


def loam_rate(program, vocabulary, path):
    found = subprocess.run([program, vocabulary, path], check=True, capture_output=True, text=True).stdout
    return (float(re.search(r'encode ([\d.]+) MB/s', found)[1]), int(re.search(r'(\d+) tokens', found)[1]),
            float(re.search(r'open: ([\d.]+) ms', found)[1]))


def rate(encode, parts):
    """Megabytes a second, and tokens."""
    size = sum(len(part.encode()) for part in parts)
    begin = time.process_time()
    count = sum(len(encode(part)) for part in parts)
    return size / 1e6 / (time.process_time() - begin), count


def race(program, vocabulary, peers, paths):
    for path in paths:
        text = read(path, PART)
        best, ratios, counts, opened = {}, [], {}, []
        with tempfile.NamedTemporaryFile('w', encoding='utf-8', newline='') as part:
            part.write(text)
            part.flush()
            counts['loam'] = loam_rate(program, vocabulary, part.name)[1]
        for _ in range(ROUNDS):
            speed, _, milliseconds = loam_rate(program, vocabulary, path)
            opened.append(milliseconds)
            rates = {}
            for name, (encode, cut) in peers.items():
                rates[name], counts[name] = rate(encode, cut(text))
            ratios.append(speed / max(rates.values()))
            for name, value in {'loam': speed, **rates}.items():
                best[name] = max(best.get(name, 0), value)
        print(f'{os.path.basename(path)}: ' +
              ', '.join(f'{name} {value:.1f} MB/s' for name, value in best.items()) +
              '; ratio ' + ', '.join(f'{ratio:.1f}' for ratio in ratios) +
              f'; opens in {min(opened):.1f} ms; tokens of the first part: {counts}')
        whole = [counts[name] for name in peers if peers[name][1] is whole_text]
        if any(count != counts['loam'] for count in whole):
            sys.exit('the numbers of tokens differ')


def whole_text(text):
    return [text]


def stretches(text):
    """100,000 characters each: tokenizers keeps offsets of all and is slow on long texts."""
    return [text[at:at + 100_000] for at in range(0, len(text), 100_000)]


def race_bpe(program, folder, paths):
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe
    from tokenizers import Tokenizer
    ranks = load_tiktoken_bpe(os.path.join(folder, 'bpe.tiktoken'))
    first = tiktoken.Encoding('race', pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={})
    second = Tokenizer.from_file(os.path.join(folder, 'bpe.json'))
    race(program, os.path.join(folder, 'bpe.gguf'),
         {'tiktoken': (first.encode_ordinary, whole_text),
          'tokenizers': (lambda text: second.encode(text).ids, stretches)}, paths)


def race_spm(program, vocabulary, paths):
    import sentencepiece
    with tempfile.NamedTemporaryFile(suffix='.model') as file:
        write_model(file.name, vocabulary)
        processor = sentencepiece.SentencePieceProcessor(model_file=file.name)
    race(program, vocabulary,
         {'sentencepiece': (processor.encode, lambda text: text.splitlines(True))}, paths)


def main():
    kind, *rest = sys.argv[1:] or ['']
    if kind == 'make' and len(rest) > 2:
        make(rest[0], int(rest[1]), rest[2:])
    elif kind == 'bpe' and len(rest) > 2:
        race_bpe(rest[0], rest[1], rest[2:])
    elif kind == 'spm' and len(rest) > 2:
        race_spm(rest[0], rest[1], rest[2:])
    else:
        sys.exit(__doc__)


main()
