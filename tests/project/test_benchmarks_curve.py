"""minicnn follows the notebook's code, and `python -m benchmarks curve` would say so if
it did not.
"""

import json

import numpy as np
import pytest

from tests.support.oracle import torch  # isort: skip

import minicnn
from benchmarks import curve
from benchmarks.__main__ import main
from reference.simple_cnn import Figures


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads(), minicnn.get_num_threads()
    yield
    torch.set_num_threads(before[0])
    minicnn.set_num_threads(before[1])


@pytest.mark.parametrize(("dtype", "bar"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_every_kernel_set_follows_the_reference(backend, seed, dtype, bar):
    plan = curve.Plan(epochs=2, seeds=1, train_size=328, val_size=100)  # two times five batches of 64, and one of 8
    ours = curve.follow_minicnn(plan, seed, dtype, backend)
    theirs = curve.follow_reference(plan, seed, dtype)
    assert list(ours.weights) == list(theirs.weights)
    for name, weight in theirs.weights.items():
        assert ours.weights[name].tobytes() == weight.tobytes()
    assert len(ours.losses) == 12
    assert len(set(ours.losses)) == 12  # it learns
    assert curve.deviation(ours.losses[:10], theirs.losses[:10]).max() <= bar
    for ours_epoch, theirs_epoch in zip(ours.epochs, theirs.epochs, strict=True):
        np.testing.assert_allclose(ours_epoch, theirs_epoch, rtol=20 * bar, atol=0)


QUICK = ["curve", "--epochs", "1", "--seeds", "2", "--train-size", "136", "--val-size", "64", "--threads", "1"]


def test_a_quick_run_from_end_to_end(tmp_path, capsys):
    json_file, picture = tmp_path / "curve.json", tmp_path / "curve.png"
    assert main([*QUICK, "--backends", "numpy", "--json", str(json_file), "--plot", str(picture)]) == 0

    found = json.loads(json_file.read_text())
    assert found["plan"] == {"epochs": 1, "seeds": 2, "train_size": 136, "val_size": 64}
    kinds = [(c["dtype"], c["name"], c["seed"]) for c in found["curves"]]
    assert kinds == [(d, n, s) for d in ("float64", "float32") for n in ("reference", "numpy") for s in (0, 1)]
    assert all(len(c["losses"]) == 3 and len(c["epochs"]) == 1 for c in found["curves"])
    assert [claim["holds"] for claim in found["claims"]] == [True, None, True, None, None]  # three steps say little
    printed = capsys.readouterr().out
    first = found["curves"][0]
    assert f"{first['losses'][2]:.14f}" in printed
    assert f"{first['epochs'][0]['val_loss']:.10f}" in printed
    assert "only 3 steps were trained" in printed
    assert printed.count("Seed 1, after") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_one_precision_alone(capsys):
    assert main([*QUICK, "--seeds", "1", "--backends", "numpy", "--dtype", "float32"]) == 0
    assert "float64" not in capsys.readouterr().out.split("---- float32")[1]


def test_another_learning_rate_is_noticed(monkeypatch, capsys):
    adam = curve.Adam
    monkeypatch.setattr(curve, "Adam", lambda parameters, lr: adam(parameters, lr=1.001 * lr))
    assert main([*QUICK, "--backends", "numpy"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("DOES NOT HOLD") == 2  # the first loss of float32 and float64 alike comes before Adam


# ------------------------------------------------------------------------------ judging


def made_up(losses, accuracy=0.9, weight=1.0, epochs=10):
    figures = [Figures(1.0, 0.5, 1.0, accuracy)] * epochs
    return curve.Curve({"w": np.float32([weight])}, list(losses), figures)


def verdicts(dtype, ours, theirs):
    return {claim.what: claim for claim in curve.judge({dtype: {"reference": theirs, "numpy": ours}})}


def test_losses_are_judged_over_the_promised_steps_alone():
    right, late = np.ones(200), np.ones(200)
    late[100:] = 2
    for losses, holds in ((right, True), (late, True), (right + 0.9e-9, True), (right + 1.1e-9, False)):
        found = verdicts("float64", [made_up(losses)], [made_up(right)])
        assert found["float64: losses of the first 100 steps, largest deviation"].holds is holds
    for value in (np.nan, np.inf, 1 + 1.1e-5):
        wrong = right.copy()
        wrong[9] = value
        found = verdicts("float32", [made_up(right), made_up(wrong)], [made_up(right)] * 2)
        assert found["float32: losses of the first 10 steps, largest deviation"].holds is False


def test_first_weights_must_be_the_same_bits():
    found = verdicts("float32", [made_up([1]), made_up([1], weight=-0.0)], [made_up([1]), made_up([1], weight=0.0)])
    claim = found["float32: seeds whose first weights differ in a bit"]
    assert (claim.value, claim.holds) == (1, False)


@pytest.mark.parametrize(
    ("accuracies", "epochs", "value", "holds"),
    [
        ([0.91, 0.90, 0.90, 0.90, 0.90], 10, 0.2, True),
        ([0.91, 0.89, 0.91, 0.89, 0.90], 10, 0.8, False),  # they do not make up for each other
        ([0.91, 0.91, 0.91, 0.91], 10, 1.0, None),
        ([0.91, 0.91, 0.91, 0.91, 0.91], 9, 1.0, None),
    ],
)
def test_final_accuracies_are_judged_on_average(accuracies, epochs, value, holds):
    ours = [made_up([1], accuracy, epochs=epochs) for accuracy in accuracies]
    found = verdicts("float32", ours, [made_up([1], epochs=epochs)] * len(ours))
    claim = found["float32: points between final accuracies, on average"]
    assert claim.value == pytest.approx(value)
    assert claim.holds is holds


# ----------------------------------------------------------------------- the rest of it


@pytest.mark.parametrize(
    "wrong", [["--epochs", "0"], ["--backends", "jax"], ["--dtype", "int8"], ["--plot", "no/folder/x.png"]]
)
def test_what_it_does_not_understand_is_refused_at_once(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["curve", *wrong])
    assert stopped.value.code == 2
    assert "error: argument" in capsys.readouterr().err


def test_among_the_timings_it_says_that_it_goes_alone(capsys):
    with pytest.raises(SystemExit):
        main(["step", "curve"])
    assert "curve goes first and alone" in capsys.readouterr().err
