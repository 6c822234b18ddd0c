"""Tables as text."""

from collections.abc import Sequence


def lines(rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Each row as a line, its columns as wide as they must be; `align` has < or > for each of them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[f"{text:{a}{w}}" for text, a, w in zip(row, align, widths, strict=True)] for row in rows]
    return ["  ".join(row).rstrip() for row in cells]
