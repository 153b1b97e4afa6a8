# SPDX-License-Identifier: MIT
"""The Muon optimiser for matrices: momentum, made orthogonal before each step.

(Jordan and others: "Muon: an optimizer for hidden layers in neural networks", 2024. The
coefficients of the Newton-Schulz iteration are from there.)"""
import torch

COEFFICIENTS = 3.4445, -4.7750, 2.0315
MOMENTUM, ITERATIONS = 0.95, 5


def orthogonal(matrix):
    """About the nearest matrix whose singular values are all 1."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.t()
        x = a * x + (b * square + c * square @ square) @ x
    return x.t() if tall else x


class Muon(torch.optim.Optimizer):
    """Matrices that are higher than wide are taken as square ones on top of each other."""

    def __init__(self, parameters, lr, weight_decay):
        super().__init__(parameters, {'lr': lr, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group['params']:
                mean = self.state[parameter].setdefault('mean', torch.zeros_like(parameter))
                mean.mul_(MOMENTUM).add_(parameter.grad, alpha=1 - MOMENTUM)
                ahead = parameter.grad * (1 - MOMENTUM) + mean * MOMENTUM
                parameter.mul_(1 - group['lr'] * group['weight_decay'])
                for part, change in zip(parameter.split(parameter.shape[1]), ahead.split(parameter.shape[1])):
                    part.add_(orthogonal(change), alpha=-group['lr'])
