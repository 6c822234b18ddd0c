"""Which digits are on these pictures? `python -m minicnn.predict RUN image.png ...`

From top to bottom: one answer, how it is shown in the terminal and in the CSV, the
command line. How a picture becomes 28x28 pixels is in data/images, how a run folder
becomes a network in trained, how the answers are drawn in plots/predictions.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minicnn
from minicnn.command import STDOUT, output_file, same_file, say_if_compiling, start, write_csv
from minicnn.data.images import Digit, read_digit
from minicnn.tasks import Classifier
from minicnn.trained import Trained

IN_FULL = 8  # more images than these get a line each
ON_SHEET = 40  # more images than these do not fit into a picture
BAR = 30  # characters
SHADES = " .:-=+*#%@"
SOLID = "█"


class Answer(NamedTuple):
    """What the network says to one image."""

    path: Path
    digit: Digit
    probabilities: np.ndarray  # (K,)


def answer(trained: Trained, path: Path, as_is: bool = False) -> Answer:
    """Ask the network about one image."""
    digit = read_digit(path, as_is)
    return Answer(path, digit, trained.probabilities(digit.pixels[None])[0])


# ---------------------------------------------------------------------- in the terminal


def describe(found: Answer, classes: Sequence[str], solid: bool) -> str:
    """The digit as the network sees it, beside the table of its probabilities."""
    width = max(map(len, classes))
    bar = SOLID if solid else "#"
    table = [
        f"{name:>{width}} {share:8.2%}  {bar * round(BAR * share)}".rstrip()
        for name, share in zip(classes, found.probabilities.tolist(), strict=True)
    ]
    left = picture(found.digit.pixels, solid)
    above = (len(left) - len(table)) // 2
    right = [""] * above + table + [""] * (len(left) - len(table) - above)
    rows = (f"  {a}   {b}".rstrip() for a, b in zip(left, right, strict=True))
    return "\n".join([summarise(found, classes), *rows, ""])


def summarise(found: Answer, classes: Sequence[str]) -> str:
    """One line: the image, the answer, and what was done to the image."""
    best = int(found.probabilities.argmax())
    return f"{found.path}: {classes[best]} ({found.probabilities[best]:.2%})  [{found.digit.how}]"


def picture(pixels: np.ndarray, solid: bool) -> list[str]:
    """28x28 grey levels in a frame of 30x16 characters: each stands for two pixels, one
    above the other.
    """
    upper, lower = pixels[0::2].astype(int), pixels[1::2].astype(int)
    mean = (upper + lower) / 2
    if solid:
        halves = np.array([" ", "▄", "▀", SOLID])[2 * (upper > 127) + (lower > 127)]
        cells = np.where((halves == " ") & (mean > 31), np.where(mean > 79, "▒", "░"), halves)
        corners, across, upright = "┌┐└┘", "─", "│"
    else:
        cells = np.array(list(SHADES))[(mean * len(SHADES) / 256).astype(int)]
        corners, across, upright = "++++", "-", "|"
    line = across * pixels.shape[1]
    body = [upright + "".join(row) + upright for row in cells]
    return [corners[0] + line + corners[1], *body, corners[2] + line + corners[3]]


def shows_blocks(encoding: str | None) -> bool:
    """Can a terminal of this encoding show block characters?"""
    try:
        "░▒▀▄█┌┐└┘─│".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def row(found: Answer, classes: Sequence[str]) -> list:
    """For the CSV: the image, the answer, the probability of each class (all digits),
    no error.
    """
    best = int(found.probabilities.argmax())
    shares = found.probabilities.tolist()
    return [found.path, classes[best], shares[best], *shares, ""]


# -------------------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    for flag, path in (("--out", args.out), ("--csv", args.csv)):
        if path is not None and any(same_file(path, image) for image in args.images):
            parser.error(f"{flag} {path} is one of the images, which are never overwritten.")
    try:
        if not args.no_plots:
            from . import plots  # noqa: F401 - only now: Matplotlib takes its time to import
        trained = Trained(args.run, Classifier)
        minicnn.set_backend(args.backend or trained.backend(minicnn.get_backend()))
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    return run(args, trained)


def run(args: argparse.Namespace, trained: Trained) -> int:
    """Answer all images; status 1 if some of them could not be."""
    classes, to_stdout = trained.task.classes, args.csv == STDOUT
    solid = shows_blocks(sys.stdout.encoding)
    say_if_compiling("stderr")  # the standard output may be a table
    rows: list[list] = [["image", "prediction", "probability", *(f"p_{name}" for name in classes), "error"]]
    shown: list[Answer] = []
    failed = 0
    for path in args.images:
        try:
            found = answer(trained, path, args.as_is)
        except ValueError as error:
            failed += 1
            rows.append([path, *[""] * (2 + len(classes)), error])
            print(error, file=sys.stderr, flush=True)
            continue
        rows.append(row(found, classes))
        if len(shown) < ON_SHEET:
            shown.append(found)
        if not to_stdout and not args.quiet:
            in_full = len(args.images) <= IN_FULL
            print(describe(found, classes, solid) if in_full else summarise(found, classes), flush=True)

    written = []
    if args.csv is not None:
        write_csv(args.csv, rows)
        written.append(str(args.csv))
    if shown and not args.no_plots:
        out = args.out or trained.folder / "predictions.png"
        from . import plots  # as main did

        plots.draw_predictions(out, shown, classes, len(args.images) - failed)
        written.append(str(out))
    if written and not to_stdout and not args.quiet:
        print(f"Written: {', '.join(written)}")
    if failed:
        print(f"{failed} of {len(args.images)} images could not be read.", file=sys.stderr)
    return int(failed > 0)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.predict",
        usage="%(prog)s RUN image [image ...] [options]",
        description="""Say which digit is on an image, with a network that `python -m minicnn.train`
left in RUN.

Any image of one digit will do: any size, colours, dark on light or light on
dark. It is cropped to its ink, brought to 28x28 pixels as MNIST's were, and
shown as the network sees it. Images that are such already are not changed.
The network answers whatever it sees, be it a digit or a cat.""",
        epilog="""examples:
  python -m minicnn.predict runs/simplecnn-seed0 seven.png
  python -m minicnn.predict runs/simplecnn-seed0 scans/*.jpg --csv answers.csv

exit status: 0, or 1 if some image could not be read (the others are answered),
or 2 if the command is wrong""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder of a training")
    add("images", type=Path, nargs="+", metavar="image", help="image file: PNG, JPEG, whatever Pillow can read")
    add(
        "--csv",
        type=output_file(".csv", dash=True),
        metavar="FILE",
        help="write a table with a row for each image; - prints it",
    )
    add(
        "--out",
        type=output_file(".png"),
        metavar="FILE",
        help=f"the picture, of at most {ON_SHEET} images (default: predictions.png in RUN)",
    )
    add("--no-plots", action="store_true", help="draw no picture")
    add("--as-is", action="store_true", help="the images are 28x28, light on dark: leave them as they are")
    add("--backend", metavar="NAME", help="kernel set that does the arithmetic: numba or numpy (default: the run's)")
    add("--quiet", action="store_true", help="print errors and nothing else")
    return parser


if __name__ == "__main__":
    start(main)
