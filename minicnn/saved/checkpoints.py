"""A training's whole state in one file: it goes on from there as if it had never stopped.

checkpoint.safetensors holds

    model.<name>               the weights and buffers
    optimizer.<i>.<name>       what the optimizer keeps for parameter i, as Adam's averages
    random.key                 the Mersenne Twister of initial weights and dropout

and in its header, as JSON, the configuration, the metrics of the finished epochs and the
optimizer's options. The order of the images needs nothing kept: it follows from seed and epoch.
A digest over everything tells a damaged file from a whole one. The file is not a pickle:
reading it runs nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from ..kernels.arrays import all_to_numpy, dtype_name
from ..nn import Module
from ..nn.functional import random
from ..optim import Optimizer
from .files import write_whole

FORMAT = "1"


class Checkpoint(NamedTuple):
    """What a file held: the header's entries, and the arrays by name."""

    path: Path
    config: dict[str, Any]
    history: list[list[float]]
    options: list[dict[str, Any]]  # the optimizer's groups
    position: int  # of the random stream
    arrays: dict[str, np.ndarray]

    def restore(self, model: Module, optimizer: Optimizer) -> None:
        """Weights, optimizer and random stream as they were.

        Raises ValueError if the network is another one, which then stays as it was, or if the
        optimizer is another one.
        """
        weights = {}
        for name, array in self.arrays.items():
            if name.startswith("model."):
                weights[name.removeprefix("model.")] = array
        found = {dtype_name(array) for array in weights.values()}
        wanted = {dtype_name(array) for array in model.state_dict().values()}
        if weights and found != wanted:
            raise ValueError(f"{self.path} holds {', '.join(sorted(found))} weights, expected {', '.join(wanted)}.")
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"{self.path} holds another network: {error}") from error
        state: dict[int, dict[str, Any]] = {}
        try:
            for name, array in self.arrays.items():
                if name.startswith("optimizer."):
                    _, number, key = name.split(".", 2)
                    state.setdefault(int(number), {})[key] = array
            optimizer.load_state_dict({"state": state, "param_groups": self.options})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} holds another optimizer's state: {error}") from error
        random.set_state(self.arrays["random.key"], self.position)


def save(
    path: Path, model: Module, optimizer: Optimizer, config: Mapping[str, Any], history: Sequence[tuple[float, ...]]
) -> None:
    """Write the checkpoint: all of it, or the old one stays."""
    kept = optimizer.state_dict()
    key, position = random.get_state()
    there = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, values in kept["state"].items():
        there |= {f"optimizer.{number}.{name}": value for name, value in values.items() if value is not None}
    there["random.key"] = key
    arrays = {name: np.asarray(array, order="C") for name, array in all_to_numpy(there).items()}
    header = {"config": dict(config), "history": list(history), "options": kept["param_groups"], "position": position}
    text = json.dumps(header)
    metadata = {"minicnn": FORMAT, "header": text, "sha256": digest(text, arrays)}
    write_whole(path, safetensors.save(arrays, metadata))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. ValueError says why a file is not one."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("minicnn") != FORMAT:
                raise ValueError(
                    f"{path} is no checkpoint of this version: expected format {FORMAT},"
                    f" got {metadata.get('minicnn')!r}."
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}. Start the training anew.") from error
    text = metadata.get("header", "")
    if digest(text, arrays) != metadata.get("sha256"):
        raise ValueError(f"{path} is damaged: its content does not have the digest it names. Start the training anew.")
    return Checkpoint(path, arrays=arrays, **read_header(path, text, arrays))


def read_header(path: Path, text: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The header, if `save` may have written it: a digest that fits does not say who did."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}. Start the training anew.") from error
    kinds = {"config": dict, "history": list, "options": list, "position": int}
    found = {name: type(value) for name, value in header.items()} if isinstance(header, dict) else type(header)
    if found != kinds:
        raise ValueError(f"{path} is no checkpoint of a training: its header must hold {', '.join(kinds)}.")
    for epoch, row in enumerate(header["history"], 1):
        if not isinstance(row, list) or row[:1] != [epoch] or set(map(type, row[1:])) - {float}:
            raise ValueError(
                f"{path} is no checkpoint of a training: row {epoch} of its history must be the epoch, {epoch},"
                " and floats."
            )
    key = arrays.get("random.key", np.zeros(0))
    if (key.dtype, key.shape) != (np.dtype(np.uint32), (624,)) or not 0 <= header["position"] <= 624:
        raise ValueError(f"{path} is no checkpoint of a training: it holds no state of the random numbers.")
    return header


def digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the header and every array: name, dtype, shape, bytes."""
    found = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
