"""Weights from one format to the other: `python -m minicnn.convert A B`.

    python -m minicnn.convert runs/simplecnn-seed0 weights.pt    for torch.load
    python -m minicnn.convert weights.pt weights.safetensors     what torch saved, for minicnn

Keys, shapes and bits stay as they are. torch is needed for .pt and .pth only.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from . import table
from .command import check_new, start
from .models import networks
from .nn import Module
from .saved.files import write_whole
from .saved.weights import load_weights, save_weights, torch_bytes

TORCH, SAFETENSORS = (".pt", ".pth"), (".safetensors",)
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before each name


def convert(source: Path, target: Path, force: bool = False, model: Module | None = None, prefix: str = "") -> str:
    """Write the weights in `source`, a file or a run folder, to `target`. Returns a table."""
    source = source / "model.safetensors" if source.is_dir() else source
    check_target(source, target, force)
    if source.suffix == ".onnx":
        from . import onnx  # only now: it needs an extra

        weights = dict(onnx.load(source).state_dict())
    else:
        weights = load_weights(source)
    if prefix:
        weights = without_prefix(weights, prefix, source)
    said = ""
    if model is not None:
        weights, said = unwrapped(weights, model)
        model.load_state_dict(weights)
    if target.suffix in SAFETENSORS:
        save_weights(target, weights)
    else:
        write_whole(target, torch_bytes(weights))
    return f"{source} -> {target}\n\n{overview(weights)}{hint(weights)}{said}"


def check_target(source: Path, target: Path, force: bool) -> None:
    if target.suffix not in TORCH + SAFETENSORS:
        raise ValueError(f"{target}: the name says the format, so it must end in .safetensors, .pt or .pth.")
    if target.is_file() and source.exists() and target.samefile(source):
        raise ValueError(f"{target} is the file to be read: name another one to write.")
    check_new(target, force)


def without_prefix(weights: Mapping[str, np.ndarray], prefix: str, source: Path) -> dict[str, np.ndarray]:
    others = [name for name in weights if not name.startswith(prefix)]
    if others:
        raise ValueError(f"{source}: --strip-prefix {prefix}: these names do not begin so: {', '.join(others)}.")
    return {name.removeprefix(prefix): array for name, array in weights.items()}


def unwrapped(weights: dict[str, np.ndarray], model: Module) -> tuple[dict[str, np.ndarray], str]:
    """The weights without wrappers' prefixes if that makes the names fit, and what to say."""
    names, stripped = {name: name for name in weights}, ""
    while names and set(names.values()) != set(model.state_dict()):
        prefix = next((p for p in WRAPPERS if all(name.startswith(p) for name in names.values())), "")
        if not prefix:
            break
        names = {old: name.removeprefix(prefix) for old, name in names.items()}
        stripped += prefix
    if set(names.values()) != set(model.state_dict()) or not stripped:
        return weights, ""
    return {names[old]: array for old, array in weights.items()}, f"\n\nLeft out before each name: {stripped}"


def overview(weights: Mapping[str, np.ndarray]) -> str:
    """Name, shape, dtype and size of each array."""
    rows = [(name, str(array.shape), array.dtype.name, f"{array.size:,}") for name, array in weights.items()]
    numbers = sum(array.size for array in weights.values())
    return "\n".join([*table.lines(rows, "<<<>"), f"{len(rows)} tensor{'s' * (len(rows) != 1)}, {numbers:,} numbers"])


def hint(weights: Mapping[str, np.ndarray]) -> str:
    for prefix in WRAPPERS:
        if weights and all(name.startswith(prefix) for name in weights):
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
        description="Convert weights between .safetensors and torch's .pt or .pth, names and bits unchanged.",
        allow_abbrev=False,
    )
    parser.add_argument("source", type=Path, metavar="A", help="a weights file, or a run folder")
    parser.add_argument("target", type=Path, metavar="B", help="a new file; its suffix says the format")
    parser.add_argument("--force", action="store_true", help="overwrite B")
    parser.add_argument(
        "--model", choices=networks(), help="write only what this network can load; list all that does not fit"
    )
    parser.add_argument("--strip-prefix", default="", metavar="PREFIX", help="leave this out of each name: module.")
    return parser


if __name__ == "__main__":
    start(main)
