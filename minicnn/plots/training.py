"""How the training went, what the first layer has become, what a classifier gets wrong."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..saved.run_folder import Metrics
from .picture import Picture, save

TRAINING = "#1f77b4"
VALIDATION = "#d95f02"
RIGHT = "#2a9d5c"
WRONG = "#c8443c"
OTHER = "#b9bec6"
COLOURS = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff"}


def draw_run(
    folder: Path,
    history: Sequence[Metrics],
    weight: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str] | None = None,
) -> None:
    """All pictures of a classifier's run. `classes` are names, if they are not just numbers."""
    draw_history(folder / "history.png", history)
    draw_filters(folder / "filters.png", weight)
    draw_confusion(folder / "confusion.png", labels, probabilities, classes)
    draw_mistakes(folder / "mistakes.png", images, labels, probabilities, classes)


def draw_history(path: str | Path | None, history: Sequence[Metrics]) -> Picture:
    """The course's two plots: loss and accuracy of training and validation, epoch by epoch."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [metrics.epoch for metrics in history]
    for axes, name in ((left, "loss"), (right, "accuracy")):
        for part, label, colour in (
            ("train", "Training", TRAINING),
            ("val", "Validation", VALIDATION),
        ):
            values = [getattr(metrics, f"{part}_{name}") for metrics in history]
            axes.plot(epochs, values, "o-", color=colour, label=label, markersize=4, linewidth=1.8)
        axes.set(title=name.capitalize(), xlabel="Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    left.set_ylim(bottom=0)
    return save(figure, path)


def draw_filters(path: str | Path | None, weight: np.ndarray) -> Picture:
    """The filters of a convolution (O, C, KH, KW), all on one scale: three channels as a colour
    picture, of others channel 0 in grey.
    """
    columns = math.ceil(math.sqrt(len(weight)))
    rows = math.ceil(len(weight) / columns)
    figure = Figure(figsize=(1.5 * columns + 1.2, 1.5 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (axes, filter_) in enumerate(zip(grid.flat, weight, strict=False)):
        image = axes.imshow(
            as_picture(filter_, weight.min(), weight.max()), cmap="gray", vmin=weight.min(), vmax=weight.max()
        )
        axes.set_title(str(number), fontsize=8, pad=2)
    if weight.shape[1] == 3:
        draw_colour_scales(figure, grid, weight.min(), weight.max())
    else:
        figure.colorbar(image, ax=grid, label="weight", shrink=0.8)
    figure.suptitle("Filters of the first convolution")
    return save(figure, path)


def draw_colour_scales(figure: Figure, grid: np.ndarray, low: float, high: float) -> None:
    """A bar for each channel: how much of its colour a weight gives."""
    for colour in ("blue", "green", "red"):  # each goes to the left of those before it
        shades = LinearSegmentedColormap.from_list(colour, ["black", COLOURS[colour]])
        scale = ScalarMappable(Normalize(low, high), shades)
        bar = figure.colorbar(scale, ax=grid, shrink=0.8, aspect=40, pad=0.01)
        bar.ax.set_title(colour, fontsize=8)
        bar.ax.tick_params(labelsize=7)


def as_picture(planes: np.ndarray, low: float, high: float) -> np.ndarray:
    """(C, H, W) as Matplotlib draws it: one channel as numbers (H, W), three as colours
    (H, W, 3) from 0 to 1.
    """
    if len(planes) != 3:
        return planes[0]
    return (planes.transpose(1, 2, 0) - low) / (high - low or 1)


def draw_confusion(
    path: str | Path | None, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str] | None = None
) -> Picture:
    """How many images of each class (row) were taken for which class (column)."""
    numbers = np.arange(probabilities.shape[1])
    counts = np.zeros((len(numbers), len(numbers)), dtype=int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    mistakes = counts * (numbers[:, None] != numbers)
    few = len(numbers) < 5
    many = max(0, len(numbers) - 10)
    longest = max(len(str(name)) for name in classes or numbers)
    margin = 0.09 * max(0, longest - 4)  # inches that long names take
    size = (5.4, 4.8) if few else (7 + 0.4 * many + margin, 6.4 + 0.4 * many + margin)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    # The right answers stay out of the colour scale: they would drown the mistakes.
    axes.imshow(np.ma.masked_equal(mistakes, 0), cmap="Reds", vmin=0, vmax=max(mistakes.max() * 1.6, 1))
    centred: dict[str, Any] = {
        "horizontalalignment": "center",
        "verticalalignment": "center",
        "fontsize": 20 if few else None,
    }
    for row, column in np.ndindex(*counts.shape):
        count = counts[row, column]
        if row == column:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color="#dcefe3"))
            axes.text(column, row, str(count), color="#14532d", weight="bold", **centred)
        elif count:
            axes.text(column, row, str(count), color="black", **centred)
        else:
            axes.text(column, row, "·", color="#bbbbbb", **centred)
    right = np.trace(counts)
    axes.set(
        title=f"{right} of {counts.sum()} validation images are right ({right / counts.sum():.1%})",
        xlabel="Predicted",
        ylabel="Truth",
        xticks=numbers,
        yticks=numbers,
        xticklabels=classes or numbers,
        yticklabels=classes or numbers,
    )
    axes.tick_params(length=0)
    if longest > 4:
        axes.tick_params(axis="x", rotation=90)
    axes.spines[:].set_color("#dddddd")
    return save(figure, path)


def draw_mistakes(
    path: str | Path | None,
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str] | None = None,
) -> Picture:
    """The images (N, 1, H, W) whose true class got least of its probabilities (N, K)."""
    predictions = probabilities.argmax(axis=1)
    names = classes or range(probabilities.shape[1])
    wrong = np.flatnonzero(predictions != labels)
    worst = wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:16]
    columns = 4
    rows = max(1, math.ceil(len(worst) / columns))
    figure = Figure(figsize=(3.3 * columns, 1.8 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.2] * columns)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, (left, right) in zip(worst, grid.reshape(-1, 2), strict=False):
        left.imshow(as_picture(images[index], 0, 1), cmap="gray_r", vmin=0, vmax=1)
        left.set_anchor("E")  # close to its own bars
        draw_probabilities(right, probabilities[index], labels[index], predictions[index], classes)
        left.set_title(
            f"truth {names[labels[index]]}: {probabilities[index, labels[index]]:.1%}",
            color=RIGHT,
            fontsize=9,
        )
        right.set_title(
            f"predicted {names[predictions[index]]}: {probabilities[index].max():.1%}",
            color=WRONG,
            fontsize=9,
        )
    figure.suptitle(
        f"The {len(worst)} worst of {len(wrong)} mistakes" if len(wrong) else "No mistakes: every image is right"
    )
    return save(figure, path)


def draw_probabilities(
    axes: Axes, probabilities: np.ndarray, truth: int | None, prediction: int, classes: Sequence[str] | None = None
) -> None:
    """One bar for each class."""
    numbers = np.arange(len(probabilities))
    colours = [WRONG if k == prediction else RIGHT if k == truth else OTHER for k in numbers]
    axes.set_axis_on()
    axes.bar(numbers, probabilities, color=colours)
    named = sum(len(str(name)) for name in classes or numbers) <= 24  # longer ones would overlap; they are named above
    axes.set(ylim=(0, 1), xticks=numbers if named else [], yticks=[])
    if named:
        axes.set_xticklabels(classes or numbers)
    axes.tick_params(length=0, labelsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
