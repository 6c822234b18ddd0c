"""Weights from one format to the other: `python -m minicnn.convert A B`.

    python -m minicnn.convert runs/simplecnn-seed0 weights.pt    for torch.load
    python -m minicnn.convert weights.pt weights.safetensors     what torch saved, for minicnn
    python -m minicnn.convert digits.keras weights.safetensors --model SimpleCNN

What A is, its content says: safetensors (parts with an index too), torch's state_dicts and
checkpoints, .npz, Keras' and Flax's weights, a chain of layers in ONNX. Of safetensors and
torch's format keys, shapes and bits stay as they are, but that float16 and bfloat16 become
float32. --model brings names to those of a network here. torch is needed for .pt and .pth
only, h5py and msgpack (extra `formats`) for Keras and Flax, onnx for ONNX.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from . import table
from .command import check_new, start
from .models import SimpleCNN, networks
from .nn import Module
from .nn.names import COUNT, WRAPPERS
from .saved.files import write_whole
from .saved.fitting import fitted
from .saved.formats import Found, strangers
from .saved.weights import read_weights, save_weights, torch_bytes

TORCH, SAFETENSORS = (".pt", ".pth"), (".safetensors",)


def convert(source: Path, target: Path, force: bool = False, model: Module | None = None, prefix: str = "") -> str:
    """Write the weights in `source`, a file or a run folder, to `target`. Returns a table."""
    if (source / "model.safetensors").is_file() or (source / "config.json").is_file():
        source = source / "model.safetensors"
    check_target(source, target, force)
    found = read(source)
    if prefix:
        found = found._replace(weights=without_prefix(found.weights, prefix, source))
    if model is not None:
        model = sized(model, list(found.weights.values()))
        found = fitted(found, model.state_dict())
        model.load_state_dict(found.weights)
    weights = found.weights
    if target.suffix in SAFETENSORS:
        save_weights(target, weights)
    else:
        write_whole(target, torch_bytes(weights))
    said = "".join(f"\n{note}" for note in found.notes)
    return f"{source} -> {target}\n\n{overview(weights)}{hint(weights)}" + (f"\n{said}" if said else "")


def sized(model: Module, arrays: list[np.ndarray]) -> Module:
    """The network for as many channels, pixels and classes as these arrays have; as it is if
    it has one size alone, or if the arrays are another network's.

    Of the pixels only their number shows: H // 4 times W // 4.
    """
    channels = [array.shape[1] for array in arrays if array.ndim == 4 and array.shape[0] == 16]
    matrices = [array.shape for array in arrays if array.ndim == 2]
    if type(model) is not SimpleCNN or len(channels) != 1 or len(matrices) != 2:
        return model
    for (hidden, features), (outputs, last) in (matrices, matrices[::-1]):
        if hidden == last == 128 and features and features % 32 == 0:
            other = SimpleCNN(outputs, (channels[0], features // 32 * 4, 4))
            if sorted(a.shape for a in other.state_dict().values()) == sorted(a.shape for a in arrays if a.ndim):
                return other
    return model


def read(source: Path) -> Found:
    if not is_onnx(source):
        return read_weights(source)
    from . import onnx  # only now: it needs an extra

    return Found(dict(onnx.load(source).state_dict()))


def is_onnx(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return strangers.is_onnx(file.read(3))


def check_target(source: Path, target: Path, force: bool) -> None:
    if target.suffix not in TORCH + SAFETENSORS:
        raise ValueError(f"{target}: the name says the format, so it must end in .safetensors, .pt or .pth.")
    if target.is_file() and source.exists() and target.samefile(source):
        raise ValueError(f"{target} is the file to be read: name another one to write.")
    check_new(target, force)


def without_prefix(weights: Mapping[str, np.ndarray], prefix: str, source: Path) -> dict[str, np.ndarray]:
    weights = {name: array for name, array in weights.items() if name != COUNT}
    others = [name for name in weights if not name.startswith(prefix)]
    if others:
        raise ValueError(f"{source}: --strip-prefix {prefix}: these names do not begin so: {', '.join(others)}.")
    return {name.removeprefix(prefix): array for name, array in weights.items()}


def overview(weights: Mapping[str, np.ndarray]) -> str:
    """Name, shape, dtype and size of each array."""
    rows = [(name, str(array.shape), array.dtype.name, f"{array.size:,}") for name, array in weights.items()]
    numbers = sum(array.size for array in weights.values())
    return "\n".join([*table.lines(rows, "<<<>"), f"{len(rows)} tensor{'s' * (len(rows) != 1)}, {numbers:,} numbers"])


def hint(weights: Mapping[str, np.ndarray]) -> str:
    for part in WRAPPERS:
        prefix = f"{part}."
        if weights and all(name.startswith(prefix) or name == COUNT for name in weights):
            return (
                f"\n\nAll names begin with {prefix!r}: a wrapper's, no layer's. --strip-prefix {prefix} leaves it out."
            )
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    model = networks()[args.model]() if args.model else None
    try:
        written = convert(args.source, args.target, args.force, model, args.strip_prefix)
    except RuntimeError as error:  # the weights are not this network's
        print(f"{args.source}: {error}\nNothing was written.", file=sys.stderr)
        return 1
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(written)
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.convert",
        description="Convert weights of torch, Keras, Flax, NumPy or ONNX to .safetensors or torch's .pt or .pth.",
        allow_abbrev=False,
    )
    parser.add_argument("source", type=Path, metavar="A", help="a weights file, or a run folder")
    parser.add_argument("target", type=Path, metavar="B", help="a new file; its suffix says the format")
    parser.add_argument("--force", action="store_true", help="overwrite B")
    parser.add_argument(
        "--model",
        choices=networks(),
        help="bring names to this network's, write only what it can load; list all that does not fit",
    )
    parser.add_argument("--strip-prefix", default="", metavar="PREFIX", help="leave this out of each name: module.")
    return parser


if __name__ == "__main__":
    start(main)
