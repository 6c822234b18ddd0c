"""`python -m minicnn`: the commands, one line each."""

import argparse
from collections.abc import Sequence

from minicnn import __version__, table
from minicnn.command import start

COMMANDS = (
    ("train", "train SimpleCNN on MNIST, or one of the course's exercises"),
    ("predict", "which digit is on these pictures?"),
    ("evaluate", "how good is a trained network, class by class?"),
    ("summary", "shapes, parameters and arithmetic of each network, layer by layer"),
    ("data", "look at a data set in any of the known forms"),
    ("explore", "a local page that shows forward and backward on your own run"),
    ("convert", "weights from torch's format to safetensors, and back"),
    ("onnx", "a trained network for other programs (extra: onnx)"),
    ("agree", "every operation against torch (extra: torch), or yours"),
    ("assignment", "a folder for students: functions to write, tests, points"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list. Returns the exit status, 0."""
    make_parser().parse_args(arguments)
    print(f"minicnn {__version__}: convolutional networks from scratch\n")
    rows = [(f"python -m minicnn.{name}", about) for name, about in COMMANDS]
    print("\n".join(table.lines(rows, "<<")))
    print("\nEach answers --help. In a clone of the repository: python -m benchmarks --help.")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The flags: --version and --help."""
    parser = argparse.ArgumentParser(prog="python -m minicnn", description="Lists minicnn's commands.")
    parser.add_argument("--version", action="version", version=f"minicnn {__version__}")
    return parser


if __name__ == "__main__":
    start(main)
