"""Numbers at the edges: losses that are no longer finite, inputs from 1e-45 to 1e38,
learning rates that cannot be meant.
"""

import csv
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minicnn
from minicnn import nn, optim
from minicnn.agree import bounds, judge
from minicnn.agree.trials import OPERATIONS
from minicnn.kernels import arrays
from minicnn.train import Diverged, main, train_epoch
from tests.support.oracle import torch  # skips without torch, and keeps it to one thread

BACKENDS = ["numpy", "numba", "torch"]
MOST = float(np.finfo(np.float32).max)


# ------------------------------------------------------------ a loss that is not finite


def weighted(backend):
    """One logit for each input, and how to hand over arrays."""
    minicnn.set_backend(backend)
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].weight.data, model[0].bias.data = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
    if backend != "torch":
        return model, np.asarray
    model.to(torch.device("cpu"))
    return model, torch.tensor


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy remarks on the overflow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("images", "loss"),
    [([[math.nan, 0]], "nan"), ([[math.inf, 0]], "nan"), ([[3e38, -3e38]], "inf")],
    ids=["nan", "inf", "overflow"],
)
@pytest.mark.parametrize("step", [1, 3])
def test_the_step_that_is_named_is_the_first_whose_loss_is_not_finite(backend, images, loss, step):
    model, given_as = weighted(backend)
    good, bad = (given_as(np.array(rows, np.float32)) for rows in ([[1, 0]], images))
    target = given_as(np.array([1]))
    batches = [((bad if number >= step else good), target) for number in range(1, 6)]
    arguments = (model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), batches)
    with pytest.raises(Diverged, match=f"^the loss of step {step} is {loss}$"):
        train_epoch(*arguments, allow_nan=False)
    assert not math.isfinite(train_epoch(*arguments, allow_nan=True)[0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_command_names_step_causes_and_what_was_kept(tmp_path, monkeypatch, capsys, backend):
    monkeypatch.chdir(tmp_path)
    flags = ["--train-size", "96", "--val-size", "8", "--batch-size", "8", "--epochs", "2", "--no-plots"]
    flags += ["--backend", backend, "--threads", "1", "--lr", "1e12", *(["--device", "cpu"] * (backend == "torch"))]
    losses = []

    class Noting(nn.CrossEntropyLoss):
        def forward(self, input, target):
            loss = super().forward(input, target)
            losses.append((self.training, float(arrays.checkable_values(loss))))
            return loss

    monkeypatch.setattr("minicnn.tasks.digits.CrossEntropyLoss", Noting)
    assert main([*flags, "--out", "run"]) == 1
    err = capsys.readouterr().err
    step = int(re.search(r"Epoch 1: the loss of step (\d+) is (nan|inf)\. ", err)[1])
    trained = losses[1:]  # the first was the validation before the training
    assert len(trained) == step
    assert [math.isfinite(loss) for _, loss in trained] == [True] * (step - 1) + [False]
    assert "Most often the learning rate is too high (it is 1e+12: try a tenth), or the data hold" in err
    assert err.endswith("No epoch was finished; run holds config.json and the initial state only.\n")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_network_that_broke_in_the_last_step_of_an_epoch_is_not_kept(tmp_path, monkeypatch, capsys):
    """Its own loss was still finite: the validation shows it."""
    monkeypatch.chdir(tmp_path)
    flags = ["--train-size", "8", "--val-size", "8", "--batch-size", "8", "--epochs", "3", "--no-plots"]
    flags += ["--backend", "numpy", "--lr", "1e30"]
    assert main([*flags, "--out", "run"]) == 1
    printed = capsys.readouterr()
    assert re.search(r"\nEpoch 1: the mean validation loss is (nan|inf)\. Most often the learning rate", printed.err)
    assert "Epoch 1/3" not in printed.out
    assert not Path("run", "metrics.csv").exists()
    assert main([*flags, "--out", "other", "--allow-nan"]) == 0
    with Path("other", "metrics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


# ------------------------------------------------------------------------ huge and tiny


exponents = st.floats(-45, 38.3)


def run(program):
    names = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch remarks on 'same' padding of even kernels
        exec(compile(program, "<trial>", "exec"), names)  # noqa: S102 - the text that a failure shows
    return names


def scaled(text, exponent):
    """The drawn values brought to this size; a few zeros and the largest numbers of all
    stay possible.
    """
    return (
        f"(lambda a: (a.astype(float) / max(float(np.abs(a).max(initial=0)), 1e-300) * {10.0**exponent!r})"
        f".clip(-{MOST!r}, {MOST!r}).astype(DTYPE))({text})"
    )


def in_float32(program):
    """The same trial, whose torch computes as coarsely as we do."""
    double = "np.asarray(array, np.float64 if"
    assert double in program, f"the program converts otherwise now:\n{program}"
    return program.replace(double, "np.asarray(array, np.float32 if")


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_the_slope_of_a_mean_square_is_finite_where_twice_the_distance_is_not(backend):
    x, target = np.zeros(32, np.float32), np.full(32, 3e38, np.float32)
    with minicnn.use_backend(backend):
        grad = minicnn.nn.functional.mse_loss_backward(1.0, x, target)
    np.testing.assert_allclose(grad, -2 * 3e38 / 32, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in bounds.OPTIMISERS])
@given(seed=st.integers(0, 2**32 - 1), sizes=st.tuples(exponents, exponents, exponents, exponents))
# mse_loss with weights: their products with the distances, or with a gradient not yet
# divided, are no float32; the result is.
@example(seed=731, sizes=(38.0, 0.0, 0.0, 0.0))
@example(seed=1, sizes=(0.0, 38.25, 0.0, 0.0))
# layer_norm: the gradient times the weight is no float32; divided by the deviation it is.
@example(seed=4, sizes=(20.0, 0.0, 38.0, 0.0))
# gelu: the gradient times twice the slope is no float32.
@example(seed=14, sizes=(0.0, 38.25, 0.0, 0.0))
def test_results_are_finite_where_torchs_are_and_as_near_as_ever(backend, name, seed, sizes):
    """Where even the sum of the absolute values is a float32: beyond that the order of
    summation decides, and is nobody's promise. What lies below the smallest normal
    number has the smallest denormal as its unit; losses and pointwise functions divide
    by such numbers, so there nearness is judged from 1e-30 on.
    """
    trial = OPERATIONS[name](np.random.default_rng(seed))
    free = [array for array in trial.arrays if array not in ("target", "weight", "pos_weight") or not trial.keywords]
    free = [array for array in free if not (name == "binary_cross_entropy" and array != "grad_output")]
    free = [array for array in free if "integers" not in trial.arrays[array] and array != "target"]
    if name == "mse_loss":
        free.append("target")
    changed = dict(trial.arrays)
    for array, exponent in zip(free, sizes, strict=False):
        changed[array] = scaled(trial.arrays[array], exponent)
    trial = trial._replace(arrays=changed)
    program = trial.program(backend, "float32", seed)
    names = run(program)
    single = run(in_float32(program))["expected"]
    allowed = dict(zip(names["results"], judge._allowed(trial, names, "float32"), strict=True))
    for result, wanted in names["expected"].items():
        ours, theirs = np.asarray(names["results"][result]), single[result]
        assert ours.shape == theirs.shape
        bound = np.broadcast_to(np.asarray(allowed[result], np.float64), ours.shape)
        safe = np.isfinite(theirs) & (np.abs(wanted) <= MOST)  # torch's variance may overflow: then it has 0
        if trial.terms and name != "max_pool2d":
            safe &= bound / np.finfo(np.float32).eps < MOST / 2
        assert np.isfinite(ours[safe]).all(), f"{result}: {ours[safe]} where torch has {theirs[safe]}\n{program}"
        judged = safe & np.isfinite(bound) & np.isfinite(wanted)
        if trial.terms or min(sizes) > -30:
            error = np.abs(ours[judged] - wanted[judged])
            count = max(trial.terms) if trial.terms else 8 + 2 * max(np.size(names[array]) for array in trial.arrays)
            unit = (count + 1) * 2.0**-149  # a loss adds up as many denormal numbers as there are, with weights up to 3
            if not trial.terms:  # a slope may be a denormal number before it is multiplied
                unit *= 1 + float(np.abs(names["grad_output"].astype(np.float64)).max(initial=0))
            assert (error <= bound[judged] + unit).all(), f"{result}: {error.max()}\n{program}"


rates = st.floats(-45, 37.2).map(lambda exponent: 10.0**exponent)  # beyond, torch refuses lr / (1 - 0.95)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["Adam", "SGD"])
@given(seed=st.integers(0, 2**32 - 1), lr=rates, size=exponents)
# lr times the gradient is no float32, the parameter minus it is: torch fuses the two
# where the processor can, else it has -inf.
@example(seed=31, lr=10.0, size=38.0)
def test_a_parameter_stays_finite_where_torchs_does(backend, name, seed, lr, size):
    trial = OPERATIONS[name](np.random.default_rng(seed))
    trial = trial._replace(
        arrays=trial.arrays | {"grads": scaled(trial.arrays["grads"], size)}, options=trial.options | {"lr": lr}
    )
    program = trial.program(backend, "float32", seed)
    names = run(in_float32(program))
    ours, theirs = names["results"]["param"], names["expected"]["param"]
    both = np.isfinite(theirs)
    if name == "SGD":  # beyond, the order of the sum decides, and whether a product is rounded before it is added
        size = bounds.sgd_magnitudes(names["start"], list(names["grads"]), **trial.options)["param"]
        both &= size < MOST / 2
    assert np.isfinite(ours[both]).all(), f"{ours[both]} where torch has {theirs[both]}\n{program}"
