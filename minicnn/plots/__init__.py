"""The pictures of a training run, as PNG files.

They are drawn on `Figure` objects, not through pyplot: no display is needed, no state shared.
"""

from .painting import draw_latent, draw_painting, draw_samples, draw_walk
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
    "draw_filters",
    "draw_history",
    "draw_latent",
    "draw_mistakes",
    "draw_painting",
    "draw_probabilities",
    "draw_run",
    "draw_samples",
    "draw_walk",
]
