"""A solution that is a copy of the textbook's functions: their text, with short functions
behind it that have the assignment's names.
"""

import re
from pathlib import Path

import minicnn

ROOT = Path(minicnn.__file__).parent
FILES = ("convolution", "pooling", "linear", "pointwise", "losses", "optimizers")

NAMED = """

def conv2d(input, weight, bias=None, **options):
    return textbook_conv2d(input, weight, bias, geometry_conv2d(input.shape, weight.shape, **options))


def conv2d_backward(grad_output, input, weight, **options):
    g = geometry_conv2d(input.shape, weight.shape, **options)
    grad_weight = conv2d_grad_weight(grad_output, input, g)
    return conv2d_grad_input(grad_output, weight, g), grad_weight, grad_bias(grad_output)


def max_pool2d(input, kernel_size, **options):
    return textbook_max_pool2d(input, geometry_max_pool2d(input.shape, kernel_size, **options))[0]


def max_pool2d_backward(grad_output, input, kernel_size, **options):
    g = geometry_max_pool2d(input.shape, kernel_size, **options)
    return max_pool2d_grad(grad_output, textbook_max_pool2d(input, g)[1], g)


def linear(input, weight, bias):
    return textbook_linear(input, weight, bias)


def linear_backward(grad_output, input, weight):
    grad_input = linear_grad_input(grad_output, weight)
    return grad_input, linear_grad_weight(grad_output, input), grad_bias(grad_output)


def cross_entropy(logits, target):
    return plain_cross_entropy(logits, target)


def cross_entropy_backward(grad_output, logits, target):
    return grad_output * plain_cross_entropy_grad(logits, target)


def mse_loss(input, target):
    return textbook_mse_loss(input, target, None, "mean")


def mse_loss_backward(grad_output, input, target):
    return mse_loss_grad(grad_output, input, target, None, "mean")


def adam(param, grad, exp_avg, exp_avg_sq, *numbers):
    new = param.copy(), exp_avg.copy(), exp_avg_sq.copy()
    textbook_adam(new[0], grad, new[1], new[2], None, *numbers, False, False)
    return new


def sgd(param, grad, momentum_buffer, lr, momentum):
    param = param.copy()
    buffer = textbook_sgd(param, grad, momentum_buffer.copy(), lr, momentum, 0, 0, False, False)
    return param, buffer
"""
POINTWISE = """

def {name}(input):
    return textbook_{name}(input)


def {name}_backward(grad_output, output):
    return {name}_grad(grad_output, output)
"""


def solution() -> str:
    """Its text."""
    parts = [_copied(ROOT / "geometry.py", "geometry")]
    parts += [_copied(ROOT / "kernels" / "numpy_textbook" / f"{name}.py", "textbook") for name in FILES]
    parts += [NAMED, *(POINTWISE.format(name=name) for name in ("relu", "sigmoid", "tanh"))]
    return "\n".join(parts)


def _copied(path, prefix):
    """The text without what it imports from beside it; the functions that have the
    assignment's names get the prefix.
    """
    text = re.sub(r"^from \..*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = "conv2d max_pool2d linear relu sigmoid tanh mse_loss adam sgd"
    return re.sub(rf"(?<![.\w])({names.replace(' ', '|')})\(", rf"{prefix}_\1(", text)
