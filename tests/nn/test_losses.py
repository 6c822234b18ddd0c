"""The losses and their gradients: every argument, against torch; special values; and
what is refused.
"""

import re
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import nn
from minicnn.agree import bounds
from minicnn.nn import functional as F
from tests.support.oracle import assert_close, assert_identical, rejects, torch, unchanged
from tests.support.strategies import FLOATS, batched, batches, lay_out, layouts, seeds

pytestmark = pytest.mark.usefixtures("backend")

LAYERS = {
    "cross_entropy": nn.CrossEntropyLoss,
    "binary_cross_entropy": nn.BCELoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
    "mse_loss": nn.MSELoss,
}
reductions = st.sampled_from(["mean", "sum", "none"])


class Loss(NamedTuple):
    """One call of a loss: its name in `functional`, input, target, keyword arguments,
    and a grad_output for it.
    """

    name: str
    input: np.ndarray
    target: np.ndarray
    options: dict[str, Any]
    grad_output: np.ndarray

    def result(self):
        """(loss, gradient) by `functional`."""
        loss = getattr(F, self.name)(self.input, self.target, **self.options)
        backward = getattr(F, f"{self.name}_backward")
        return loss, backward(self.grad_output, self.input, self.target, **self.options)

    def expected(self):
        """(loss, gradient) by torch in float64."""
        exact = {
            name: double(value) if isinstance(value, np.ndarray) else value for name, value in self.options.items()
        }
        x = double(self.input).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch broadcasts with a warning
            loss = getattr(torch.nn.functional, self.name)(x, double(self.target), **exact)
        loss.backward(double(self.grad_output))
        return loss.detach().numpy(), x.grad.numpy()

    @property
    def arrays(self):
        return [
            self.input,
            self.target,
            self.grad_output,
            *(v for v in self.options.values() if isinstance(v, np.ndarray)),
        ]


def double(array):
    dtype = np.float64 if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
    return torch.tensor(array.astype(dtype, order="C"))


# ------------------------------------------------------------------------------ drawing


def normals(rng, shape):
    """Normal numbers on a scale of their own, small enough that no probability
    underflows in float32.
    """
    return rng.standard_normal(shape) * 10 ** rng.uniform(-2, 0.7)


def specials(rng, shape):
    return rng.choice([np.nan, np.inf, -np.inf, 1e4, -1e4, 0.0, -0.0, 1.0, 50.0], shape, p=[0.05, 0.05, *[0.9 / 7] * 7])


def grad_for(rng, reduction, loss_shape, dtype):
    return np.asarray(rng.standard_normal(loss_shape if reduction == "none" else ()), dtype)


@st.composite
def cross_entropies(draw, values=normals, dtypes=FLOATS):
    """cross_entropy with every argument; a third of the class indices is ignore_index,
    where it has a place.
    """
    rng, dtype = np.random.default_rng(draw(seeds)), draw(st.sampled_from(dtypes))
    N, C = draw(batches), draw(st.integers(1, 5))
    extra = () if N is None else tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    options: dict[str, Any] = {"reduction": draw(reductions)}
    options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 0.7, 1.0, -0.5]))
    if draw(st.booleans()):
        options["weight"] = (rng.random(C) * rng.choice([0, 1, 2], C, p=[0.1, 0.6, 0.3])).astype(dtype)
    plain = not extra and ("weight" not in options or options["label_smoothing"] <= 0)  # torch's limits for uint8
    kind = draw(st.sampled_from(["int64", "uint8" if plain else "int64", "probabilities", "one-hot"]))
    loss_shape = batched(N, *extra)
    if kind == "probabilities":
        target = rng.random(batched(N, C, *extra)).astype(dtype)
    elif kind == "one-hot":
        target = np.moveaxis(np.eye(C, dtype=dtype)[rng.integers(0, C, loss_shape)], -1, 0 if N is None else 1)
    else:
        options["ignore_index"] = ignore = draw(st.sampled_from([-100, -1, 0, C - 1, C, 200]))
        ignored = rng.random(loss_shape) < draw(st.sampled_from([0.3, 0, 1]))
        ignored &= kind == "int64" or ignore >= 0
        target = np.where(ignored, ignore, rng.integers(0, C, loss_shape)).astype(kind)
    x = values(rng, batched(N, C, *extra)).astype(dtype)
    return Loss("cross_entropy", x, target, options, grad_for(rng, options["reduction"], loss_shape, dtype))


def factor(draw, rng, shape, dtype):
    """None, or positive numbers of a shape that broadcasts to `shape`."""
    if draw(st.booleans()):
        return None
    kept = shape[draw(st.integers(0, len(shape))) :]
    return np.asarray(rng.random([1 if rng.random() < 0.3 else size for size in kept]) * 3, dtype)


@st.composite
def elementwise(draw, name, values=normals, dtypes=FLOATS):
    """A loss of an input and a target of the same shape, with every argument."""
    rng, dtype = np.random.default_rng(draw(seeds)), draw(st.sampled_from(dtypes))
    shape = tuple(draw(st.lists(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, 4), max_size=3)))
    x, target = values(rng, shape), values(rng, shape)
    if name.startswith("binary"):
        target = rng.choice([0, 1, rng.random()], shape)
    if name == "binary_cross_entropy":
        x = rng.choice([0, 1, 1e-13, *rng.random(5)], shape)
    options: dict[str, Any] = {"reduction": draw(reductions)}
    options["weight"] = factor(draw, rng, shape, dtype)
    if name == "mse_loss" and options["weight"] is not None:  # of the input's shape, and torch takes no other
        options["weight"] = np.asarray(rng.random(shape) * 3, dtype)
    if name.endswith("logits"):
        options["pos_weight"] = factor(draw, rng, shape, dtype)
    x, target = np.asarray(x, dtype), np.asarray(target, dtype)
    return Loss(name, x, target, options, grad_for(rng, options["reduction"], shape, dtype))


def losses(name, *arguments):
    return cross_entropies(*arguments) if name == "cross_entropy" else elementwise(name, *arguments)


# ------------------------------------------------------------------ the bound on errors


def magnitudes(case):
    """(of the loss, of the gradient, the number of terms n), whose (n + 1) eps bounds
    the rounding errors.
    """
    return bounds.loss_magnitudes(*case)


def assert_within(actual, expected, magnitude, n, what):
    """NaN and infinities where torch has them, everything else within the bound."""
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], what)
    assert_close(actual[finite], expected[finite], np.broadcast_to(magnitude, expected.shape)[finite], n, what)


# -------------------------------------------------------------------------------- torch


@pytest.mark.differential
@pytest.mark.parametrize("name", LAYERS)
@given(st.data(), layouts)
def test_loss_and_gradient_are_torchs_with_every_argument(name, data, names):
    case = data.draw(losses(name))
    if case.target.ndim:
        case = case._replace(**dict(zip(("input", "target"), lay_out(case.arrays[:2], names), strict=True)))
    with unchanged(case.arrays):
        results = case.result()
    *bounds, n = magnitudes(case)
    for what, actual, expected, bound in zip(("loss", "gradient"), results, case.expected(), bounds, strict=True):
        assert actual.dtype == case.input.dtype.newbyteorder("="), what
        assert_within(np.asarray(actual), expected, bound, n, what)


@pytest.mark.differential
@pytest.mark.parametrize("name", LAYERS)
@given(st.data())
def test_special_values_give_what_torch_gives(name, data):
    """Semantics rather than accuracy: the tolerance is only there for the finite numbers."""
    case = data.draw(losses(name, specials, ("float64",)))
    for what, actual, expected in zip(("loss", "gradient"), case.result(), case.expected(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9, err_msg=what)


@pytest.mark.parametrize("name", LAYERS)
@given(st.data(), st.booleans())
def test_a_criterion_is_the_function_with_its_options(name, data, twice):
    case = data.draw(losses(name))
    if name == "mse_loss":
        case.options.pop("weight")  # the function alone has it
    criterion = LAYERS[case.name](**case.options)
    results = case.result()
    for _ in range(1 + twice):
        loss = criterion(case.input, case.target)
        assert_identical(np.asarray(loss), np.asarray(results[0]))
        assert_identical(np.asarray(criterion.backward(case.grad_output)), np.asarray(results[1]))


@pytest.mark.parametrize("name", LAYERS)
def test_backward_without_an_argument_is_the_gradient_of_the_loss_itself(name):
    x, target = np.array([[0.2, 0.7], [0.6, 0.4]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    criterion = LAYERS[name]()
    criterion(x, target)
    assert_identical(criterion.backward(), getattr(F, f"{name}_backward")(1.0, x, target))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2)])
def test_class_indices_with_every_argument_and_without_any(shape, weighted, smoothing, reduction):
    """The usual case has loops of its own in the Numba set; nothing that is unusual may
    slip into them.
    """
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal(shape), rng.integers(0, 3, (4, *shape[2:]))
    options = {"weight": rng.random(3) if weighted else None, "label_smoothing": smoothing, "reduction": reduction}
    case = Loss(
        "cross_entropy",
        x,
        target,
        options | {"ignore_index": 2},
        np.asarray(rng.random(target.shape if reduction == "none" else ())),
    )
    for result, right in zip(case.result(), case.expected(), strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("given", [np.ndarray.tolist, np.float64], ids=["a list", "in float64"])
def test_grad_output_may_be_a_list_or_more_precise_and_the_gradient_keeps_the_inputs_dtype(name, given):
    rng = np.random.default_rng(0)
    x, target = rng.random((2, 3, 4), np.float32)
    grad = rng.random((3,) if name == "cross_entropy" else (3, 4), np.float32)
    backward = getattr(F, f"{name}_backward")
    result = backward(given(grad), x, target, reduction="none")
    assert result.dtype == np.float32
    assert_identical(result, backward(grad, x, target, reduction="none"))


@given(seeds, st.sampled_from(list(LAYERS)))
def test_the_gradient_is_the_slope_of_the_loss(seed, name):
    """Central differences: with a step h the third derivative leaves an error of order h^2."""
    rng, h = np.random.default_rng(seed), 1e-5
    x, target, direction = rng.uniform(0.1, 0.9, (3, 4)), rng.random((3, 4)), rng.standard_normal((3, 4))
    loss, backward = getattr(F, name), getattr(F, f"{name}_backward")
    slope = (loss(x + h * direction, target) - loss(x - h * direction, target)) / (2 * h)
    assert abs((backward(1.0, x, target) * direction).sum() - slope) < 1e-6


@given(cross_entropies())
def test_the_gradients_of_one_target_sum_to_zero(case):
    """Adding a constant to all logits changes no probability."""
    *_, bound, n = magnitudes(case)
    axis = 0 if case.input.ndim == 1 else 1
    _, gradient = case.result()
    if np.isfinite(gradient).all():
        sums = np.abs(gradient.astype(np.float64).sum(axis=axis))
        assert (sums <= 2 * n * np.finfo(gradient.dtype).eps * np.sum(bound, axis=axis)).all()


# --------------------------------------------------------------- special cases, by name


ZEROS, NONE_LEFT = np.zeros((2, 3)), np.array([-100, -100])
X, Y = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), np.array([2, 0])


def test_equal_logits_cost_the_logarithm_of_their_number():
    np.testing.assert_allclose(F.cross_entropy(ZEROS, Y), np.log(3), rtol=1e-15)


@pytest.mark.parametrize(("reduction", "expected"), [("mean", np.nan), ("sum", 0.0), ("none", [0.0, 0.0])])
def test_when_all_are_ignored_the_mean_is_nan_and_no_logit_is_moved(reduction, expected):
    grad_output = np.ones(np.shape(expected))
    np.testing.assert_array_equal(F.cross_entropy(ZEROS, NONE_LEFT, reduction=reduction), expected)
    np.testing.assert_array_equal(F.cross_entropy_backward(grad_output, ZEROS, NONE_LEFT, reduction=reduction), ZEROS)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("reduction", "expected"), [("mean", np.nan), ("sum", 0.0), ("none", np.zeros((0, 3)))])
def test_an_empty_batch_has_no_mean_and_the_sum_zero(name, reduction, expected):
    x = np.zeros((0, 3))
    expected = np.zeros(0) if name == "cross_entropy" and reduction == "none" else expected
    np.testing.assert_array_equal(getattr(F, name)(x, x, reduction=reduction), expected)
    assert getattr(F, f"{name}_backward")(np.ones(np.shape(expected)), x, x, reduction=reduction).shape == (0, 3)


@pytest.mark.parametrize(
    ("logits", "target", "smoothing", "loss"),
    [
        ([0.0, -np.inf], 0, 0.0, 0.0),
        ([0.0, -np.inf], 1, 0.0, np.inf),
        ([0.0, -np.inf], 0, 0.1, np.inf),
        ([0.0, -np.inf], [1.0, 0.0], 0.0, np.nan),
        ([-np.inf, -np.inf], 0, 0.0, np.nan),
        ([np.inf, 0.0], 0, 0.0, np.nan),
        ([1e4, 0.0], 1, 0.0, 1e4),
        ([-1e4, -1e4], 1, 0.0, np.log(2)),
        ([7.0], 0, 0.0, 0.0),
    ],
)
def test_extreme_logits(logits, target, smoothing, loss):
    np.testing.assert_allclose(
        F.cross_entropy(np.array(logits), np.array(target), label_smoothing=smoothing), loss, atol=1e-12
    )


def test_one_hot_probabilities_with_weights_are_not_the_index_with_weights():
    """The mean over probabilities divides by N, over indices by the sum of the weights."""
    weight, x = np.array([0.5, 0.5, 0.5]), ZEROS
    np.testing.assert_allclose(F.cross_entropy(x, Y, weight=weight), np.log(3))
    np.testing.assert_allclose(F.cross_entropy(x, np.eye(3)[Y], weight=weight), np.log(3) / 2)


def test_the_mean_divides_by_the_sum_of_the_targets_weights_and_so_does_its_gradient():
    weight, target = np.array([1.0, 2.0, 4.0]), np.array([2, 0, -100])
    logits = np.zeros((3, 3))
    np.testing.assert_allclose(F.cross_entropy(logits, target, weight), (4 + 1) * np.log(3) / (4 + 1))
    gradient = F.cross_entropy_backward(1.0, logits, target, weight)
    np.testing.assert_allclose(gradient, np.array([[4, 4, -8], [-2, 1, 1], [0, 0, 0]]) / 3 / (4 + 1), atol=1e-16)


def test_bce_counts_a_logarithm_as_at_least_minus_100():
    p, y = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(F.binary_cross_entropy(p, y, reduction="none"), [100, 100, 0, 0])
    gradient = F.binary_cross_entropy_backward(np.ones(4), p, y, reduction="none")
    np.testing.assert_allclose(gradient, [-1e12, 1e12, 0, 0], rtol=1e-7)


def test_bce_with_logits_is_exact_at_a_thousand():
    x, y = np.array([1000.0, -1000.0, 1000.0, -1000.0]), np.array([1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(F.binary_cross_entropy_with_logits(x, y, reduction="none"), [0, 0, 1000, 1000])
    gradient = F.binary_cross_entropy_with_logits_backward(np.ones(4), x, y, reduction="none")
    np.testing.assert_array_equal(gradient, [0, 0, 1, -1])


def test_one_logit_vector_takes_one_target_with_or_without_a_dimension():
    assert F.cross_entropy(X[0], np.array([1]), reduction="none").shape == (1,)  # torch drops the dimension
    np.testing.assert_array_equal(F.cross_entropy(X[0], np.array([1])), F.cross_entropy(X[0], np.array(1)))


@pytest.mark.parametrize("C", [1, 2, 3])
def test_one_target_with_a_dimension_is_taken_for_as_many_classes_as_torch_takes_it_for(C):
    logits, target = np.zeros(C), np.array([C - 1])
    taken = not rejects(lambda: torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(target)))
    assert taken == (not rejects(lambda: F.cross_entropy(logits, target)))


# --------------------------------------------------------------------------- rejections


HALF = np.full((2, 3), 0.5)
REJECTED = {
    "a class too large": (lambda: F.cross_entropy(X, np.array([0, 3])), IndexError, "classes from 0 to 2.*got 3"),
    "a negative class": (lambda: F.cross_entropy(X, np.array([0, -1])), IndexError, "ignore_index=-100.*got -1"),
    "no classes": (lambda: F.cross_entropy(ZEROS[:, :0], Y), IndexError, r"C >= 1.*\(2, 0\)"),
    "logits without a dimension": (lambda: F.cross_entropy(np.array(1.0), Y), IndexError, r"shape \(\)"),
    "too few targets": (lambda: F.cross_entropy(X, Y[:1]), ValueError, r"of shape \(2,\).*got int64 of shape \(1,\)"),
    "integers one-hot": (
        lambda: F.cross_entropy(X, np.eye(3, dtype=int)[Y]),
        ValueError,
        r"got int64 of shape \(2, 3\)",
    ),
    "float indices": (lambda: F.cross_entropy(X, Y * 1.0), ValueError, r"float.*got float64 of shape \(2,\)"),
    "int32 indices": (
        lambda: F.cross_entropy(X, Y.astype("int32")),
        RuntimeError,
        "target has dtype int32.*int64, uint8",
    ),
    "uint8 indices for pixels": (
        lambda: F.cross_entropy(X[..., None], Y[:, None].astype("uint8")),
        RuntimeError,
        "target has dtype uint8.*int64",
    ),
    "integer logits": (
        lambda: F.cross_entropy(X.astype(int), Y),
        RuntimeError,
        "input has dtype int64.*float32, float64",
    ),
    "a list": (lambda: F.cross_entropy(X.tolist(), Y), TypeError, "input must be a NumPy array, got list"),
    "two weights for three": (
        lambda: F.cross_entropy(X, Y, np.ones(2)),
        RuntimeError,
        r"weight must have shape \(3,\), got \(2,\)",
    ),
    "a float32 weight": (
        lambda: F.cross_entropy(X, Y, np.ones(3, "f4")),
        RuntimeError,
        "float64 but weight is float32",
    ),
    "ignoring a probability": (
        lambda: F.cross_entropy(X, X, ignore_index=0),
        RuntimeError,
        "ignore_index=0.*probabilities",
    ),
    "smoothing above 1": (lambda: F.cross_entropy(X, Y, label_smoothing=1.5), ValueError, "between 0 and 1, got 1.5"),
    "smoothing above 1, layer": (
        lambda: nn.CrossEntropyLoss(label_smoothing=1.5)(X, Y),
        ValueError,
        "^CrossEntropyLoss: label_smoothing must be between 0 and 1, got 1.5",
    ),
    "an unknown reduction": (
        lambda: F.cross_entropy(X, Y, reduction="avg"),
        ValueError,
        "'mean', 'sum' or 'none', got 'avg'",
    ),
    "an unknown reduction, layer": (lambda: nn.MSELoss("avg"), ValueError, "MSELoss: reduction.*got 'avg'"),
    "probability 1.5": (
        lambda: F.binary_cross_entropy(HALF * 3, HALF),
        RuntimeError,
        "input must lie between 0 and 1, got.* 1.5",
    ),
    "target -0.5": (
        lambda: F.binary_cross_entropy(HALF, -HALF),
        RuntimeError,
        "target must lie between 0 and 1, got.*-0.5",
    ),
    "another shape": (lambda: F.binary_cross_entropy(HALF, HALF[:, :1]), ValueError, r"\(2, 3\) and \(2, 1\)"),
    "integer labels": (lambda: F.binary_cross_entropy(HALF, Y), RuntimeError, "float64 but target is int64"),
    "weight too wide": (
        lambda: F.binary_cross_entropy(HALF, HALF, np.ones(4)),
        ValueError,
        r"weight.*\(4,\).*\(2, 3\)",
    ),
    "pos_weight too wide": (
        lambda: F.binary_cross_entropy_with_logits(X, HALF, pos_weight=np.ones(4)),
        ValueError,
        r"pos_weight.*\(4,\)",
    ),
    "a gradient of another shape": (lambda: F.mse_loss_backward(np.ones(2), X, X), RuntimeError, r"\(\), got \(2,\)"),
    "a gradient for each loss": (
        lambda: F.cross_entropy_backward(1.0, X, Y, reduction="none"),
        RuntimeError,
        r"\(2,\), got \(\)",
    ),
}


@pytest.mark.parametrize("what", REJECTED)
def test_a_wrong_argument_is_refused_with_its_numbers(what):
    call, kind, text = REJECTED[what]
    with pytest.raises(kind, match=re.compile(text, re.DOTALL)):
        call()


@st.composite
def doubtful(draw):
    """Calls that may be illegal: shapes that may not fit, any dtypes, classes out of
    range, options out of range.
    """
    rng, name = np.random.default_rng(draw(seeds)), draw(st.sampled_from(list(LAYERS)))
    dtypes = st.sampled_from(["float64"] * 3 + ["float32", "int64", "int64", "uint8", "int32"])
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    other = draw(st.sampled_from([shape, shape, shape[:1] + shape[2:], shape[:-1], (*shape, 1), shape[1:], (1,), ()]))
    low, high = draw(st.sampled_from([(0, 1), (0, 2), (-1, 4)]))
    x = (rng.uniform(low, high, shape) if draw(st.booleans()) else rng.random(shape)).astype(draw(dtypes))
    target = np.asarray(rng.integers(low, high + 1, other)).astype(draw(dtypes))
    reduction = draw(st.sampled_from(["mean", "sum", "none", "avg", "", None]))
    options: dict[str, Any] = {"reduction": reduction}
    if name != "mse_loss" and draw(st.booleans()):
        sizes = [shape[1:2], shape, shape[-1:], (), (3,)]
        options["weight"] = (
            rng.random(draw(st.sampled_from(sizes))).astype(draw(st.sampled_from(["float64", "float32"])))
            if draw(st.booleans())
            else np.ones(shape[1:2])
        )
    if name == "cross_entropy":
        options["ignore_index"] = draw(st.sampled_from([-100, 0, 3]))
        smoothing = [0.0, 1.1, -1.0, float("nan")] + [0.5] * (target.dtype != np.uint8)  # torch: not always with uint8
        options["label_smoothing"] = draw(st.sampled_from(smoothing))
    return name, x, target, options


@pytest.mark.differential
@given(doubtful())
def test_what_torch_refuses_is_refused_and_what_both_accept_agrees(call):
    name, x, target, options = call
    given = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused = rejects(lambda: getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(target), **given))
        ours = rejects(lambda: getattr(F, name)(x, target, **options))
        assert ours or not refused, "torch refuses this"
        if not ours:
            expected = getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(target), **given)
            np.testing.assert_allclose(getattr(F, name)(x, target, **options), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layer", [*LAYERS.values(), nn.NLLLoss], ids=lambda layer: layer.__name__)
def test_torchs_loss_backward_is_answered_with_the_line_to_write(layer, dtype):
    """And the loss is a number of NumPy's like any other."""
    output = np.full((2, 3), 0.5, dtype)
    target = np.array([0, 2]) if layer in (nn.CrossEntropyLoss, nn.NLLLoss) else output
    loss = layer()(output, target)
    with pytest.raises(NotImplementedError, match=r"model\.backward\(criterion\.backward\(\)\)"):
        loss.backward()
    with pytest.raises(NotImplementedError, match=r"F\.nll_loss_backward\(1\.0, output, target\)"):
        F.mse_loss(output, output).backward(retain_graph=True)
    assert isinstance(loss, np.dtype(dtype).type)
    assert np.asarray([loss, loss]).dtype == (loss + loss).dtype == loss.dtype == dtype
    assert f"{loss:.3f} {loss.item():.3f} {float(loss):.3f}" == " ".join(3 * [f"{np.dtype(dtype).type(loss):.3f}"])
