"""The budget counts what it says."""

from tests.project.budget import CONV2D, PACKAGE, Count, count, main, wide

TEXT = '''"""A module.

Of 3 lines.
"""

import os  # a comment is no code


def swap(a, b):
    """Exchange."""
    a, b = b, a
    # a comment
    return a, b


class Other:
    pass
'''


def test_lines_tokens_docstrings_and_tuple_assignments_by_hand():
    found = count(TEXT)
    assert found.lines == 11
    assert found.code_lines == 6
    # import os, def swap(a, b):, a, b = b, a, return a, b, class Other:, pass
    assert found.tokens == 2 + 8 + 7 + 4 + 3 + 1
    assert found.tuple_assignments == 1
    assert found.doc_widths == (12, 11, 3, 19)
    assert count(TEXT, ["Other"]) == Count(lines=2, code_lines=2, tokens=4)
    assert count(TEXT, ["swap"]) + count(TEXT, ["Other"]) == Count(7, 5, 23, 1, (19,))


def test_nine_lines_of_ten_are_at_most_so_wide():
    assert wide(range(1, 12)) == 10
    assert wide([]) == 0


def test_the_definitions_for_conv2d_are_there_and_no_file_is_too_long(capsys):
    for name, names in CONV2D.items():
        assert count((PACKAGE / name).read_text(encoding="utf-8"), names).lines > 0
    assert main() == 0
    assert "Conv2d, all that takes part" in capsys.readouterr().out
