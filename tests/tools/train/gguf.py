# SPDX-License-Identifier: MIT
"""Writes a model as a GGUF file, version 3: matrices as Q8_0, vectors as F32."""
import struct

import numpy

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TYPE_F32, TYPE_Q8_0 = 0, 8
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack('<Q', len(data)) + data


def plain(value):
    """(type, bytes) of a metadata value."""
    if isinstance(value, bool):
        return BOOL, struct.pack('<?', value)
    if isinstance(value, int):
        return U32, struct.pack('<I', value)
    if isinstance(value, float):
        return F32, struct.pack('<f', value)
    if isinstance(value, str):
        return STRING, text(value)
    if all(isinstance(item, str) for item in value):
        return ARRAY, struct.pack('<IQ', STRING, len(value)) + b''.join(map(text, value))
    return ARRAY, struct.pack('<IQ', I32, len(value)) + struct.pack(f'<{len(value)}i', *value)


def q8_0(matrix):
    """Blocks of 32 along the rows: the scale as f16, then 32 signed bytes."""
    blocks = matrix.astype(numpy.float32).reshape(-1, 32)
    scales = (numpy.abs(blocks).max(1, keepdims=True) / 127).astype(numpy.float16)
    steps = scales.astype(numpy.float32)
    numbers = numpy.rint(numpy.divide(blocks, steps, out=numpy.zeros_like(blocks), where=steps > 0))
    numbers = numpy.clip(numbers, -127, 127).astype(numpy.int8)
    return numpy.concatenate([scales.view(numpy.uint8), numbers.view(numpy.uint8)], 1).tobytes()


def rounded(matrix):
    """The matrix as it comes back from the file."""
    blocks = numpy.frombuffer(q8_0(matrix), numpy.uint8).reshape(-1, 34)
    scales = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
    return (blocks[:, 2:].copy().view(numpy.int8).astype(numpy.float32) * scales).reshape(matrix.shape)


def pad(data):
    return data + bytes(-len(data) % ALIGNMENT)


def file(metadata, tensors):
    """The bytes of a file: {key: value}, {name: array of one or two dimensions}."""
    head = struct.pack('<4sIQQ', b'GGUF', 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        kind, data = plain(value)
        head += text(key) + struct.pack('<I', kind) + data
    body = b''
    for name, values in tensors.items():
        kind = TYPE_Q8_0 if values.ndim == 2 else TYPE_F32
        head += text(name) + struct.pack('<I', values.ndim)
        head += struct.pack(f'<{values.ndim}Q', *reversed(values.shape))
        head += struct.pack('<IQ', kind, len(body))
        body += pad(q8_0(values) if values.ndim == 2 else values.astype('<f4').tobytes())
    return pad(head) + body


def metadata(shape, vocabulary, template):
    """The keys of a llama model with a byte-level BPE vocabulary."""
    control = {token: i for i, token in enumerate(vocabulary.special)}
    return {
        'general.architecture': 'llama', 'general.name': 'loam tiny', 'general.license': 'mit',
        'general.file_type': 7, 'general.quantization_version': 2,
        'llama.block_count': shape['layers'], 'llama.context_length': shape['context'],
        'llama.embedding_length': shape['width'], 'llama.feed_forward_length': shape['hidden'],
        'llama.attention.head_count': shape['heads'], 'llama.attention.head_count_kv': shape['heads'],
        'llama.attention.layer_norm_rms_epsilon': float(shape['epsilon']),
        'llama.rope.dimension_count': shape['width'] // shape['heads'],
        'llama.rope.freq_base': float(shape['rope_base']), 'llama.vocab_size': shape['vocabulary'],
        'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'gpt-2',
        'tokenizer.ggml.tokens': vocabulary.tokens,
        'tokenizer.ggml.token_type': [3 if i < len(control) else 1 for i in range(len(vocabulary.tokens))],
        'tokenizer.ggml.merges': [f'{left} {right}' for left, right in vocabulary.merges],
        'tokenizer.ggml.bos_token_id': control['<|endoftext|>'],
        'tokenizer.ggml.eos_token_id': control['<|endoftext|>'],
        'tokenizer.ggml.eot_token_id': control['<|im_end|>'],
        'tokenizer.ggml.add_bos_token': True, 'tokenizer.ggml.add_eos_token': False,
        'tokenizer.ggml.fim_pre_token_id': control['<|fim_prefix|>'],
        'tokenizer.ggml.fim_suf_token_id': control['<|fim_suffix|>'],
        'tokenizer.ggml.fim_mid_token_id': control['<|fim_middle|>'],
        'tokenizer.chat_template': template,
    }
