"""Keras: `.keras`, `.weights.h5` and the older `.h5`, through h5py (extra `formats`).

A `.keras` archive holds `config.json`, which names the layers, and `model.weights.h5`. In
that file each layer is a group, called after its class and counted (`conv2d`, `conv2d_1`,
`dense`), with its arrays in `vars/0`, `vars/1`. The older format lists the layers in
`layer_names` and their arrays in `weight_names`.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .found import Found
from .transposed import ONNX, Layer, to_torch

LARGEST = 2**32  # bytes of all arrays: what a laptop can hold
LARGEST_CONFIG = 2**24  # bytes


def read_archive(path: Path) -> Found:
    """A `.keras` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if sum(sizes.values()) > LARGEST or sizes.get("config.json", 0) > LARGEST_CONFIG:
                raise ValueError(f"{path} promises {sum(sizes.values()):,} bytes; at most {LARGEST:,} are read.")
            config = archive.read("config.json").decode()
            content = archive.read("model.weights.h5")
    except (zipfile.BadZipFile, KeyError, EOFError, UnicodeDecodeError, NotImplementedError, OSError) as error:
        raise ValueError(f"{path} is a damaged .keras file: {error}. Save it anew, or copy it again.") from error
    return read_groups(path, io.BytesIO(content), config)


def read_hdf5(path: Path) -> Found:
    """`.weights.h5`, or a whole model in HDF5."""
    return read_groups(path, path, "")


def read_groups(path: Path, source: Any, config: str) -> Found:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path} holds HDF5, which h5py reads: pip install 'minicnn[formats]'.") from error
    try:
        with h5py.File(source, "r") as file:
            config = config or text(file.attrs.get("model_config", ""))
            check_config(config)
            older = file.get("model_weights", file)
            named = older_layers(older) if "layer_names" in older.attrs else layers_below(file)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as HDF5: {str(error)[:200]}.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    try:
        layers = [layer(name, arrays) for name, arrays in named.items()]
        if not layers:
            raise ValueError("it holds no layers as Keras writes them: a group for each, with its arrays.")
        return to_torch(layers, channels_last="channels_first" not in config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def check_config(config: str) -> None:
    """ValueError if data flows otherwise than through convolutions, then through Dense."""
    try:
        found = json.loads(config) if config else {}
        layers = found["config"]["layers"] if found else []
        kinds = [layer["class_name"] for layer in layers]
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # another kind of model, whose groups say what it holds
    if "Reshape" in kinds or "Permute" in kinds:
        kind = "Reshape" if "Reshape" in kinds else "Permute"
        raise ValueError(f"the network has a {kind}, behind which the order of the numbers is not known. {ONNX}")


def layers_below(file: Any) -> dict[str, list[np.ndarray]]:
    """Keras 3: the groups with `vars`, convolutions first, each kind in its order."""
    found: dict[str, list[np.ndarray]] = {}

    def visit(name: str, item: Any) -> None:
        if name.endswith("vars") and not hasattr(item, "dtype") and not name.startswith("optimizer") and len(item):
            group = name.removesuffix("vars").strip("/").replace("layers/", "").replace("/", ".") or "model"
            found[group] = [number(file, item[key]) for key in sorted(item, key=natural)]

    check_total(file)
    file.visititems(visit)
    return dict(sorted(found.items(), key=lambda one: (-one[1][0].ndim, natural(one[0]))))


def older_layers(group: Any) -> dict[str, list[np.ndarray]]:
    check_total(group)
    found = {}
    for name in map(text, group.attrs["layer_names"]):
        arrays = [number(group.file, group[name][text(key)]) for key in group[name].attrs["weight_names"]]
        if arrays:
            found[name] = arrays
    return found


def check_total(group: Any) -> None:
    """ValueError before memory is spent on more than a laptop can hold."""
    sizes: list[int] = []
    group.visititems(lambda _, item: sizes.append(item.size * item.dtype.itemsize if hasattr(item, "dtype") else 0))
    if sum(sizes) > LARGEST:
        raise ValueError(f"its arrays have {sum(sizes):,} bytes; at most {LARGEST:,} are read.")


def number(file: Any, item: Any) -> np.ndarray:
    """The numbers that lie in this very file: HDF5 can also point to other files."""
    if not hasattr(item, "dtype") or item.dtype.kind not in "fiu":
        raise ValueError(f"{item.name} holds no array of numbers.")
    if item.file != file.file or item.external or item.is_virtual:
        raise ValueError(f"{item.name} points to another file, which is not read.")
    if item.size and not item.id.get_storage_size():
        raise ValueError(f"{item.name} promises shape {item.shape}, and the file holds none of its numbers.")
    return np.asarray(item[()])


def layer(name: str, arrays: list[np.ndarray]) -> Layer:
    kernel, *bias = arrays
    kind = name.lower().replace("_", "")
    if (
        "depthwise" in kind
        or "separable" in kind
        or kernel.ndim not in (2, 4)
        or [a.ndim for a in bias] not in ([], [1])
    ):
        raise ValueError(
            f"the layer {name} holds arrays of shapes {', '.join(str(array.shape) for array in arrays)}; expected the"
            f" kernel, and perhaps the bias, of a convolution or of a Dense. {ONNX}"
        )
    return Layer(name, kernel, bias[0] if bias else None, transposed="transpose" in kind)


def natural(name: str) -> list[tuple[int, str]]:
    """conv2d, conv2d_1, conv2d_2, conv2d_10: numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
