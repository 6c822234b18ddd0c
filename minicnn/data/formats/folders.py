"""Folders of pictures: a folder for each class, or `train/` and `test/` (or `val/`)
with such folders in them.

Sorted by name, the folders are the classes, as in torchvision's ImageFolder. All
pictures must have the same size: how another size should be brought to it is a choice
that changes what is learnt.
"""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .found import PARTS, Found, check_size

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


def reads(path: Path, part: str) -> Found | None:
    if not path.is_dir():
        return None
    for name in PARTS[part]:
        if (path / name).is_dir() and classes_in(path / name):
            return from_classes(path / name, part)
    names = {folder.name.lower() for folder in path.glob("*/")}
    if names & set(PARTS["train"]) and part == "test" and names <= set(PARTS["train"]):
        inside = next(folder for folder in path.glob("*/") if folder.name.lower() in PARTS["train"])
        return from_classes(inside, None) if classes_in(inside) else None
    if names & set(PARTS["train"]):
        return None
    return from_classes(path, None) if classes_in(path) else None


def pictures_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())


def classes_in(folder: Path) -> list[Path]:
    """The folders with pictures in them, sorted by name."""
    below = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    return [one for one in below if pictures_in(one)]


def from_classes(folder: Path, part: str | None) -> Found:
    classes = classes_in(folder)
    files = [(file, label) for label, one in enumerate(classes) for file in pictures_in(one)]
    first = read_picture(files[0][0])
    check_size(folder, len(files) * first.size)
    coloured = first.ndim == 3
    images = np.empty((len(files), *first.shape), np.uint8)
    for row, (file, _) in enumerate(files):
        picture = read_picture(file, coloured)
        if picture.shape != first.shape:
            height, width = first.shape[:2]
            raise ValueError(
                f"{file} has {picture.shape[0]}x{picture.shape[1]} pixels and {files[0][0]} {height}x{width}: "
                "all pictures of a data set must have one size. Bring them to one size first, for instance with "
                f"`mogrify -resize {width}x{height}! *.png` (ImageMagick, in a copy of the folder)."
            )
        images[row] = picture
    labels = np.array([label for _, label in files])
    names = [one.name for one in classes]
    return Found(images, labels, f"{len(names)} folders of pictures", names, part)


def read_picture(file: Path, coloured: bool | None = None) -> np.ndarray:
    """(H, W) for grey pictures, (H, W, 3) for coloured ones; `coloured` asks for one of
    the two.
    """
    try:
        with Image.open(file) as image:
            return as_bytes(image, file, coloured)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as a picture: {error}") from error


def as_bytes(image: Image.Image, where: Path, coloured: bool | None = None) -> np.ndarray:
    """An open picture as (H, W) or (H, W, 3) uint8. Grey of 16 bits is brought to 8: Pillow
    itself would cut it off at 255 instead.
    """
    check_size(where, image.width * image.height * 4)
    if image.mode.startswith("I"):  # "I;16", or "I" from an older Pillow
        grey = np.rint(np.asarray(image) / 257).astype(np.uint8)  # 65535 becomes 255
        return np.repeat(grey[:, :, None], 3, axis=2) if coloured else grey
    if coloured is None:
        coloured = image.mode not in ("1", "L", "LA")
    return np.asarray(image.convert("RGB" if coloured else "L"))
