"""What the names mean, what a shape is in letters, and which part of a formula a line computes.

The letters stand in `minicnn.geometry`, the shapes in the margin of the textbook; here is
only what is not written there. Tests hold every entry against the source.
"""

import ast
import re
from typing import Any

from ...geometry import Geometry
from . import lines

LETTERS = {
    "N": "the number of images",
    "C": "the number of input channels (of classes, in a loss)",
    "H": "the rows of the input",
    "W": "the columns of the input (width, never weight)",
    "O": "the number of output channels",
    "G": "the number of groups: the channels fall into so many parts that do not mix",
    "KH": "the rows of the kernel",
    "KW": "the columns of the kernel",
    "SH": "the stride down: so many rows from one window to the next",
    "SW": "the stride across",
    "PH": "the rows of padding above the image",
    "PW": "the columns of padding left of the image",
    "DH": "the dilation down: the distance between two taps' rows",
    "DW": "the dilation across",
    "OH": "the rows of the output",
    "OW": "the columns of the output",
    "HP": "the rows of the padded image",
    "WP": "the columns of the padded image",
    "M": "the number of rows: examples, one below the other",
    "in": "the number of features in",
    "out": "the number of features out",
    "R": "the number of rows of a matrix",
}

NAMES = {
    "g": "the Geometry of this call: all its sizes",
    "self": "the layer",
    "_": "what is not needed here",
    "x": "the input",
    "input": "the input",
    "output": "what the function gives",
    "weight": "the weights: a kernel (O, C/G, KH, KW), or a linear layer's matrix (out, in); in a loss, one per class",
    "bias": "a number added to each output channel",
    "padded": "the image with its padding around it",
    "cols": "the patch matrix: a column for each output pixel, holding what its window sees",
    "rows": "the weights as a matrix: a row for each output channel",
    "grad": "the gradient that arrives, reshaped to what this function multiplies; in an optimizer the parameter's",
    "grad_output": "the gradient of the loss with respect to the output; it comes from the layer behind",
    "grad_input": "the gradient of the loss with respect to the input; it goes to the layer before",
    "grad_weight": "the gradient of the loss with respect to the weights",
    "grad_bias": "the gradient of the loss with respect to the bias",
    "grad_rows": "the gradient with respect to the weights, as a matrix like rows",
    "kh": "the tap's row in the kernel",
    "kw": "the tap's column in the kernel",
    "down": "which rows of the padded image this tap reads, one for each row of the output",
    "across": "which columns of the padded image this tap reads, one for each column of the output",
    "k": "the tap's place along one axis",
    "D": "the dilation along this axis",
    "S": "the stride along this axis",
    "windows": "how many windows lie along this axis",
    "first": "where the tap reads in the first window",
    "last": "where the tap reads in the last window",
    "matrix": "a matrix for each image",
    "images": "the axes before the last two",
    "all_but_channels": "the axes that are summed: images, rows and columns",
    "places": "a pixel's place in its plane, h W + w; -1 in the padding",
    "values": "what lies under each window, tap by tap",
    "best": "the largest number so far, for each window",
    "where": "the place of the largest number so far",
    "tap": "one element of the window: kh KW + kw",
    "value": "what this tap sees in each window",
    "place": "where this tap reads",
    "wins": "the windows in which this tap beats what was best",
    "one_plane": "the same geometry for a single channel of a single image",
    "pixels": "the pixels of a plane, numbered from 1",
    "indices": "the winners' places h W + w, which forward remembered",
    "planes": "the number of each plane: one channel of one image",
    "logits": "the scores, one for each class, before softmax",
    "target": "the true class of each image",
    "log_p": "the logarithm of each class's probability",
    "log_p_y": "the same for the true class alone",
    "p": "the probabilities: softmax of the logits",
    "q": "the probabilities that the target asks for",
    "shifted": "the logits less their largest: exp cannot overflow, and the probabilities stay",
    "losses": "one loss for each target",
    "loss": "the losses brought to one number",
    "all_classes": "with label smoothing: the loss if every class were the true one, added up",
    "uniform": "the same, brought to one number",
    "counted": "which targets count: those that are not ignore_index",
    "classes": "the true classes, with 0 where the target is ignored",
    "weights": "each target's weight: that of its class",
    "zero": "0 in the dtype of the logits",
    "ignore_index": "a target of this value is left out",
    "label_smoothing": "how much of the target is spread evenly over the classes",
    "reduction": "none, sum or mean: what becomes of the single losses",
    "divisor": "what the mean divides by: the sum of the weights",
    "share": "what reaches each single loss: grad_output, divided as the mean was",
    "grad_log_p": "the gradient with respect to log_p",
    "param": "the parameter; it is changed in place",
    "exp_avg": "m: the mean of recent gradients",
    "exp_avg_sq": "v: the mean of their squares",
    "max_exp_avg_sq": "the largest v so far, where AMSGrad is asked for",
    "v": "the v that is used: the newest, or the largest with AMSGrad",
    "step": "how many steps there have been, this one included",
    "lr": "the learning rate",
    "beta1": "how much of m stays at each step",
    "beta2": "how much of v stays at each step",
    "eps": "keeps the denominator from 0",
    "weight_decay": "this times the parameter is added to the gradient",
    "decoupled_weight_decay": "shrink the parameter itself instead (AdamW)",
    "maximize": "climb instead of descending",
    "denominator": "the root of the corrected v, plus eps",
    "momentum": "how much of the last step's direction stays",
    "momentum_buffer": "the direction: a sum of gradients in which older ones count less",
    "dampening": "how much of the new gradient is left out of the buffer",
    "nesterov": "look ahead by one step",
}

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
        [("rows = ", "rows"), ("grad = ", "grad)"), ("return col2im", "col2im(rows^T @ grad)")],
    ),
    "conv2d_grad_weight": (
        "grad_weight = sum over n of grad @ cols^T",
        [
            ("cols = ", "cols^T"),
            ("grad = ", "grad @"),
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
        [("shifted = ", "x_c - max x"), ("return shifted", "log sum over k of exp(x_k - max x)")],
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
