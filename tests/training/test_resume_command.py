"""`--resume`: a killed training goes on, and ends with the bits of one that never stopped."""

import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import train
from minicnn.train import main
from tests.support.commands import config, refused, rows, start, weights

FLAGS = ["--epochs", "4", "--train-size", "100", "--val-size", "20", "--batch-size", "16", "--shuffle", "--no-plots"]
BACKENDS = list(minicnn.kernels.SETS)


def bits(folder):
    """Everything in a run folder that does not tell the time."""
    figures = [{name: value for name, value in row.items() if name != "seconds"} for row in rows(folder)]
    return figures, *(Path(folder, name).read_bytes() for name in ("model.safetensors", "filters.safetensors"))


@pytest.mark.parametrize(("backend", "seed"), [*((name, 0) for name in BACKENDS), ("numpy", 1), ("numpy", 2)])
def test_killed_at_random_moments_it_ends_with_the_same_bits(backend, seed):
    if backend == "torch":
        pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    flags = [*FLAGS, "--backend", backend, "--threads", "1", "--seed", str(seed)]
    started = start(*flags, "--out", "whole")
    _, error = started.communicate()
    assert started.returncode == 0, error

    moments, kills = random.Random(seed), 0
    more = [*flags, "--out", "killed"]
    for _ in range(3):
        process = start(*more, "--quiet")
        checkpoint = Path("killed", "checkpoint.safetensors")
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns != before):
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.25))  # four epochs take about that long
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        more = ["--resume", "killed"]
    started = start("--resume", "killed")
    _, error = started.communicate()
    assert started.returncode == 0, error
    assert bits("killed") == bits("whole")
    assert kills, "every training ended before it was killed"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_stopped_between_epochs_it_goes_on_as_if_it_had_not(backend):
    flags = [*FLAGS, "--backend", backend, "--quiet"]
    assert main([*flags, "--out", "whole"]) == 0
    assert main([*flags, "--out", "begun", "--epochs", "1"]) == 0
    assert main(["--resume", "begun", "--epochs", "4"]) == 0
    assert bits("begun") == bits("whole")
    assert config("begun")["epochs"] == 4


def test_another_learning_rate_holds_from_there_on():
    flags = [*FLAGS, "--backend", "numpy", "--quiet"]
    assert main([*flags, "--out", "whole", "--epochs", "3"]) == 0
    for out, rate in (("same", "1e-3"), ("other", "1e-12")):
        assert main([*flags, "--out", out, "--epochs", "2"]) == 0
        after_two = weights(out)
        assert main(["--resume", out, "--epochs", "3", "--lr", rate]) == 0
    assert bits("same") == bits("whole")
    assert config("other")["lr"] == 1e-12
    for name, value in weights("other").items():  # so small a rate moves nothing by more than a rounding or two
        np.testing.assert_allclose(value, after_two[name], rtol=0, atol=1e-9)
    assert any(not np.array_equal(value, weights("other")[name]) for name, value in weights("whole").items())


@pytest.mark.parametrize("kept", ["model.safetensors", ""])
def test_a_training_may_begin_with_the_weights_of_another(capsys, kept):
    flags = [*FLAGS, "--backend", "numpy"]
    assert main([*flags, "--out", "first", "--epochs", "1"]) == 0
    path = str(Path("first", kept))
    capsys.readouterr()
    assert main([*flags, "--weights", path, "--epochs", "1", "--lr", "1e-12", "--out", "second"]) == 0
    assert f"parameters, the weights in {path}\n" in capsys.readouterr().out
    before, after = weights("first"), weights("second")
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-9)
    assert config("second")["weights"] == path
    shutil.rmtree("first")  # going on needs it no longer
    assert main(["--resume", "second", "--epochs", "2"]) == 0
    assert config("second")["weights"] == path


def test_weights_that_do_not_fit_are_refused(capsys):
    flags = [*FLAGS, "--backend", "numpy", "--quiet"]
    assert main([*flags, "--task", "parity", "--epochs", "1", "--out", "parity"]) == 0
    capsys.readouterr()
    assert refused(capsys, train, *flags, "--weights", "parity").startswith("--weights parity does not fit: ")
    assert refused(capsys, train, *flags, "--weights", "nowhere") == "[Errno 2] No such file or directory: 'nowhere'"


def test_the_best_epoch_is_kept_and_said(capsys, monkeypatch):
    accuracies = iter([0.0, 0.25, 0.75, 0.75, 0.5])  # before the training, and after each epoch
    monkeypatch.setattr(train, "evaluate", lambda *_, **__: (1.0, next(accuracies)))
    assert main([*FLAGS, "--backend", "numpy", "--out", "run", "--epochs", "2", "--best"]) == 0
    best = Path("run", "best.safetensors").read_bytes()
    assert best == Path("run", "model.safetensors").read_bytes()
    assert main(["--resume", "run", "--epochs", "4"]) == 0
    assert Path("run", "best.safetensors").read_bytes() == best != Path("run", "model.safetensors").read_bytes()
    expected = "Final validation accuracy 0.5000, best 0.7500 after epoch 2, whose weights are in best.safetensors\n"
    assert expected in capsys.readouterr().out
    assert refused(capsys, train, *FLAGS, "--resume", "run", "--seed", "1").startswith("--seed: run was begun with 0")


def test_without_best_it_is_said_which_weights_are_kept():
    from minicnn.saved.run_folder import Metrics

    rows = [Metrics(epoch, 1.0, 0.5, 1.0, accuracy, 1.0) for epoch, accuracy in ((1, 0.5), (2, 0.75), (3, 0.625))]
    assert train.final_accuracy(rows, False) == (
        "Final validation accuracy 0.6250, best 0.7500 after epoch 2;"
        " kept are the weights of epoch 3 (--best keeps the best ones too)"
    )
    assert train.final_accuracy(rows[:2], False) == "Final validation accuracy 0.7500, best 0.7500 after epoch 2"


def test_what_was_finished_is_only_drawn_anew(capsys):
    assert main([*FLAGS, "--backend", "numpy", "--out", "run"]) == 0
    before = bits("run")
    assert main(["--resume", "run"]) == 0
    assert bits("run") == before
    assert "Epoch" not in capsys.readouterr().out.rpartition("Run  ")[2]


def test_what_would_change_the_result_is_refused(capsys):
    assert main([*FLAGS, "--backend", "numpy", "--quiet", "--out", "run"]) == 0
    capsys.readouterr()
    for flag, value, was in (("--batch-size", "8", "16"), ("--seed", "3", "0"), ("--backend", "numba", "numpy")):
        expected = f"{flag}: run was begun with {was}, not {value}; to change it begin a new training."
        assert refused(capsys, train, "--resume", "run", "--epochs", "9", flag, value) == expected
    assert (
        refused(capsys, train, "--resume", "run", "--epochs", "2") == "--epochs 2: run has finished 4 epochs already."
    )
    assert (
        refused(capsys, train, "--resume", "run", "--out", "new")
        == "--resume goes on in the folder it names; leave out --out."
    )
    found = refused(capsys, train, "--resume", "nowhere")
    assert found == "--resume nowhere: there is no checkpoint.safetensors in it; name the folder of a training."


def test_other_data_are_refused(capsys, tmp_path):
    from minicnn.data.idx import write_idx
    from minicnn.data.mnist import MNIST

    assert main([*FLAGS, "--backend", "numpy", "--quiet", "--out", "run"]) == 0
    for of_training, kind in ((True, "train"), (False, "t10k")):
        data = MNIST(train=of_training)
        images = data.images[:100].copy()
        images[7, 14, 14] ^= of_training  # one pixel of one training image
        write_idx(tmp_path / f"{kind}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{kind}-labels-idx1-ubyte", data.labels[:100].astype("u1"))
    capsys.readouterr()
    found = refused(capsys, train, "--resume", "run", "--epochs", "9", "--data", str(tmp_path))
    assert found.startswith("run/checkpoint.safetensors was written with another data: ")


def test_data_in_a_folder_whose_name_looks_like_a_flag():
    from minicnn.data.idx import write_idx
    from minicnn.data.mnist import MNIST

    Path("-data").mkdir()
    for of_training, kind in ((True, "train"), (False, "t10k")):
        data = MNIST(train=of_training)
        write_idx(Path("-data", f"{kind}-images-idx3-ubyte"), data.images[:100])
        write_idx(Path("-data", f"{kind}-labels-idx1-ubyte"), data.labels[:100].astype("u1"))
    flags = [*FLAGS, "--backend", "numpy", "--quiet"]
    assert main([*flags, "--epochs", "1", "--data=-data", "--out", "run"]) == 0
    assert main(["--resume", "run", "--epochs", "2"]) == 0
    assert config("run")["data"] == "-data"


def test_a_damaged_checkpoint_is_refused(capsys):
    assert main([*FLAGS, "--backend", "numpy", "--quiet", "--out", "run"]) == 0
    path = Path("run", "checkpoint.safetensors")
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert "run/checkpoint.safetensors is damaged" in refused(capsys, train, "--resume", "run", "--epochs", "9")


def test_a_folder_in_use_is_refused(capsys):
    from minicnn.saved import checkpoints
    from minicnn.saved.run_folder import Run

    assert main([*FLAGS, "--backend", "numpy", "--quiet", "--out", "run"]) == 0
    capsys.readouterr()
    begun = checkpoints.load(Path("run", "checkpoint.safetensors"))
    other = Run.reopen(Path("run"), begun.config, begun.history)
    try:
        found = refused(capsys, train, "--resume", "run", "--epochs", "9")
        assert found == "run is in use by another training: wait for it, or stop it."
    finally:
        other.lock.release()


def test_a_folder_in_which_another_training_went_on_meanwhile_is_refused():
    from minicnn.saved import checkpoints
    from minicnn.saved.run_folder import Run

    assert main([*FLAGS, "--backend", "numpy", "--quiet", "--out", "run"]) == 0
    begun, before = checkpoints.load(Path("run", "checkpoint.safetensors")), bits("run")
    with pytest.raises(FileExistsError, match="run: another training went on meanwhile, from epoch 3 to 4"):
        Run.reopen(Path("run"), begun.config, begun.history[:3])
    assert bits("run") == before


def test_a_folder_without_a_checkpoint_is_refused(capsys):
    Path("run").mkdir()
    Path("run", "config.json").write_text("{}")
    found = refused(capsys, train, "--resume", "run")
    assert found == "--resume run: its training was stopped before it kept anything; remove the folder and begin anew."


def test_terminated_it_says_so_and_keeps_what_was_finished():
    process = start(*FLAGS, "--epochs", "400", "--backend", "numpy", "--out", "run")
    for line in process.stdout:
        if line.startswith("Epoch 1/"):
            break
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate()
    assert process.returncode == 143
    assert error.startswith("\nTerminated. run holds the metrics of epoch")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy tells of the overflow too
@pytest.mark.parametrize("flags", [[], ["--allow-nan"]], ids=["stops", "goes on"])
def test_a_loss_that_is_not_finite(capsys, flags):
    status = main([*FLAGS, "--backend", "numpy", "--lr", "1e30", "--out", "run", "--epochs", "2", *flags])
    printed = capsys.readouterr()
    if flags:
        assert status == 0
        assert "Epoch 2/2 - Train Loss: nan" in printed.out
        return
    assert status == 1
    assert "Epoch 1: the loss of step " in printed.err
    assert "the learning rate is too high (it is 1e+30: try a tenth)" in printed.err
    assert "No epoch was finished; run holds config.json and the initial state only." in printed.err


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_on_a_gpu_that_is_not_finite_is_noticed_after_the_epoch_as_the_help_says(capsys, monkeypatch):
    monkeypatch.setattr(
        train, "checkable_values", lambda loss: np.empty(0)
    )  # as of a tensor on another device than the CPU
    assert main([*FLAGS, "--backend", "numpy", "--lr", "1e30", "--out", "run"]) == 1
    assert "Epoch 1: the mean loss is nan" in capsys.readouterr().err
    help_of_the_flag = " ".join(train.make_parser().format_help().partition("--allow-nan ")[2].split())
    assert "on a GPU, which would have to wait for that, after each epoch)" in help_of_the_flag
