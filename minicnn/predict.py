"""Which digits are on these pictures? `python -m minicnn.predict RUN image.png ...`

From top to bottom: one answer, how it is shown in the terminal and in the CSV, the
command line. How a picture becomes 28x28 pixels is in data/images, how a run folder
becomes a network in trained, how the answers are drawn in plots/predictions.
"""

import argparse
import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minicnn
from minicnn.command import STDOUT, output_file, same_file, say_if_compiling, start, write_csv
from minicnn.data.images import SIDE, TILT, Digit, is_mnist, read_digits, read_pictures
from minicnn.data.opening import open_images
from minicnn.tasks import Classifier
from minicnn.trained import Trained

IN_FULL = 8  # more images than these get a line each
ON_SHEET = 40  # more images than these do not fit into a picture
BAR = 30  # characters
WIDEST = 40  # characters: a picture stands beside its table
ROWS = 12  # lines at least, for the table of ten classes beside a small picture
SHADES = " .:-=+*#%@"
SOLID = "█"
SURE = 0.8  # a network that is less sure is asked about the digit turned by 15 degrees, too


class Answer(NamedTuple):
    """What the network says to one image."""

    path: Path
    digit: Digit
    probabilities: np.ndarray  # (K,)


def answers(trained: Trained, path: Path, as_is: bool, split: bool, digits: bool) -> Iterator[Answer]:
    """Ask the network about each digit in one image. `digits` says whether it learnt
    digits such as MNIST's.

    A network that learnt other images takes those of 28x28 pixels as they are; one that
    reads another size or colours takes all as they are, brought to that size.
    """
    shape = trained.model.input_shape
    if shape != (1, SIDE, SIDE):
        for picture in read_pictures(path, shape):
            yield ask(trained, path, picture)
        return
    for digit in read_digits(path, as_is or (None if not digits else False), split):
        if not digits and digit.how not in ("taken as it is", "inverted"):
            remark = "the network learnt other images than digits, and this was fitted as a digit is"
            digit = digit._replace(remark="; ".join(filter(None, [digit.remark, remark])))
        yield ask(trained, path, digit)


def ask(trained: Trained, path: Path, digit: Digit) -> Answer:
    """The network's answer; the surest of three where it is not sure about the digit as
    it stands.
    """
    probabilities = trained.probabilities(digit.pixels[None])[0]
    if probabilities.max() >= SURE or not digit.tilted:
        return Answer(path, digit, probabilities)
    views = [digit.pixels, *digit.tilted]
    each = trained.probabilities(np.stack(views))
    best = int(each.max(axis=1).argmax())
    if best:
        digit = digit._replace(pixels=views[best], how=f"{digit.how}, turned by {TILT} degrees")
    return Answer(path, digit, each[best])


def check_flags(trained: Trained, as_is: bool, split: bool) -> None:
    """ValueError for what is said of digits to a network that reads other images."""
    C, H, W = trained.model.input_shape
    if (C, H, W) != (1, SIDE, SIDE) and (as_is or split):
        flag = "--as-is" if as_is else "--split"
        raise ValueError(
            f"{flag} is for networks that read 1x{SIDE}x{SIDE} (channels, height, width); {trained.folder} reads "
            f"{C}x{H}x{W}, and takes each picture whole."
        )


def learnt_digits(trained: Trained) -> bool:
    """Were the training images digits such as MNIST's? Yes if they have that size, unless
    they can be looked at and are not.
    """
    if trained.model.input_shape != (1, SIDE, SIDE):
        return False
    data = trained.config.get("data")
    if not isinstance(data, str):
        return True
    try:
        images = open_images(Path(data), train=False).images[:100]
    except (OSError, ValueError):
        return True
    return not len(images) or float(np.mean([is_mnist(image) for image in images])) > 0.5


# ------------------------------------------------------------------------ in the terminal


def describe(found: Answer, classes: Sequence[str], solid: bool) -> str:
    """The digit as the network sees it, beside the table of its probabilities; of more
    classes than lines the likeliest.
    """
    left = picture(found.digit.pixels, solid)
    left += [" " * len(left[0])] * (ROWS - len(left))
    shares = found.probabilities
    shown = range(len(classes)) if len(classes) <= len(left) else np.argsort(-shares, kind="stable")[: len(left)]
    width = max(len(classes[k]) for k in shown)
    bar = SOLID if solid else "#"
    table = [f"{classes[k]:>{width}} {shares[k]:8.2%}  {bar * round(BAR * shares[k])}".rstrip() for k in shown]
    above = (len(left) - len(table)) // 2
    right = [""] * above + table + [""] * (len(left) - len(table) - above)
    rows = (f"  {a}   {b}".rstrip() for a, b in zip(left, right, strict=True))
    return "\n".join([summarise(found, classes), *rows, ""])


def summarise(found: Answer, classes: Sequence[str]) -> str:
    """One line: the image, the answer, and what was done to the image."""
    best = int(found.probabilities.argmax())
    remark = f"  ({found.digit.remark}!)" if found.digit.remark else ""
    return f"{name(found)}: {classes[best]} ({found.probabilities[best]:.2%})  [{found.digit.how}]{remark}"


def name(found: Answer) -> str:
    """The file, and where in it the digit is if it holds several."""
    return ", ".join(filter(None, [str(found.path), found.digit.where]))


def picture(pixels: np.ndarray, solid: bool) -> list[str]:
    """Grey levels (H, W), or (3, H, W) colours as their mean, in a frame: each character
    stands for two pixels, one above the other. 28x28 become 30x16 characters; of a
    picture wider than a terminal's half every second pixel is shown, or every third ...
    """
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=0)
    step = -(-max(grey.shape) // WIDEST)
    grey = grey[::step, ::step]
    grey = np.pad(grey, ((0, len(grey) % 2), (0, 0)))
    upper, lower = grey[0::2].astype(int), grey[1::2].astype(int)
    mean = (upper + lower) / 2
    if solid:
        halves = np.array([" ", "▄", "▀", SOLID])[2 * (upper > 127) + (lower > 127)]
        cells = np.where((halves == " ") & (mean > 31), np.where(mean > 79, "▒", "░"), halves)
        corners, across, upright = "┌┐└┘", "─", "│"
    else:
        cells = np.array(list(SHADES))[(mean * len(SHADES) / 256).astype(int)]
        corners, across, upright = "++++", "-", "|"
    line = across * grey.shape[1]
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
    """For the CSV: the image, the answer, the probability of each class (all digits), a
    remark or none, no error.
    """
    best = int(found.probabilities.argmax())
    shares = found.probabilities.tolist()
    return [name(found), classes[best], shares[best], *shares, found.digit.remark, ""]


# ---------------------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        args.images = [path for pattern in args.images for path in expanded(pattern)]
    except ValueError as error:
        parser.error(str(error))
    for flag, path in (("--out", args.out), ("--csv", args.csv)):
        if path is not None and any(same_file(path, image) for image in args.images):
            parser.error(f"{flag} {path} is one of the images, which are never overwritten.")
    try:
        if not args.no_plots:
            from . import plots  # noqa: F401 - only now: Matplotlib takes its time to import
        trained = Trained(args.run, Classifier)
        check_flags(trained, args.as_is, args.split)
        minicnn.set_backend(args.backend or trained.backend(minicnn.get_backend()))
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    return run(args, trained)


def expanded(path: Path) -> list[Path]:
    """The files that a pattern such as scans/*.jpg names, where the shell left that to
    the program, as Windows' does.
    """
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    found = sorted(map(Path, glob.glob(str(path))))
    if not found:
        raise ValueError(f"no file is called {path}, whatever its * and ? stand for.")
    return found


def run(args: argparse.Namespace, trained: Trained) -> int:
    """Answer all images; status 1 if some of them could not be."""
    classes, to_stdout = trained.task.classes, args.csv == STDOUT
    solid = shows_blocks(sys.stdout.encoding)
    say_if_compiling("stderr")  # the standard output may be a table
    rows: list[list] = [["image", "prediction", "probability", *(f"p_{name}" for name in classes), "remark", "error"]]
    shown: list[Answer] = []
    answered = failed = 0
    digits = learnt_digits(trained)
    for path in args.images:
        try:
            for found in answers(trained, path, args.as_is, args.split, digits):
                answered += 1
                rows.append(row(found, classes))
                if len(shown) < ON_SHEET:
                    shown.append(found)
                if not to_stdout and not args.quiet:
                    in_full = len(args.images) <= IN_FULL and answered <= IN_FULL
                    print(describe(found, classes, solid) if in_full else summarise(found, classes), flush=True)
        except ValueError as error:
            failed += 1
            rows.append([path, *[""] * (3 + len(classes)), error])
            print(error, file=sys.stderr, flush=True)

    written = []
    if args.csv is not None:
        write_csv(args.csv, rows)
        written.append(str(args.csv))
    if shown and not args.no_plots:
        out = args.out or trained.folder / "predictions.png"
        from . import plots  # as main did

        plots.draw_predictions(out, shown, classes, answered)
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
        description="""Say which digit is on an image, or what else the network learnt to tell apart,
with a network that `python -m minicnn.train` left in RUN.

Any image of one digit will do: any size, colours, dark on light or light on
dark. It is cropped to its ink, brought to 28x28 pixels as MNIST's were, and
shown as the network sees it. Images that are such already are not changed.
The network answers whatever it sees, be it a digit or a cat; what looks
doubtful (two digits, ink at the border) is said beside the answer.
All pages of a TIFF or GIF are read. A network that learnt other images than
digits gets those of 28x28 pixels as they are. One that reads another size, or
colours, gets each picture whole, brought to its size.""",
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
    add("--split", action="store_true", help="read all digits that stand in a row, from left to right")
    add("--as-is", action="store_true", help="the images are 28x28, light on dark: leave them as they are")
    add("--backend", metavar="NAME", help="kernel set that does the arithmetic: numba or numpy (default: the run's)")
    add("--quiet", action="store_true", help="print errors and nothing else")
    return parser


if __name__ == "__main__":
    start(main)
