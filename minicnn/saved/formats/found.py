"""What a reader gives back, and what several readers need."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """The weights in a file."""

    weights: dict[str, np.ndarray]  # by name, in the file's order
    notes: tuple[str, ...] = ()  # what was done to them, a sentence each


def is_zip(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def names_in(path: Path) -> list[str]:
    """The names in a zip archive; ValueError if its list is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path} is damaged: {error}. Save the weights anew, or copy the file again.") from error


def widened(array: np.ndarray) -> np.ndarray:
    """float16 as float32, which has every number of float16; all else as it is."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def widened_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The float32 numbers whose upper halves these uint16 are: bfloat16 is float32 without
    its last 16 bits.

    >>> widened_bfloat16(np.array([0x3F80, 0xC040], np.uint16))
    array([ 1., -3.], dtype=float32)
    """
    return (bits.astype(np.uint32) << 16).view(np.float32)


def quoted(path: str | Path) -> str:
    """A path as Python writes it, inside of a command in double quotes."""
    name = str(path)
    return "'FILE'" if set(name) & set("\"'$`!\n") else repr(name)


def beside(path: Path, ending: str) -> Path:
    """What a command is to write: no file that is there already."""
    name = f"{path.stem}-weights"
    while path.with_name(name + ending).exists():
        name += "-new"
    return path.with_name(name + ending)
