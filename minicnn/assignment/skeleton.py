"""The file that students fill in: for each function its shapes and an example by hand."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

DEFAULTS = {"stride": "1", "padding": "0", "dilation": "1", "groups": "1"}
POOLING = {"stride": "None", "padding": "0"}  # what of these a pooling has


class Function(NamedTuple):
    """What is the same in every language."""

    takes: str
    gives: str  # the shapes, on both sides of an arrow
    by_hand: str  # the arithmetic behind one number of the example
    example: str  # a doctest, which a test evaluates
    window: Mapping[str, str] = MappingProxyType({})  # the arguments of the window that it may have


IMAGE = """\
>>> image = np.array([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
>>> kernel = np.array([[[[1.0, 2], [0, 3]]]])
"""

FUNCTIONS = {
    "conv2d": Function(
        "input, weight, bias=None",
        "input (N, C, H, W), weight (O, C, KH, KW), bias (O,) -> output (N, O, OH, OW)",
        "output[0, 0, 0, 0] = 1*1 + 2*2 + 4*0 + 5*3 = 20",
        f"{IMAGE}>>> conv2d(image, kernel).tolist()\n[[[[20.0, 26.0], [38.0, 44.0]]]]",
        DEFAULTS,
    ),
    "conv2d_backward": Function(
        "grad_output, input, weight",
        "grad_output (N, O, OH, OW) -> grad_input (N, C, H, W), grad_weight (O, C, KH, KW), grad_bias (O,)",
        "grad_input[0, 0, 1, 1] = 1*3 + 2*0 + 3*2 + 4*1 = 13\n"
        "grad_weight[0, 0, 0, 0] = 1*1 + 2*2 + 3*4 + 4*5 = 37\n"
        "grad_bias[0] = 1 + 2 + 3 + 4 = 10",
        f"{IMAGE}>>> grad = np.array([[[[1.0, 2], [3, 4]]]])\n"
        ">>> grad_input, grad_weight, grad_bias = conv2d_backward(grad, image, kernel)\n"
        ">>> grad_input.tolist()\n[[[[1.0, 4.0, 4.0], [3.0, 13.0, 14.0], [0.0, 9.0, 12.0]]]]\n"
        ">>> grad_weight.tolist()\n[[[[37.0, 47.0], [67.0, 77.0]]]]\n"
        ">>> grad_bias.tolist()\n[10.0]",
        DEFAULTS,
    ),
    "max_pool2d": Function(
        "input, kernel_size",
        "input (N, C, H, W) -> output (N, C, OH, OW)",
        "output[0, 0, 0, 0] = max(1, 3, 4, 2) = 4",
        ">>> image = np.array([[[[1.0, 3, 2, 0], [4, 2, 1, 5]]]])\n>>> max_pool2d(image, 2).tolist()\n[[[[4.0, 5.0]]]]",
        POOLING,
    ),
    "max_pool2d_backward": Function(
        "grad_output, input, kernel_size",
        "grad_output (N, C, OH, OW), input (N, C, H, W) -> grad_input (N, C, H, W)",
        "max(1, 3, 4, 2) = 4 -> grad_input[0, 0, 1, 0] = 7",
        ">>> image = np.array([[[[1.0, 3, 2, 0], [4, 2, 1, 5]]]])\n"
        ">>> max_pool2d_backward(np.array([[[[7.0, 8]]]]), image, 2).tolist()\n"
        "[[[[0.0, 0.0, 0.0, 0.0], [7.0, 0.0, 0.0, 8.0]]]]",
        POOLING,
    ),
    "linear": Function(
        "input, weight, bias",
        "input (N, I), weight (O, I), bias (O,) -> output (N, O)",
        "output[0, 0] = 1*3 + 2*4 + 10 = 21",
        ">>> x, weight = np.array([[1.0, 2]]), np.array([[3.0, 4], [5, 6], [0, 1]])\n"
        ">>> linear(x, weight, np.array([10.0, 20, 30])).tolist()\n[[21.0, 37.0, 32.0]]",
    ),
    "linear_backward": Function(
        "grad_output, input, weight",
        "grad_output (N, O) -> grad_input (N, I), grad_weight (O, I), grad_bias (O,)",
        "grad_input[0, 0] = 1*3 + 10*5 + 100*0 = 53\ngrad_weight[2, 1] = 100*2 = 200",
        ">>> x, weight = np.array([[1.0, 2]]), np.array([[3.0, 4], [5, 6], [0, 1]])\n"
        ">>> grad_input, grad_weight, grad_bias = linear_backward(np.array([[1.0, 10, 100]]), x, weight)\n"
        ">>> grad_input.tolist()\n[[53.0, 164.0]]\n"
        ">>> grad_weight.tolist()\n[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]\n"
        ">>> grad_bias.tolist()\n[1.0, 10.0, 100.0]",
    ),
    "relu": Function(
        "input",
        "input (...) -> output (...)",
        "max(-2, 0) = 0, max(3, 0) = 3",
        ">>> relu(np.array([-2.0, 3])).tolist()\n[0.0, 3.0]",
    ),
    "relu_backward": Function(
        "grad_output, output",
        "grad_output (...), output (...) -> grad_input (...)",
        "0 > 0: 0; 3 > 0: 7",
        ">>> relu_backward(np.array([5.0, 7]), np.array([0.0, 3])).tolist()\n[0.0, 7.0]",
    ),
    "sigmoid": Function(
        "input",
        "input (...) -> output (...)",
        "1 / (1 + exp(-0)) = 1 / (1 + 1) = 0.5",
        ">>> sigmoid(np.array([0.0])).tolist()\n[0.5]",
    ),
    "sigmoid_backward": Function(
        "grad_output, output",
        "grad_output (...), output (...) -> grad_input (...)",
        "8 * 0.5 * (1 - 0.5) = 2",
        ">>> sigmoid_backward(np.array([8.0]), np.array([0.5])).tolist()\n[2.0]",
    ),
    "tanh": Function(
        "input",
        "input (...) -> output (...)",
        "(exp(0) - exp(-0)) / (exp(0) + exp(-0)) = 0 / 2 = 0",
        ">>> tanh(np.array([0.0])).tolist()\n[0.0]",
    ),
    "tanh_backward": Function(
        "grad_output, output",
        "grad_output (...), output (...) -> grad_input (...)",
        "4 * (1 - 0.5*0.5) = 3",
        ">>> tanh_backward(np.array([4.0]), np.array([0.5])).tolist()\n[3.0]",
    ),
    "cross_entropy": Function(
        "logits, target",
        "logits (N, C), target (N,) -> loss ()",
        "exp(0) = 1, exp(log(3)) = 3: p = (1/4, 3/4), -log(1/4) = 1.386294",
        ">>> logits = np.array([[0.0, np.log(3)]])\n"
        ">>> round(float(cross_entropy(logits, np.array([0]))), 6)\n1.386294",
    ),
    "cross_entropy_backward": Function(
        "grad_output, logits, target",
        "grad_output (), logits (N, C), target (N,) -> grad_input (N, C)",
        "p = (1/4, 3/4): (1/4 - 1) / 1 = -0.75, (3/4 - 0) / 1 = 0.75",
        ">>> logits = np.array([[0.0, np.log(3)]])\n"
        ">>> cross_entropy_backward(1.0, logits, np.array([0])).round(6).tolist()\n[[-0.75, 0.75]]",
    ),
    "mse_loss": Function(
        "input, target",
        "input (...), target (...) -> loss ()",
        "((1 - 3)^2 + (2 - 2)^2) / 2 = 2",
        ">>> float(mse_loss(np.array([1.0, 2]), np.array([3.0, 2])))\n2.0",
    ),
    "mse_loss_backward": Function(
        "grad_output, input, target",
        "grad_output (), input (...), target (...) -> grad_input (...)",
        "1 * 2 * (1 - 3) / 2 = -2",
        ">>> mse_loss_backward(1.0, np.array([1.0, 2]), np.array([3.0, 2])).tolist()\n[-2.0, 0.0]",
    ),
    "adam": Function(
        "param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay",
        "param, grad, exp_avg, exp_avg_sq (...) -> param, exp_avg, exp_avg_sq (...)",
        "exp_avg = 0.9*0 + 0.1*2 = 0.2, exp_avg_sq = 0.999*0 + 0.001*2*2 = 0.004\n"
        "param = 1 - 0.1 * (0.2/0.1) / (sqrt(0.004/0.001) + 0) = 0.9",
        ">>> one, two, zero = np.array([1.0]), np.array([2.0]), np.array([0.0])\n"
        ">>> param, exp_avg, exp_avg_sq = adam(one, two, zero, zero, 1, 0.1, 0.9, 0.999, 0.0, 0.0)\n"
        ">>> param.round(6).tolist(), exp_avg.round(6).tolist(), exp_avg_sq.round(6).tolist()\n([0.9], [0.2], [0.004])",
    ),
    "sgd": Function(
        "param, grad, momentum_buffer, lr, momentum",
        "param, grad, momentum_buffer (...) -> param, momentum_buffer (...)",
        "momentum_buffer = 0.5*4 + 2 = 4, param = 1 - 0.5*4 = -1",
        ">>> param, buffer = sgd(np.array([1.0]), np.array([2.0]), np.array([4.0]), 0.5, 0.5)\n"
        ">>> param.tolist(), buffer.tolist()\n([-1.0], [4.0])",
    ),
}


def skeleton(functions: list[str], arguments: list[str], texts: dict[str, str]) -> str:
    """The text of solution.py."""
    parts = [f'"""{texts["skeleton"]}"""\n\nimport numpy as np']
    parts += [_written(name, FUNCTIONS[name], arguments, texts) for name in functions]
    return "\n\n\n".join(parts) + "\n"


def signature(name: str, arguments: list[str]) -> str:
    """Such as conv2d(input, weight, bias=None, stride=1)."""
    function = FUNCTIONS[name]
    window = [f"{key}={value}" for key, value in function.window.items() if key in arguments]
    return f"{name}({', '.join([function.takes, *window])})"


def _written(name: str, function: Function, arguments: list[str], texts: dict[str, str]) -> str:
    has = [argument for argument in function.window if argument in arguments]
    pooling = function.window is POOLING
    shapes = function.gives
    if "groups" in has:
        shapes = shapes.replace("weight (O, C, ", "weight (O, C // groups, ")
    lines = [texts[f"doc.{name}"], "", *shapes.split(" -> ")]
    lines[-1] = "-> " + lines[-1]
    if function.window:
        lines += _size("H", has, pooling), _size("W", has, pooling)
    kind = "arg.pool_" if pooling else "arg."
    described = [texts["arg.kernel_size"]] if pooling else []
    described += [texts[f"{kind}{name}"] for name in has]
    if described:
        lines += ["", *described]
    lines += ["", texts["by_hand"], "", *(f"    {line}" for line in function.by_hand.split("\n")), ""]
    lines += function.example.split("\n")
    doc = "\n".join(f"    {line}".rstrip() for text in lines for line in text.split("\n")).strip()
    return f'def {signature(name, arguments)}:\n    """{doc}\n    """\n    raise NotImplementedError("{name}")'


def _size(axis: str, has: list[str], pooling: bool) -> str:
    """The size formula with the arguments that there are. 2*padding: on both sides."""
    padded = f"{axis} + 2*padding" if "padding" in has else axis
    span = f"dilation*(K{axis} - 1) - 1" if "dilation" in has else f"K{axis}"
    if "stride" in has:
        return f"O{axis} = ({padded} - {span}) // stride + 1"
    return f"O{axis} = ({padded} - {span}) // K{axis} + 1" if pooling else f"O{axis} = {padded} - {span} + 1"
