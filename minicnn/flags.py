"""Values on the command line: how argparse reads them, or refuses them with a sentence."""

import argparse
from collections.abc import Callable
from pathlib import Path


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number in these bounds."""
    expected = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        try:
            if least <= (value := int(text)) and (most is None or value <= most):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected a whole number {expected}, got {text!r}")

    return parse


def output_file(suffix: str, dash: bool = False) -> Callable[[str], Path]:
    """A file to write, refused now and not after the work. Its ending keeps a slip from overwriting something else.

    With `dash`, - is allowed: it stands for the standard output.
    """

    def parse(text: str) -> Path:
        path = Path(text)
        if dash and text == "-":
            return path
        if path.suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(f"expected a file name that ends in {suffix}, got {text!r}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r} to write {text!r} into")
        return path

    return parse
