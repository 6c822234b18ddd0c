"""Every container of weights that people bring, as its own library writes it.

The files of Keras, Flax and gguf lie here (`make.py` wrote them); torch, NumPy, safetensors
and ONNX write theirs when they are asked for. `python -m tests.saved.containers` prints
what minicnn makes of each to README.md.
"""

import argparse
import json
import shutil
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from minicnn import nn, onnx
from minicnn.convert import read
from minicnn.saved.fitting import fitted

HERE = Path(__file__).parent
VERSIONS = json.loads((HERE / "versions.json").read_text(encoding="utf-8"))


class Container(NamedTuple):
    name: str  # of the file
    what: str
    library: str  # that wrote it
    write: Callable[[Path], object]  # to this path


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))


def state():
    return {name: tensor.detach() for name, tensor in net().state_dict().items()}


def small():
    """The same network here."""
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))


def course():
    """That of `make.py` here: the course's in small."""
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 3, 3, padding="same"), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(48, 6), nn.ReLU(), nn.Linear(6, 5)),
    )


def kept(path):
    shutil.copy(HERE / path.name, path)


def saved(make, **options):
    return lambda path: torch.save(make(), path, **options)


def written(content):
    return lambda path: path.write_bytes(content)


def sharded(path):
    items = list(state().items())
    parts = {"model-1-of-2.safetensors": dict(items[:2]), "model-2-of-2.safetensors": dict(items[2:])}
    for part, tensors in parts.items():
        save_file(tensors, path.with_name(part))
    index = {name: part for part, tensors in parts.items() for name in tensors}
    path.write_text(json.dumps({"metadata": {"total_size": 188}, "weight_map": index}))


def traced(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch will leave this format one day
        torch.jit.save(torch.jit.trace(net(), torch.zeros(1, 1, 4, 4)), path)


def exported(path):
    torch.export.save(torch.export.export(net(), (torch.zeros(1, 1, 4, 4),)), path)


def onnx_model(path):
    onnx.export(small(), path, (1, 1, 4, 4))


def averaged():
    return torch.optim.swa_utils.AveragedModel(net()).state_dict()


def wrapped(prefix):
    return lambda: {prefix + name: tensor for name, tensor in state().items()}


def lightning(extra):
    """The entries of Lightning's checkpoints, with these hyperparameters."""
    return lambda: {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": wrapped("model.")(),
        "optimizer_states": [torch.optim.Adam(net().parameters()).state_dict()],
        "hyper_parameters": extra,
    }


def bfloat16():
    return {name: tensor.bfloat16() for name, tensor in state().items()}


def float16():
    return {name: tensor.half() for name, tensor in state().items()}


def checkpoint():
    return {"epoch": 3, "config": {"lr": 0.1}, "model": state()}


def arrays(path):
    np.savez(path, **{name: tensor.numpy() for name, tensor in state().items()})


def folder_with(name):
    return lambda path: (path.mkdir(), (path / name).write_bytes(b""))


POINTER = b"version https://git-lfs.github.com/spec/v1\noid"
KERAS, FLAX, GGUF = (f"{name} {VERSIONS[name]}" for name in ("keras", "flax", "gguf"))
TORCH, NUMPY, SAFETENSORS = (f"{name} {version(name)}" for name in ("torch", "numpy", "safetensors"))

CONTAINERS = [
    Container("model.safetensors", "safetensors", SAFETENSORS, lambda path: save_file(state(), path)),
    Container("half.safetensors", "safetensors, bfloat16", SAFETENSORS, lambda path: save_file(bfloat16(), path)),
    Container("model.safetensors.index.json", "safetensors in parts", SAFETENSORS, sharded),
    Container("state.pt", "state_dict", TORCH, saved(state)),
    Container("old.pt", "state_dict, format before 1.6", TORCH, saved(state, _use_new_zipfile_serialization=False)),
    Container("float16.pt", "state_dict, float16", TORCH, saved(float16)),
    Container("bfloat16.pt", "state_dict, bfloat16", TORCH, saved(bfloat16)),
    Container("parallel.pt", "names of DataParallel", TORCH, saved(wrapped("module."))),
    Container("compiled.pt", "names of both, torch.compile first", TORCH, saved(wrapped("_orig_mod.module."))),
    Container("averaged.pt", "AveragedModel", TORCH, saved(averaged)),
    Container("checkpoint.pt", "checkpoint with a state_dict", TORCH, saved(checkpoint)),
    Container("lightning.ckpt", "Lightning's entries, plain hyperparameters", TORCH, saved(lightning({"lr": 0.1}))),
    Container("namespace.ckpt", "the same, a class among them", TORCH, saved(lightning(argparse.Namespace(lr=0.1)))),
    Container("module.pt", "whole module", TORCH, saved(net)),
    Container("traced.pt", "TorchScript", TORCH, traced),
    Container("program.pt2", "torch.export", TORCH, exported),
    Container("distributed", "torch.distributed.checkpoint", "its folder's names", folder_with(".metadata")),
    Container("keras.keras", "Keras, .keras", KERAS, kept),
    Container("keras.weights.h5", "Keras, .weights.h5", KERAS, kept),
    Container("keras.h5", "Keras, older .h5", KERAS, kept),
    Container("saved_model", "SavedModel", "its folder's names", folder_with("saved_model.pb")),
    Container("model.tflite", "TensorFlow Lite", "its first bytes", written(b"\x1c\0\0\0TFL3" + bytes(20))),
    Container("linen.msgpack", "Flax, to_bytes of Linen's parameters", FLAX, kept),
    Container("nnx.msgpack", "Flax, to_bytes of NNX's state", FLAX, kept),
    Container("orbax", "Orbax", "its folder's names", folder_with("_CHECKPOINT_METADATA")),
    Container("arrays.npz", "numpy.savez", NUMPY, arrays),
    Container("array.npy", "numpy.save", NUMPY, lambda path: np.save(path, np.ones(2))),
    Container("small.gguf", "GGUF", GGUF, kept),
    Container("model.onnx", "ONNX", "minicnn.onnx.export", onnx_model),
    Container("pointer.safetensors", "Git LFS in place of a file", "its first words", written(POINTER)),
    Container("page.pt", "a web page in place of a file", "its first words", written(b"<!DOCTYPE html>\n<html>")),
]


def result(container: Container, folder: Path) -> str:
    """What minicnn says about it: what was read, or the sentence that refuses it."""
    path = folder / container.name
    container.write(path)
    try:
        found = fitted(fitted(read(path), small().state_dict()), course().state_dict())
    except (OSError, ValueError) as error:
        return f"refused: {error}".replace(f"{folder}/", "")
    return " ".join([f"read, {len(found.weights)} arrays.", *found.notes])


def table(folder: Path) -> list[str]:
    """A row in Markdown for each."""
    rows = [f"| {one.name} | {one.what} | {one.library} | {result(one, folder)} |" for one in CONTAINERS]
    return ["| file | what it is | written by | what minicnn does |", "|---|---|---|---|", *rows]
