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
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if least:
        widths = [max(pair) for pair in zip(widths, least, strict=True)]
    return [[f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True)] for row in rows]
