"""The tasks: what is wanted, what counts as right, and a short run of each."""

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import minicnn
from minicnn import train
from minicnn.command import OF_A_RUN
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.models import Autoencoder, ParityCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from minicnn.tasks import TASKS, TaskDataset
from minicnn.tasks.painting import COLOURS, RGB, enlarge, nearest_colour, principal_plane, scattered
from minicnn.train import evaluate, main, train_epoch
from minicnn.training.processes import ONE_PROCESS
from tests.support.commands import SMALL, config, metrics, names, refused, weights

DIGITS, PARITY, PAINTING = (TASKS[name] for name in ("digits", "parity", "generator"))


# ------------------------------------------------------------------------------------- the loop


class Lazy(np.ndarray):
    """A loss or a count that tells when it becomes a Python number, as a GPU would notice."""

    events: list[str] = []  # noqa: RUF012

    def __float__(self):
        self.events.append("number")
        return float(self.view(np.ndarray))

    def __int__(self):
        self.events.append("number")
        return int(self.view(np.ndarray))


def test_losses_and_counts_become_numbers_after_the_last_step(monkeypatch):
    """On a GPU, float() waits until all that was asked for is computed."""
    criterion = CrossEntropyLoss()
    forward = criterion.forward

    def count_right(outputs, targets):
        return np.asarray(DIGITS.count_right(outputs, targets)).view(Lazy)

    def forward_as_array(*arguments):
        Lazy.events.append("step")
        return np.asarray(forward(*arguments)).view(Lazy)

    monkeypatch.setattr(criterion, "forward", forward_as_array)
    model = DIGITS.network({})
    loader = DataLoader(Subset(MNIST(), range(24)), 8)
    expected = [*["step"] * 3, *["number"] * 6]
    with minicnn.use_backend("numpy"):
        for run in (
            lambda: train_epoch(model, criterion, Adam(model.parameters()), loader, count_right),
            lambda: evaluate(model, criterion, loader, count_right),
        ):
            Lazy.events.clear()
            loss, accuracy = run()
            assert Lazy.events == expected
            assert (type(loss), type(accuracy)) == (float, float)


def test_losses_are_summed_in_64_bits():
    steps = [(np.float32(0.1), np.int64(1), 64)] * 10_000
    loss, accuracy = train.averages(steps, ONE_PROCESS)
    assert loss == pytest.approx(float(np.float32(0.1)), rel=1e-12)
    assert accuracy == 1 / 64


def test_exercises_are_the_images_with_the_tasks_targets():
    digits = Subset(MNIST(), range(20))
    images, labels = digits.batch([3, 5])
    found, targets = TaskDataset(digits, PARITY).batch([3, 5])
    assert np.array_equal(found, images)
    assert targets.tolist() == [[label % 2] for label in labels]
    assert len(TaskDataset(digits, PARITY)) == 20


@pytest.mark.parametrize("task", ["digits", "parity", "generator"])
def test_the_filters_are_kept_epoch_by_epoch(task):
    assert main([*SMALL, "--epochs", "2", "--task", task, "--no-plots", "--quiet", "--seed", "3", "--out", "out"]) == 0
    filters, learnt = load_file("out/filters.safetensors"), weights("out")
    assert sorted(filters) == ["epoch-000", "epoch-001", "epoch-002"]
    assert {array.shape for array in filters.values()} == {(16, 1, 5, 5)}
    minicnn.manual_seed(3)
    first = next(iter(TASKS[task].network(config("out")).state_dict().values()))
    assert np.array_equal(filters["epoch-000"], first)
    assert not np.array_equal(filters["epoch-001"], first)
    assert np.array_equal(
        filters["epoch-002"], learnt["encoder.cnn.0.weight" if task == "generator" else "cnn.0.weight"]
    )


def test_nothing_is_kept_of_an_epoch_that_was_not_finished(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ParityCNN, "backward", interrupt)
    assert main([*SMALL, "--task", "parity", "--out", "out"]) == 130
    assert names("out") == ["checkpoint.safetensors", "config.json", "filters.safetensors"]
    assert capsys.readouterr().err.startswith("\nStopped. No epoch was finished; out holds config.json and the initial")


def test_an_unknown_task_is_refused(capsys):
    sentence = refused(capsys, train, "--task", "chess")
    assert sentence == "argument --task: expected digits, parity or generator, got 'chess'"


@pytest.mark.parametrize("task", ["digits", "parity"])
def test_latent_dim_belongs_to_the_generator(capsys, task):
    assert refused(capsys, train, *SMALL, "--task", task, "--latent-dim", "3") == (
        f"--latent-dim belongs to --task generator; the task {task} has no latent space."
    )


# --------------------------------------------------------------------------------------- parity


def test_odd_is_one_and_even_is_zero():
    images = np.zeros((10, 1, 28, 28), np.float32)
    targets = PARITY.targets(images, np.arange(10))
    assert (targets.shape, targets.dtype) == ((10, 1), np.float32)
    assert targets[:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]


def test_parity_is_counted_by_threshold():
    outputs = np.array([[0.1], [0.6], [0.51], [0.5], [0.99]], np.float32)
    targets = np.array([[0], [1], [1], [1], [0]], np.float32)
    assert PARITY.count_right(outputs, targets) == 3


def test_the_notebooks_way_of_counting_would_freeze_and_ours_does_not():
    labels = MNIST().labels
    targets = PARITY.targets(np.zeros(1, np.float32), labels)
    for outputs in (targets, 1 - targets):  # always right, always wrong
        frozen = (outputs.argmax(axis=1) == targets[:, 0]).mean()  # `_, predicted = torch.max(outputs, 1)`
        assert frozen == (labels % 2 == 0).mean() == 0.493
        assert PARITY.count_right(outputs, targets) == (outputs is targets) * len(labels)


def test_a_run_of_parity(capsys):
    assert main([*SMALL, "--task", "parity"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Network   ParityCNN, 214,209 parameters" in out
    assert " binary cross-entropy, Adam with learning rate 0.001\n" in out
    folder = Path("runs/paritycnn-seed0")
    pictures = ["confusion.png", "filters.png", "history.png", "mistakes.png"]
    assert names(folder) == sorted(
        ["checkpoint.safetensors", "config.json", "filters.safetensors", "metrics.csv", "model.safetensors", *pictures]
    )
    assert {"metrics.csv", *pictures} <= set(OF_A_RUN)
    found = config(folder)
    assert (found["task"], found["network"], found["epochs"], found["lr"]) == ("parity", "ParityCNN", 1, 0.001)
    assert "latent_dim" not in found

    first, odd, even = (
        re.search(rf"^{words} +(\S.*)?$", out, re.MULTILINE)[0][19:]
        for words in ("The first images", "taken for odd", "taken for even")
    )
    together = "".join(a if a != " " else b for a, b in zip(odd.ljust(39), even.ljust(39), strict=True))
    assert together == first == "7 2 1 0 4 1 4 9 5 9 0 6 9 0 1 5 9 7 3 4"
    assert re.search(r"^Most often wrong   \d taken for (odd|even) \(\d+x\)", out, re.MULTILINE)

    model = ParityCNN()
    model.load_state_dict(weights(folder))
    images, labels = MNIST(train=False).batch(range(24))
    right = ((model.eval()(images)[:, 0] > 0.5) == (labels % 2 == 1)).mean()
    assert metrics(folder)[-1]["val_accuracy"] == right


def test_parity_learns():
    flags = ["--task", "parity", "--epochs", "1", "--train-size", "2000", "--val-size", "500", "--backend", "numpy"]
    assert main([*flags, "--no-plots", "--quiet", "--out", "out"]) == 0
    assert metrics("out")[0]["val_accuracy"] >= 0.85


# ------------------------------------------------------------------------------------ generator


def lab(rgb):
    """sRGB (N, 3) as CIELAB, where distance is how different two colours look."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(linear @ to_xyz.T / [0.9505, 1, 1.089], 0.0089)).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def test_the_colours_are_told_apart_by_eyes_and_by_the_count():
    assert RGB.shape == (10, 3)
    assert len(set(COLOURS.values())) == 10
    others = ~np.eye(10, dtype=bool)
    seen = lab(RGB.astype(float))
    assert np.linalg.norm(seen[:, None] - seen, axis=2)[others].min() > 25  # 2 is the least that can be seen
    assert seen[:, 0].min() > 50  # bright enough on black
    directions = RGB.astype(float) ** 2
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.degrees(np.arccos((directions @ directions.T)[others].max())) > 8


def test_enlarging_is_torchs_bilinear_interpolation_with_twice_the_contrast():
    torch = pytest.importorskip("torch", reason="the oracle: pip install 'minicnn[torch]'")
    images = np.random.default_rng(0).random((3, 1, 28, 28))
    smooth = torch.nn.functional.interpolate(torch.tensor(images), size=(100, 100), mode="bilinear").numpy()
    np.testing.assert_allclose(enlarge(images), np.clip(0.5 + 2 * (smooth - 0.5), 0, 1), atol=1e-12)
    assert enlarge(images.astype(np.float32)).dtype == np.float32


def test_a_target_is_the_digit_in_its_classs_colour():
    images, labels = MNIST().batch(range(100))
    targets = PAINTING.targets(images, labels)
    assert (targets.shape, targets.dtype) == ((100, 3, 100, 100), np.float32)
    assert (targets.min(), targets.max()) == (0, RGB.max())
    for target, image, label in zip(targets, images, labels, strict=True):
        assert np.allclose(target.max(axis=(1, 2)), RGB[label])  # full ink is somewhere
        assert np.allclose(target / RGB[label][:, None, None], enlarge(image[None])[0])  # and everything has its hue
    assert np.array_equal(nearest_colour(targets), labels)


def test_the_nearest_colour_is_found_in_thin_dim_strokes_on_a_faint_glow():
    for label in range(10):
        picture = np.full((1, 3, 100, 100), 0.02)
        picture[0, :, 40:43, 20:80] = 0.6 * RGB[label][:, None, None]
        assert nearest_colour(picture).tolist() == [label]


def test_a_picture_in_anothers_colour_does_not_count():
    images, labels = MNIST().batch(range(30))
    targets = PAINTING.targets(images, labels)
    assert PAINTING.count_right(targets, targets) == 30
    assert PAINTING.count_right(PAINTING.targets(images, (labels + 1) % 10), targets) == 0


def test_the_principal_plane_is_where_the_codes_spread_most():
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((200, 5)) * [1, 9, 2, 5, 0.5] + 7
    plane, variance = principal_plane(codes)
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(codes.T)))[::-1]
    np.testing.assert_allclose(np.cov(plane.T), np.diag(eigenvalues[:2]), atol=1e-9)
    assert variance == pytest.approx(eigenvalues[:2].sum() / eigenvalues.sum())


@pytest.mark.parametrize("codes", [np.ones((1, 4)), np.ones((5, 1)), np.full((3, 4), np.nan)])
def test_even_codes_without_a_plane_have_one(codes):
    plane, variance = principal_plane(codes)
    assert plane.shape == (len(codes), 2)
    assert np.isfinite(plane).all()
    assert 0 <= variance <= 1


def test_scattered_points_lie_in_different_cells_nearest_to_their_centres():
    plane = np.random.default_rng(0).random((500, 2)) * [3, 40] - 5
    chosen = scattered(plane, cells=6)
    low, high = plane.min(axis=0), plane.max(axis=0)
    place = (plane - low) / (high - low) * 6
    cells = np.minimum(place.astype(int), 5)
    assert len({tuple(cell) for cell in cells[chosen]}) == len(chosen) == 36
    for index in chosen:
        here = (cells == cells[index]).all(axis=1)
        distance = np.linalg.norm(place - cells - 0.5, axis=1)
        assert distance[index] == distance[here].min()


def test_a_run_of_the_generator(capsys):
    assert main([*SMALL, "--task", "generator", "--latent-dim", "3"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Network   Autoencoder, " in out
    assert " batch size: 32, the same order each epoch, mean squared error, Adam with learning rate 0.002\n" in out
    assert re.search(r"^Own colour         \d+ of 24 digits: 0 red, 1 orange, .* 9 white$", out, re.MULTILINE)
    assert re.search(r"^Most often wrong   \d painted \w+ like \d \(\d+x\)", out, re.MULTILINE)
    folder = Path("runs/autoencoder-seed0")
    pictures = ["filters.png", "history.png", "latent.png", "samples.png", "walk.png"]
    assert names(folder) == sorted(
        ["checkpoint.safetensors", "config.json", "filters.safetensors", "metrics.csv", "model.safetensors", *pictures]
    )
    assert {"metrics.csv", *pictures} <= set(OF_A_RUN)
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    found = config(folder)
    assert (found["task"], found["latent_dim"], found["batch_size"], found["lr"]) == ("generator", 3, 32, 0.002)

    model = Autoencoder(3)
    model.load_state_dict(weights(folder))
    images, labels = MNIST(train=False).batch(range(24))
    right = (nearest_colour(model.eval()(images)) == labels).mean()
    assert metrics(folder)[-1]["val_accuracy"] == right


@pytest.mark.parametrize(("size", "latent_dim"), [("1", "1"), ("4", "2")])
def test_a_generator_shown_few_digits_is_drawn_too(size, latent_dim):
    flags = ["--task", "generator", "--val-size", size, "--latent-dim", latent_dim, "--quiet", "--out", "out"]
    assert main([*SMALL, *flags]) == 0
    assert {"samples.png", "walk.png", "latent.png"} <= set(names("out"))


def test_a_generator_that_diverged_is_drawn_too(recwarn):
    model = Autoencoder(2)
    for parameter in model.parameters():
        parameter.data[...] = np.nan
    results = PAINTING.examine(model, DataLoader(Subset(MNIST(), range(12)), 5))
    PAINTING.draw(Path(), [], np.zeros((16, 1, 5, 5)), results)
    assert "latent.png" in names(".")


def test_the_generator_learns_to_paint():
    flags = ["--task", "generator", "--train-size", "320", "--val-size", "64", "--epochs", "3", "--backend", "numpy"]
    assert main([*flags, "--no-plots", "--quiet", "--out", "out"]) == 0
    black = np.square(PAINTING.targets(*MNIST(train=False).batch(range(64)))).mean()  # the loss of painting nothing
    assert metrics("out")[-1]["val_loss"] < 0.85 * black


def test_what_the_pictures_show():
    minicnn.manual_seed(0)
    model = Autoencoder(4)
    digits = Subset(MNIST(train=False), range(70))  # an 8 comes as number 61
    results = PAINTING.examine(model, DataLoader(digits, 16))
    images, labels = digits.batch(range(70))
    codes = model.encoder(images)
    assert np.array_equal(results.labels, labels)
    assert np.array_equal(results.found, nearest_colour(model.generator(codes)))
    for k in range(10):
        of_class = np.flatnonzero(labels == k)[:3]
        assert np.array_equal(results.originals[k, : len(of_class)], PAINTING.targets(images, labels)[of_class])
        np.testing.assert_allclose(results.painted[k, : len(of_class)], model(images[of_class]), atol=1e-5)
    assert results.walks.shape == (5, 11, 3, 100, 100)
    for row, walk in enumerate(results.walks):
        for step, k in ((0, 2 * row), (10, 2 * row + 1)):
            np.testing.assert_allclose(walk[step], results.painted[k, 0], atol=1e-5)
    np.testing.assert_allclose(results.there, model.generator(codes[results.places]), atol=1e-5)
