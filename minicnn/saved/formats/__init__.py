"""What a file with weights is, as its content says, and how it is read.

    found       what a reader gives back, and the checks that several need
    tensors     safetensors, whole or in parts with an index
    torchs      what torch.save writes: a state_dict, a checkpoint, an averaged model
    arrays      NumPy's .npz
    keras       .keras, .weights.h5 and .h5, through h5py
    flax        Flax's msgpack, through msgpack
    transposed  kernels of Keras and Flax in torch's order
    strangers   what is known and not read: a sentence with the way in

A reader takes the path and returns `Found`, or raises ValueError or ImportError with a
sentence that begins with the path.
"""

from collections.abc import Callable
from pathlib import Path

from . import arrays, flax, keras, strangers, tensors, torchs
from .found import Found, is_zip, names_in

HDF5 = b"\x89HDF\r\n\x1a\n"


def reader_of(path: Path) -> Callable[[Path], Found]:
    """The reader for what the file holds; ValueError says what it is if there is none."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ValueError(f"{path} is empty: save the weights anew, or copy the file again.")
    if start[8:9] == b"{":  # the length of a JSON header, then the header
        return tensors.read
    if start[:1] == b"\x80" and start[1:2] < b"\x10":  # a bare pickle, torch's format before 1.6
        return torchs.read
    if start[:4] == b"PK\3\4":
        return reader_of_archive(path)
    if start[:8] == HDF5:
        return keras.read_hdf5
    if start[:1] == b"{":
        return tensors.read_index
    if flax.begins(start):
        return flax.read
    raise ValueError(f"{path} {strangers.what_is(path, start)}")


def reader_of_archive(path: Path) -> Callable[[Path], Found]:
    if not is_zip(path):
        return torchs.read  # the end is missing; torch says what it misses
    names = names_in(path)
    stranger = strangers.what_archive(path, names)
    if stranger:
        raise ValueError(f"{path} {stranger}")
    if "model.weights.h5" in names:
        return keras.read_archive
    if names and all(name.endswith(".npy") for name in names):
        return arrays.read
    return torchs.read
