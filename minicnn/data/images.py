"""Any picture of one digit becomes 28x28 pixels as MNIST's authors made theirs: light
on dark, fitted into 20x20, centred.

Their recipe (http://yann.lecun.com/exdb/mnist): the digit keeps its proportions and
just fits into a box of 20x20; the box is put into 28x28 so that the centre of mass of
the ink is in the middle. A network that learnt such images knows no others: a digit
that is dark on light, large or off centre looks to it like nothing it has ever seen.
"""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SIDE, BOX = 28, 20
MIDDLE = 14  # the pixel index at which all 70,000 images of MNIST have their centre of mass, give or take half a pixel
CONTRAST = 25  # of 255 levels: ink that differs less from its paper is none
LARGE = 600  # pixels; a larger picture is made smaller first, which averages its noise away
FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)  # white, at the usual depths


class Digit(NamedTuple):
    """What the network gets, and where it comes from."""

    pixels: np.ndarray  # (28, 28) uint8, light on dark
    original: np.ndarray  # (H, W, 3 or 4) uint8, upright and small, to show it
    how: str  # what was done, for people


def read_digit(path: str | os.PathLike, as_is: bool = False) -> Digit:
    """The digit in an image file. What already is an image such as MNIST's, or its
    negative, keeps its very pixels.

    `as_is` takes the pixels of a 28x28 image whatever they show.
    """
    path = Path(path)
    full = open_image(path)
    image, shrunk = simplify(full, path)
    original = thumbnail(image)
    colours = to_colours(image)  # (H, W, C)
    grey = colours[:, :, 0] if (colours == colours[:, :, :1]).all() else None
    if as_is:
        if full.size != (SIDE, SIDE):
            raise ValueError(
                f"{path}: --as-is takes images of {SIDE}x{SIDE} pixels, this one has {full.width}x{full.height}."
            )
        return Digit(np.asarray(image.convert("L")) if grey is None else grey, original, "taken as it is")
    if grey is not None and is_mnist(grey):
        return Digit(grey, original, "taken as it is")
    if grey is not None and is_mnist(255 - grey):
        return Digit(255 - grey, original, "inverted")
    try:
        pixels, (top, left, bottom, right) = normalise(ink := find_ink(colours))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    brightness = colours.mean(axis=2)
    dark = np.average(brightness, weights=ink) < np.average(brightness, weights=255 - ink)
    tone = "dark on light" if dark else "light on dark"
    if image.mode == "RGBA" and is_see_through(np.asarray(image)[:, :, 3]):
        tone = "on transparent paper"
    where = f"{shrunk * (right - left)}x{shrunk * (bottom - top)} at ({shrunk * left}, {shrunk * top})"
    return Digit(pixels, original, f"{full.width}x{full.height}, {tone}, ink in {where}")


# ----------------------------------------------------------------- from file to colours


def open_image(path: Path) -> Image.Image:
    """The first frame, upright. Whatever is no image that can be read is a ValueError
    that names the file.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the images in it, for example {path / '*.png'}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return ImageOps.exif_transpose(image)  # decodes, too
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not an image that Pillow can read, such as PNG or JPEG.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = Image.MAX_IMAGE_PIXELS
        raise ValueError(f"{path}: the image has more than {most:,} pixels; make it smaller.") from None
    except PermissionError:
        raise ValueError(f"{path}: you may not read this file.") from None
    except Exception as error:  # Pillow's many decoders raise what they like on a damaged file
        raise ValueError(f"{path}: the image is damaged: {error}") from error


def simplify(image: Image.Image, path: Path) -> tuple[Image.Image, int]:
    """Any mode of Pillow's as L, RGB or RGBA, at most 600 pixels wide and high; and how
    many times smaller that is.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = Image.fromarray(to_8_bits(np.asarray(image), path))
    try:
        if image.mode == "La":
            image = image.convert("LA")
        if image.has_transparency_data:
            image = image.convert("RGBA")
        elif image.mode not in ("L", "RGB"):
            image = image.convert("L" if image.mode == "1" else "RGB")
    except ValueError:
        raise ValueError(f"{path}: expected colours or grey levels, found mode {image.mode}; save it as RGB.") from None
    factor = -(-max(image.size) // LARGE)
    return (image.reduce(factor) if factor > 1 else image), factor


def thumbnail(image: Image.Image) -> np.ndarray:
    small = image if image.mode == "RGBA" else image.convert("RGB")
    small = small.copy()
    small.thumbnail((320, 320))
    return np.asarray(small)


def to_colours(image: Image.Image) -> np.ndarray:
    """L, RGB or RGBA as (H, W, 1) or (H, W, 3) uint8; what is transparent becomes paper."""
    colours = np.asarray(image).reshape(image.height, image.width, -1)
    return colours if colours.shape[2] != 4 else lay_on_paper(colours[:, :, :3], colours[:, :, 3])


def to_8_bits(values: np.ndarray, path: Path) -> np.ndarray:
    """Deeper grey levels, integers or real numbers: the full scale is the smallest
    usual one that holds them all.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: expected finite grey levels, found NaN or infinity.")
    low = min(float(values.min()), 0.0)
    range_ = float(values.max()) - low
    full = next((scale for scale in FULL_SCALES if range_ <= scale), range_)
    return np.rint((values.astype(np.float32) - low) * np.float32(255 / full)).astype(np.uint8)


def lay_on_paper(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours without their transparency.

    A border that can be seen through is the paper: then opacity itself is the ink,
    whatever its colours. Otherwise the holes in the paper get the colour of the border.
    """
    if is_see_through(alpha):
        return alpha[:, :, None]
    opaque = border(alpha[:, :, None])[:, 0] >= 128
    paper = np.median(border(colours)[opaque], axis=0)
    share = alpha[:, :, None] / np.float32(255)
    return np.rint(colours * share + paper.astype(np.float32) * (1 - share)).astype(np.uint8)


# ---------------------------------------------------------------- from colours to 28x28


def find_ink(colours: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the paper, (H, W) uint8, 0 for paper and its noise.

    A difference in any one colour counts, so that red on green is ink as well.
    """
    paper = find_paper(colours)
    ink = (np.maximum(colours, paper) - np.minimum(colours, paper)).max(axis=2)
    if not ink.any():
        raise ValueError(f"expected a digit, found one colour all over, {tuple(paper[0, 0].tolist())}.")
    threshold, contrast = otsu(ink)
    if contrast < CONTRAST:
        raise ValueError(
            f"expected a digit, found no ink: what differs from the paper does so by {contrast:.0f} of 255 levels,"
            f" and less than {CONTRAST} is noise."
        )
    noise = 4.5 * np.median(border(ink[:, :, None]))  # about three standard deviations
    return np.where(ink > min(noise, threshold), ink, 0)


def find_paper(colours: np.ndarray) -> np.ndarray:
    """The colour of the paper: what most of the border shows, (1, 1, C). If the light
    is uneven there (a photo), the quadratic surface that fits the border best, (H, W,
    C).
    """
    edge = border(colours).astype(np.float32)
    flat = np.median(edge, axis=0)
    if not np.median(np.abs(edge - flat).max(axis=1)):
        return flat.astype(np.uint8)[None, None]
    H, W, _ = colours.shape
    y, x = np.linspace(-1, 1, H, dtype=np.float32)[:, None], np.linspace(-1, 1, W, dtype=np.float32)
    terms = np.stack([np.broadcast_to(term, (H, W)) for term in (np.float32(1), y, x, y * y, x * x, x * y)], axis=2)
    at_edge = border(terms)
    keep = np.ones(len(edge), bool)
    for _ in range(3):  # without ink that reaches the border
        factors = np.linalg.lstsq(at_edge[keep], edge[keep], rcond=None)[0]  # (6, C)
        off = np.abs(at_edge @ factors - edge).max(axis=1)
        keep = off <= 3 * np.median(off)
    return np.rint(terms @ factors).clip(0, 255).astype(np.uint8)


def normalise(ink: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The digit as MNIST's authors would have stored it, (28, 28) uint8, and the box in
    which it was found.
    """
    top, left, bottom, right = box = find_box(ink)
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round(scale * n)) for n in (bottom - top, right - left))
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(ink[top:bottom, left:right]).resize((width, height), filter_), np.float32)
    if not small.any():
        raise ValueError(f"expected a digit, found specks that vanish when they are fitted into {BOX}x{BOX} pixels.")
    small = np.rint(small * (255 / small.max())).astype(np.uint8)  # thin strokes have become faint

    pixels = np.zeros((SIDE, SIDE), np.uint8)
    offsets = (MIDDLE - centre for centre in centre_of_mass(small))
    y, x = (min(max(round(offset), 0), SIDE - n) for offset, n in zip(offsets, small.shape, strict=True))
    pixels[y : y + height, x : x + width] = small
    return pixels, box


def find_box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) around the ink; at each side a five-hundredth may be
    left out, for it may be dust.
    """
    dense = ink > otsu(ink)[0]
    sides = []
    for along in (1, 0):
        reached = np.cumsum(dense.sum(axis=along))
        dust = reached[-1] // 500
        first, last = np.searchsorted(reached, [dust + 1, reached[-1] - dust])
        soft = np.pad(ink.any(axis=along), 1)  # one soft row or column further belongs to the stroke's edge
        first, last = first - soft[first], last + soft[last + 2]
        sides.append((int(first), int(last) + 1))
    (top, bottom), (left, right) = sides
    return top, left, bottom, right


def is_mnist(grey: np.ndarray) -> bool:
    """Is this an image such as MNIST's 70,000, of which each one is? Light on black, in
    a box of 20x20, and centred.
    """
    if grey.shape != (SIDE, SIDE) or np.median(border(grey[:, :, None])) > 0 or not grey.any():
        return False
    box = max(np.ptp(indices) + 1 for indices in grey.nonzero())
    return bool(box <= BOX) and all(abs(centre - MIDDLE) < 0.6 for centre in centre_of_mass(grey))


def is_see_through(alpha: np.ndarray) -> bool:
    """Is most of the border transparent?"""
    return bool(np.median(border(alpha[:, :, None])) < 128)


def border(image: np.ndarray) -> np.ndarray:
    """The outermost pixels of (H, W, C), as (K, C)."""
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])


def centre_of_mass(grey: np.ndarray) -> tuple[float, float]:
    """Row and column, as real numbers."""
    mass = grey.astype(np.float64)
    rows, columns = np.indices(grey.shape)
    return float((mass * rows).sum() / mass.sum()), float((mass * columns).sum() / mass.sum())


def otsu(grey: np.ndarray) -> tuple[int, float]:
    """The level that divides grey levels best in two (Otsu 1979: most variance between
    the parts), and how far apart the means of the two are.
    """
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    mass = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    apart = (mass[-1] - mass) / np.maximum(above, 1) - mass / np.maximum(below, 1)
    threshold = int((below * above * apart**2).argmax())
    return threshold, float(apart[threshold])
