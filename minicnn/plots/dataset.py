"""Some images of each class of a data set."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..data.opening import ImageDataset
from .picture import Picture, save

COLUMNS = 10
MOST_CLASSES = 30


def draw_dataset(path: str | Path | None, dataset: ImageDataset) -> Picture:
    """A row for each class with its first images, under the class's name; at most 30
    classes.
    """
    labels = np.unique(dataset.labels)[:MOST_CLASSES]
    rows = len(labels)
    figure = Figure(figsize=(0.9 * COLUMNS + 1.8, 0.9 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for row, label in zip(grid, labels, strict=True):
        chosen = np.flatnonzero(dataset.labels == label)[:COLUMNS]
        row[0].set_ylabel(dataset.classes[label], rotation=0, horizontalalignment="right", verticalalignment="center")
        for axes, index in zip(row, chosen, strict=False):
            pixels = dataset.images[index].transpose(1, 2, 0)  # (H, W, C)
            axes.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
    count = len(np.unique(dataset.labels))
    more = f", the first {rows} of {count} classes" if count > rows else ""
    figure.suptitle(f"{len(dataset):,} training images{more}")
    return save(figure, path)
