"""Parquet with picture bytes, as the Hugging Face hub serves data sets (ylecun/mnist
...). Needs pyarrow (extra `formats`).
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from .folders import as_bytes
from .found import Found, files_below, first_bytes, of_this_part

MAGIC = b"PAR1"
IMAGES = ("image", "img", "picture", "pixels")
LABELS = ("label", "labels", "class", "fine_label", "digit", "target")


def reads(path: Path, part: str) -> Found | None:
    paths = files_below(path, [".parquet"]) if path.is_dir() else [path] if path.is_file() else []
    paths = [file for file in paths if first_bytes(file, 4) == MAGIC]
    if not paths:
        return None
    chosen, wanted = of_this_part(path if path.is_dir() else path.parent, paths, part)
    return from_tables(chosen, wanted)


def from_tables(paths: list[Path], part: str | None) -> Found:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ValueError(f"{paths[0]} is a Parquet file: install minicnn[formats], which brings pyarrow.") from error
    try:
        tables = [pq.read_table(path) for path in paths]
    except Exception as error:
        raise ValueError(f"{paths[0]} cannot be read as Parquet: {str(error)[:200]}") from error
    columns = tables[0].column_names
    image = next((name for name in IMAGES if name in columns), None)
    label = next((name for name in LABELS if name in columns), None)
    if image is None:
        raise ValueError(f"{paths[0]}: expected a column {' or '.join(IMAGES)}, found {', '.join(columns)}.")
    rows = [row for table in tables for row in table.column(image).to_pylist()]
    labels = [row for table in tables for row in table.column(label).to_pylist()] if label else None
    pictures = [decode(row, f"{paths[0]}, row {number}") for number, row in enumerate(rows)]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        raise ValueError(f"{paths[0]}: pictures of several sizes ({sorted(shapes)[:3]} ...); expected one size.")
    what = f"Parquet with pictures in the column {image!r}"
    return Found(np.stack(pictures), None if labels is None else np.array(labels), what, names(tables[0], label), part)


def decode(row: Any, where: str) -> np.ndarray:
    """A picture's bytes, alone or as {"bytes": ..., "path": ...}."""
    content = row.get("bytes") if isinstance(row, dict) else row
    if not isinstance(content, bytes):
        raise ValueError(  # noqa: TRY004 - it is the file that is wrong
            f"{where}: expected the bytes of a picture, found {type(content).__name__}."
        )
    try:
        with Image.open(io.BytesIO(content)) as image:
            return as_bytes(image, Path(where))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{where}: expected a picture, found {error}") from error


def names(table: Any, label: str | None) -> list[str] | None:
    """The classes' names, which the hub's writer keeps in the file's metadata."""
    text = (table.schema.metadata or {}).get(b"huggingface")
    try:
        return list(json.loads(text)["info"]["features"][label]["names"]) if text else None
    except (ValueError, KeyError, TypeError):
        return None
