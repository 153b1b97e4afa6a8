# SPDX-License-Identifier: MIT
"""A model of the llama family in PyTorch, as loam computes it: RMS norms, rotary positions of
adjacent pairs, gated feed-forward, and an output matrix that is the embedding table."""
import torch
from torch import nn
from torch.nn import functional


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width, hidden = shape['width'], shape['hidden']
        self.heads = shape['heads']
        self.attn_norm, self.ffn_norm = (Norm(width, shape['epsilon']) for _ in range(2))
        self.attn_qkv = nn.Linear(width, 3 * width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def rotate(self, x, cos, sin):
        """x [rows][heads][positions][width of a head]"""
        x0, x1 = x[..., 0::2], x[..., 1::2]
        return torch.stack((x0 * cos - x1 * sin, x1 * cos + x0 * sin), -1).flatten(-2)

    def attention(self, x, cos, sin, mask):
        rows, length, width = x.shape
        q, k, v = (part.view(rows, length, self.heads, -1).transpose(1, 2)
                   for part in self.attn_qkv(x).split(width, -1))
        q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + mask
        out = torch.softmax(scores, -1) @ v
        return self.attn_output(out.transpose(1, 2).reshape(rows, length, width))

    def forward(self, x, cos, sin, mask):
        x = x + self.attention(self.attn_norm(x), cos, sin, mask)
        gate, up = self.ffn_gate_up(self.ffn_norm(x)).chunk(2, -1)
        return x + self.ffn_down(functional.silu(gate) * up)


class Network(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        width = shape['width']
        self.token_embd = nn.Embedding(shape['vocabulary'], width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape['layers']))
        self.output_norm = Norm(width, shape['epsilon'])
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(('attn_output.weight', 'ffn_down.weight'))
                nn.init.normal_(weight, std=0.04 / ((2 * shape['layers']) ** 0.5 if deep else 1))
        pairs = width // shape['heads'] // 2
        frequencies = shape['rope_base'] ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
        angles = torch.outer(torch.arange(shape['context'], dtype=torch.float64), frequencies)
        self.register_buffer('cos', angles.cos().float(), persistent=False)
        self.register_buffer('sin', angles.sin().float(), persistent=False)

    def forward(self, ids):
        """ids [rows][positions] to logits [rows][positions][vocabulary]."""
        length = ids.shape[1]
        mask = torch.full((length, length), float('-inf')).triu(1)
        x = self.token_embd(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:length], self.sin[:length], mask)
        return self.output_norm(x) @ self.token_embd.weight.t()

    def tensors(self):
        """{name in a GGUF file: matrix or vector}"""
        width, hidden = self.shape['width'], self.shape['hidden']
        out = {'token_embd.weight': self.token_embd.weight, 'output_norm.weight': self.output_norm.weight}
        for i, layer in enumerate(self.layers):
            q, k, v = layer.attn_qkv.weight.split(width)
            gate, up = layer.ffn_gate_up.weight.split(hidden)
            parts = {'attn_norm': layer.attn_norm.weight, 'attn_q': q, 'attn_k': k, 'attn_v': v,
                     'attn_output': layer.attn_output.weight, 'ffn_norm': layer.ffn_norm.weight,
                     'ffn_gate': gate, 'ffn_up': up, 'ffn_down': layer.ffn_down.weight}
            out.update({f'blk.{i}.{name}.weight': part for name, part in parts.items()})
        return {name: part.detach() for name, part in out.items()}
