"""The line budget: `python -m tests.project.budget` counts what a reader has to read,
and fails when it is too much.

Blank lines do not count; everything else does, docstrings and comments too.
"""

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "minicnn"

# Everything that takes part when a Conv2d is made, called and differentiated.
CONV2D = {
    "nn/convolution.py": None,  # the whole file
    "nn/functional/convolution.py": None,
    "kernels/numpy_textbook/convolution.py": None,
    "geometry.py": ["Geometry", "pair", "positive", "check_groups", "conv_size", "conv_padding", "conv2d"],
}
CONV2D_LIMIT = 250
FILE_LIMIT = 400


def lines(path: Path, names: list[str] | None = None) -> int:
    """The lines of a file that are not blank, or those of the named definitions in it."""
    text = path.read_text(encoding="utf-8").splitlines()
    if names is not None:
        nodes = {node.name: node for node in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(node, "name")}
        text = [line for name in names for line in text[nodes[name].lineno - 1 : nodes[name].end_lineno]]
    return sum(bool(line.strip()) for line in text)


def main() -> int:
    conv2d = {name: lines(PACKAGE / name, names) for name, names in CONV2D.items()}
    files = {
        path.relative_to(PACKAGE).as_posix(): path.read_text().count("\n") for path in sorted(PACKAGE.rglob("*.py"))
    }
    for name, count in conv2d.items():
        print(f"{count:5}  {name}")
    print(f"{sum(conv2d.values()):5}  to understand Conv2d completely (at most {CONV2D_LIMIT})")
    largest = max(files, key=files.__getitem__)
    print(f"{files[largest]:5}  the longest file, {largest} (at most {FILE_LIMIT})")
    print(f"{sum(files.values()):5}  the package, {len(files)} files")
    return int(sum(conv2d.values()) > CONV2D_LIMIT or files[largest] > FILE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
