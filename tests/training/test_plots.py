"""The pictures: what is on them, read from the figure on its way to the file."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from minicnn import plots
from minicnn.saved.run_folder import Metrics

HISTORY = [
    Metrics(1, 0.9, 0.70, 0.4, 0.88, 3.0),
    Metrics(2, 0.3, 0.91, 0.2, 0.93, 3.0),
    Metrics(3, 0.1, 0.97, 0.15, 0.95, 3.0),
]
LABELS = np.array([0, 1, 2, 2, 1])
PROBABILITIES = np.array(  # right, badly wrong, right, slightly wrong, wrong
    [[0.8, 0.1, 0.1], [0.9, 0.01, 0.09], [0.1, 0.2, 0.7], [0.1, 0.5, 0.4], [0.1, 0.2, 0.7]]
)
IMAGES = np.linspace(0, 1, 5 * 28 * 28, dtype=np.float32).reshape(5, 1, 28, 28)


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, in order."""
    saved = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (saved.append(self), save(self, *a, **k)))
    return saved


def texts(axes):
    return {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}


def test_draw_run_writes_four_png_files(tmp_path):
    weight = np.random.default_rng(0).standard_normal((16, 1, 5, 5))
    plots.draw_run(tmp_path, HISTORY, weight, IMAGES, LABELS, PROBABILITIES)
    names = ["confusion.png", "filters.png", "history.png", "mistakes.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.stat().st_size > 5000


@pytest.mark.parametrize("epochs", [1, 3])
def test_history_shows_both_curves_of_both_parts(tmp_path, figures, epochs):
    plots.draw_history(tmp_path / "history.png", HISTORY[:epochs])
    loss, accuracy = figures[0].axes
    assert (loss.get_title(), accuracy.get_title()) == ("Loss", "Accuracy")
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        assert [line.get_label() for line in axes.lines] == ["Training", "Validation"]
        for line, part in zip(axes.lines, ("train", "val"), strict=True):
            values = [getattr(metrics, f"{part}_{name}") for metrics in HISTORY[:epochs]]
            assert line.get_xydata().tolist() == [[i + 1, v] for i, v in enumerate(values)]


@pytest.mark.parametrize(("count", "cells"), [(1, 1), (3, 4), (5, 6), (16, 16), (17, 20)])
def test_filters_share_one_scale_and_hide_what_is_unused(tmp_path, figures, count, cells):
    weight = np.random.default_rng(count).standard_normal((count, 2, 3, 3))
    plots.draw_filters(tmp_path / "filters.png", weight)
    *grid, _ = figures[0].axes  # the last one is the colour bar
    assert len(grid) == cells
    assert not any(axes.axison for axes in grid)
    shown = [axes.images[0] for axes in grid if axes.images]
    assert len(shown) == count
    for image, filter_ in zip(shown, weight, strict=True):
        assert np.array_equal(image.get_array(), filter_[0])
        assert image.get_clim() == (weight.min(), weight.max())
        assert image.cmap.name == "gray"


def test_filters_of_a_colour_network_have_a_scale_for_each_colour(tmp_path, figures):
    weight = np.random.default_rng(0).standard_normal((5, 3, 3, 3))
    plots.draw_filters(tmp_path / "filters.png", weight)
    *grid, blue, green, red = figures[0].axes
    bars = red, green, blue
    assert [bar.get_title() for bar in bars] == ["red", "green", "blue"]
    assert len(grid) == 6
    for bar in bars:
        assert bar.get_ylim() == pytest.approx((weight.min(), weight.max()))
    shown = next(axes.images[0] for axes in figures[0].axes if axes.images).get_array()
    largest = np.unravel_index(weight[0].argmax(), weight[0].shape)
    assert shown[largest[1], largest[2], largest[0]] == shown.max()


def test_confusion_counts_truth_by_row(tmp_path, figures):
    plots.draw_confusion(tmp_path / "confusion.png", LABELS, PROBABILITIES)
    (axes,) = figures[0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted", "Truth")
    assert axes.get_title() == "2 of 5 validation images are right (40.0%)"
    written = texts(axes)  # by (column, row)
    assert {place: text for place, text in written.items() if text != "·"} == {
        (0, 0): "1",
        (1, 1): "0",
        (2, 2): "1",
        (0, 1): "1",
        (2, 1): "1",
        (1, 2): "1",
    }


def test_classes_may_have_names(tmp_path, figures):
    names = ("low", "middle", "high")
    plots.draw_confusion(tmp_path / "confusion.png", LABELS, PROBABILITIES, names)
    plots.draw_mistakes(tmp_path / "mistakes.png", IMAGES, LABELS, PROBABILITIES, classes=names)
    confusion, mistakes = figures
    for ticks in (confusion.axes[0].get_xticklabels(), confusion.axes[0].get_yticklabels()):
        assert tuple(tick.get_text() for tick in ticks) == names
    titles = [axes.get_title() for axes in mistakes.axes if axes.get_title()]
    assert titles[:2] == ["truth middle: 1.0%", "predicted low: 90.0%"]
    assert tuple(tick.get_text() for tick in mistakes.axes[1].get_xticklabels()) == names


def test_mistakes_are_sorted_by_what_the_truth_got(tmp_path, figures):
    plots.draw_mistakes(tmp_path / "mistakes.png", IMAGES, LABELS, PROBABILITIES)
    titles = [axes.get_title() for axes in figures[0].axes if axes.get_title()]
    assert titles == [
        *("truth 1: 1.0%", "predicted 0: 90.0%"),
        *("truth 1: 20.0%", "predicted 2: 70.0%"),
        *("truth 2: 40.0%", "predicted 1: 50.0%"),
    ]
    assert np.array_equal(figures[0].axes[0].images[0].get_array(), IMAGES[1, 0])
    assert [bar.get_height() for bar in figures[0].axes[1].patches] == PROBABILITIES[1].tolist()
    assert figures[0].get_suptitle() == "The 3 worst of 3 mistakes"


def test_mistakes_shows_no_more_than_fit(tmp_path, figures):
    labels, probabilities = np.ones(40, int), np.tile([0.9, 0.1], (40, 1))
    plots.draw_mistakes(tmp_path / "m.png", np.zeros((40, 1, 28, 28)), labels, probabilities)
    assert figures[0].get_suptitle() == "The 16 worst of 40 mistakes"
    assert len([axes for axes in figures[0].axes if axes.images]) == 16


def test_no_mistakes(tmp_path, figures):
    plots.draw_mistakes(tmp_path / "m.png", IMAGES[:1], LABELS[:1], PROBABILITIES[:1])
    assert figures[0].get_suptitle() == "No mistakes: every image is right"


def test_a_diverged_run_can_still_be_drawn(tmp_path):
    nan = float("nan")
    history = [Metrics(1, nan, 0.1, nan, 0.1, 3.0)]
    weight, probabilities = np.full((16, 1, 5, 5), nan), np.full((5, 3), nan)
    plots.draw_run(tmp_path, history, weight, IMAGES, LABELS, probabilities)
    assert len(list(tmp_path.iterdir())) == 4


# ------------------------------------------------------------------------------------ paintings


def paintings(*shape):
    return np.random.default_rng(0).uniform(-0.5, 1.5, (*shape, 3, 10, 10))


def test_samples_show_each_class_in_a_column_original_above_painted(tmp_path, figures):
    originals, painted = paintings(4, 2), paintings(4, 2)[::-1]
    plots.draw_samples(tmp_path / "samples.png", originals, painted)
    assert len(figures[0].axes) == 2
    for row, axes in enumerate(figures[0].axes):
        shown = axes.images[0].get_array()
        assert shown.shape == (20, 40, 3)
        for k in range(4):
            for below, pictures in enumerate((originals, painted)):
                tile = shown[10 * below : 10 * below + 10, 10 * k : 10 * k + 10]
                assert np.array_equal(tile, pictures[k, row].clip(0, 1).transpose(1, 2, 0))
        assert [tick.get_text() for tick in axes.get_yticklabels()] == ["original", "painted"]


def test_a_walk_is_a_row(tmp_path, figures):
    walks = paintings(3, 5)
    plots.draw_walk(tmp_path / "walk.png", walks)
    (axes,) = figures[0].axes
    shown = axes.images[0].get_array()
    assert shown.shape == (30, 50, 3)
    assert np.array_equal(shown[20:, 10:20], walks[2, 1].clip(0, 1).transpose(1, 2, 0))
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0%", "25%", "50%", "75%", "100%"]


def test_the_map_shows_codes_in_their_colours_and_pictures_in_their_cells(tmp_path, figures):
    plane = np.array([[0.0, 0.0], [4.0, 0.5], [1.5, 8.0], [3.9, 8.0]])
    labels, colours = np.array([0, 2, 2, 1]), np.eye(3)
    there = paintings(3)
    plots.draw_latent(tmp_path / "latent.png", labels, colours, plane, 0.4, np.array([0, 1, 2]), there, 2)
    left, right = figures[0].axes
    for digit, points in enumerate(left.collections):
        assert np.array_equal(points.get_offsets(), plane[labels == digit])
        assert points.get_facecolor()[0, :3].tolist() == colours[digit].tolist()
    assert [image.get_extent() for image in right.images] == [[0, 2, 0, 4], [2, 4, 0, 4], [0, 2, 4, 8]]
    for image, picture in zip(right.images, there, strict=True):
        assert np.array_equal(image.get_array(), picture.clip(0, 1).transpose(1, 2, 0))
    assert "40% of their variance" in figures[0].get_suptitle()


def test_pyplot_stays_out():
    code = "import sys, minicnn.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
