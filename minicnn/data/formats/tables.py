"""Tables of pixels as text, gzipped or not: Kaggle's train.csv and test.csv,
mnist_train.csv, scikit-learn's digits.csv.

A row is an image. The label is the column called label, class, target or y. Without a
header, and with one number more than a square, it is the first column
(mnist_train.csv), unless all its numbers are equal: that is the empty corner of the
images, and the label is the last (scikit-learn).
"""

import csv
import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from .found import MAX_BYTES, Found, check_size, files_below, first_bytes, of_this_part, size_of

ENDINGS = (".csv", ".csv.gz", ".tsv", ".txt")
LABELS = ("label", "class", "target", "y", "labels", "digit")
FEWEST = 16  # pixels of an image
LONGEST_LINE = 2**20


def reads(path: Path, part: str) -> Found | None:
    if path.is_file():
        return from_table(path, None) if path.name.lower().endswith(ENDINGS) and is_table(path) else None
    paths = [file for file in files_below(path, ENDINGS[:2]) if is_table(file)]
    if not paths:
        return None
    paths = [file for file in paths if labelled(file)] or paths  # Kaggle keeps the labels of its test.csv to itself
    chosen, wanted = of_this_part(path, paths, part)
    if len(chosen) != 1:
        raise ValueError(f"{path}: expected one table of {part} images, found {', '.join(p.name for p in paths)}.")
    return from_table(chosen[0], wanted)


def open_text(path: Path) -> io.TextIOBase:
    if first_bytes(path, 2) == b"\x1f\x8b":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def head(path: Path) -> tuple[list[str], list[str]]:
    """The header, empty if there is none, and the first row of numbers."""
    try:
        with open_text(path) as file:
            lines = [file.readline(LONGEST_LINE) for _ in range(2)]
    except (UnicodeDecodeError, OSError, EOFError, zlib.error):
        return [], []
    delimiter = "\t" if lines[0].count("\t") > lines[0].count(",") else ","
    rows = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
    return ([], rows[0]) if all(map(is_number, rows[0])) else (rows[0], rows[1])


def is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def is_table(path: Path) -> bool:
    header, row = head(path)
    return len(row) >= FEWEST and all(map(is_number, row)) and len(header) in (0, len(row))


def labelled(path: Path) -> bool:
    header, row = head(path)
    return bool(label_column(header, len(row)))


def square(pixels: int) -> bool:
    return math.isqrt(pixels) ** 2 == pixels


def label_column(header: list[str], columns: int) -> tuple[int, ...]:
    """The columns that may hold the labels; none: the table has only pixels."""
    lowered = [name.strip().lower() for name in header]
    for name in LABELS:
        if name in lowered:
            return (lowered.index(name),)
    return () if header or square(columns) or not square(columns - 1) else (0, columns - 1)


def from_table(path: Path, part: str | None) -> Found:
    header, row = head(path)
    check_size(path, size_of(path))
    delimiter = "\t" if "\t" in first_line(path) else ","
    most = MAX_BYTES // (4 * len(row))
    try:
        with open_text(path) as file:
            rows = iter(lambda: file.readline(LONGEST_LINE), "")  # a longer line is no row: it does not fill the memory
            table = np.loadtxt(
                rows, np.float32, delimiter=delimiter, skiprows=int(bool(header)), ndmin=2, max_rows=most + 1
            )
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: expected a table of numbers, as many in each row: {error}") from error
    check_size(path, 4 * table.size)
    candidates = label_column(header, len(row))
    column = next((c for c in candidates if np.ptp(table[:, c])), candidates[0]) if candidates else None
    pixels = table if column is None else np.delete(table, column, axis=1)
    side = math.isqrt(pixels.shape[1])
    if side * side != pixels.shape[1]:
        raise ValueError(
            f"{path}: {pixels.shape[1]} pixels in a row make no square; expected 784 for 28 x 28, or the like."
        )
    return Found(
        pixels.reshape(-1, side, side), None if column is None else table[:, column], f"table {path.name}", part=part
    )


def first_line(path: Path) -> str:
    with open_text(path) as file:
        return file.readline(LONGEST_LINE)
