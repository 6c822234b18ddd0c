"""Writes README.md: `python -m tests.saved.containers`."""

import tempfile
from pathlib import Path

from . import HERE, table

ABOVE = """# Containers of weights, and what minicnn does with each

Written by `python -m tests.saved.containers`. `tests/saved/test_containers.py` compares the numbers
with those that the library had, and runs the commands that the sentences name.
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = table(Path(folder))
    (HERE / "README.md").write_text("\n".join([ABOVE, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
