"""NumPy's .npz: arrays under the names that numpy.savez got."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from .found import Found, widened

LARGEST = 2**32  # bytes of all arrays, unpacked: what a laptop can hold


def read(path: Path) -> Found:
    """No pickled object is loaded, and nothing before the sizes were compared."""
    try:
        with zipfile.ZipFile(path) as archive:
            promised = sum(entry.file_size for entry in archive.infolist())
        if promised > LARGEST:
            raise ValueError(f"its arrays have {promised:,} bytes; at most {LARGEST:,} are read")
        with np.load(path, allow_pickle=False) as arrays:
            halves = [name for name in arrays.files if arrays[name].dtype == np.float16]
            weights = {name: widened(arrays[name]) for name in arrays.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if "pickle" in str(error).lower() or "Object arrays" in str(error):
            reason = "holds Python objects, which could run code and are not loaded. Save arrays alone: numpy.savez."
            raise ValueError(f"{path} {reason}") from error
        raise ValueError(f"{path} cannot be read as .npz: {error}.") from error
    strange = [f"{name} ({array.dtype})" for name, array in weights.items() if array.dtype.kind not in "biufc"]
    if strange:
        raise ValueError(f"{path} holds {', '.join(strange)}; expected arrays of numbers.")
    return Found(weights, ("float16 became float32, number for number.",) if halves else ())
