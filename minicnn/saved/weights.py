"""Weights on disk under torch's names: safetensors files, and what
`torch.save(model.state_dict(), path)` writes.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from .files import write_whole

# The types that NumPy has too, as safetensors calls them.
NUMPYS = {"BOOL", "F16", "F32", "F64", "C64", *(f"{kind}{bits}" for kind in "IU" for bits in (8, 16, 32, 64))}


def save_weights(path: str | Path, state_dict: Mapping[str, np.ndarray]) -> None:
    """Write a `state_dict()` to a safetensors file."""
    arrays = {name: np.asarray(array, order="C") for name, array in state_dict.items()}
    write_whole(Path(path), safetensors.save(arrays))


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read a safetensors file or a `torch.save`d state_dict, ready for `load_state_dict`.

    What a file is, its first bytes say, not its name. torch's format is a pickle, and a
    pickle can run code: torch reads it with `weights_only=True`, which refuses whatever
    is not a tensor. That needs torch; safetensors files do not.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise IsADirectoryError(
            f"{path} is no file: name the file with the weights, such as model.safetensors in a run folder."
        )
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise ValueError(f"{path} is empty: save the weights anew, or copy the file again.")
    if start[8:] == b"{":  # safetensors: the length of a JSON header, then the header
        return _read_safetensors(path)
    if start[:4] == b"PK\3\4" or start[:1] == b"\x80":  # torch.save: a zip archive since 1.6, a bare pickle before
        return _read_torch(path)
    raise ValueError(
        f"{path} is neither a whole safetensors file nor a state_dict saved by torch: it begins with {start!r}. "
        "Save the weights anew, or copy the file again."
    )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as file:  # compares the header with the file's size before it reads
            names = sorted(file.keys())
            unknown = {file.get_slice(name).get_dtype() for name in names} - NUMPYS
            if not unknown:
                return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}. Save the weights anew, or copy the file again."
        ) from error
    raise ValueError(
        f"{path} holds tensors of type {', '.join(sorted(unknown))}, which NumPy does not have: save them as float32."
    )


def torch_bytes(weights: Mapping[str, np.ndarray]) -> bytes:
    """What `torch.save(state_dict, path)` would write."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("Writing .pt or .pth files needs torch: pip install 'minicnn[torch]'.") from error
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(array, order="C")) for name, array in weights.items()}, content)
    return content.getvalue()


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is in torch's format, and reading that needs torch: pip install 'minicnn[torch]'. "
            "A safetensors file needs no torch."
        ) from error
    try:
        _check_archive(path)
        with path.open("rb") as file, warnings.catch_warnings():  # a path's name would tell torch the format
            warnings.simplefilter("ignore")  # what is not as it should be ends in an error here
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in as many ways as there are exceptions
        raise ValueError(f"{path} {_why_refused(error)}") from error
    return _arrays(path, found)


def _check_archive(path: Path) -> None:
    """torch.save never compresses, so an archive that holds more than its size is a trap."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("its entries promise more bytes than the file has")


def _why_refused(error: Exception) -> str:
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked:
        return (
            f"holds more than tensors: it asks for {asked[1]}, and loading that could run code, so nothing was loaded. "
            "Save the weights alone: torch.save(model.state_dict(), path)."
        )
    reason = re.split(r"\.\s|\.$|\n", str(error).strip())[0] or type(error).__name__
    if reason == "Weights only load failed":
        reason = "it is another kind of pickle, or damaged, and none of it was run"
    return f"is not a whole state_dict saved by torch: {reason}. Save the weights anew, or copy the file again."


def _arrays(path: Path, found: Any) -> dict[str, np.ndarray]:
    """The tensors as arrays, if names with tensors are all that was found; what is not
    so is listed at once.
    """
    ask = "torch.save(model.state_dict(), path)"
    if not isinstance(found, Mapping):
        raise ValueError(  # noqa: TRY004 - the file's content is wrong, no argument's type
            f"{path} holds an object of type {type(found).__name__}, expected a state_dict, names with "
            f"their tensors: {ask}."
        )
    if {"state", "param_groups"} == found.keys():
        raise ValueError(f"{path} holds an optimiser's state, not weights: {ask}.")
    inside = [name for name, value in found.items() if isinstance(value, Mapping) and "param_groups" not in value]
    if inside:
        raise ValueError(
            f"{path} holds a checkpoint with the entries {', '.join(map(repr, found))}, expected a "
            "state_dict: save the part "
            f"with the weights alone, perhaps torch.save(torch.load({path.name!r})[{inside[0]!r}], 'weights.pt')."
        )
    arrays, problems = {}, []
    for name, value in found.items():
        try:
            arrays[name] = _array(name, value)
        except (RuntimeError, TypeError, ValueError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError(f"{path} is no state_dict that can be loaded:\n  " + "\n  ".join(problems))
    return arrays


def _array(name: Any, value: Any) -> np.ndarray:
    """A tensor's numbers, where they are; strides and tied weights do no harm."""
    if not isinstance(name, str) or not hasattr(value, "untyped_storage"):
        raise TypeError(f"expected a name with a tensor, got {type(name).__name__} with {type(value).__name__}")
    try:
        array = value.detach().resolve_conj().resolve_neg().numpy()
    except (RuntimeError, TypeError) as error:
        kind = f"{value.dtype}, {value.layout}, {value.device}".replace("torch.", "")
        raise TypeError(f"NumPy has no such tensors ({kind}); save it as a dense float32 tensor on the CPU") from error
    if array.nbytes > value.untyped_storage().nbytes():
        raise ValueError(f"promises shape {array.shape}, but the file holds fewer numbers; save it as .contiguous()")
    return array
