"""What a shape is in letters, and which part of a formula a line computes. What names and
letters mean is said in `texts.source`.

The letters stand in `minicnn.geometry`, the shapes in the margin of the textbook; here is
only what is not written there. Tests hold every entry against the source.
"""

import ast
import re
from typing import Any

from ...geometry import Geometry
from ..say import say
from . import lines

# Shapes of arguments, which no line's margin says.
SHAPES = {
    "im2col": {"x": "N, C, H, W", "padded": "N, C, HP, WP", "cols": "N, C, KH, KW, OH, OW"},
    "col2im": {"cols": "N, C KH KW, OH OW|N, C, KH, KW, OH, OW", "padded": "N, C, HP, WP"},
    "_image_in": {"padded": "N, C, HP, WP"},
    "linear": {"x": "M, in", "weight": "out, in", "bias": "out"},
    "linear_grad_input": {"grad_output": "M, out", "weight": "out, in"},
    "linear_grad_weight": {"grad_output": "M, out", "x": "M, in"},
    "cross_entropy": {"target": "N"},
    "cross_entropy_grad": {"target": "N"},
    "max_pool2d_grad": {"indices": "N, C, OH, OW", "grad_output": "N, C, OH, OW", "grad_input": "N C, H W"},
}
COMMON = {
    "x": "N, C, H, W",
    "input": "N, C, H, W",
    "weight": "O, C/G, KH, KW",
    "bias": "O",
    "grad_output": "N, O, OH, OW",
    "output": "N, O, OH, OW",
    "grad_input": "N, C, H, W",
    "grad_weight": "O, C/G, KH, KW",
    "grad_bias": "O",
    "logits": "N, C",
    "padded": "N, C, HP, WP",
}

# For each function its formula, and which line (by how it begins) computes which part of it.
FORMULAS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "im2col": (
        "cols[n, (c kh kw), (i j)] = padded[n, c, i SH + kh DH, j SW + kw DW]",
        [
            ("padded = ", "padded"),
            ("_image_in(padded", "padded"),
            ("cols[:, :, kh, kw] = ", "padded[n, c, i SH + kh DH, j SW + kw DW]"),
            ("return cols", "cols[n, (c kh kw), (i j)]"),
        ],
    ),
    "_read_by": (
        "i SH + kh DH for i = 0, 1, ..., OH - 1",
        [("first = ", "kh DH"), ("last = ", "OH - 1"), ("return slice", "i SH + kh DH")],
    ),
    "col2im": (
        "padded[n, c, i SH + kh DH, j SW + kw DW] += cols[n, (c kh kw), (i j)]",
        [
            ("cols = ", "cols[n, (c kh kw), (i j)]"),
            ("padded = ", "padded"),
            ("padded[:, :, down, across] += ", "+= cols[n, (c kh kw), (i j)]"),
            ("return _image_in", "padded"),
        ],
    ),
    "conv2d": (
        "output = rows @ cols + bias",
        [("rows = ", "rows"), ("cols = ", "cols"), ("output = ", "rows @ cols"), ("return output", "+ bias")],
    ),
    "conv2d_grad_input": (
        "grad_input = col2im(rows^T @ grad)",
        [
            ("rows = ", "rows"),
            ("grad = ", "grad)"),
            ("grad_cols = ", "rows^T @ grad"),
            ("return col2im", "col2im(rows^T @ grad)"),
        ],
    ),
    "conv2d_grad_weight": (
        "grad_weight = sum over n of grad @ cols^T",
        [
            ("cols = ", "cols^T"),
            ("grad = ", "grad @"),
            ("each_image = ", "grad @ cols^T"),
            ("grad_rows = ", "sum over n of grad @ cols^T"),
            ("return grad_rows", "grad_weight"),
        ],
    ),
    "grad_bias": (
        "grad_bias[o] = sum over n, i, j of grad_output[n, o, i, j]",
        [
            ("all_but_channels = ", "over n, i, j"),
            ("return grad_output", "sum over n, i, j of grad_output[n, o, i, j]"),
        ],
    ),
    "linear": (
        "output[m, o] = sum over i of x[m, i] weight[o, i] + bias[o]",
        [("output = ", "sum over i of x[m, i] weight[o, i]"), ("return output", "+ bias[o]")],
    ),
    "linear_grad_input": (
        "grad_input[m, i] = sum over o of grad_output[m, o] weight[o, i]",
        [("return ", "sum over o of grad_output[m, o] weight[o, i]")],
    ),
    "linear_grad_weight": (
        "grad_weight[o, i] = sum over m of grad_output[m, o] x[m, i]",
        [("return ", "sum over m of grad_output[m, o] x[m, i]")],
    ),
    "relu": ("output = max(x, 0)", [("return ", "max(x, 0)")]),
    "relu_grad": (
        "grad_input = grad_output where output > 0, else 0",
        [("return ", "grad_output where output > 0, else 0")],
    ),
    "max_pool2d": (
        "output[n, c, i, j] = max over kh, kw of padded[n, c, i SH + kh DH, j SW + kw DW]",
        [
            ("values = ", "padded[n, c, i SH + kh DH, j SW + kw DW]"),
            ("for tap in ", "over kh, kw"),
            ("best = np.where", "max over kh, kw of padded[n, c, i SH + kh DH, j SW + kw DW]"),
            ("return ", "output[n, c, i, j]"),
        ],
    ),
    "max_pool2d_grad": (
        "grad_input[n, c, indices[n, c, i, j]] += grad_output[n, c, i, j]",
        [
            ("places = ", "indices[n, c, i, j]"),
            ("grad = ", "grad_output[n, c, i, j]"),
            ("np.add.at(", "+= grad_output[n, c, i, j]"),
            ("return ", "grad_input"),
        ],
    ),
    "log_softmax": (
        "log p_c = (x_c - max x) - log sum over k of exp(x_k - max x)",
        [
            ("shifted = ", "x_c - max x"),
            ("total = ", "sum over k of exp(x_k - max x)"),
            ("return shifted", "log sum over k of exp(x_k - max x)"),
        ],
    ),
    "cross_entropy": (
        "loss = - mean over n of weight[y] log p_y,  log p = log_softmax(logits)",
        [("log_p = ", "log p = log_softmax(logits)"), ("loss = ", "- mean over n of weight[y] log p_y")],
    ),
    "nll_loss": (
        "loss = - mean over n of weight[y] log p_y",
        [
            ("counted, classes, weights = ", "weight[y]"),
            ("log_p_y = ", "log p_y"),
            ("losses = np.where", "weight[y] log p_y"),
            ("return ", "- mean over n of weight[y] log p_y"),
        ],
    ),
    "cross_entropy_grad": (
        "grad x_k = p_k (sum over c of q_c) - q_k, times grad_output / N",
        [
            ("p = ", "p_k"),
            ("np.put_along_axis", "q_k"),
            ("share = _reduce", "grad_output / N"),
            ("grad_log_p = ", "q_k, times grad_output / N"),
            ("total = ", "(sum over c of q_c)"),
            ("grad = grad_log_p", "p_k (sum over c of q_c) - q_k"),
        ],
    ),
    "adam": (
        (
            "m = beta1 m + (1 - beta1) grad,  v = beta2 v + (1 - beta2) grad^2,  "
            "param -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)"
        ),
        [
            ("exp_avg += ", "beta1 m + (1 - beta1) grad"),
            ("exp_avg_sq *= ", "beta2 v"),
            ("exp_avg_sq += ", "(1 - beta2) grad^2"),
            ("denominator = ", "(sqrt(v / (1 - beta2^t)) + eps)"),
            ("param -= ", "param -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)"),
        ],
    ),
    "sgd": (
        "buffer = momentum buffer + (1 - dampening) grad,  param -= lr buffer",
        [
            ("momentum_buffer *= ", "momentum buffer"),
            ("momentum_buffer += ", "(1 - dampening) grad"),
            ("param -= ", "param -= lr buffer"),
        ],
    ),
}


def part(function: str, statement: str) -> str:
    """The part of the function's formula that a statement computes, or ""."""
    _, parts = FORMULAS.get(function, ("", []))
    return next((term for start, term in parts if statement.startswith(start)), "")


WORDS = ("sum over", "max over", "mean over", "of", "for", "where", "else", "times")  # in formulas


def spoken(formula: str) -> str:
    """The formula with its words in the language of the page."""
    return re.sub(rf"\b({'|'.join(WORDS)})\b", lambda found: say(f"formula.{found[1]}"), formula)


# ------------------------------------------------------------------- shapes in letters


def shapes_in_margin(file: lines.File, first: int, last: int) -> dict[str, list[str]]:
    """name -> what the margins of its assignments say: `rows = ...  # (G, O/G, C/G KH KW)`.
    What a function returns stands under "return".
    """
    found: dict[str, list[str]] = {}
    for statement in {id(s): s for line, s in file.statements.items() if first <= line <= last}.values():
        said = re.search(r"#\s*\(([^()]*)\)", file.lines[statement.last - 1])
        node = statement.node
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if said and (names or isinstance(node, ast.Return)):
            found.setdefault(names[0] if names else "return", []).append(said[1].rstrip(","))
    return found


def sizes(holds: dict[str, Any]) -> dict[str, int]:
    """What each letter is in this call, as far as its Geometry says."""
    g = next((value for value in holds.values() if isinstance(value, Geometry)), None)
    if g is None:
        return {}
    HP, WP = g.padded_size
    return g._asdict() | {"HP": HP, "WP": WP}


def fits(letters: str, shape: tuple[int, ...], known: dict[str, int]) -> bool:
    """Whether the letters give this shape. A letter that is not known yet takes the size at
    its place, and has it from then on.
    """
    axes = [axis.strip() for axis in letters.split(",")]
    if axes[-1] == "...":
        axes = axes[:-1] + [""] * (len(shape) - len(axes) + 1)
    if len(axes) != len(shape):
        return False
    learnt = dict(known)
    for axis, size in zip(axes, shape, strict=True):
        if axis and re.fullmatch(r"[A-Za-z]+", axis):
            learnt.setdefault(axis, size)
        if axis and _product(axis, learnt) != size:
            return False
    known.update(learnt)
    return True


def _product(axis: str, known: dict[str, int]) -> int | None:
    """The number that "C/G KH KW" is: what stands side by side is multiplied."""
    total = 1
    for factor in axis.replace(" / ", "/").split():
        numerator, _, denominator = factor.partition("/")
        above = _number(numerator, known)
        below = _number(denominator or "1", known)
        if above is None or not below or above % below:
            return None
        total *= above // below
    return total


def _number(letter: str, known: dict[str, int]) -> int | None:
    return int(letter) if letter.isdigit() else known.get(letter)
