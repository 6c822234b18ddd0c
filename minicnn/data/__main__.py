"""A look at a data set: `python -m minicnn.data PATH`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minicnn import table
from minicnn.command import output_file, start
from minicnn.data import look
from minicnn.data.opening import ImageDataset, open_dataset

MOST_ROWS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        train = open_dataset(args.path, train=True)
        test = open_dataset(args.path, train=False)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(train.found)
    print(test.found)
    for note in dict.fromkeys((*train.notes, *test.notes)):
        print(f"Note: {note}.")
    print()
    print(class_counts(train, test))
    print()
    odd = look.oddities(train, test)
    for sentence in odd:
        print(f"Odd: {sentence}")
    if not odd:
        print("Nothing odd was found.")
    if args.plot is not None:
        from minicnn import plots  # only now: Matplotlib takes its time to import

        plots.draw_dataset(args.plot, train)
        print(f"\nWritten: {args.plot}")
    return 0


def class_counts(train: ImageDataset, test: ImageDataset) -> str:
    classes = max(train.classes, test.classes, key=len)
    counts = [np.bincount(part.labels, minlength=len(classes)) for part in (train, test)]
    rows = [("label", "class", "training", "test")]
    for label, name in enumerate(classes[:MOST_ROWS]):
        rows.append((str(label), name, f"{counts[0][label]:,}", f"{counts[1][label]:,}"))
    rows.append(("", "all", f"{len(train):,}", f"{len(test):,}"))
    lines = table.lines(rows, "><>>")
    if len(classes) > MOST_ROWS:
        lines.append(f"({len(classes) - MOST_ROWS} more classes)")
    return "\n".join(lines)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.data",
        usage="%(prog)s PATH [options]",
        description=(
            "Look at a data set: what it is, how many images of which classes and sizes, and what is odd about it."
        ),
        epilog="""examples:
  python -m minicnn.data data/mnist
  python -m minicnn.data mnist.npz --plot samples.png
  python -m minicnn.data photos           # a folder for each class""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("path", type=Path, metavar="PATH", help="IDX files, .npz, .csv, Parquet, .mat, HDF5, or folders of pictures")
    add("--plot", type=output_file(".png"), metavar="FILE", help="draw some images of each class")
    return parser


if __name__ == "__main__":
    start(main)
