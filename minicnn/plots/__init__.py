"""The pictures, as PNG files: of a training run, of what a network paints, of what it says.

They are drawn on `Figure` objects, not through pyplot: no display is needed, no state shared.
Each `draw_` function also gives its picture, which a notebook shows; with the path None it
writes no file.
"""

import os

try:
    import matplotlib  # noqa: F401 - reads its environment
except ValueError as error:
    raise ValueError(
        f"MPLBACKEND must name a backend of Matplotlib, got {os.environ.get('MPLBACKEND')!r}:"
        " unset it, as these pictures need none, or draw no pictures (--no-plots)."
    ) from error

from .dataset import draw_dataset
from .painting import draw_latent, draw_painting, draw_samples, draw_walk
from .predictions import draw_predictions
from .training import (
    draw_confusion,
    draw_filters,
    draw_history,
    draw_mistakes,
    draw_probabilities,
    draw_run,
)

__all__ = [
    "draw_confusion",
    "draw_dataset",
    "draw_filters",
    "draw_history",
    "draw_latent",
    "draw_mistakes",
    "draw_painting",
    "draw_predictions",
    "draw_probabilities",
    "draw_run",
    "draw_samples",
    "draw_walk",
]
