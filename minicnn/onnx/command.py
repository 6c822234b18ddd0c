"""`python -m minicnn.onnx RUN model.onnx`: what a training run learnt, for other programs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..command import check_new
from ..trained import Trained
from .writing import OPSET, export


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.onnx",
        description="Export what a training run learnt to an ONNX file, for any batch size.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, such as runs/simplecnn-seed0")
    parser.add_argument("target", type=Path, metavar="FILE", help="the file to write, such as model.onnx")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--dtype", choices=["float32", "float64"], help="for a run in float64: which numbers to write")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        check_new(args.target, args.force)
        model = Trained(args.run).model
        export(model, args.target, (1, *model.input_shape), args.dtype)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        parser.error(str(error))
    sizes = ", ".join(map(str, model.input_shape))
    size = args.target.stat().st_size
    print(f"{args.target}: {type(model).__name__}, input (N, {sizes}), {size:,} bytes, opset {OPSET}")
    return 0
