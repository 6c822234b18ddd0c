"""`python -m minicnn.train`: every flag, every refusal, every way to end."""

import gzip
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import train
from minicnn.models import SimpleCNN
from minicnn.saved.run_folder import Run
from minicnn.train import main
from tests.support import commands
from tests.support.commands import SMALL, config, losses, metrics, names, rows, start, weights

LINE = re.compile(
    r"Epoch (\d+)/(\d+) - Train Loss: (\d+\.\d{4}), Train Acc: ([01]\.\d{4})"
    r" - Val Loss: (\d+\.\d{4}), Val Acc: ([01]\.\d{4})"
)
FILES = ["checkpoint.safetensors", "config.json", "filters.safetensors", "metrics.csv", "model.safetensors"]
PICTURES = ["confusion.png", "filters.png", "history.png", "mistakes.png"]
KEYS = [
    f"{layer}.{part}" for layer in ("cnn.0", "cnn.3", "linear_block.0", "linear_block.2") for part in ("weight", "bias")
]


def refused(capsys, *flags):
    """The one line with which the flags are refused."""
    sentence = commands.refused(capsys, train, *SMALL, *flags)
    assert "\n" not in sentence
    return sentence


def write_mnist(folder, count=50, side=28, highest_label=9):
    """Two noisy data sets in MNIST's format."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split in ("train", "t10k"):
        labels = np.arange(count) % (highest_label + 1)
        images = rng.integers(0, 256, (count, side, side))
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = np.array([0x800 + array.ndim, *array.shape], ">i4").tobytes()
            content = gzip.compress(header + array.astype(np.uint8).tobytes())
            (folder / f"{split}-{name}-ubyte.gz").write_bytes(content)
    return str(folder)


# ------------------------------------------------------------------------------ what it leaves


def test_says_what_it_does_and_leaves_a_run_folder(capsys):
    assert main([*SMALL, "--epochs", "2", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    plan, results = out.split("\n\n", 1)
    assert plan.splitlines() == [
        "Data      bundled MNIST: 72 training and 24 validation images",
        "Network   SimpleCNN, 215,370 parameters, initial weights from seed 0",
        (
            "Training  epochs: 2, batch size: 64, the same order each epoch,"
            " cross-entropy, Adam with learning rate 0.001"
        ),
        "Backend   numpy, threads: 1",
        f"Run       {Path('runs/simplecnn-seed0')}",
    ]
    before, first, second = results.splitlines()[:3]
    assert re.fullmatch(r"Before training - Val Loss: \d\.\d{4}, Val Acc: 0\.\d{4}", before)
    lines = [LINE.fullmatch(first), LINE.fullmatch(second)]
    assert all(lines)
    assert f"\nFinal validation accuracy {lines[1][6]}, best " in results
    assert "\nThe first images   7 2 1 0 4 1 4 9 5 9" in results
    assert re.search(r"\nare read as        \d( \d){19}\n", results)
    assert re.search(r"\nMost often wrong   \d read as \d \(\d+x\), \d read as", results)
    assert re.search(r"\nTotal time \d+ s\n$", results)
    assert err == ""

    folder = Path("runs/simplecnn-seed0")
    files = sorted([*FILES, *PICTURES])
    assert names(folder) == files
    assert f"{folder} holds {', '.join(files)}\n" in results
    assert list(rows(folder)[0]) == [*("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")]
    for line, row in zip(lines, rows(folder), strict=True):
        epoch, *figures, seconds = row.values()
        assert (epoch, "2", *(f"{float(x):.4f}" for x in figures)) == line.groups()
        assert all(repr(float(x)) == x for x in (*figures, seconds))
        assert float(seconds) > 0
    assert re.fullmatch("[0-9a-f]{64}", config(folder)["data_sha256"])
    assert config(folder) == {
        "task": "digits",
        "epochs": 2,
        "batch_size": 64,
        "lr": 0.001,
        "seed": 0,
        "backend": "numpy",
        "threads": 1,
        "data": None,
        "train_size": 72,
        "val_size": 24,
        "shuffle": False,
        "out": None,
        "no_plots": False,
        "quiet": False,
        "target_accuracy": None,
        "resume": None,
        "weights": None,
        "best": False,
        "allow_nan": False,
        "dtype": "float32",
        "device": "numpy",
        "tf32": False,
        "deterministic": False,
        "no_graph": False,
        "processes": 1,
        "network": "SimpleCNN",
        "parameters": 215370,
        "data_sha256": config(folder)["data_sha256"],
        "input_shape": [1, 28, 28],
        "outputs": 10,
        "classes": list("0123456789"),
    }


def test_the_weights_on_disk_are_those_of_the_last_line():
    assert main([*SMALL, "--no-plots", "--out", "out"]) == 0
    state = weights("out")
    assert sorted(state) == sorted(KEYS)
    assert state["cnn.0.weight"].shape == (16, 1, 5, 5)
    assert sum(array.size for array in state.values()) == 215_370
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}

    model = SimpleCNN()
    model.load_state_dict(state)
    model.eval()
    images, labels = minicnn.data.MNIST(train=False).batch(range(24))
    right = (model(images).argmax(axis=1) == labels).mean()
    assert metrics("out")[-1]["val_accuracy"] == right


def test_one_epoch_learns():
    assert main(["--epochs", "1", "--backend", "numpy", "--no-plots", "--out", "out"]) == 0
    assert config("out")["train_size"] == 5000
    assert config("out")["val_size"] == 1000
    assert metrics("out")[0]["val_accuracy"] >= 0.85


def test_losses_are_averaged_over_images_not_over_batches(capsys):
    """With a learning rate too small to matter, 64 + 32 images give what 96 at once give."""
    for batch_size in ("64", "96"):
        flags = ["--no-plots", "--lr", "1e-12", "--batch-size", batch_size]
        assert main([*SMALL, "--train-size", "96", "--val-size", "96", *flags, "--out", batch_size]) == 0
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        first, second = (metrics(out)[0][name] for out in ("64", "96"))
        assert first == pytest.approx(second, rel=1e-6), name


# --------------------------------------------------------------------------------------- flags


def test_seed_decides_everything():
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert main([*SMALL, "--no-plots", "--seed", seed, "--out", out]) == 0
    assert losses("a") == losses("b") != losses("c")
    assert all(np.array_equal(weights("a")[key], weights("b")[key]) for key in KEYS)


def test_shuffle_draws_an_order_that_the_seed_repeats(capsys):
    for out, flags in (("a", ["--shuffle"]), ("b", ["--shuffle"]), ("c", [])):
        assert main([*SMALL, "--no-plots", *flags, "--out", out]) == 0
        assert ("a new order each epoch" in capsys.readouterr().out) == bool(flags)
    assert losses("a") == losses("b") != losses("c")


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (["--batch-size", "13"], "batch_size", 13),
        (["--lr", "0.01"], "lr", 0.01),
        (["--train-size", "50"], "train_size", 50),
        (["--val-size", "7"], "val_size", 7),
    ],
)
def test_a_flag_reaches_configuration_and_training(flags, name, value):
    assert main([*SMALL, "--no-plots", "--out", "plain"]) == 0
    assert main([*SMALL, "--no-plots", *flags, "--out", "changed"]) == 0
    assert config("changed")[name] == value != config("plain")[name]
    assert losses("changed") != losses("plain")


def test_threads():
    assert main([*SMALL, "--no-plots", "--threads", "2", "--out", "out"]) == 0
    assert config("out")["threads"] == minicnn.get_num_threads() == 2


def test_data(tmp_path, capsys):
    folder = write_mnist(tmp_path / "mnist")
    flags = ["--train-size", "50", "--val-size", "20", "--data", folder, "--no-plots", "--out", "out"]
    assert main([*SMALL, *flags]) == 0
    assert f"Data      {folder}: 50 training and 20 " in capsys.readouterr().out
    assert config("out")["data"] == folder


def test_no_plots():
    assert main([*SMALL, "--no-plots", "--out", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir() if path.name != ".lock") == FILES


def test_quiet_prints_the_epochs_and_nothing_else(capsys):
    assert main([*SMALL, "--epochs", "2", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert [bool(LINE.fullmatch(line)) for line in out.splitlines()] == [True, True]
    assert err == ""
    assert sorted(path.name for path in Path("runs/simplecnn-seed0").glob("*.png")) == PICTURES


@pytest.mark.parametrize(("target", "status"), [("0", 0), ("1", 1)])
def test_target_accuracy(capsys, target, status):
    assert main([*SMALL, "--no-plots", "--target-accuracy", target, "--out", "out"]) == status
    reached = metrics("out")[0]["val_accuracy"]
    sentence = f"Accuracy {reached:.4f} is below the target 1.0."
    assert (sentence in capsys.readouterr().err) == bool(status)


def test_default_run_folders_never_collide():
    for _ in range(2):
        assert main([*SMALL, "--no-plots", "--seed", "7"]) == 0
    assert sorted(os.listdir("runs")) == ["simplecnn-seed7", "simplecnn-seed7-2"]


def test_help_is_complete_and_loads_nothing_heavy():
    code = """
import sys
from minicnn.train import main
try:
    main(["--help"])
finally:
    heavy = {"numba", "matplotlib", "torch", "pooch"} & set(sys.modules)
    print(f"heavy: {heavy or None}")
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=commands.environment(),
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0
    assert "heavy: None" in found.stdout
    flags = "task epochs batch-size lr latent-dim seed backend threads data train-size val-size shuffle out no-plots"
    for flag in [*flags.split(), "quiet", "target-accuracy"]:
        assert f"--{flag} " in found.stdout
    for default in ("10", "64", "0.001", "0", "5000, or all if there are fewer", "1000, or all if there are fewer"):
        assert f"(default: {default})" in " ".join(found.stdout.split())
    assert "examples:\n  python -m minicnn.train" in found.stdout


# ------------------------------------------------------------------------------------ refusals

COUNT = "expected a whole number of at least 1, got"
THREADS = "expected a whole number from 1 to 1024, got"
RATE = "expected a finite number above 0, got"
SHARE = "expected a share from 0 to 1, such as 0.95, got"


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        *((flag, "0", COUNT) for flag in ("--epochs", "--batch-size")),
        *((flag, "0", COUNT) for flag in ("--train-size", "--val-size")),
        *(("--epochs", value, COUNT) for value in ("-3", "2.5", "ten", "")),
        *(("--threads", value, THREADS) for value in ("0", "99999999999999999999", "all")),
        *(("--lr", value, RATE) for value in ("nan", "inf", "0", "-1", "fast")),
        *(("--target-accuracy", value, SHARE) for value in ("95", "-0.1", "nan", "high")),
        *(("--seed", value, "expected a whole number of at least 0, got") for value in ("-1", "x")),
    ],
)
def test_a_value_that_does_not_fit_is_refused(capsys, flag, value, expected):
    assert refused(capsys, f"{flag}={value}") == f"argument {flag}: {expected} {value!r}"


def test_an_unknown_flag_is_refused(capsys):
    assert refused(capsys, "--epoch", "3") == "unrecognized arguments: --epoch 3 (did you mean --epochs?)"
    assert refused(capsys, "--verbose=2") == "unrecognized arguments: --verbose=2 (--help lists the flags)"
    assert refused(capsys, "run") == "unrecognized arguments: run"


def test_an_unknown_backend_is_refused(capsys):
    sentence = refused(capsys, "--backend", "abacus")
    assert "'abacus'" in sentence
    assert "numpy" in sentence


@pytest.mark.parametrize(
    ("flag", "size", "kind"),
    [("--train-size", 5000, "training"), ("--val-size", 1000, "validation")],
)
def test_more_images_than_there_are_is_refused(capsys, flag, size, kind):
    assert refused(capsys, flag, str(size + 1)) == (
        f"{flag} {size + 1}: the bundled MNIST has {size} {kind} images;"
        " ask for at most as many, or name a larger data set with --data."
    )


def test_a_missing_data_folder_is_refused_with_the_line_that_fetches_the_data(capsys):
    sentence = refused(capsys, "--data", "nowhere")
    assert sentence.startswith("--data nowhere: there is no such file or folder. Leave --data out for the bundled")
    assert sentence.endswith("""python -c "from minicnn.data import MNIST; MNIST('nowhere', download=True)\"""")


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"side": 20}, "grey images of 20x20 and labels up to 9."),
        ({"highest_label": 25}, "grey images of 28x28 and labels up to 25."),
    ],
)
def test_data_that_an_exercise_cannot_learn_are_refused(tmp_path, capsys, form, found):
    folder = write_mnist(tmp_path / "other", count=100, **form)
    for task in ("parity", "generator"):
        assert refused(capsys, "--task", task, "--data", folder) == (
            f"the task {task} learns grey images of 28x28 pixels with labels from 0 to 9; --data {folder} has {found}"
        )


def test_a_damaged_data_file_is_refused(tmp_path, capsys):
    folder = write_mnist(tmp_path / "damaged", count=100)
    path = tmp_path / "damaged" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    assert "train-images-idx3-ubyte.gz" in refused(capsys, "--data", folder)


def test_an_existing_run_folder_is_refused(tmp_path, capsys):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.csv").write_text("precious")
    assert refused(capsys, "--out", "old").startswith("old exists and is not empty; earlier results")
    assert (tmp_path / "old" / "metrics.csv").read_text() == "precious"


# ----------------------------------------------------------------------------- ways to end


def test_nothing_but_lines_without_a_terminal_and_any_name_fits_any_terminal():
    process = start(*SMALL, "--no-plots", "--out", "Zo\u00eb", env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "Run       Zo\\xeb\n" in out
    assert Path("Zo\u00eb", "model.safetensors").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("flags", "bar"), [([], True), (["--quiet"], False)])
def test_a_bar_on_a_terminal(flags, bar):
    import fcntl
    import termios

    parent, terminal = os.openpty()
    size = struct.pack("HHHH", 24, 80, 0, 0)  # a new pseudo-terminal is 0 columns wide
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    with start(*SMALL, "--no-plots", *flags, stderr=terminal) as process:
        os.close(terminal)
        assert process.wait(timeout=60) == 0
    os.set_blocking(parent, False)
    try:
        drawn = os.read(parent, 10_000)
    except OSError:  # nothing was written, and the other end is closed
        drawn = b""
    os.close(parent)
    assert (b"Epoch 1/1: " in drawn) == bar


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_ctrl_c_keeps_what_was_finished():
    old = signal.signal(signal.SIGINT, signal.default_int_handler)  # or it may be born deaf to it
    process = start(*SMALL, "--epochs", "10000", "--out", "out")
    signal.signal(signal.SIGINT, old)
    for line in process.stdout:
        if line.startswith("Epoch 2/"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    finished = len(metrics("out"))
    assert finished >= 2
    assert err == f"\nStopped. out holds the metrics of epochs 1 to {finished} and the weights after that.\n"
    assert sorted(weights("out")) == sorted(KEYS)


def test_ctrl_c_before_the_first_epoch_is_finished(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SimpleCNN, "backward", interrupt)
    assert main([*SMALL, "--out", "out"]) == 130
    sentence = "\nStopped. No epoch was finished; out holds config.json and the initial state only.\n"
    assert capsys.readouterr().err == sentence

    monkeypatch.setattr(minicnn, "manual_seed", interrupt)
    assert main([*SMALL, "--out", "other"]) == 130
    assert capsys.readouterr().err == "\nStopped. No training had begun.\n"
    assert not Path("other").exists()


def test_a_closed_pipe_ends_the_training_without_a_traceback():
    with start(*SMALL, "--epochs", "10000", "--out", "out") as process:
        assert process.stdout.readline().startswith("Data ")
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert err.startswith("\nThe output was closed. ")
    assert "out holds" in err
    assert err.count("\n") == 2  # no traceback, and no "Exception ignored" at the end


def test_a_full_disk_is_told_and_earlier_epochs_are_kept(capsys, monkeypatch):
    finish_epoch = Run.finish_epoch

    def fail_later(run, *arguments):
        if run.history:
            raise OSError(28, "No space left on device", "out/model.safetensors")
        finish_epoch(run, *arguments)

    monkeypatch.setattr(Run, "finish_epoch", fail_later)
    assert main([*SMALL, "--epochs", "3", "--out", "out"]) == 1
    err = capsys.readouterr().err
    assert "No space left on device: 'out/model.safetensors'" in err
    assert "out holds the metrics of epoch 1 and the weights after that." in err
    assert len(metrics("out")) == 1


def test_a_sentence_that_ends_with_a_stop_gets_no_other(capsys, monkeypatch):
    def gone(*_):
        raise FileExistsError("out is another training's folder now.")

    monkeypatch.setattr(Run, "finish_epoch", gone)
    assert main([*SMALL, "--out", "out"]) == 1
    assert capsys.readouterr().err.startswith("\nout is another training's folder now. No epoch was finished")
