"""`python -m minicnn.summary`: the table of each network in `minicnn.models`."""

import argparse
from collections.abc import Sequence

from ..command import start
from ..models import networks
from . import summary


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.summary",
        description=(
            "Layer by layer: output shape, parameters, multiply-adds, bytes kept for backward, receptive field."
        ),
    )
    parser.add_argument("model", nargs="*", help=f"which networks (default: all): {', '.join(networks())}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser, known = make_parser(), networks()
    names = parser.parse_args(arguments).model or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)}; choose from {', '.join(known)}")
    models = [known[name]() for name in names]
    print("\n\n".join(str(summary(model, model.input_shape)) for model in models))
    print("\nMultiply-adds (forward) and kept bytes are for one example. `help(minicnn.summary)` explains the columns.")
    return 0


if __name__ == "__main__":
    start(main)
