"""Classes, and the adapters of the documentation: right ones are right, wrong ones named."""

import re
from pathlib import Path

import pytest

import minicnn
from minicnn.agree.of import judge
from minicnn.agree.subject import load

SOLUTION = Path(__file__).with_name("solution.py").read_text(encoding="utf-8")
PAGE = Path(minicnn.__file__).with_name("agree").joinpath("ADAPTERS.md").read_text(encoding="utf-8")
ADAPTERS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

CACHE = """
def conv_forward(x, w, b, conv_param):
    return conv2d(x, w, b, conv_param["stride"], conv_param["pad"]), (x, w, b, conv_param)


def conv_backward(dout, cache):
    x, w, b, conv_param = cache
    return conv2d_backward(dout, x, w, conv_param["stride"], conv_param["pad"])
"""
CHANNELS_LAST = """
def conv(x, w, b, stride):
    return conv2d(x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), b, stride).transpose(0, 2, 3, 1)


def conv_gradients(dout, x, w, stride):
    first = (a.transpose(0, 3, 1, 2) for a in (dout, x))
    dx, dw, db = conv2d_backward(*first, w.transpose(3, 2, 0, 1), stride)
    return dx.transpose(0, 2, 3, 1), dw.transpose(2, 3, 1, 0), db
"""
ATTRIBUTES = """
class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad

    def forward(self, x):
        self.x = x
        return conv2d(x, self.W, self.b, self.stride, self.pad)

    def backward(self, dout):
        dx, self.dW, self.db = conv2d_backward(dout, self.x, self.W, self.stride, self.pad)
        return dx


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, dout):
        self.dW, self.db = dout.T @ self.x, dout.sum(axis=0)
        return dout @ self.W
"""
LIKE_TORCH = """
class Held:
    def __init__(self, data):
        self.data, self.grad = data, None


class Conv2d:
    def __init__(self, n_in, n_out, kernel_size, stride=1):
        size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        self.weight, self.stride = Held(np.zeros((n_out, n_in, *size))), stride

    def __call__(self, x):
        self.x = x
        return conv2d(x, self.weight.data, None, self.stride)

    def backward(self, grad_output):
        grad_input, self.weight.grad, _ = conv2d_backward(grad_output, self.x, self.weight.data, self.stride)
        return grad_input


class ReLU:
    def forward(self, x):
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad_output):
        return grad_output * self.positive


class CrossEntropyLoss:
    def __call__(self, logits, target):
        self.kept = logits, target
        return cross_entropy(logits, target)

    def backward(self):
        return cross_entropy_backward(1, *self.kept)
"""


def subject(folder, theirs, adapter, monkeypatch):
    """The adapter, which imports from a module `theirs` beside it."""
    (folder / "theirs.py").write_text(SOLUTION + theirs, encoding="utf-8")
    (folder / "adapter.py").write_text(adapter, encoding="utf-8")
    monkeypatch.delitem(__import__("sys").modules, "theirs", raising=False)
    return load(str(folder / "adapter.py"))


def test_an_adapter_has_at_most_15_lines():
    assert len(ADAPTERS) == 3
    assert max(len(text.strip().splitlines()) for text in ADAPTERS) <= 15


@pytest.mark.parametrize(
    ("theirs", "adapter", "operations"),
    [
        (CACHE, ADAPTERS[0], ["conv2d"]),
        (CHANNELS_LAST, ADAPTERS[1], ["conv2d"]),
        (ATTRIBUTES, ADAPTERS[2], ["conv2d", "linear"]),
        (LIKE_TORCH, "from theirs import Conv2d, CrossEntropyLoss, ReLU", ["conv2d", "relu", "cross_entropy"]),
    ],
)
def test_a_right_one_is_right(tmp_path, monkeypatch, theirs, adapter, operations):
    found = subject(tmp_path, theirs, adapter, monkeypatch)
    assert found.operations == operations
    assert found.left_out == ()
    for name in operations:
        assert judge(found, name, 40, 0).faults == {}


@pytest.mark.parametrize(
    ("theirs", "right", "wrong", "operation", "mistake"),
    [
        (
            ATTRIBUTES,
            "dout.T @ self.x, dout.sum(axis=0)",
            "dout.T @ self.x, dout[-1]",
            "linear",
            "not summed over the batch",
        ),
        (ATTRIBUTES, "return dx", "return -dx", "conv2d", "sign wrong"),
        (LIKE_TORCH, "x * self.positive", "abs(x)", "relu", "absolute value"),
    ],
)
def test_a_wrong_one_is_found_and_named(tmp_path, monkeypatch, theirs, right, wrong, operation, mistake):
    adapter = ADAPTERS[2] if theirs is ATTRIBUTES else "from theirs import ReLU"
    report = judge(subject(tmp_path, theirs.replace(right, wrong), adapter, monkeypatch), operation, 60, 0)
    assert mistake in report.mistakes.values()


def test_minicnns_own_layers_are_right():
    found = load("minicnn.nn")
    assert len(found.operations) == 11
    for name in found.operations:
        assert judge(found, name, 15, 1).faults == {}, name


def test_a_class_without_backward_is_said(tmp_path, monkeypatch):
    text = "class Tanh:\n    def forward(self, x):\n        return x\n\ndef relu(x):\n    return x * (x > 0)\n"
    found = subject(tmp_path, "", text, monkeypatch)
    assert found.operations == ["relu"]
    assert "Tanh has no method backward(grad_output)." in found.line()


def test_what_a_class_raises_has_the_line_of_its_file(tmp_path, monkeypatch):
    text = "class ReLU:\n    def forward(self, x):\n        return x.wrong\n\n    def backward(self, g): return g\n"
    report = judge(subject(tmp_path, "", text, monkeypatch), "relu", 5, 0)
    assert "adapter.py, line 3: AttributeError" in report.smallest["relu"].text


def test_gradients_may_be_a_dictionary_or_attributes(tmp_path, monkeypatch):
    text = """
from types import SimpleNamespace
from theirs import linear, linear_backward as gradients


def linear_backward(dout, x, w):
    dx, dw, db = gradients(dout, x, w)
    return SimpleNamespace(dx=dx, dw=dw, db=-db)
"""
    report = judge(subject(tmp_path, "", text, monkeypatch), "linear", 20, 0)
    assert report.mistakes == {"grad_bias": "sign wrong"}
    text = text.replace("SimpleNamespace(", "dict(")
    report = judge(subject(tmp_path, "", text, monkeypatch), "linear", 20, 0)
    assert report.mistakes == {"grad_bias": "sign wrong"}
