"""minicnn.gradcheck: it accepts every layer and loss here, on any input, and tells
planted bugs and kinks apart.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import gradcheck, nn
from minicnn.gradcheck import STEP, GradcheckError
from tests.nn.test_layers import layers, made
from tests.nn.test_losses import losses
from tests.support.strategies import seeds


@pytest.fixture(autouse=True)
def textbook():
    with minicnn.use_backend("numpy"):
        yield


# ------------------------------------------------------------------------ what is right


@given(layers(), st.floats(-3, 3))
def test_every_layer_passes_on_any_input_of_any_scale(drawn, exponent):
    name, arguments, input_shape, output_shape, seed = drawn
    if 0 in input_shape or 0 in output_shape:
        return
    rng = np.random.default_rng(seed)
    layer, _ = made(name, arguments, rng)
    report = gradcheck(layer, rng.standard_normal(input_shape) * 10**exponent, max_elements=20, seed=seed)
    assert report, report


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy_with_logits", "mse_loss"])
@given(st.data())
def test_every_loss_passes_with_every_argument(name, data):
    case = data.draw(losses(name))
    layer = {"cross_entropy": nn.CrossEntropyLoss, "mse_loss": nn.MSELoss}.get(name, nn.BCEWithLogitsLoss)
    options = {key: value for key, value in case.options.items() if not (name == "mse_loss" and key == "weight")}
    finite = np.isfinite(case.expected()[0]).all()
    if case.input.size and finite and not (name == "mse_loss" and case.options["weight"] is not None):
        report = gradcheck(layer(**options), (case.input, case.target), max_elements=20)
        assert report, report


@given(seeds)
def test_binary_cross_entropy_passes_inside_its_domain(seed):
    rng = np.random.default_rng(seed)
    p, target = rng.uniform(0.001, 0.999, (3, 4)), rng.uniform(0, 1, (3, 4))
    report = gradcheck(nn.BCELoss(), (p, target))
    assert report, report


def test_a_network_passes_and_its_report_names_every_parameter():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    report = gradcheck(model, np.random.default_rng(0).standard_normal((2, 1, 6, 6)))
    assert [result.name for result in report.results] == ["input", "0.weight", "0.bias", "4.weight", "4.bias"]
    assert "backward is the derivative of forward." in str(report)
    assert all(result.worst.badness <= 1 for result in report.results)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Sigmoid(), nn.Tanh()])
def test_a_layer_passes_on_an_array_without_dimensions(layer):
    assert gradcheck(layer, np.array(0.5))


def test_a_layer_with_two_outputs_is_judged_by_the_first():
    assert gradcheck(nn.MaxPool2d(2, return_indices=True), np.arange(16.0).reshape(1, 4, 4))


def test_large_arrays_are_sampled():
    result = gradcheck(nn.Linear(20, 30), np.random.default_rng(0).standard_normal((2, 20)), max_elements=7).results[1]
    assert len(result.elements) == 7
    assert len({element.place for element in result.elements}) == 7


def test_the_module_is_left_as_it_was():
    layer = nn.Linear(3, 2).eval()
    layer.weight.grad = np.ones((2, 3), np.float32)
    before = layer.weight.data.copy()
    x = np.ones((1, 3), np.float32)
    assert gradcheck(layer, x)
    assert not layer.training and layer.weight.dtype == x.dtype == np.float32
    np.testing.assert_array_equal(layer.weight.data, before)
    np.testing.assert_array_equal(layer.weight.grad, 1)
    assert layer.bias.grad is None


def test_where_the_output_is_too_coarse_to_show_a_change_a_tiny_gradient_is_right():
    """tanh(-16.755) is -1 to the last bit, its slope 1e-14."""
    assert gradcheck(nn.Tanh(), np.array([-16.7550035, 0.3, 8.0, 12.0]))


def test_where_large_numbers_cancel_in_a_small_output_their_rounding_is_allowed():
    options = {"weight": np.array(2.16435243), "pos_weight": np.array(2.82031958)}
    assert gradcheck(nn.BCEWithLogitsLoss(**options), (np.array(-4.08463486), np.array(0.0)))


# --------------------------------------------------------------------------------- bugs


class Own(nn.Linear):
    """A linear layer whose backward goes through `bug`: (grad_input, grad_weight) ->
    both, perhaps wrong.
    """

    def __init__(self, bug, inputs=3, outputs=3):
        super().__init__(inputs, outputs, bias=False)
        self.bug = bug

    def backward(self, grad_output):
        (x,) = self.kept()
        grad_input, grad_weight = self.bug(grad_output @ self.weight.data, grad_output.T @ x)
        if grad_weight is not None:
            self.weight.accumulate(grad_weight)
        return grad_input


class Replaces(Own):
    def backward(self, grad_output):
        self.weight.grad = None
        return super().backward(grad_output)


class Counts(Own):
    """The second backward adds three times."""

    passes = 0

    def backward(self, grad_output):
        self.passes += 1
        grad_input = super().backward(grad_output)
        if self.passes > 1:
            self.weight.grad = 1.5 * self.weight.grad
        return grad_input


def one_wrong(x, w):
    w = w.copy()
    w[1, 2] += 1e-5
    return x, w


BUGS = {
    "nothing": (lambda x, w: (x, w), None),
    "factor": (lambda x, w: (x / 2, w), "input: .*each 0.5 times what it must be: a factor is missing"),
    "sign": (lambda x, w: (-x, w), "input: .*a sign is wrong"),
    "mean for sum": (lambda x, w: (x, w / 4), r"weight: .*each 0.25 times"),
    "transposed square": (lambda x, w: (x, w.T), "weight: .*the gradient is transposed"),
    "zero": (lambda x, w: (x * 0, w), "input: .*backward gives 0, but the output depends on them"),
    "None for the input": (lambda x, w: (None, w), "input: backward returned None: it must return"),
    "None for the weight": (lambda x, w: (x, None), "weight: backward left .grad at None"),
    "one element": (one_wrong, r"weight: 1 of 9 elements are wrong, worst element \[1, 2\].*difference quotient"),
    "shape": (lambda x, w: (x[:, :2], w), r"input: the gradient must have the shape \(4, 3\), got \(4, 2\)\."),
    "dtype": (lambda x, w: (x, w.astype("f4")), "weight: the gradient must have the dtype float64, got float32"),
    "list": (lambda x, w: (x.tolist(), w), "input: the gradient must be a NumPy array, got list"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_called_by_its_name(bug):
    function, text = BUGS[bug]
    x = np.random.default_rng(0).standard_normal((4, 3))
    report = gradcheck(Own(function), x)
    assert bool(report) == (text is None)
    if text:
        assert re.search(text, str(report)), report
        with pytest.raises(GradcheckError, match=text):
            gradcheck(Own(function), x, raise_error=True)


def test_a_transposed_gradient_of_another_shape():
    report = gradcheck(Own(lambda x, w: (x, w.T), 3, 2), np.ones((4, 3)))
    assert r"weight: the gradient must have the shape (2, 3), got (3, 2): transposed?" in str(report)


def test_gradients_must_add_up():
    x = np.random.default_rng(0).standard_normal((4, 3))
    assert "weight: a second backward replaced .grad" in str(gradcheck(Replaces(BUGS["nothing"][0]), x))
    assert "not twice what it was after one" in str(gradcheck(Counts(BUGS["nothing"][0]), x))


@given(seeds, st.floats(-3, 3), st.sampled_from([1e-6, 1e-4, -1e-3, 0.5]))
def test_relative_errors_of_a_millionth_are_found(seed, exponent, error):
    x = np.random.default_rng(seed).standard_normal((4, 3)) * 10**exponent
    assert not gradcheck(Own(lambda x, w: (x * (1 + error), w)), x)
    assert not gradcheck(Own(lambda x, w: (x, w * (1 + error))), x)


def test_the_report_shows_both_values_of_the_worst_element():
    worst = gradcheck(Own(one_wrong), np.random.default_rng(0).standard_normal((4, 3))).results[1].worst
    assert worst.place == (1, 2)
    assert worst.backward - worst.difference == pytest.approx(1e-5, rel=1e-3)
    assert worst.badness > 1


# -------------------------------------------------------------------------------- kinks


class Bend(nn.Module):
    """|x|, whose backward at 0 returns whatever it is told."""

    def __init__(self, at_zero=0.0):
        self.at_zero = at_zero

    def forward(self, x):
        self.keep(x)
        return np.abs(x)

    def backward(self, grad_output):
        (x,) = self.kept()
        return np.where(x == 0, self.at_zero, np.sign(x)) * grad_output


@pytest.mark.parametrize(
    ("slope", "right"), [(0, True), (1, True), (-1, True), (0.3, True), (1.01, False), (-2, False)]
)
def test_at_a_kink_any_slope_between_those_to_both_sides_is_right(slope, right):
    report = gradcheck(Bend(slope), np.array([0.0, 1.0, -2.0]))
    assert bool(report) == right
    assert report.results[0].kinks == right


@given(seeds, st.floats(-3, 3), st.integers(-8, 8))
def test_near_a_kink_what_is_right_passes(seed, exponent, quarters):
    """At every distance from it, also within the steps."""
    x = np.random.default_rng(seed).standard_normal(8) * 10**exponent
    scale = 2.0 ** round(np.log2(np.sqrt(np.mean(x**2))))
    x[0] = STEP * scale * quarters / 4
    for layer in (nn.ReLU(), Bend()):
        report = gradcheck(layer, x, seed=seed)
        assert report, report


def test_relu_at_zero_and_ties_of_max_pooling_are_kinks():
    report = gradcheck(nn.ReLU(), np.array([-1.0, 0.0, 2.0, -0.0]))
    assert report and report.results[0].kinks == 2
    assert "2 at a kink" in str(report)
    x = np.arange(16.0).reshape(1, 4, 4)
    x[0, 0, 0] = x[0, 1, 1]
    report = gradcheck(nn.MaxPool2d(2), x)
    assert report and report.results[0].kinks == 2
    assert "nothing is proved" in str(gradcheck(nn.MaxPool2d(2), np.ones((1, 2, 2))))


# ------------------------------------------------------------------------------ refused


class Noise(nn.Module):
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        return x + self.rng.random()


class Adds(Own):
    def backward(self, grad_output):
        self.weight.grad += grad_output  # None at first


class Narrow(nn.Module):
    def forward(self, x):
        return x.astype(np.float32)


@pytest.mark.parametrize(
    ("module", "inputs", "kind", "text"),
    [
        (nn.ReLU, np.ones(2), TypeError, "module must be a minicnn.nn.Module, got type"),
        (nn.ReLU(), [1.0, 2.0], TypeError, "input 0 must be a NumPy array, got list; np.asarray makes one"),
        (nn.ReLU(), np.array([1.0, np.nan]), ValueError, "input 0 must be finite"),
        (nn.ReLU(), np.ones((0, 3)), ValueError, "nothing to differentiate"),
        (nn.MSELoss(), np.ones(2), TypeError, "inputs must be all that MSELoss.forward takes, as a tuple: .*'target'"),
        (Adds(None), np.ones((2, 3)), TypeError, r"Adds.backward met a None: .*accumulate\(gradient\) takes care"),
        (Noise(), np.ones(2), ValueError, "Noise.forward gave two different outputs"),
        (Narrow(), np.ones(2), ValueError, "Narrow.forward returned float32 for a float64 input"),
        (
            nn.BCELoss(),
            (np.array([1.0]), np.array([1.0])),
            ValueError,
            r"refuses the input when element \[0\].*away from",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_in_a_sentence(module, inputs, kind, text):
    with pytest.raises(kind, match=f"gradcheck: .*{text}"):
        gradcheck(module, inputs)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, None])
def test_max_elements_is_a_positive_int(n):
    with pytest.raises(ValueError, match="max_elements must be an int of at least 1, got"):
        gradcheck(nn.ReLU(), np.ones(2), max_elements=n)


@pytest.mark.parametrize("size", [1.4e154, 1e300, -1e151])
def test_an_input_too_large_for_its_squares_is_refused_and_a_right_layer_not_accused(size):
    with pytest.raises(ValueError, match=r"gradcheck: input 0 holds 1\S*; above 2\^500"):
        gradcheck(nn.ReLU(), np.array([size, 1.0]))
    assert gradcheck(nn.ReLU(), np.array([2.0**500, -(2.0**500)]))
