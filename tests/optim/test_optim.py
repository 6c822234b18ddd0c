"""Adam and SGD against torch's: every option, several groups and steps, missing
gradients, saved and loaded state.
"""

import copy
import os
import platform
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import nn
from minicnn.agree import bounds
from minicnn.nn import Parameter
from minicnn.optim import SGD, Adadelta, Adam, AdamW
from minicnn.optim.optimizer import Optimizer
from tests.support.oracle import assert_close, rejects, torch
from tests.support.strategies import FLOATS, LAYOUTS, seeds

pytestmark = pytest.mark.usefixtures("backend")

PAIRS = {
    "Adam": (Adam, torch.optim.Adam),
    "SGD": (SGD, torch.optim.SGD),
    "AdamW": (AdamW, torch.optim.AdamW),
    "Adadelta": (Adadelta, torch.optim.Adadelta),
}
TORCH_ONLY = {"foreach", "capturable", "differentiable", "fused"}


class Run(NamedTuple):
    """An optimiser's name, its parameter groups (arrays and options), and for each step
    all gradients, some None.
    """

    name: str
    arrays: list[list[np.ndarray]]
    options: list[dict[str, Any]]
    grads: list[list[np.ndarray | None]]

    def ours(self):
        params = [[Parameter(array.copy()) for array in group] for group in self.arrays]
        return self._optimizer(PAIRS[self.name][0], params), [p for group in params for p in group]

    def torchs(self):
        params = [[torch.nn.Parameter(torch.tensor(array)) for array in group] for group in self.arrays]
        return self._optimizer(PAIRS[self.name][1], params), [p for group in params for p in group]

    def _optimizer(self, kind, params):
        groups = [{"params": group, **options} for group, options in zip(params, self.options, strict=True)]
        return kind(groups)


def advance(optimizer, params, steps):
    """Give the gradients of each step to the parameters and step."""
    as_torch = isinstance(params[0], torch.Tensor)
    for grads in steps:
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad) if as_torch and grad is not None else grad
        optimizer.step()


coins = st.booleans()
adams = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.sampled_from([0.0, 1e-3, 0.1]),
        "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.0), (0.3, 0.5), (0.95, 0.9)]),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "amsgrad": coins,
        "maximize": coins,
        "decoupled_weight_decay": coins,
    },
)
sgds = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.sampled_from([0.0, 1e-3, 0.1]),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "dampening": st.sampled_from([0.0, 0.3]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "maximize": coins,
    },
)
adamws = adams.map(lambda options: {key: options[key] for key in options if key != "decoupled_weight_decay"})
adadeltas = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.sampled_from([0.0, 0.1, 1.0]),
        "rho": st.sampled_from([0.0, 0.5, 0.9]),
        "eps": st.sampled_from([1e-6, 1e-3]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "maximize": coins,
    },
)
nesterovs = st.fixed_dictionaries({"momentum": st.just(0.8), "nesterov": st.just(True), "weight_decay": st.just(0.1)})


@st.composite
def runs(draw, names=tuple(PAIRS)):
    rng, dtype, name = (
        np.random.default_rng(draw(seeds)),
        draw(st.sampled_from(FLOATS)),
        draw(st.sampled_from(names)),
    )
    kinds = {"Adam": adams, "SGD": st.one_of(sgds, nesterovs), "AdamW": adamws, "Adadelta": adadeltas}[name]
    shapes = draw(
        st.lists(
            st.lists(st.sampled_from([(3,), (2, 4), (1, 2, 3, 2), (), (0, 2)]), min_size=1, max_size=3),
            min_size=1,
            max_size=3,
        )
    )
    arrays = [[np.asarray(rng.standard_normal(shape), dtype) for shape in group] for group in shapes]
    missing = draw(st.sampled_from([0.0, 0.3]))
    scale = 10.0 ** draw(st.integers(-3, 3))

    def gradient(array):
        return None if rng.random() < missing else np.asarray(rng.standard_normal(array.shape) * scale, dtype)

    steps = [[gradient(array) for group in arrays for array in group] for _ in range(draw(st.integers(1, 6)))]
    return Run(name, arrays, [draw(kinds) for _ in arrays], steps)


# ------------------------------------------------------------------ the bound on errors


ROUNDINGS = bounds.OPTIMISER_ROUNDINGS


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_the_bound_for_adam_stays_a_bound_where_the_decay_outweighs_the_gradient(amsgrad, decoupled):
    """Six steps of lr 0.1 from |p| <= 1 with a decay of 0.1 p beside gradients of
    0.001; p may cross 0, where they cancel.
    """
    p, *grads = np.random.default_rng(0).uniform(-1, 1, (7, 50))
    options = {"lr": 0.1, "weight_decay": 0.1, "amsgrad": amsgrad, "decoupled_weight_decay": decoupled}
    found = bounds.adam_magnitudes(p, [1e-3 * grad for grad in grads], **options)
    assert found["param"].max() < 100
    assert (found["exp_avg"] <= 0.001 + 0.1 * found["param"]).all()


def assert_same_state(run, ours, params, theirs, expected_params, steps):
    """Parameters and the whole state of both, within the bounds; layout and options equal."""
    saved, expected = ours.state_dict(), theirs.state_dict()
    assert list(saved) == list(expected)
    for group, wanted in zip(saved["param_groups"], expected["param_groups"], strict=True):
        assert group == {name: value for name, value in wanted.items() if name not in TORCH_ONLY}
    assert {i: sorted(values) for i, values in saved["state"].items()} == {
        i: sorted(values) for i, values in expected["state"].items()
    }
    arrays = [array for group in run.arrays for array in group]
    options = [options for group, options in zip(run.arrays, run.options, strict=True) for _ in group]
    for i, (array, chosen) in enumerate(zip(arrays, options, strict=True)):
        sizes = bounds.OPTIMISERS[run.name](array, [grads[i] for grads in steps], **chosen)
        results = {"param": (params[i].data, expected_params[i].detach())}
        results |= {name: (value, expected["state"][i][name]) for name, value in saved["state"].get(i, {}).items()}
        for name, (value, wanted) in results.items():
            wanted = wanted.numpy() if isinstance(wanted, torch.Tensor) else wanted
            if name == "step" or value is None:
                assert value == wanted
                continue
            assert value.dtype == array.dtype
            bound = np.broadcast_to(sizes[name], array.shape)
            assert_close(np.asarray(value), wanted, bound, ROUNDINGS * len(steps), f"{name} of parameter {i}")


# -------------------------------------------------------------------------------- torch


@pytest.mark.differential
@pytest.mark.parametrize("name", PAIRS)
@given(st.data())
def test_parameters_and_state_are_torchs_with_every_option(name, data):
    run = data.draw(runs([name]))
    (ours, params), (theirs, expected) = run.ours(), run.torchs()
    advance(ours, params, run.grads)
    advance(theirs, expected, run.grads)
    assert_same_state(run, ours, params, theirs, expected, run.grads)


BIT_FOR_BIT = """
import numpy as np, torch
import minicnn

minicnn.set_backend("numpy")  # the Numba set fuses products and sums, as torch does elsewhere
from minicnn.nn import Parameter
from minicnn.optim import SGD, Adam

rng = np.random.default_rng(0)
for seed in range(100):
    start, *grads = rng.standard_normal((7, int(rng.integers(1, 60)))).astype(np.float32)
    adams = [(Adam, {"lr": 1e-3}), (Adam, {"lr": 0.1}), (Adam, {"betas": (0.5, 0.999)})]
    for kind, options in [*adams, (SGD, {"lr": 0.1})]:
        ours, theirs = Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
        optimizers = kind([ours], **options), getattr(torch.optim, kind.__name__)([theirs], fused=True, **options)
        for grad in grads:
            ours.grad, theirs.grad = grad, torch.tensor(grad)
            for optimizer in optimizers:
                optimizer.step()
            assert ours.data.tobytes() == theirs.detach().numpy().tobytes(), (kind, options, seed)
"""


@pytest.mark.differential
@given(runs(), st.data())
def test_nan_and_infinity_travel_as_in_torch(run, data):
    rng = np.random.default_rng(data.draw(seeds))
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0])
    grads = [
        [
            g if g is None else np.where(rng.random(g.shape) < 0.3, rng.choice(special, g.shape), g).astype(g.dtype)
            for g in step
        ]
        for step in run.grads
    ]
    (ours, params), (theirs, twins) = run.ours(), run.torchs()
    with np.errstate(invalid="ignore"):  # NumPy remarks on inf - inf
        advance(ours, params, grads)
    advance(theirs, twins, grads)
    found = [p.data for p in params] + [array for state in ours.state.values() for array in state.values()]
    wanted = [p.detach() for p in twins] + [tensor for state in theirs.state.values() for tensor in state.values()]
    for array, tensor in zip(found, wanted, strict=True):
        if tensor is not None:
            kinds = [np.where(np.isfinite(values), 0.0, values) for values in (array, tensor.numpy())]
            np.testing.assert_array_equal(*kinds)


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="torch can leave out FMA on x86 only")
def test_without_options_float32_is_torchs_bit_for_bit():
    """Where torch rounds each product and each sum: elsewhere it fuses them, and its
    own variants differ by a unit.
    """
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(
        [sys.executable, "-c", BIT_FOR_BIT], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.differential
@given(runs())
def test_torchs_state_loads_and_training_continues_as_torchs(run):
    (ours, params), (theirs, expected) = run.ours(), run.torchs()
    half = len(run.grads) // 2
    advance(theirs, expected, run.grads[:half])
    ours.load_state_dict(as_arrays(theirs.state_dict()))
    for param, wanted in zip(params, expected, strict=True):
        param.data = wanted.detach().numpy().copy()
    advance(ours, params, run.grads[half:])
    advance(theirs, expected, run.grads[half:])
    assert_same_state(run, ours, params, theirs, expected, run.grads)


def as_arrays(state):
    convert = {
        i: {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in s.items()} for i, s in state["state"].items()
    }
    return {"state": convert, "param_groups": state["param_groups"]}


@given(runs())
def test_a_saved_state_continues_bit_for_bit(run):
    (first, params), (second, copies) = run.ours(), run.ours()
    half = len(run.grads) // 2
    advance(first, params, run.grads[:half])
    saved = copy.deepcopy(first.state_dict())
    second.load_state_dict(saved)
    for param, twin in zip(params, copies, strict=True):
        twin.data = param.data.copy()
    advance(first, params, run.grads[half:])
    advance(second, copies, run.grads[half:])
    for param, twin in zip(params, copies, strict=True):
        assert param.data.tobytes() == twin.data.tobytes()
    assert repr(first.state_dict()) == repr(second.state_dict())


@given(runs())
def test_nothing_moves_and_nothing_is_kept_where_no_gradient_is(run):
    optimizer, params = run.ours()
    before = [param.data.tobytes() for param in params]
    advance(optimizer, params, [[None] * len(params)] * 2)
    assert [param.data.tobytes() for param in params] == before
    assert optimizer.state_dict()["state"] == {}


@given(runs())
def test_gradients_are_not_changed_by_a_step(run):
    optimizer, params = run.ours()
    copies = copy.deepcopy(run.grads)
    advance(optimizer, params, run.grads)
    for grads, wanted in zip(run.grads, copies, strict=True):
        np.testing.assert_equal(grads, wanted)


# ------------------------------------------------------------------------------ by hand


def parameter(*numbers):
    return Parameter(np.array(numbers or [1.0, 2.0]))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_adams_first_step_is_lr_whatever_the_scale(scale):
    p = parameter(1.0, 1.0)
    p.grad = np.array([scale, -scale])
    Adam([p], lr=0.1).step()
    np.testing.assert_allclose(p.data, [0.9, 1.1], rtol=1e-5)


@pytest.mark.parametrize(("decoupled", "expected"), [(True, [0.75, -1.5]), (False, [0.5, -1.5])])
def test_weight_decay_shrinks_the_parameter_itself_or_joins_the_gradient(decoupled, expected):
    """With a zero gradient AdamW multiplies by 1 - lr weight_decay; Adam takes a step
    of lr along the decay.
    """
    p = parameter(1.0, -2.0)
    p.grad = np.zeros(2)
    Adam([p], lr=0.5, weight_decay=0.5, decoupled_weight_decay=decoupled).step()
    np.testing.assert_allclose(p.data, expected, rtol=1e-7)


def test_dampening_spares_the_first_step():
    p = parameter(0.0)
    optimizer = SGD([p], lr=1.0, momentum=0.5, dampening=0.75)
    for expected in (-1.0, -1.75):  # the buffer is 1, then 0.5 * 1 + 0.25 * 1
        p.grad = np.array([1.0])
        optimizer.step()
        assert p.data == expected


def test_a_zero_gradient_still_moves_where_there_is_momentum_and_none_does_not():
    for optimizer_of in (lambda p: Adam([p], lr=0.1), lambda p: SGD([p], lr=0.1, momentum=0.5)):
        p = parameter(1.0)
        optimizer = optimizer_of(p)
        p.grad = np.array([1.0])
        optimizer.step()
        moved = p.data.copy()
        optimizer.zero_grad()
        assert p.grad is None
        optimizer.step()
        np.testing.assert_array_equal(p.data, moved)
        p.grad = np.array([1.0])
        optimizer.zero_grad(set_to_none=False)
        np.testing.assert_array_equal(p.grad, [0.0])
        optimizer.step()
        assert (p.data < moved).all()


def test_named_parameters_leave_their_names_in_the_state():
    ours = Adam([("first", parameter()), ("second", parameter())]).state_dict()["param_groups"]
    tensors = [("first", torch.nn.Parameter(torch.ones(2))), ("second", torch.nn.Parameter(torch.ones(2)))]
    theirs = torch.optim.Adam(tensors).state_dict()["param_groups"]
    assert ours == [{name: value for name, value in theirs[0].items() if name not in TORCH_ONLY}]


def test_a_group_can_be_added_later():
    first, second = parameter(1.0), parameter(1.0)
    optimizer = SGD([first], lr=1.0)
    optimizer.add_param_group({"params": second, "lr": 0.5})
    first.grad = second.grad = np.array([1.0])
    optimizer.step()
    assert (first.data, second.data) == (0.0, 0.5)


def test_repr_is_torchs_without_its_own_options():
    for name, (kind, theirs) in PAIRS.items():
        lines = repr(theirs([torch.nn.Parameter(torch.ones(2))])).splitlines()
        expected = [line for line in lines if not any(f"{option}:" in line for option in TORCH_ONLY)]
        assert repr(kind([parameter()])).replace("0.0\n", "0\n") == "\n".join(expected), name


# --------------------------------------------------------------------------- rejections


P = parameter()


def stepped(optimizer):
    P.grad = np.ones(2)
    optimizer.step()


REJECTED = {
    "no parameters": (lambda: Adam([]), ValueError, "params is empty"),
    "one parameter, not a list": (lambda: Adam(P), TypeError, "Adam: params must be an iterable.*got Parameter"),
    "one array": (lambda: SGD(np.ones(2)), TypeError, "SGD: params must be an iterable.*got ndarray"),
    "a number": (lambda: SGD(3), TypeError, "got int"),
    "arrays": (lambda: SGD([np.ones(2)]), TypeError, "can only optimize Parameters, got ndarray"),
    "the same twice": (lambda: Adam([{"params": [P]}, {"params": [P]}]), ValueError, "appears twice"),
    "an unknown option": (lambda: Adam([{"params": [P], "momentum": 1}]), TypeError, "momentum.*there are lr, betas"),
    "two unknown options": (
        lambda: SGD([{"params": [P], "betas": 1, "amsgrad": 1}]),
        TypeError,
        (
            "^SGD: unknown option\\(s\\) amsgrad, betas; there are lr, momentum, dampening, weight_decay, "
            "nesterov, maximize.$"
        ),
    ),
    "some names": (lambda: Adam([("a", P), parameter()]), (ValueError, TypeError), "names or none, got 1 of 2"),
    "lr -1": (lambda: Adam([P], lr=-1), ValueError, "Adam: lr must be at least 0, got -1"),
    "lr NaN": (lambda: Adam([P], lr=float("nan")), ValueError, "got nan"),
    "eps -1": (lambda: Adam([P], eps=-1), ValueError, "eps must be at least 0, got -1"),
    "beta 1": (lambda: Adam([P], betas=(0.9, 1.0)), ValueError, r"\[0, 1\), got \(0.9, 1.0\)"),
    "beta -1": (lambda: Adam([P], betas=(-1, 0.9)), ValueError, r"\[0, 1\), got \(-1, 0.9\)"),
    "three betas": (lambda: Adam([P], betas=(0.9, 0.9, 0.9)), ValueError, "two numbers"),
    "SGD's lr -1": (lambda: SGD([P], lr=-1), ValueError, "^SGD: lr must be at least 0, got -1"),
    "no update of its own": (
        lambda: stepped(Optimizer([P], {})),
        NotImplementedError,
        "^Optimizer defines no update.$",
    ),
    "lr in words": (lambda: Adam([P], lr="0.1"), TypeError, "Adam: lr must be a number, got '0.1'"),
    "no lr": (lambda: SGD([P], lr=None), TypeError, "SGD: lr must be a number, got None"),
    "one beta": (lambda: Adam([P], betas=0.9), ValueError, r"betas must be two numbers in \[0, 1\), got 0.9"),
    "a beta in words": (lambda: Adam([P], betas=(0.9, "x")), TypeError, "Adam: beta2 must be a number, got 'x'"),
    "dampening in words": (lambda: SGD([P], dampening="x"), TypeError, "SGD: dampening must be a number, got 'x'"),
    "a group without params": (lambda: Adam([{"lr": 1}]), ValueError, '^Adam: a group needs "params", got lr'),
    "weight_decay -1": (lambda: SGD([P], weight_decay=-1), ValueError, "weight_decay must be at least 0, got -1"),
    "momentum -1": (lambda: SGD([P], momentum=-1), ValueError, "momentum must be at least 0, got -1"),
    "nesterov alone": (lambda: SGD([P], nesterov=True), ValueError, "nesterov needs momentum above 0"),
    "nesterov, dampened": (
        lambda: SGD([P], momentum=1, dampening=1, nesterov=True),
        ValueError,
        "dampening 0, got 1 and 1",
    ),
}


@pytest.mark.parametrize("what", REJECTED)
def test_a_wrong_argument_is_refused_with_its_numbers(what):
    call, kind, text = REJECTED[what]
    with pytest.raises(kind, match=text):
        call()


numbers = st.sampled_from([-1.0, -1e-9, 0.0, 0.5, 1.0, 2.0, float("inf")])
adam_numbers = {"lr": numbers, "betas": st.tuples(numbers, numbers), "eps": numbers, "weight_decay": numbers}
illegal = {
    "AdamW": st.fixed_dictionaries({}, optional=adam_numbers),
    "Adadelta": st.fixed_dictionaries(
        {}, optional={"lr": numbers, "rho": numbers, "eps": numbers, "weight_decay": numbers}
    ),
    "Adam": st.fixed_dictionaries(
        {}, optional={"lr": numbers, "betas": st.tuples(numbers, numbers), "eps": numbers, "weight_decay": numbers}
    ),
    "SGD": st.fixed_dictionaries(
        {},
        optional={"lr": numbers, "momentum": numbers, "dampening": numbers, "weight_decay": numbers, "nesterov": coins},
    ),
}


@pytest.mark.differential
@given(st.sampled_from(list(PAIRS)), st.data())
def test_options_are_refused_when_torch_refuses_them_and_only_then(name, data):
    options = data.draw(illegal[name])
    ours, theirs = PAIRS[name]
    assert rejects(lambda: ours([P], **options)) == rejects(
        lambda: theirs([torch.nn.Parameter(torch.ones(2))], **options)
    )


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    optimizer, other = Adam([P], lr=0.1), Adam([parameter(), parameter()])
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters, this optimizer has groups of \[1\]"):
        optimizer.load_state_dict(other.state_dict())
    wrong = parameter(1.0, 2.0, 3.0)
    wrong.grad = wrong.data
    other = Adam([wrong])
    other.step()
    with pytest.raises(ValueError, match=r"exp_avg has shape \(3,\), its parameter \(2,\)"):
        optimizer.load_state_dict(other.state_dict())
    assert optimizer.state == {}
    assert optimizer.param_groups[0]["lr"] == 0.1


GRADS = {
    "too short": [1.0],
    "longer": [1.0, 2.0, 3.0],
    "a number": 1.0,
    "of other dimensions": [[1.0, 2.0]],
    "of another precision": np.ones(2, np.float32),
    "whole numbers": np.ones(2, np.int64),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("what", GRADS)
def test_a_gradient_of_another_shape_or_dtype_is_refused_as_torch_refuses_it(name, what):
    (ours, theirs), grad = PAIRS[name], np.asarray(GRADS[what])
    param, twin = parameter(), torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    param.grad = grad
    with pytest.raises(
        RuntimeError, match=r"grad must have its parameter's shape and dtype, \(2,\) and float64, got \("
    ):
        ours([param]).step()
    assert param.data.tolist() == [1.0, 2.0]
    with pytest.raises((RuntimeError, TypeError)):
        twin.grad = torch.tensor(grad)
        theirs([twin]).step()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [Adam, SGD, Adadelta])
def test_a_step_reaches_an_array_in_every_layout(kind, layout):
    data = LAYOUTS[layout](np.arange(6.0).reshape(2, 3))
    param = Parameter(data)
    param.grad = LAYOUTS[layout](np.ones((2, 3)))
    optimizer = kind([param], lr=0.5)
    if layout == "read-only":
        with pytest.raises(ValueError, match=f"{kind.__name__}: a parameter's data is read-only"):
            optimizer.step()
        return
    optimizer.step()
    assert param.data is data
    expected = 0.5 if kind is not Adadelta else 0.5 * np.sqrt(1e-6 / (0.1 + 1e-6))
    np.testing.assert_allclose(data, np.arange(6.0).reshape(2, 3) - expected, atol=1e-7)


ODD = {
    "whole numbers": (
        np.ones(2, np.int64),
        np.ones(2, np.int64),
        "must be float32 or float64 to be updated, got int64",
    ),
    "half precision": (np.ones(2, np.float16), np.ones(2, np.float16), "float32 or float64 to be updated, got float16"),
    "a number as gradient": (np.ones(2), 1.0, "grad must be an array like its parameter, got float"),
    "a list as gradient": (np.ones(2), [1.0, 1.0], "grad must be an array like its parameter, got list"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_updated_is_said(what):
    data, grad, text = ODD[what]
    param = Parameter(data)
    param.grad = grad
    with pytest.raises(RuntimeError, match=text):
        Adam([param]).step()


def after_a_step(**options):
    """An Adam after a step, and its parameter."""
    param = parameter()
    param.grad = np.ones(2)
    optimizer = Adam([param], **options)
    optimizer.step()
    return optimizer, param


def test_a_parameter_that_has_grown_since_does_not_take_its_old_state():
    optimizer, param = after_a_step()
    param.data = param.grad = np.ones(1000)
    with pytest.raises(ValueError, match=r"exp_avg has shape \(2,\), its parameter \(1000,\)"):
        optimizer.step()


def test_state_takes_the_dtype_that_its_parameter_took():
    optimizer, param = after_a_step()
    param.data, param.grad = param.data.astype(np.float32), param.grad.astype(np.float32)
    optimizer.step()
    assert {optimizer.state[param][name].dtype for name in ("exp_avg", "exp_avg_sq")} == {np.dtype(np.float32)}
    assert param.data.dtype == np.float32


STATES = {
    "a number for each array": ({"exp_avg": 1.0}, r"exp_avg has shape \(\), its parameter \(2,\)"),
    "no average": ({"exp_avg": None}, "holds step, exp_avg_sq, but no exp_avg"),
    "half a step": ({"step": 0.5}, "step must be a whole number of at least 0, got 0.5"),
    "a step before the first": ({"step": -1}, "step must be a whole number of at least 0, got -1.0"),
    "no number of steps": ({"step": float("nan")}, "step must be a whole number of at least 0, got nan"),
    "endless steps": ({"step": float("inf")}, "step must be a whole number of at least 0, got inf"),
}


@pytest.mark.parametrize("what", STATES)
def test_a_state_that_no_adam_writes_is_refused_and_changes_nothing(what):
    (changes, text), (optimizer, _) = STATES[what], after_a_step()
    before = repr(optimizer.state_dict())
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0] |= changes
    saved["state"][0] = {name: value for name, value in saved["state"][0].items() if value is not None}
    with pytest.raises(ValueError, match=text):
        optimizer.load_state_dict(saved)
    assert repr(optimizer.state_dict()) == before


def test_amsgrad_needs_the_largest_average_from_the_first_step():
    (optimizer, _), (plain, _) = after_a_step(amsgrad=True), after_a_step()
    saved = plain.state_dict()
    saved["param_groups"][0]["amsgrad"] = True
    with pytest.raises(ValueError, match="holds step, exp_avg, exp_avg_sq, but no max_exp_avg_sq"):
        optimizer.load_state_dict(saved)
    plain.param_groups[0]["amsgrad"] = True
    with pytest.raises(ValueError, match="holds step, exp_avg, exp_avg_sq, but no max_exp_avg_sq"):
        plain.step()


def two_groups(*rates):
    return Adam([{"params": [parameter()], "lr": lr} for lr in rates])


def test_a_state_brings_its_options_or_where_one_is_wrong_none():
    optimizer = two_groups(0.1, 0.2)
    optimizer.load_state_dict(two_groups(0.3, 0.4).state_dict())
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.4]
    wrong = two_groups(0.5, 0.6).state_dict()
    wrong["param_groups"][1]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr must be at least 0, got -1.0"):
        optimizer.load_state_dict(wrong)
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.4]


def test_a_loaded_state_takes_the_parameters_dtype_and_place():
    state = {0: {"step": 3, "exp_avg": [0.5, 1.5], "exp_avg_sq": np.ones(2)}}
    single = Parameter(np.zeros(2, np.float32))
    optimizer = Adam([single])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    loaded = optimizer.state[single]
    assert [type(loaded[name]) for name in ("exp_avg", "exp_avg_sq")] == [np.ndarray] * 2
    assert loaded["exp_avg"].dtype == loaded["exp_avg_sq"].dtype == np.float32
    assert loaded["exp_avg"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize("make", [lambda p: Adam([p], lr=0.1, amsgrad=True), lambda p: SGD([p], lr=0.1, momentum=0.9)])
def test_a_state_dict_is_alive_as_torchs_in_all_its_parts(make):
    """What was kept after one step equals what there is after three; a deep copy stays
    as it was.
    """
    p = nn.Parameter(np.array([1.0, 2.0]))
    optimizer = make(p)
    kept = []
    for i in range(3):
        p.grad = np.array([1.0, -1.0 - i])
        optimizer.step()
        kept += [] if kept else [optimizer.state_dict(), copy.deepcopy(optimizer.state_dict())]
    now = optimizer.state_dict()["state"][0]
    for name, value in now.items():
        np.testing.assert_array_equal(kept[0]["state"][0][name], value)
        assert not np.array_equal(kept[1]["state"][0][name], value)
    optimizer.load_state_dict(kept[1])
    assert repr(optimizer.state_dict()["state"]) == repr(kept[1]["state"])


@pytest.mark.parametrize(
    ("groups", "kind", "text"),
    [
        (lambda p, q: [{"params": {p, q}}], TypeError, "params is a set, which has no order"),
        (
            lambda p, q: [{"params": [("a", p)]}, {"params": [q]}],
            ValueError,
            "the first group has names, group 1 has none",
        ),
        (
            lambda p, q: [{"params": [p]}, {"params": [("b", q)]}],
            ValueError,
            "the first group has none, group 1 has names",
        ),
    ],
    ids=["a set", "names and none", "none and names"],
)
def test_groups_that_torch_refuses_are_refused(groups, kind, text):
    with pytest.raises(kind, match=text):
        SGD(groups(nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))), lr=0.1)
    with pytest.raises(kind):
        torch.optim.SGD(groups(torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))), lr=0.1)
