"""agree --of on torch's further options: losses, "same", dilated pooling, output_padding."""

import numpy as np
import pytest

from minicnn.agree.choices import Choices
from minicnn.agree.of import judge
from minicnn.agree.questions import draw, torchs
from minicnn.agree.subject import OPERATIONS, load
from minicnn.agree.verdicts import probe

OURS = [name for name in OPERATIONS if name not in ("adam", "sgd")]
HEAD = "import numpy as np\nfrom minicnn.nn import functional as F\n\n"


@pytest.mark.parametrize("operation", OURS)
def test_torch_as_the_judge_agrees_with_every_option(operation):
    pytest.importorskip("torch")
    assert judge(load("minicnn.nn.functional"), operation, 40, 3, torchs).faults == {}


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("conv2d", {"padding": {"same", "valid"}}),
        ("conv_transpose2d", {"output_padding": {(0, 1), (1, 0), (0, 0)}}),
        ("max_pool2d", {"ceil_mode": {True, False}, "dilation": {(1, 1), (1, 2), (2, 1)}}),
        ("cross_entropy", {"reduction": {"mean", "sum", "none"}, "label_smoothing": {0.0, 0.25}}),
        ("mse_loss", {"reduction": {"mean", "sum", "none"}}),
        ("binary_cross_entropy", {"reduction": {"mean", "sum", "none"}}),
    ],
)
def test_the_options_that_are_offered_are_drawn(operation, options):
    offer = probe(load("minicnn.nn.functional"), operation)
    drawn = [draw(operation, Choices(np.random.default_rng(i)), 2, offer).options for i in range(300)]
    for name, values in options.items():
        assert values <= {option.get(name) for option in drawn}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "def cross_entropy(x, y, weight=None):\n    return F.cross_entropy(x, y)\n",
            "weights of the loss ignored",
        ),
        (
            "def cross_entropy(x, y, label_smoothing=0.0):\n    return F.cross_entropy(x, y)\n",
            "label smoothing ignored",
        ),
        (
            "def cross_entropy(x, y, ignore_index=-100):\n    return F.cross_entropy(x, y)\n",
            "ignored targets counted",
        ),
        (
            (
                "def binary_cross_entropy_with_logits(x, y, pos_weight=None):\n"
                "    return F.binary_cross_entropy_with_logits(x, y)\n"
            ),
            "pos_weight ignored",
        ),
        (
            "def binary_cross_entropy(p, y):\n    return -(y * np.log(p)).mean()\n",
            "half of the loss missing",
        ),
        (
            (
                "def binary_cross_entropy_with_logits(x, y):\n    s = 1 / (1 + np.exp(-x))\n"
                "    return -(y * np.log(s) + (1 - y) * np.log(1 - s)).mean()\n"
            ),
            "logarithm of a probability of zero",
        ),
        (
            "def max_pool2d(x, kernel_size, dilation=1):\n    return F.max_pool2d(x, kernel_size)\n",
            None,
        ),
        (
            "def max_pool2d(x, kernel_size, ceil_mode=False):\n    return F.max_pool2d(x, kernel_size)\n",
            None,
        ),
        (
            (
                "def conv2d(x, weight, padding=0):\n"
                "    return F.conv2d(x, weight, padding={'valid': 0, 'same': 1}.get(padding, padding))\n"
            ),
            None,
        ),
        (
            (
                "def conv_transpose2d(x, w, stride=1, output_padding=0):\n"
                "    return F.conv_transpose2d(x, w, stride=stride)\n"
            ),
            None,
        ),
    ],
)
def test_an_option_that_is_ignored_is_found(tmp_path, text, mistake):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + text, encoding="utf-8")
    (operation,) = load(str(path)).operations
    report = judge(load(str(path)), operation, 150, 0)
    assert report.faults
    if mistake:
        assert report.mistakes["output"] == mistake


@pytest.mark.parametrize(
    "text",
    [
        (
            "def binary_cross_entropy(p, y):\n    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()\n\n\n"
            "def binary_cross_entropy_backward(grad, p, y):\n    return grad * (-y / p + (1 - y) / (1 - p)) / p.size\n"
        ),
        (
            "def binary_cross_entropy_with_logits(x, y):\n"
            "    return (np.maximum(x, 0) - x * y + np.log(1 + np.exp(-np.abs(x)))).mean()\n"
        ),
        (
            "def conv2d(x, weight, padding=0):\n"
            "    if isinstance(padding, str):\n        raise TypeError('a number')\n"
            "    return F.conv2d(x, weight, padding=padding)\n"
        ),
    ],
)
def test_another_right_formula_is_right(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + text, encoding="utf-8")
    (operation,) = load(str(path)).operations
    assert judge(load(str(path)), operation, 300, 0).faults == {}
