"""minicnn.predict with networks that read other sizes than MNIST's, in grey and in colour."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn import predict, train
from minicnn.data.images import read_pictures
from minicnn.trained import Trained

SHAPES = {"grey": (1, 9, 12), "colour": (3, 12, 9)}  # (C, H, W)
CLASSES = 12


@pytest.fixture(scope="module", params=SHAPES)
def sized(request, tmp_path_factory):
    """A run trained on images of that shape, and test images (N, C, H, W)."""
    shape = SHAPES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4 * CLASSES, *shape), np.uint8)
    stored = images.transpose(0, 2, 3, 1) if shape[0] == 3 else images[:, 0]
    labels = np.arange(len(images)) % CLASSES
    np.savez(folder / "data.npz", x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    flags = ["--data", str(folder / "data.npz"), "--epochs", "1", "--backend", "numpy", "--quiet", "--no-plots"]
    before = minicnn.get_backend()
    assert train.main([*flags, "--out", str(folder / "run")]) == 0
    yield folder / "run", images
    minicnn.set_backend(before)


def save(images, folder):
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(path)
    return [str(path) for path in paths]


def test_pictures_of_the_networks_size_get_the_very_answers_of_the_run(sized, tmp_path, capsys):
    run, images = sized
    assert predict.main([str(run), *save(images[:5], tmp_path), "--csv", "-", "--no-plots"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    trained = Trained(run)
    numbers = images[:5].astype(np.float32) / 255
    expected = trained.task.probabilities(trained.model(numbers))
    found = np.array([[float(row[f"p_{name}"]) for name in trained.task.classes] for row in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert {row["remark"] for row in rows} == {""}


def test_other_sizes_and_colours_are_brought_to_the_networks_and_it_is_said(sized, tmp_path, capsys):
    run, images = sized
    _, H, W = images.shape[1:]
    Image.new("RGBA", (2 * W, 3 * H), (255, 0, 0, 255)).save(tmp_path / "large.png")
    assert predict.main([str(run), str(tmp_path / "large.png"), "--out", str(tmp_path / "seen.png")]) == 0
    printed = capsys.readouterr().out
    assert f"({2 * W}x{3 * H} became {W}x{H}, whatever its proportions!)" in printed
    assert printed.count("%") == CLASSES + 1  # a line for each class
    with Image.open(tmp_path / "seen.png") as drawn:
        assert drawn.width > 100
    (seen,) = read_pictures(tmp_path / "large.png", images.shape[1:])
    red = [255, 0, 0] if images.shape[1] == 3 else [76]  # the grey of red: 299 thousandths
    assert (seen.pixels.reshape(len(red), H, W) == np.array(red)[:, None, None]).all()


@pytest.mark.parametrize("flag", ["--as-is", "--split"])
def test_what_is_said_of_digits_is_refused_for_other_networks(sized, tmp_path, capsys, flag):
    run, images = sized
    with pytest.raises(SystemExit):
        predict.main([str(run), *save(images[:1], tmp_path), flag])
    assert f"{flag} is for networks that read 1x28x28" in " ".join(capsys.readouterr().err.split())


def test_of_more_classes_than_lines_the_likeliest_are_shown():
    digit = predict.Digit(np.zeros((28, 28), np.uint8), np.zeros((2, 2, 3), np.uint8), "taken as it is")
    shares = np.random.default_rng(0).permutation(np.arange(1000) / 499500)
    text = predict.describe(predict.Answer("a.png", digit, shares), [f"c{k}" for k in range(1000)], solid=False)
    shown = [int(line.split(" c")[1].split()[0]) for line in text.splitlines()[1:] if " c" in line]
    assert shown == np.argsort(-shares)[:16].tolist()


def test_a_wide_picture_is_thinned_to_the_terminal():
    lines = predict.picture(np.zeros((3, 50, 300), np.uint8), solid=False)
    assert {len(line) for line in lines} == {2 + 38}  # each 8th column
    assert len(lines) == 2 + 4  # each 8th row, two in a line
