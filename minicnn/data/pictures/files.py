"""From a file to colours: any format and mode that Pillow reads, (H, W, C) uint8 with one
or three colours.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .sheet import border

LARGE = 600  # pixels; a larger picture is made smaller first, which averages its noise away
FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)  # white, at the usual depths
PAGES = 1000  # of one file
UNREADABLE = {  # how files begin that people take for pictures, what they are, and the way out
    rb"%PDF": ("a PDF document", "save the page as PNG, for example with pdftoppm -png"),
    rb"%!PS|\xc5\xd0\xd3\xc6": ("an EPS or PostScript drawing", "export it as PNG"),
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg": ("an SVG drawing", "export it as PNG"),
    rb"....ftyp(hei|hev|mif1|msf1)": ("a HEIC photo", "save it as JPEG; a telephone's camera does so when told"),
}


def open_pages(path: Path) -> Iterator[Image.Image]:
    """Each page of a TIFF or frame of a GIF, of any other format the first; upright.

    Whatever is no image that can be read is a ValueError that names the file.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the images in it, for example {path / '*.png'}.")
    try:
        check_kind(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                count = getattr(image, "n_frames", 1) if image.format in ("TIFF", "GIF") else 1
                if count > PAGES:
                    raise TooMany(count)
                for page in range(count):
                    image.seek(page)
                    yield ImageOps.exif_transpose(image)  # decodes, too
    except TooMany as error:
        raise ValueError(f"{path} has {error} pages, and more than {PAGES:,} are not read; divide it.") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not an image that Pillow can read, such as PNG or JPEG.") from None
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = Image.MAX_IMAGE_PIXELS
        raise ValueError(f"{path}: the image has more than {most:,} pixels; make it smaller.") from None
    except PermissionError:
        raise ValueError(f"{path}: you may not read this file.") from None
    except NotAPicture as error:
        raise ValueError(f"{path} is {error}.") from None
    except Exception as error:  # Pillow's many decoders raise what they like on a damaged file
        raise ValueError(f"{path}: the image is damaged: {error}") from error


class TooMany(Exception):
    """Pages."""


class NotAPicture(Exception):
    """What a file is, and what to do."""


def check_kind(path: Path) -> None:
    """Names what Pillow cannot read, or only with a program of others'."""
    with path.open("rb") as file:
        start = file.read(1024)
    for pattern, (what, remedy) in UNREADABLE.items():
        if re.match(pattern, start, re.DOTALL):
            raise NotAPicture(f"{what}, which is not read here: {remedy}")


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
    """Deeper grey levels, integers or real numbers: the full scale is the smallest usual
    one that holds them all.
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


def is_see_through(alpha: np.ndarray) -> bool:
    """Is most of the border transparent?"""
    return bool(np.median(border(alpha[:, :, None])) < 128)
