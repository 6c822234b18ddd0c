"""Tables as text: for a terminal, a Markdown page, a notebook.

Every cell is text already, so nothing has to guess what is a number.
"""

import html
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


def as_html(rows: Rows, align: str, before: str = "", after: Sequence[str] = (), total: bool = False) -> str:
    """The same as an HTML table, whose head is the first row, and with `total` its foot the
    last. `before` becomes its caption, each text of `after` a paragraph behind it.

    >>> print(as_html([["a", "b"], ["x < 1", "3"]], "<<"))
    <table>
    <thead><tr><th align="left">a</th><th align="left">b</th></tr></thead>
    <tbody>
    <tr><td align="left">x &lt; 1</td><td align="left">3</td></tr>
    </tbody>
    </table>
    """
    sides = ["right" if side == ">" else "left" for side in align]

    def row(cells: Sequence[str], tag: str = "td") -> str:
        written = zip(cells, sides, strict=True)
        inside = [f'<{tag} align="{side}">{html.escape(cell)}</{tag}>' for cell, side in written]
        return f"<tr>{''.join(inside)}</tr>"

    head, *body = rows
    foot = [f"<tfoot>{row(body.pop(), 'th')}</tfoot>"] if total else []
    caption = [f'<caption align="left">{html.escape(before)}</caption>'] if before else []
    parts = ["<table>", *caption, f"<thead>{row(head, 'th')}</thead>", "<tbody>", *map(row, body), "</tbody>"]
    return "\n".join([*parts, *foot, "</table>", *(f"<p>{html.escape(text)}</p>" for text in after)])


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
