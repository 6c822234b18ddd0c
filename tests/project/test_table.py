"""One writer of tables: for the terminal and for Markdown."""

from hypothesis import given
from hypothesis import strategies as st

from minicnn import table

CELL = st.text("abc 12.|-", max_size=12).map(str.strip)
TABLES = st.integers(1, 4).flatmap(
    lambda columns: st.tuples(
        st.lists(st.tuples(*[CELL] * columns), min_size=1, max_size=5),
        st.text("<>", min_size=columns, max_size=columns),
    )
)


def test_by_hand():
    rows = [("class", "images"), ("even", "1,000"), ("odd", "7")]
    assert table.lines(rows, "<>") == ["class  images", "even    1,000", "odd         7"]
    assert table.lines(rows[1:], "<>", (6, 5)) == ["even    1,000", "odd         7"]
    assert table.markdown(rows, "<>") == [
        "| class | images |",
        "| ---   |   ---: |",
        "| even  |  1,000 |",
        "| odd   |      7 |",
    ]


@given(TABLES)
def test_every_cell_stands_in_its_column(drawn):
    rows, align = drawn
    widths = [max(len(row[k]) for row in rows) for k in range(len(align))]
    for row, line in zip(rows, table.lines(rows, align), strict=True):
        line = line.ljust(sum(widths) + 2 * (len(widths) - 1))
        for k, cell in enumerate(row):
            start = sum(widths[:k]) + 2 * k
            found = line[start : start + widths[k]]
            assert found.strip() == cell
            assert found.startswith(cell) if align[k] == "<" else found.endswith(cell)


@given(TABLES)
def test_markdown_has_every_cell_and_escapes_its_bars(drawn):
    rows, align = drawn
    head, rule, *body = table.markdown(rows, align)
    assert len({len(line) for line in (head, rule, *body)}) == 1
    for row, line in zip(rows, (head, *body), strict=True):
        cells = line.replace(r"\|", "\0")[1:-1].split("|")
        assert [cell.strip().replace("\0", "|") for cell in cells] == list(row)
    assert ["---:" if ":" in cell else "---" for cell in rule[1:-1].split("|")] == [
        "---:" if side == ">" else "---" for side in align
    ]


def test_a_table_printed_row_by_row_is_the_table_printed_at_once():
    rows = [("a", "bb"), ("ccc", "d")]
    assert [table.lines([row], "<>", (3, 2))[0] for row in rows] == table.lines(rows, "<>")
