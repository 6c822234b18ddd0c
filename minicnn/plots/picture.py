"""A picture becomes a file, and a figure in a notebook."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from ..saved.files import write_whole


class Picture:
    """A PNG, which a notebook draws."""

    def __init__(self, content: bytes):
        self.content = content

    def _repr_png_(self) -> bytes:
        return self.content


def save(figure: Figure, path: str | Path | None) -> Picture:
    """Write the figure as PNG, whole or not at all; without a path nothing is written."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format="png")
    picture = Picture(content.getvalue())
    if path is not None:
        write_whole(Path(path), picture.content)
    return picture
