"""What a reader has to read: `python -m tests.project.budget` prints it, beside other
libraries.

A mirror, not a gate: it fails only when a file of `minicnn/` exceeds 400 lines. The reading for
Conv2d counts everything that takes part when the layer is made, called and differentiated with
the textbook: the checks, the arrays, what forward keeps, the parameters and their first values,
the choice of the kernel set.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from minicnn import table

PACKAGE = Path(__file__).resolve().parents[2] / "minicnn"
FILE_LIMIT = 400

CONV2D: dict[str, list[str] | None] = {  # file: the definitions that take part; None: all of it
    "kernels/numpy_textbook/convolution.py": None,
    "geometry.py": [
        *("conv_size", "same_padding", "Geometry", "conv2d", "conv_padding", "_batch", "pair", "positive"),
        *("check_groups", "_as_read", "_check_conv_axis"),
    ],
    "nn/convolution.py": None,
    "nn/functional/convolution.py": None,
    "nn/functional/checks.py": None,
    "nn/module.py": ["Module"],
    "nn/passes.py": None,
    "nn/parameter.py": None,
    "nn/init.py": None,
    "kernels/__init__.py": None,
    "kernels/arrays.py": None,
}

# Counted in the same way over their library code, at the commit that is named.
ANCHORS = [
    ("equinox nn/ (9336d82)", 2293, 7.0, 85, 0.0),
    ("array-api-tests (55fcc60)", 9608, 8.0, 77, 0.2),
    ("micrograd (c911406)", 107, 8.3, 57, 0.0),
    ("DeZero (b5f3cf1)", 2450, 8.6, 77, 1.1),
    ("thinc layers/ (20eec35)", 3771, 8.6, 80, 0.0),
    ("nanoGPT (3adf61e)", 453, 9.1, 97, 0.7),
    ("labml optimizers/ (e6b3c8a)", 632, 10.1, 89, 0.6),
    ("tinygrad nn/ (a9069c1)", 1552, 17.7, 71, 3.0),
]

NO_TOKEN = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


class Count(NamedTuple):
    """Of some source text; `+` adds two of them."""

    lines: int = 0  # not blank, docstrings and comments included
    code_lines: int = 0  # without docstrings and comments
    tokens: int = 0  # on the code lines
    tuple_assignments: int = 0  # a, b = x, y
    doc_widths: tuple[int, ...] = ()  # columns of each docstring line that is not blank

    def __add__(self, other: "Count") -> "Count":  # type: ignore[override]
        return Count(*(mine + its for mine, its in zip(self, other, strict=True)))

    def cells(self) -> tuple[str, ...]:
        """Lines, code lines, tokens a line, docstring width, tuple assignments in 100 lines."""
        per_line = self.tokens / max(self.code_lines, 1)
        in_100 = 100 * self.tuple_assignments / max(self.code_lines, 1)
        return str(self.lines), str(self.code_lines), f"{per_line:.1f}", str(wide(self.doc_widths)), f"{in_100:.1f}"


def wide(widths: Iterable[int]) -> int:
    """The 90th percentile: nine lines of ten are at most so wide."""
    ordered = sorted(widths)
    return ordered[int(0.9 * (len(ordered) - 1))] if ordered else 0


def docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            assert isinstance(first, ast.Expr)
            yield first


def count(text: str, names: list[str] | None = None) -> Count:
    """Of a file's text, or of the named definitions in it."""
    tree = ast.parse(text)
    lines = text.splitlines()
    if names is None:
        wanted = set(range(1, len(lines) + 1))
    else:
        nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        wanted = {n for name in names for n in range(nodes[name].lineno, nodes[name].end_lineno + 1)}
    doc = {n for node in docstrings(tree) for n in range(node.lineno, node.end_lineno + 1)} & wanted
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in NO_TOKEN and token.start[0] in wanted - doc
    ]
    code = {n for token in tokens for n in range(token.start[0], token.end[0] + 1) if lines[n - 1].strip()}
    pairs = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Tuple)
        and any(isinstance(target, ast.Tuple) for target in node.targets)
        and node.lineno in wanted
    ]
    return Count(
        lines=sum(bool(lines[n - 1].strip()) for n in wanted),
        code_lines=len(code),
        tokens=len(tokens),
        tuple_assignments=len(pairs),
        doc_widths=tuple(len(lines[n - 1]) for n in sorted(doc) if lines[n - 1].strip()),
    )


def room(path: Path) -> str:
    """The folder that a file stands in; the kernel sets and functional count apart."""
    parts = path.relative_to(PACKAGE).parent.parts
    return "/".join(parts[: 2 if parts[:1] == ("kernels",) else 1]) + "/" if parts else "modules"


def main() -> int:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    conv2d = {name: count(texts[PACKAGE / name], names) for name, names in CONV2D.items()}
    rooms: dict[str, Count] = {}
    for path, text in texts.items():
        rooms[room(path)] = rooms.get(room(path), Count()) + count(text)

    rows = [("", "lines", "code", "tokens a line", "docstring width", "a, b = x, y in 100")]
    rows += [(name, *one.cells()) for name, one in conv2d.items()]
    rows += [("Conv2d, all that takes part", *sum(conv2d.values(), Count()).cells()), ("",) * 6]
    rows += [(name, *one.cells()) for name, one in sorted(rooms.items())]
    rows += [("minicnn", *sum(rooms.values(), Count()).cells()), ("",) * 6]
    rows += [(name, "", str(code), f"{t:.1f}", str(w), f"{pairs:.1f}") for name, code, t, w, pairs in ANCHORS]
    print("\n".join(table.lines(rows, "<>>>>>")))

    longest = max(texts, key=lambda path: texts[path].count("\n"))
    length = texts[longest].count("\n")
    print(f"\nThe longest file is {longest.relative_to(PACKAGE)}: {length} lines, at most {FILE_LIMIT}.")
    return int(length > FILE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
