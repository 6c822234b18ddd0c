"""What a classifier says of pictures that it was shown."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..data.images import Digit
from .picture import save
from .training import OTHER, RIGHT

MOST_BARS = 10  # more classes than these have no room: the likeliest are drawn


def draw_predictions(
    path: Path, answers: Sequence[tuple[Path, Digit, np.ndarray]], classes: Sequence[str], total: int
) -> None:
    """The first of `total` answers: each image, as the network sees it, and bars."""
    columns = min(2, len(answers))
    rows = -(-len(answers) // columns)
    figure = Figure(figsize=(6.5 * columns, 2.5 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, 3 * columns, squeeze=False, width_ratios=[1, 1, 1.3] * columns)
    for axes in grid.flat[3 * len(answers) :]:
        axes.set_axis_off()
    for (file, digit, probabilities), (left, middle, right) in zip(answers, grid.reshape(-1, 3), strict=False):
        left.imshow(digit.original)
        name = file.name.encode("utf-8", "replace").decode()  # a name need not be UTF-8, a title must
        name = name if len(name) <= 28 else f"{name[:25]}..."
        name = ", ".join(filter(None, [name, digit.where]))
        left.set_title(name, fontsize=9, parse_math=False)
        left.set(xticks=[], yticks=[], facecolor="#cfd3da")  # what is transparent shows the grey
        left.spines[:].set_color("#dddddd")
        middle.set_axis_off()
        seen = digit.pixels if digit.pixels.ndim == 2 else digit.pixels.transpose(1, 2, 0)  # (H, W, 3)
        middle.imshow(seen, cmap="gray", vmin=0, vmax=255)
        middle.set_title("as the network sees it", fontsize=9)
        best = int(probabilities.argmax())
        shown = np.sort(np.argsort(-probabilities, kind="stable")[:MOST_BARS])
        names = [classes[k] if len(classes[k]) <= 12 else f"{classes[k][:11]}." for k in shown]
        right.bar(range(len(shown)), probabilities[shown], color=[RIGHT if k == best else OTHER for k in shown])
        right.set_xticks(range(len(shown)), names, rotation=0 if max(map(len, names)) <= 2 else 60)
        right.set_box_aspect(1 / 1.3)  # as high as the images
        right.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "50%", "100%"])
        right.set_title(f"{classes[best]}: {probabilities[best]:.2%}", fontsize=9)
        right.tick_params(length=0, labelsize=8)
        right.spines[["top", "right", "left"]].set_visible(False)
        right.grid(axis="y", alpha=0.25)
        right.set_axisbelow(True)
    if len(answers) < total:
        figure.suptitle(f"The first {len(answers)} of {total} images")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in letters that the font lacks
        save(figure, path)
