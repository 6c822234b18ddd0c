"""Any picture of one digit becomes 28x28 pixels as MNIST's authors made theirs: light on
dark, fitted into 20x20, centred.

A network that learnt such images knows no others: a digit that is dark on light, large or
off centre looks to it like nothing it has ever seen. The steps, each a file of
`pictures`:

    files     any format and mode of Pillow's becomes colours
    sheet     what is around the sheet is cut away: a desk, a margin, a frame
    ink       the ink is what differs from the paper around it, whatever the light
    lines     ruled lines, boxes and margins are no ink
    pieces    the digit is the large pieces; specks are dropped, doubts are said
    box       MNIST's recipe: a box of 20x20, centred in 28x28

Connected pieces, closings and blurs come from scipy.ndimage. Weighed: scikit-image needs
SciPy and more, OpenCV is larger than SciPy, cc3d is small but labels pieces and no more;
a page of our own would be one more thing to prove.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .pictures.box import BOX, SIDE, centre_of_mass, is_mnist, normalise
from .pictures.files import is_see_through, open_pages, simplify, thumbnail, to_colours
from .pictures.ink import find_ink
from .pictures.pieces import find_digits
from .pictures.sheet import find_sheet

__all__ = [
    "BOX",
    "SIDE",
    "Digit",
    "centre_of_mass",
    "find_ink",
    "is_mnist",
    "normalise",
    "read_digit",
    "read_digits",
    "read_pictures",
]

TILT = 15  # degrees to either side, in which a network that is unsure may look again


class Digit(NamedTuple):
    """What the network gets, and where it comes from."""

    pixels: np.ndarray  # (28, 28) uint8, light on dark; of `read_pictures` (H, W) or (3, H, W)
    original: np.ndarray  # (H, W, 3 or 4) uint8, upright and small, to show it
    how: str  # what was done, for people
    where: str = ""  # the page, and with `split` the digit's number: "page 2, digit 1"
    remark: str = ""  # why it may be no digit, or not a whole one
    tilted: tuple[np.ndarray, ...] = ()  # the same turned by 15 degrees to either side, each (28, 28) uint8


def read_digit(path: str | os.PathLike, as_is: bool = False) -> Digit:
    """The digit in an image file, on its first page.

    What already is an image such as MNIST's, or its negative, keeps its very pixels.
    `as_is` takes the pixels of a 28x28 image whatever they show. Raises ValueError, with
    the file's name, for what cannot be read.
    """
    return next(read_digits(path, as_is))


def read_digits(path: str | os.PathLike, as_is: bool | None = False, split: bool = False) -> Iterator[Digit]:
    """The digit on each page of a TIFF or GIF, or in any other picture; with `split` all
    digits in a row, left to right.

    `as_is` as in `read_digit`; None takes an image of 28x28 as it is and fits any other.
    """
    path = Path(path)
    pages = list(open_pages(path))
    for number, page in enumerate(pages, 1):
        where = f"page {number}" if len(pages) > 1 else ""
        try:
            yield from digits_on(page, path, where, as_is, split)
        except ValueError as error:
            named = str(error).startswith(str(path))
            raise ValueError(str(error) if named else f"{path}: {error}") from None


def read_pictures(path: str | os.PathLike, shape: Sequence[int]) -> Iterator[Digit]:
    """Each page of a picture as it is, for a network that reads images of `shape` (C, H, W):
    grey or in colour as that asks, and brought to its size, with a remark, if it has another.
    """
    C, H, W = shape
    path = Path(path)
    pages = list(open_pages(path))
    for number, page in enumerate(pages, 1):
        image, _ = simplify(page, path)
        picture = image.convert("RGB" if C == 3 else "L")
        remark = ""
        if page.size != (W, H):
            picture = picture.resize((W, H), Image.Resampling.BOX if page.width >= W else Image.Resampling.BILINEAR)
            remark = f"{page.width}x{page.height} became {W}x{H}, whatever its proportions"
        pixels = np.asarray(picture)
        pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)) if C == 3 else pixels  # (3, H, W) or (H, W)
        where = f"page {number}" if len(pages) > 1 else ""
        yield Digit(pixels, thumbnail(image), "brought to the size" if remark else "taken as it is", where, remark)


def digits_on(page: Image.Image, path: Path, where: str, as_is: bool | None, split: bool) -> Iterator[Digit]:
    """The digits of one page."""
    image, shrunk = simplify(page, path)
    original = thumbnail(image)
    colours = to_colours(image)  # (H, W, C)
    if (colours == colours[:, :, :1]).all():
        colours = colours[:, :, :1]
    grey = colours[:, :, 0] if colours.shape[2] == 1 else None
    if as_is or (as_is is None and page.size == (SIDE, SIDE)):
        if page.size != (SIDE, SIDE):
            raise ValueError(f"--as-is takes images of {SIDE}x{SIDE} pixels, this one has {page.width}x{page.height}.")
        yield Digit(np.asarray(image.convert("L")) if grey is None else grey, original, "taken as it is", where)
        return
    if grey is not None and is_mnist(grey):
        yield Digit(grey, original, "taken as it is", where)
        return
    if grey is not None and is_mnist(255 - grey):
        yield Digit(255 - grey, original, "inverted", where)
        return
    sheet, above, beside = find_sheet(colours)
    ink = find_ink(sheet)
    tone = "dark on light" if ink.dark else "light on dark"
    if image.mode == "RGBA" and is_see_through(np.asarray(image)[:, :, 3]):
        tone = "on transparent paper"
    for number, found in enumerate(find_digits(ink.mask, split), 1):
        strength = np.where(found.mask, ink.strength, 0)
        pixels, (top, left, bottom, right) = normalise(strength)
        place = f"({shrunk * (left + beside)}, {shrunk * (top + above)})"
        how = (
            f"{page.width}x{page.height}, {tone}, ink in {shrunk * (right - left)}x{shrunk * (bottom - top)} at {place}"
        )
        which = ", ".join(filter(None, [where, f"digit {number}" if split else ""]))
        yield Digit(pixels, original, how, which, "; ".join(found.doubts), tilt(strength[top:bottom, left:right]))


def tilt(strength: np.ndarray) -> tuple[np.ndarray, ...]:
    """A digit's ink turned by 15 degrees to either side, as MNIST's authors would have
    stored it.
    """
    room = max(strength.shape) // 4 + 1
    ink = Image.fromarray(np.pad(strength, room))
    turned = (ink.rotate(degrees, Image.Resampling.BILINEAR) for degrees in (-TILT, TILT))
    return tuple(normalise(np.asarray(image))[0] for image in turned)


def from_ink(strength: np.ndarray) -> np.ndarray:
    """A drawing whose ink is known, (H, W) uint8 with 0 for paper, as the network gets
    it, (28, 28) uint8.
    """
    (found,) = find_digits(strength > 0)
    return normalise(np.where(found.mask, strength, 0))[0]
