"""What changes when a model moves: small questions that are put to torch and to a peer.

Each asks functions that an adapter has under torch's names; a peer without them is not asked.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

REFUSED = "raises "


class Case(NamedTuple):
    title: str  # what is asked
    needs: str  # the function that an adapter must have
    ask: Callable[[Any], Any]
    digits: int = 6


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def image(*values: float) -> np.ndarray:
    """A square picture of shape (1, 1, H, W)."""
    side = round(len(values) ** 0.5)
    return floats(*values).reshape(1, 1, side, side)


ROW = floats(1, 2, 3, 4).reshape(1, 1, 1, 4)
IMPULSE = np.eye(9, dtype=np.float32)[4].reshape(1, 1, 3, 3)  # 1 in the middle of 3 x 3
ONE = np.ones((1, 1, 1, 1), np.float32)
NAN = float("nan")

CASES = (
    Case(
        "the gradient of a maximum goes, at four equal pixels, to",
        "max_pool2d_backward",
        lambda peer: peer.max_pool2d_backward(ONE, image(0, 0, 0, 0), 2),
    ),
    Case("the maximum of 1, NaN, 3, 0", "max_pool2d", lambda peer: peer.max_pool2d(image(1, NAN, 3, 0), 2)),
    Case(
        "the gradient of the maximum of 1, NaN, 3, 0",
        "max_pool2d_backward",
        lambda peer: peer.max_pool2d_backward(ONE, image(1, NAN, 3, 0), 2),
    ),
    Case(
        "the maximum of four times -infinity",
        "max_pool2d",
        lambda peer: peer.max_pool2d(image(*[-np.inf] * 4), 2),
    ),
    Case("1 / relu(-0.0)", "relu", lambda peer: 1 / np.asarray(peer.relu(floats(-0.0)))),
    Case("relu(NaN)", "relu", lambda peer: peer.relu(floats(NAN))),
    Case(
        "the slope of relu at NaN, at 0",
        "relu_backward",
        lambda peer: peer.relu_backward(floats(1, 1), floats(NAN, 0)),
    ),
    Case("relu(1e-40), a denormal number", "relu", lambda peer: peer.relu(floats(1e-40))),
    Case("sigmoid(-15), sigmoid(-20), sigmoid(-88)", "sigmoid", lambda peer: peer.sigmoid(floats(-15, -20, -88)), 4),
    Case(
        "a convolution of (1, 2, 3, 4) with (1, 10), padding 'same'",
        "same_conv2d",
        lambda peer: peer.same_conv2d(ROW, floats(1, 10).reshape(1, 1, 1, 2)),
    ),
    Case(
        "a convolution of the picture 0 to 15 with a kernel of 3 that copies its middle, stride 2, 'same' (torch:"
        " padding=1)",
        "strided_same_conv2d",
        lambda peer: peer.strided_same_conv2d(image(*range(16)), IMPULSE),
    ),
    Case(
        "a transposed convolution of one pixel to 2 x 2, kernel 1 to 9, stride 2, 'same' (torch: padding=1,"
        " output_padding=1)",
        "same_conv_transpose2d",
        lambda peer: peer.same_conv_transpose2d(ONE, image(*range(1, 10))),
    ),
    Case(
        "cross-entropy of equal logits for classes 0 and 1 with weights 1 and 3, over log 2",
        "weighted_cross_entropy",
        lambda peer: (
            np.asarray(peer.weighted_cross_entropy(np.zeros((2, 2), np.float32), np.array([0, 1]), floats(1, 3)))
            / np.log(2)
        ),
    ),
    Case(
        "the gradient of cross-entropy at equal logits for the target (1, 1), which sums to 2",
        "soft_cross_entropy_backward",
        lambda peer: peer.soft_cross_entropy_backward(np.zeros((1, 2), np.float32), floats(1, 1)[None]),
    ),
    Case(
        "cross-entropy of equal logits of two images, labels 0 and -100, over log 2",
        "missing_class",
        lambda peer: np.asarray(peer.missing_class(np.zeros((2, 2), np.float32), np.array([0, -100]))) / np.log(2),
    ),
    Case(
        "cross-entropy of equal logits of two classes for the label 2, which does not exist",
        "missing_class",
        lambda peer: peer.missing_class(np.zeros((1, 2), np.float32), np.array([2])),
    ),
    Case("Adam's first step with lr=1, gradient 1", "adam_first_step", lambda peer: peer.adam_first_step(1.0)),
    Case("Adam's first step with lr=1, gradient 1e-8", "adam_first_step", lambda peer: peer.adam_first_step(1e-8), 4),
    Case("gelu(1) by its defaults", "gelu", lambda peer: peer.gelu(floats(1))),
    Case("leaky_relu(-1) by its defaults", "leaky_relu", lambda peer: peer.leaky_relu(floats(-1))),
    Case("std of 1, 2, 3, 4 by its defaults", "std", lambda peer: peer.std(floats(1, 2, 3, 4))),
    Case(
        "flattening the first pixels (0, 1), (2, 3) of two channels",
        "flatten",
        lambda peer: peer.flatten(floats(0, 1, 2, 3).reshape(2, 1, 2)),
    ),
    Case(
        "running mean and variance (from 0 and 1) after one batch of 0, 2",
        "batch_norm",
        lambda peer: peer.batch_norm(floats(0, 2).reshape(2, 1, 1, 1)),
    ),
    Case("eps of BatchNorm by default", "batch_norm_eps", lambda peer: peer.batch_norm_eps()),
    Case(
        "the largest new weight and bias of Linear with 10,000 inputs and 100 outputs",
        "linear_init",
        lambda peer: peer.linear_init(),
        1,
    ),
)


def answer(case: Case, adapter: ModuleType) -> str | None:
    """What the adapter's library says, as text; None where it has no such function."""
    if not hasattr(adapter, case.needs):
        return None
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(case.ask(adapter), np.float64).ravel()
    except Exception as error:  # noqa: BLE001 - that it raises is its answer
        return REFUSED + type(error).__name__
    return ", ".join(f"{number + 0.0:.{case.digits}g}" for number in found)
