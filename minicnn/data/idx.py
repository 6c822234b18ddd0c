"""IDX, the file format of MNIST: a header which says what follows, then the numbers.

    bytes    content
    2        zero
    1        type code, see DTYPES
    1        n, the number of dimensions
    4 n      the shape, unsigned
    rest     the elements, last dimension fastest

All numbers are big-endian. The whole may be gzipped: the first bytes show it, not the name.
"""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
GZIP_MAGIC = b"\x1f\x8b"
GZIP_RATIO = 1032  # deflate spends at least 2 bits on a match, and a match is at most 258 bytes
MAX_BYTES = 4 * 2**30
MAX_DIMS = 32


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array in an IDX file, in the machine's byte order.

    ValueError for anything but one whole array. A header is only a claim: it is compared with
    the file's size before memory is spent, and no more than it promises is decompressed.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        try:
            dtype, shape = _read_header(stream, path)
            promised = dtype.itemsize * math.prod(shape)
            claim = f"{path}: the header promises {dtype.name} {shape}, {promised:,} bytes"
            most = size * GZIP_RATIO if zipped else size - 4 - 4 * len(shape)
            if promised > most:
                raise ValueError(f"{claim}; the file of {size:,} bytes holds at most {most:,}.")
            data = stream.read(promised + 1)  # one more: reaches the end, where gzip's CRC is
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: expected a whole gzip file, found: {error}") from error
    if len(data) != promised:
        found = f"only {len(data):,}" if len(data) < promised else "further bytes behind them"
        raise ValueError(f"{claim}; found {found}.")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(stream, path):
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        codes = ", ".join(f"{code:02x}" for code in DTYPES)
        raise ValueError(
            f"{path}: expected an IDX file, which begins with the bytes 00 00, a type code "
            f"({codes}) and the number of dimensions; found {magic.hex(' ') or 'nothing'}."
        )
    dtype = DTYPES[magic[2]]
    ndim = magic[3]
    if ndim > MAX_DIMS:
        raise ValueError(f"{path}: expected at most {MAX_DIMS} dimensions, found {ndim}.")
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{path}: expected a shape of {ndim} numbers, {4 * ndim} bytes; found {len(sizes)}.")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    # Empty dimensions do not count: NumPy refuses (0, 2**32 - 1, 2**32 - 1) as too big as well.
    if dtype.itemsize * math.prod(n for n in shape if n) > MAX_BYTES:
        raise ValueError(
            f"{path}: the header promises {dtype.name} {shape}; expected at most {MAX_BYTES // 2**30} GiB."
        )
    return dtype, shape


def write_idx(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write `array` as an IDX file, gzipped if `path` ends in .gz; equal arrays, equal bytes.

    ValueError for a dtype or a shape that the format cannot hold.
    """
    array = np.asarray(array)
    codes = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None or array.ndim > MAX_DIMS or max(array.shape, default=0) >= 2**32:
        raise ValueError(
            f"{path}: IDX holds {', '.join(dtype.name for dtype in codes)} of at most {MAX_DIMS} "
            f"dimensions, got {array.dtype} of shape {array.shape}."
        )
    magic = bytes([0, 0, code, array.ndim])
    content = magic + np.array(array.shape, ">u4").tobytes() + array.astype(DTYPES[code]).tobytes()
    with Path(path).open("wb") as file:
        if Path(path).suffix != ".gz":
            file.write(content)
            return
        with gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as stream:
            stream.write(content)
