"""The course's network, fitted to the data that people bring: any size, one or three
channels, any number of classes.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn import evaluate, onnx, train
from minicnn.models import SimpleCNN
from minicnn.tasks import Classifier
from minicnn.trained import Trained
from tests.support.commands import config, refused

FLAGS = ["--epochs", "1", "--backend", "numpy", "--quiet", "--no-plots", "--threads", "1"]


def fit(capsys, *flags):
    """Train, and forget what was said."""
    assert train.main([*FLAGS, *flags, "--out", "run"]) == 0
    capsys.readouterr()


def shades(folder, C=3, size=(9, 12), classes=("dark", "light", "middle"), count=14):
    """A folder of pictures for each class, which differ in how bright they are."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(classes):
        Path(folder, name).mkdir(parents=True)
        for i in range(count):
            level = 40 + 160 * k // len(classes)
            pixels = rng.integers(level, level + 40, (*size, C) if C == 3 else size, dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder, name, f"{i:02d}.png"))
    return str(folder)


@pytest.mark.parametrize(("C", "size", "K"), [(3, (9, 12), 3), (1, (4, 4), 2), (1, (17, 8), 49)])
def test_the_network_fits_the_data_and_the_run_remembers_it(capsys, C, size, K):
    classes = [f"kind {k:02d}" for k in range(K)]
    data = shades("pictures", C, size, classes, count=7)
    assert train.main([*FLAGS, "--data", data, "--out", "run"]) == 0
    kept = config("run")
    assert (kept["input_shape"], kept["outputs"], kept["classes"]) == ([C, *size], K, classes)
    assert (kept["train_size"], kept["val_size"]) == (6 * K, K)
    trained = Trained("run", Classifier)
    assert trained.model.input_shape == (C, *size)
    assert trained.task.classes == tuple(classes)
    assert evaluate.main(["run"]) == 0  # on the data that it was trained with
    printed = capsys.readouterr().out
    assert f"{data}: {K:,} test images" in printed
    assert "as its last epoch" in printed
    assert classes[-1] in printed


def test_the_network_learns_what_tells_the_classes_apart():
    data = shades("pictures", count=70)
    flags = ["--epochs", "6", "--backend", "numpy", "--quiet", "--batch-size", "16", "--threads", "1"]
    assert train.main([*flags, "--data", data, "--out", "run", "--target-accuracy", "0.9"]) == 0
    assert Path("run/mistakes.png").stat().st_size > 5000
    assert Path("run/confusion.png").stat().st_size > 5000


def test_a_run_whose_data_are_gone_asks_where_they_are(capsys):
    data = shades("pictures", C=1)
    fit(capsys, "--data", data)
    Path(data).rename("elsewhere")
    sentence = refused(capsys, evaluate, "run")
    assert sentence == "run was trained with pictures, which is not there: say with --data where its data are now."
    assert evaluate.main(["run", "--data", "elsewhere"]) == 0


def test_other_images_than_the_network_reads_are_refused(capsys):
    fit(capsys, "--data", shades("pictures"))
    other = shades("other", C=1, size=(8, 8))
    assert refused(capsys, evaluate, "run", "--data", other) == (
        "SimpleCNN reads colour images of 9x12 pixels with labels from 0 to 2;"
        " --data other has grey images of 8x8 and labels up to 2."
    )


def test_a_run_on_own_data_goes_on_to_the_same_bits():
    data = shades("pictures", C=1)
    flags = [*FLAGS[2:], "--data", data, "--batch-size", "8"]
    assert train.main(["--epochs", "2", *flags, "--out", "whole"]) == 0
    assert train.main(["--epochs", "1", *flags, "--out", "parts"]) == 0
    assert train.main(["--resume", "parts", "--epochs", "2", "--quiet", "--no-plots"]) == 0
    assert Path("whole/model.safetensors").read_bytes() == Path("parts/model.safetensors").read_bytes()


def test_its_onnx_takes_its_images(capsys):
    pytest.importorskip("onnx")
    fit(capsys, "--data", shades("pictures"))
    assert onnx.main(["run", "model.onnx"]) == 0
    assert "input (N, 3, 9, 12)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("input_shape", [1, 28], "expected input_shape [C, H, W] and outputs as whole numbers"),
        ("input_shape", [1, 28, "28"], "expected input_shape [C, H, W] and outputs as whole numbers"),
        ("input_shape", [1, 100000, 100000], "at most 262,144 pixels"),
        ("input_shape", [2, 28, 28], "expected 1 or 3 channels"),
        ("input_shape", [1, 3, 28], "at least one channel and 4 x 4 pixels"),
        ("outputs", 10**9, "1,000 classes"),
        ("outputs", 0, "as whole numbers"),
        ("classes", ["a"], "expected the names of 3 classes"),
        ("classes", "abc", "expected the names of 3 classes"),
    ],
)
def test_a_configuration_that_no_data_set_has_is_refused(capsys, entry, value, words):
    fit(capsys, "--data", shades("pictures"))
    changed = config("run") | {entry: value}
    Path("run/config.json").write_text(json.dumps(changed))
    assert words in refused(capsys, evaluate, "run")


def test_runs_that_name_no_shape_are_the_courses():
    assert train.main([*FLAGS, "--train-size", "64", "--val-size", "10", "--out", "run"]) == 0
    kept = {name: value for name, value in config("run").items() if name not in ("input_shape", "outputs", "classes")}
    Path("run/config.json").write_text(json.dumps(kept))
    trained = Trained("run", Classifier)
    assert (trained.model.input_shape, trained.task.classes) == ((1, 28, 28), tuple("0123456789"))


@pytest.mark.parametrize("shape", [(1, 3, 28), (1, 28, 3), (0, 28, 28)])
def test_images_too_small_for_two_poolings_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"SimpleCNN: input_shape must be \(C, H, W\) with at least one channel and 4 x 4"
    ):
        SimpleCNN(input_shape=shape)


def test_the_courses_network_is_the_same_bit_for_bit():
    minicnn.manual_seed(3)
    plain = SimpleCNN().state_dict()
    minicnn.manual_seed(3)
    fitted = SimpleCNN(10, (1, 28, 28)).state_dict()
    assert all(np.array_equal(plain[name], fitted[name]) for name in plain)
