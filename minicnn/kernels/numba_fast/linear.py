"""The linear layer's three products, by the same eight rows and two vectors as convolution's.

Not NumPy's matrix product: its threads and ours would take the cores from each other
(each waits for work by spinning), and its sums could depend on their number.
"""

import numpy as np

from .engine.arrays import contiguous
from .engine.compilation import compiled
from .engine.team import next_part, parallel
from .operands.packed import SMALL, multiply_scattered
from .operands.products import share
from .operands.scattered import scattered
from .operands.sums import dot

FEW = 8  # rows of x below which most of a packed panel would be empty


def _matrix(x):
    rows, columns = x.shape
    return scattered(contiguous(x), ((rows, columns),), ((columns, 1),))


def _transposed(x):
    columns, rows = x.shape
    return scattered(contiguous(x), ((rows, 1),), ((columns, rows),))


def linear(x, weight, bias):
    M, K = x.shape
    O = weight.shape[0]
    if bias is None:
        bias = np.zeros(O, x.dtype)
    output = np.empty((M, O), x.dtype)  # (M, out)
    if M >= FEW:
        multiply_scattered(_matrix(weight), _transposed(x), contiguous(bias), _transposed(output))
        return output
    parts = 8 if M * K * O > SMALL else 1
    parallel(_linear_few_loops, parts, contiguous(x), contiguous(weight), contiguous(bias), output)
    return output


def linear_grad_input(grad_output, weight):
    no_bias = np.zeros(grad_output.shape[0], weight.dtype)
    grad_input = np.empty((grad_output.shape[0], weight.shape[1]), weight.dtype)  # (M, in)
    multiply_scattered(_matrix(grad_output), _matrix(weight), no_bias, _matrix(grad_input))
    return grad_input


def linear_grad_weight(grad_output, x):
    no_bias = np.zeros(grad_output.shape[1], x.dtype)
    grad_weight = np.empty((grad_output.shape[1], x.shape[1]), x.dtype)  # (out, in)
    multiply_scattered(_transposed(grad_output), _matrix(x), no_bias, _matrix(grad_weight))
    return grad_weight


@compiled()
def _linear_few_loops(team, parts, x, weight, bias, output):
    """For a few rows x: one sum of products for each output.

    A packed panel has room for 32 rows (16 without AVX-512), and would be computed whole.
    """
    M, K = x.shape
    O = weight.shape[0]
    rows = x.reshape(-1)
    weights = weight.reshape(-1)
    k = next_part(team)
    while k < parts:
        for o in share(k, parts, O):
            for m in range(M):
                output[m, o] = dot(rows, m * K, weights, o * K, K) + bias[o]
        k = next_part(team)
