"""What a generator paints: beside originals, on a walk through latent space, on a map of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..saved.run_folder import Metrics
from .picture import Picture, save
from .training import draw_filters, draw_history

NIGHT = "#000000"  # the pictures' own background
WORDS = "#e8e8e8"
FRAME = "#3a3f47"


def draw_painting(
    folder: Path,
    history: Sequence[Metrics],
    weight: np.ndarray,
    colours: np.ndarray,
    *,
    labels: np.ndarray,
    found: np.ndarray,
    originals: np.ndarray,
    painted: np.ndarray,
    walks: np.ndarray,
    plane: np.ndarray,
    variance: float,
    places: np.ndarray,
    there: np.ndarray,
    cells: int,
) -> None:
    """All pictures of a generator's run."""
    draw_history(folder / "history.png", history)
    draw_filters(folder / "filters.png", weight)
    draw_samples(folder / "samples.png", originals, painted)
    draw_walk(folder / "walk.png", walks)
    draw_latent(folder / "latent.png", labels, colours, plane, variance, places, there, cells)


def draw_samples(path: str | Path | None, originals: np.ndarray, painted: np.ndarray) -> Picture:
    """Originals (K, R, 3, H, W), R of each class, each above what the network makes of it."""
    classes, rows, _, height, width = originals.shape
    figure = Figure(figsize=(1.15 * classes + 0.9, 2.45 * rows + 0.5), layout="constrained", facecolor=NIGHT)
    for row, axes in enumerate(figure.subplots(rows, squeeze=False).flat):
        show(axes, tiles(np.stack([originals[:, row], painted[:, row]])))
        axes.set_yticks([height / 2, 3 * height / 2], ["original", "painted"])
        axes.set_xticks((np.arange(classes) + 0.5) * width, [""] * classes)
    figure.suptitle("Validation digits, and how the network paints them", color=WORDS)
    return save(figure, path)


def draw_walk(path: str | Path | None, walks: np.ndarray) -> Picture:
    """Pictures (R, S, 3, H, W) painted in equal steps between the codes of two digits."""
    rows, steps, _, _, width = walks.shape
    figure = Figure(figsize=(1.1 * steps + 0.2, 1.1 * rows + 1.0), layout="constrained", facecolor=NIGHT)
    axes = figure.subplots()
    show(axes, tiles(walks))
    axes.set_xticks((np.arange(steps) + 0.5) * width, [f"{step / (steps - 1):.0%}" for step in range(steps)])
    axes.set_title("Walks through latent space, in equal steps from one digit to another", color=WORDS, pad=10)
    return save(figure, path)


def draw_latent(
    path: str | Path | None,
    labels: np.ndarray,
    colours: np.ndarray,
    plane: np.ndarray,
    variance: float,
    places: np.ndarray,
    there: np.ndarray,
    cells: int,
) -> Picture:
    """The codes as points (N, 2) in their classes' colours; beside them, what is painted there.

    It is a grid of cells: `there` (M, 3, H, W) is what is painted from the M codes `places`.
    """
    figure = Figure(figsize=(14.5, 7.8), layout="constrained", facecolor=NIGHT)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for digit, colour in enumerate(colours):
        left.scatter(*plane[labels == digit].T, color=colour, label=str(digit), s=16, alpha=0.9, linewidths=0)
    figure.legend(
        loc="outside lower center", ncols=len(colours), labelcolor=colours, frameon=False, markerscale=2, fontsize=13
    )
    low = plane.min(axis=0)
    high = plane.max(axis=0)
    side = np.maximum(high - low, 1e-6) / cells
    for point, picture in zip(plane[places], there, strict=True):
        west, south = corner = low + np.minimum((point - low) // side, cells - 1) * side  # of the cell it lies in
        east, north = corner + side
        right.imshow(visible(picture), extent=(west, east, south, north), aspect="auto")
    for axes, title in (
        (left, f"The codes of {len(labels)} validation digits"),
        (right, "What the generator paints there, one code in each cell"),
    ):
        axes.set(facecolor=NIGHT, xticks=[], yticks=[])
        axes.set_xlim(low[0] - side[0] / 2, low[0] + (cells + 0.5) * side[0])
        axes.set_ylim(low[1] - side[1] / 2, low[1] + (cells + 0.5) * side[1])
        axes.set_title(title, color=WORDS)
        axes.spines[:].set_color(FRAME)
    figure.suptitle(
        f"A map of latent space: the two directions in which the codes spread most, {variance:.0%} of their variance",
        color=WORDS,
    )
    return save(figure, path)


def show(axes: Axes, picture: np.ndarray) -> None:
    """A picture without a frame, its labels bright."""
    axes.imshow(picture)
    axes.tick_params(length=0, colors=WORDS, labelsize=9)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def tiles(pictures: np.ndarray) -> np.ndarray:
    """Pictures (R, C, 3, H, W) beside each other in R rows: (R H, C W, 3)."""
    rows, columns, channels, height, width = pictures.shape
    return visible(pictures.transpose(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width))


def visible(picture: np.ndarray) -> np.ndarray:
    """(3, H, W) -> (H, W, 3) in [0, 1]; a network may paint darker than black, or NaN."""
    return np.nan_to_num(picture, nan=0.0).clip(0, 1).transpose(1, 2, 0)
