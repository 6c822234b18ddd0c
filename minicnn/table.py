"""Tables as text, for a terminal or for a Markdown page.

Every cell is text already, so nothing has to guess what is a number.
"""

from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def lines(rows: Rows, align: str, least: Sequence[int] = ()) -> list[str]:
    """Each row as a line. `align` has < or > for each column.

    A column is as wide as its widest cell, and at least as wide as `least` says. With `least` a
    table can be printed row by row, while its figures are measured.
    """
    return ["  ".join(cells).rstrip() for cells in _padded(rows, align, least)]


def markdown(rows: Rows, align: str) -> list[str]:
    """The same as a Markdown table, whose head is the first row."""
    head, *body = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    rule = ["---:" if side == ">" else "---" for side in align]
    return [f"| {' | '.join(cells)} |" for cells in _padded([head, rule, *body], align)]


def _padded(rows: Rows, align: str, least: Sequence[int] = ()) -> list[list[str]]:
    """The cells, filled up with spaces to their column's width."""
    widths = list(least or [0] * len(align))
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], len(cell))
    padded = []
    for row in rows:
        cells = zip(row, align, widths, strict=True)
        padded.append([f"{cell:{side}{width}}" for cell, side, width in cells])
    return padded
