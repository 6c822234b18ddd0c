"""safetensors: one file, or parts with an index (`model.safetensors.index.json`).

The format: https://huggingface.co/docs/safetensors
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors import SafetensorError, safe_open

from . import torchs
from .found import Found, widened, widened_bfloat16

# The types that NumPy has too, as safetensors calls them.
NUMPYS = {"BOOL", "F16", "F32", "F64", "C64", *(f"{kind}{bits}" for kind in "IU" for bits in (8, 16, 32, 64))}
LARGEST_INDEX = 2**24  # bytes


def read(path: Path) -> Found:
    try:
        with safe_open(path, framework="numpy") as file:  # compares the header with the file's size before it reads
            types = {name: file.get_slice(name).get_dtype() for name in sorted(file.keys())}
            unknown = set(types.values()) - NUMPYS - {"BF16"}
            if not unknown:
                halves = read_bfloat16(path) if "BF16" in types.values() else {}
                weights = {name: halves[name] if name in halves else widened(file.get_tensor(name)) for name in types}
                return Found(weights, widening(types))
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}. Save the weights anew, or copy the file again."
        ) from error
    raise ValueError(
        f"{path} holds tensors of type {', '.join(sorted(unknown))}, which NumPy does not have: save them as float32."
    )


def read_bfloat16(path: Path) -> dict[str, np.ndarray]:
    """The tensors of type bfloat16, as float32."""
    found = safetensors.deserialize(path.read_bytes())
    return {
        name: widened_bfloat16(np.frombuffer(tensor["data"], "<u2")).reshape(tensor["shape"])
        for name, tensor in found
        if tensor["dtype"] == "BF16"
    }


def widening(types: dict[str, str]) -> tuple[str, ...]:
    halves = [name for name in ("F16", "BF16") if name in types.values()]
    return (f"{' and '.join(halves)} became float32, number for number.",) if halves else ()


def read_index(path: Path) -> Found:
    """The parts that an index names, all of which must lie beside it."""
    index = parse(path)
    if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
        raise ValueError(  # noqa: TRY004 - the file's content is wrong, no argument's type
            f'{path} is a JSON file without weights: expected an index with "weight_map", which says for each name in '
            "which file its tensor is (model.safetensors.index.json)."
        )
    where = index["weight_map"]
    parts = sorted(set(map(str, where.values())))
    strange = [part for part in parts if Path(part).name != part]
    if strange:
        raise ValueError(f"{path} names {strange[0]!r}; expected files that lie beside it.")
    missing = [part for part in parts if not path.with_name(part).is_file()]
    if missing:
        raise ValueError(
            f"{path} names {len(parts)} files, of which {len(missing)} are not beside it: {', '.join(missing[:5])}. "
            "Copy them there; nothing was loaded."
        )
    weights: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for part in parts:
        found = read_part(path.with_name(part))
        weights |= found.weights
        notes += [note for note in found.notes if note not in notes]
    lacking = [name for name in where if name not in weights]
    if lacking:
        raise ValueError(f"{path} promises {', '.join(map(repr, lacking[:5]))}, which its files do not hold.")
    return Found({name: weights[name] for name in where}, (f"Read from {len(parts)} files.", *notes))


def read_part(path: Path) -> Found:
    with path.open("rb") as file:
        start = file.read(9)
    return read(path) if start[8:] == b"{" else torchs.read(path)  # pytorch_model-00001-of-00002.bin


def parse(path: Path) -> Any:
    if path.stat().st_size > LARGEST_INDEX:
        raise ValueError(f"{path} begins as JSON does and has more than {LARGEST_INDEX:,} bytes: no index of weights.")
    try:
        return json.loads(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} begins as JSON does and is damaged: {error}. Copy the file again.") from error
