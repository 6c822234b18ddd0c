"""python -m minicnn.agree: it says yes to what is right, and shows a program that
proves what is wrong.
"""

import re
import subprocess
import sys

import numpy as np
import pytest

import minicnn
from minicnn.agree import __main__ as command
from minicnn.agree.judge import judge
from minicnn.agree.trials import OPERATIONS
from minicnn.kernels import numpy_textbook
from minicnn.nn import functional as F
from tests.support.oracle import torch

RESULTS = {name: 4 for name in ("conv2d", "conv_transpose2d", "linear", "batch_norm", "layer_norm")}
RESULTS |= {name: 1 for name in ("Adam", "AdamW", "Adadelta", "SGD")}


EXACT = ("relu", "max_pool2d", "dropout", "dropout2d", "leaky_relu", "max_unpool2d")  # they round nothing, or once


def drawn(name, n):
    return [OPERATIONS[name](np.random.default_rng((7, i))) for i in range(n)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_textbook_agrees_in_every_result_of_every_operation(name, dtype):
    before = minicnn.get_backend()
    try:
        found = [judge(trial, "numpy", dtype, i) for i, trial in enumerate(drawn(name, 15))]
    finally:
        minicnn.set_backend(before)
    assert all(verdict.worst <= 1 for verdict in found), next(v.program + v.remark for v in found if v.worst > 1)
    assert max(len(verdict.ratios) for verdict in found) == RESULTS.get(name, 2)
    assert name in EXACT or any(verdict.worst > 0 for verdict in found)  # and is really compared


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_torch_set_agrees_with_the_textbook_on_a_device(name, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    found = [judge(trial, "torch", "float32", i, device) for i, trial in enumerate(drawn(name, 15))]
    assert all(verdict.worst <= 1 for verdict in found), next(v.program + v.remark for v in found if v.worst > 1)
    assert max(len(verdict.ratios) for verdict in found) == RESULTS.get(name, 2)
    assert name in EXACT or any(verdict.worst > 0 for verdict in found)


def test_torch_is_not_the_judge_of_the_torch_set(monkeypatch, capsys):
    """A mistake of torch's own, which torch would not see."""
    monkeypatch.setattr(torch, "tanh", off_by_a_thousandth(torch.tanh))
    assert command.main(["tanh", "--backend", "torch", "--device", "cpu", "--examples", "5"]) == 1
    text = capsys.readouterr().out
    assert f"torch {torch.__version__} kernels on cpu in float32 against the textbook set in float64" in text
    program = text[text.index("import numpy as np") :].rsplit("\n\n", 1)[0]
    exec(program, {})  # noqa: S102 - what a user would paste
    found, expected = map(float, capsys.readouterr().out.split())
    assert abs(found - expected) > float(re.search(r"they may differ by (\S+)", text)[1])


def off_by_a_thousandth(function):
    return lambda x: 1.001 * function(x)


def test_every_operation_and_optimiser_is_tried():
    functions = {name for name in F.__all__ if not name.endswith("_backward")} - {"fold", "unfold", "pad"}
    assert functions | {"Adam", "AdamW", "Adadelta", "SGD"} == set(OPERATIONS)


def test_the_configurations_reach_everything():
    """Padding of each kind, slack, groups, dilation, strides, no bias; large ones; and
    no two alike.
    """
    trials = drawn("conv2d", 200)
    options = [trial.options for trial in trials]
    assert {"same", "valid"} <= {option["padding"] for option in options}
    for name in ("stride", "padding", "dilation", "groups"):
        assert len({option[name] for option in options}) >= 3
    assert {len(trial.leaves) for trial in trials} == {2, 3}
    assert max(trial.terms[0] for trial in trials) > 200
    assert len({trial.program("numpy", "float32", 0) for trial in trials}) == 200


# ------------------------------------------------------------------------- planted bugs


def off_by(share):
    def spoil(array):
        array = np.array(array)
        array.flat[-1] *= 1 + share
        return array

    return spoil


PLANTED = {
    "conv2d": "conv2d_grad_weight",
    "conv_transpose2d": "conv2d_grad_input",
    "max_pool2d": "max_pool2d_grad",
    "linear": "grad_bias",
    "sigmoid": "sigmoid_grad",
    "relu": "relu",
    "cross_entropy": "cross_entropy_grad",
    "mse_loss": "mse_loss",
}


@pytest.mark.parametrize("operation", PLANTED)
def test_a_planted_bug_fails_the_command_and_its_program_shows_it(operation, monkeypatch, capsys):
    kernel = PLANTED[operation]
    right = getattr(numpy_textbook, kernel)
    monkeypatch.setattr(numpy_textbook, kernel, lambda *args: off_by(1e-3)(right(*args)))
    assert command.main([operation, "--backend", "numpy", "--examples", "20", "--dtype", "float64"]) == 1
    text = capsys.readouterr().out
    assert re.search(rf"^{operation} +20 .* WRONG$", text, re.MULTILINE)
    program = text[text.index("import numpy as np") :].rsplit("\n\n", 1)[0]
    exec(program, {})  # noqa: S102 - what a user would paste
    found, expected = map(float, capsys.readouterr().out.split())
    allowed = float(re.search(r"they may differ by (\S+)", text)[1])
    assert abs(found - expected) > allowed


def test_what_raises_is_shown_too(monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(numpy_textbook, "tanh", broken)
    assert command.main(["tanh", "--backend", "numpy", "--examples", "2"]) == 1
    assert "# raised ZeroDivisionError: oh" in capsys.readouterr().out


@pytest.mark.parametrize("spoil", [lambda a: a.astype("f8"), lambda a: a[..., None], lambda a: a * np.nan])
def test_another_dtype_another_shape_and_nan_are_wrong(spoil, monkeypatch, capsys):
    right = numpy_textbook.tanh
    monkeypatch.setattr(numpy_textbook, "tanh", lambda *args: spoil(right(*args)))
    assert command.main(["tanh", "--backend", "numpy", "--examples", "3"]) == 1
    assert "inf times what rounding explains" in capsys.readouterr().out


# -------------------------------------------------------------------------- the command


def test_the_same_seed_tries_the_same_and_the_backend_stays(capsys):
    before, texts = minicnn.get_backend(), []
    for seed in ("3", "3", "4"):
        assert command.main(["mse_loss", "SGD", "--backend", "numpy", "--examples", "3", "--seed", seed]) == 0
        texts.append(capsys.readouterr().out.split("\n", 1)[1])
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].rstrip().endswith("All agree.")
    assert minicnn.get_backend() == before
    assert torch.__version__


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["conv3d"], "there is no operation conv3d; choose from conv2d"),
        (["--backend", "jax"], "--backend: invalid choice: 'jax'.*numpy.*numba"),
        (["--examples", "0"], "argument --examples: expected a whole number of at least 1, got '0'"),
        (["--device", "cpu", "--backend", "numpy"], "--device needs --backend torch; the backend numpy computes on"),
        (["--device", "gpu", "--backend", "torch"], "device must be 'auto', 'cpu', 'cuda'.*got 'gpu'"),
        (["--seed", "-1"], "argument --seed: expected a whole number of at least 0, got '-1'"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(arguments, text, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2
    assert re.search(text, capsys.readouterr().err)


def test_without_torch_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        command.main([])
    assert "not installed: pip install 'minicnn[torch]'" in capsys.readouterr().err


def test_help_does_not_wait_for_torch():
    script = "import sys; from minicnn.agree import __main__; print('torch' in sys.modules or 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
