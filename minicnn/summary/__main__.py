"""`python -m minicnn.summary`: the table of each network in `minicnn.models` that says what its input is."""

import argparse
import sys
from collections.abc import Sequence

from .. import models
from ..nn import Module
from . import summary


def networks() -> dict[str, type[Module]]:
    """The classes in `models` that declare an `input_shape`, the shape of one example."""
    found = {name: value for name, value in vars(models).items() if isinstance(value, type) and name[0] != "_"}
    return {name: value for name, value in found.items() if issubclass(value, Module) and hasattr(value, "input_shape")}


def main(arguments: Sequence[str] | None = None) -> int:
    known = networks()
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.summary",
        description="Layer by layer: output shape, parameters, multiply-adds, bytes kept for backward, receptive field.",
    )
    parser.add_argument("model", nargs="*", help=f"which networks (default: all): {', '.join(known)}")
    names = parser.parse_args(arguments).model or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)}; choose from {', '.join(known)}")
    tables = []
    for name in names:
        model = known[name]()
        tables.append(str(summary(model, getattr(model, "input_shape"))))  # noqa: B009 - not every Module has one
    print("\n\n".join(tables))
    print("\nMultiply-adds (forward) and kept bytes are for one example. `help(minicnn.summary)` explains the columns.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
