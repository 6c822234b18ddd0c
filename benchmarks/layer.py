"""`python -m benchmarks layer "Conv2d(64, 128, 3, padding=1)" --input 32,64,16,16`: a layer
of your own, forward plus backward, by everybody.
"""

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np
import torch

import minicnn
from minicnn.command import Parser, new_file, whole_number

from . import expression
from .agreement import Disagreement
from .session import Session
from .work import Layer


def main(arguments: Sequence[str]) -> int:
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        layer = user_layer(args.layer, expression.shape(args.input))
    except ValueError as error:
        parser.error(str(error))
    session = Session(args, ["layer", *arguments])
    session.start()
    try:
        session.table("layer", "Your layer, forward plus backward.", [layer])
    except Disagreement as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    session.close()
    if args.json:
        args.json.write_text(json.dumps(session.document, indent=1) + "\n", encoding="utf-8")
    return 0


def user_layer(text: str, shape: tuple[int, ...]) -> Layer:
    """The work, when both libraries take it. Raises ValueError with a sentence."""
    name, args, options = expression.read(text)
    layer = Layer("your layer", name, args, options, shape, bars=())
    takes_images = name in ("Conv2d", "ConvTranspose2d", "MaxPool2d")
    if takes_images and len(shape) != 4:
        raise ValueError(
            f"--input {','.join(map(str, shape))}: {name} takes batch, channels, height and width, as in 32,64,16,16."
        )
    for who, nn, zeros in (
        ("minicnn", minicnn.nn, np.zeros(shape, np.float32)),
        ("torch", torch.nn, torch.zeros(shape, requires_grad=True)),
    ):
        try:
            output = layer.build(nn)(zeros)
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            raise ValueError(f"{who} does not take {layer.title}: {str(error).splitlines()[0]}") from None
        if isinstance(output, tuple):
            raise ValueError(f"{layer.title} returns {len(output)} arrays; here a layer has one output.")  # noqa: TRY004
        if str(output.dtype).removeprefix("torch.") != "float32":
            raise ValueError(f"{layer.title} computes in {output.dtype}; here everybody computes in float32.")
    return layer


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m benchmarks layer", description=__doc__)
    parser.add_argument("layer", metavar="LAYER", help='as in Python: "Conv2d(64, 128, 3, padding=1)"')
    parser.add_argument("--input", required=True, metavar="SHAPE", help="the batch first: 32,64,16,16")
    parser.add_argument("--quick", action="store_true", help="does it run? its figures mean nothing")
    parser.add_argument("--threads", type=whole_number(1), metavar="N", help="for everybody (all cores)")
    parser.add_argument("--repeats", type=whole_number(1), metavar="N", help="rounds in which all take their turn")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write everything, each sample included")
    parser.set_defaults(compile=False)
    return parser
