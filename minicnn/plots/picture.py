"""A picture becomes a file. It is drawn in memory first, so that no half is ever found."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from ..saved.files import write_whole


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure as PNG, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format="png")
    write_whole(Path(path), content.getvalue())
