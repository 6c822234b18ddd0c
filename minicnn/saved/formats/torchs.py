"""What `torch.save` writes, read without running what is in it (needs torch).

torch's format is a pickle, and a pickle can run code: torch reads it with
`weights_only=True`, which refuses whatever is not a tensor or a container of them.
"""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .found import Found, beside, is_zip, quoted
from .strangers import TRUST, python

ASK = "torch.save(model.state_dict(), path)"


def read(path: Path) -> Found:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is in torch's format, and reading that needs torch: pip install 'minicnn[torch]'. "
            "A safetensors file needs no torch."
        ) from error
    try:
        check_archive(path)
        with path.open("rb") as file, warnings.catch_warnings():  # a path's name would tell torch the format
            warnings.simplefilter("ignore")  # what is not as it should be ends in an error here
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in as many ways as there are exceptions
        raise ValueError(f"{path} {why_refused(path, error)}") from error
    return tensors(path, found)


def check_archive(path: Path) -> None:
    """torch.save never compresses, so an archive that holds more than its size is a trap."""
    if is_zip(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("its entries promise more bytes than the file has")


def why_refused(path: Path, error: Exception) -> str:
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked:
        return holds_more(path, asked[1])
    reason = re.split(r"\.\s|\.$|\n", str(error).strip())[0] or type(error).__name__
    if reason == "Weights only load failed":
        reason = "it is another kind of pickle, or damaged, and none of it was run"
    return f"is not a whole state_dict saved by torch: {reason}. Save the weights anew, or copy the file again."


def holds_more(path: Path, asked: str) -> str:
    """What a pickle is that asks for a class or a function, and the way in."""
    names = names_in_pickle(path)
    part, what = "", "holds more than tensors"
    if b"pytorch-lightning_version" in names:
        part, what = "['state_dict']", "is a checkpoint of Lightning that holds more than tensors"
    elif b"_modules" in names and b"_parameters" in names:
        part, what = ".state_dict()", "is a whole module, not a state_dict"
    said = f"{what}: it asks for {asked}, and loading that could run code, so nothing was loaded. "
    if not part:
        return f"{said}Save the weights alone: {ASK}."
    loaded = f"torch.load({quoted(path)}, map_location='cpu', weights_only=False){part}"
    code = f"import torch; torch.save({loaded}, {quoted(beside(path, '.pt'))})"
    return f"{said}Where its class can be imported: {python(code)}. {TRUST}"


def names_in_pickle(path: Path) -> bytes:
    """The pickle's bytes, in which names can be looked for; nothing in it is run."""
    if not is_zip(path):
        with path.open("rb") as file:
            return file.read(2**20)
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
        return archive.read(name) if name else b""


def tensors(path: Path, found: Any) -> Found:
    """The tensors as arrays: of a state_dict, or of the one that a checkpoint holds."""
    if not isinstance(found, Mapping):
        raise ValueError(  # noqa: TRY004 - the file's content is wrong, no argument's type
            f"{path} holds an object of type {type(found).__name__}, expected a state_dict, names with "
            f"their tensors: {ASK}."
        )
    if {"state", "param_groups"} == found.keys():
        raise ValueError(f"{path} holds an optimiser's state, not weights: {ASK}.")
    notes: tuple[str, ...] = ()
    if any(isinstance(value, Mapping) for value in found.values()):
        name = state_dict_in(path, found)
        notes = (f"Read from the entry {name!r} of a checkpoint with {', '.join(map(repr, found))}.",)
        found = found[name]
    arrays, problems = {}, []
    for name, value in found.items():
        try:
            arrays[name] = array(name, value)
        except (RuntimeError, TypeError, ValueError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError(f"{path} is no state_dict that can be loaded:\n  " + "\n  ".join(problems))
    return Found(arrays, notes + widening(found))


def state_dict_in(path: Path, checkpoint: Mapping[Any, Any]) -> Any:
    """Which entry of a checkpoint maps names to tensors; ValueError unless it is one."""
    inside = [name for name, value in checkpoint.items() if isinstance(value, Mapping) and holds_tensors(value)]
    if len(inside) == 1:
        return inside[0]
    entries = f"{path} holds a checkpoint with the entries {', '.join(map(repr, checkpoint))}"
    if not inside:
        raise ValueError(f"{entries}, none of which maps names to tensors; expected a state_dict: {ASK}.")
    loaded = f"torch.load({quoted(path)}, weights_only=True)[{inside[0]!r}]"
    code = f"import torch; torch.save({loaded}, {quoted(beside(path, '.pt'))})"
    raise ValueError(
        f"{entries}, of which {', '.join(map(repr, inside))} hold tensors: save one of them alone, perhaps "
        f"{python(code)}."
    )


def holds_tensors(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(hasattr(tensor, "untyped_storage") for tensor in value.values())


def widening(tensors: Mapping[Any, Any]) -> tuple[str, ...]:
    kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}
    halves = sorted(kinds & {"float16", "bfloat16"})
    return (f"{' and '.join(halves)} became float32, number for number.",) if halves else ()


def array(name: Any, value: Any) -> np.ndarray:
    """A tensor's numbers, where they are; strides and tied weights do no harm. float16 and
    bfloat16 become float32.
    """
    if not isinstance(name, str) or not hasattr(value, "untyped_storage"):
        raise TypeError(f"expected a name with a tensor, got {type(name).__name__} with {type(value).__name__}")
    kind = f"{value.dtype}, {value.layout}, {value.device}".replace("torch.", "")
    try:
        value = value.detach().resolve_conj().resolve_neg()
        stored = value.untyped_storage().nbytes()
    except (RuntimeError, TypeError) as error:
        raise TypeError(missing_kind(kind)) from error
    if value.numel() * value.element_size() > stored:
        raise ValueError(
            f"promises shape {tuple(value.shape)}, but the file holds fewer numbers; save it as .contiguous()"
        )
    try:
        return value.float().numpy() if kind.startswith(("float16", "bfloat16")) else value.numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(missing_kind(kind)) from error


def missing_kind(kind: str) -> str:
    return f"NumPy has no such tensors ({kind}); save it as a dense float32 tensor on the CPU"
