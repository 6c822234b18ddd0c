"""The IDX reader: what was written comes back; damage is named, and costs no memory."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minicnn.data.idx import DTYPES, read_idx, write_idx

ARRAY = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def header(code, *shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@settings(deadline=None)
@given(
    dtype=st.sampled_from(sorted(DTYPES.values(), key=str)),
    order=st.sampled_from("<>"),
    shape=st.lists(st.integers(0, 4), max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
@example(dtype=DTYPES[0x0E], order="<", shape=[], seed=0)
@example(dtype=DTYPES[0x08], order=">", shape=[1] * 32, seed=0)
def test_round_trip(folder, suffix, dtype, order, shape, seed):
    # Random bits: NaNs with payload, infinities and -0.0 are among the floats.
    size = int(np.prod(shape))
    bits = np.random.default_rng(seed).bytes(size * dtype.itemsize)
    array = np.frombuffer(bits, dtype.newbyteorder(order)).reshape(shape)
    path = folder / f"round-trip{suffix}"
    write_idx(path, array)
    found = read_idx(path)
    assert found.dtype.isnative and found.flags.writeable
    assert same(found.astype(array.dtype), array)


def test_the_bytes_are_the_formats(folder):
    path = folder / "bytes"
    write_idx(path, np.array([[1, -2]], np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000002 0001 fffe")


def test_gzip_is_reproducible_and_seen_by_content_not_by_name(folder):
    write_idx(folder / "one.gz", ARRAY)
    write_idx(folder / "two.gz", ARRAY[:])
    packed = (folder / "one.gz").read_bytes()
    assert packed == (folder / "two.gz").read_bytes()
    assert packed[3:8] == bytes(5)  # no file name, no time
    (folder / "no-suffix").write_bytes(packed)
    assert same(read_idx(folder / "no-suffix"), ARRAY)


@settings(deadline=None)
@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_one_changed_byte_of_a_gzip_never_gives_another_array(folder, position, flip):
    path = folder / "changed.gz"
    write_idx(path, ARRAY)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= flip
    path.write_bytes(content)
    try:
        assert same(read_idx(path), ARRAY)  # the time in gzip's header, for example
    except ValueError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_truncation_is_an_error(folder, suffix):
    path = folder / f"truncated{suffix}"
    write_idx(path, ARRAY)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f"truncated{suffix}: .*(expected|promises)"):
            read_idx(path)


WHOLE = header(0x08, 2, 3) + bytes(6)
BAD = {
    "nothing": (b"", "begins with the bytes 00 00, a type code .*; found nothing"),
    "PNG": (b"\x89PNG\r\n", "expected an IDX file, .*; found 89 50 4e 47"),
    "magic": (b"\1\0" + WHOLE[2:], "which begins with the bytes 00 00, .* found 01 00 08 02"),
    "type code": (b"\0\0\x0a\1" + bytes(9), r"08, 09, 0b, 0c, 0d, 0e\) .* found 00 00 0a 01"),
    "shape cut": (WHOLE[:9], "expected a shape of 2 numbers, 8 bytes; found 5"),
    "data cut": (WHOLE[:-1], r"promises uint8 \(2, 3\), 6 bytes; the file of 17 .* at most 5"),
    "trailing": (WHOLE + b"\0", r"promises uint8 \(2, 3\), 6 bytes; found further bytes behind"),
    "dimensions": (header(0x08, *[1] * 33) + b"\0", "expected at most 32 dimensions, found 33"),
    "terabytes": (header(0x0E, 2**20, 2**20), r"float64 \(1048576, 1048576\); .* at most 4 GiB"),
    "none of too many": (header(0x08, 0, 2**32 - 1, 2**32 - 1), "expected at most 4 GiB"),
    "3 GiB": (header(0x08, 3 * 2**30), "3,221,225,472 bytes; the file of .* holds at most"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD)
def test_bad_content_is_named(folder, content, message, pack):
    if pack is gzip.compress and content == WHOLE[:-1]:
        message = r"promises uint8 \(2, 3\), 6 bytes; found only 5"
    path = folder / "bad"
    path.write_bytes(pack(content))
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"bad: .*{message}"):
        read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_bad_gzip_is_named(folder):
    path = folder / "bad.gz"
    packed = gzip.compress(WHOLE)
    for content, message in [
        (packed[:-9], "ended before the end-of-stream"),
        (packed[:-8] + bytes(8), "CRC check failed"),
        (packed + b"rest", "Not a gzipped file"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"expected a whole gzip file, found: .*{message}"):
            read_idx(path)


def test_a_gzip_bomb_is_not_unpacked(folder):
    path = folder / "bomb.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(WHOLE)
        for _ in range(200):
            stream.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match="6 bytes; found further bytes"):
        read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()


def test_a_missing_file_stays_a_missing_file(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(folder / "nowhere")


@pytest.mark.parametrize("array", [np.zeros(2, bool), np.zeros(2, np.int64), np.array(["a"])])
def test_what_idx_cannot_hold_is_refused(folder, array):
    path = folder / "refused"
    with pytest.raises(ValueError, match=r"IDX holds uint8, .*float64 .*, got .* of shape \(\d,\)"):
        write_idx(path, array)
    assert not path.exists()
