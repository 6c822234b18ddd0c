"""IDX under every name in use: MNIST, Fashion-MNIST, KMNIST, EMNIST (stored
transposed), QMNIST (a table of labels).

The names differ: `train-images-idx3-ubyte`, with a dot before idx3 (Kaggle, 7-Zip),
each in a folder of its own name (7-Zip), with the set's name in front (emnist-letters-,
qmnist-), gzipped or not.
"""

import hashlib
import re
from pathlib import Path

import numpy as np

from ..idx import DTYPES, GZIP_MAGIC, read_idx
from .found import Found, first_bytes

NAME = re.compile(
    r"(?P<set>.*?)[-_.]?(?P<part>train|t10k|test|val)[-_.](?P<kind>images|labels)[-_.]idx[123][-_.](ubyte|int)(\.gz)?"
)
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
KUZUSHIJI = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
DIGITS = [f"{digit} - {word}" for digit, word in enumerate(DIGITS)]  # as torchvision names them
# SHA-256 of the unpacked label files, whose names are MNIST's own: only their content
# tells them apart.
BY_LABELS = {
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9": ("Fashion-MNIST", FASHION),
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34": ("Fashion-MNIST", FASHION),
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5": ("MNIST", DIGITS),
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2": ("MNIST", DIGITS),
}


def reads(path: Path, part: str) -> Found | None:
    folder = path if path.is_dir() else path.parent
    sets = sets_in(folder)
    if path.is_file():
        match = NAME.fullmatch(path.name.lower())
        if match is None or not is_idx(path):
            return None
        sets = {name: files for name, files in sets.items() if name == match["set"]}
    if not sets:
        return None
    if len(sets) > 1:
        raise ValueError(
            f"{folder} holds several data sets: {', '.join(map(repr, sorted(sets)))}. "
            f"Name a file of the one that you mean, such as {next(iter(sets.values()))[0]}."
        )
    ((name, files),) = sets.items()
    return read_set(folder, name, files, part)


def sets_in(folder: Path) -> dict[str, list[Path]]:
    """The IDX files in a folder, in `raw` as torchvision keeps them, or each in a
    folder of its own, by their set's name.
    """
    found: dict[str, list[Path]] = {}
    for place in (folder, folder / "raw", *sorted(folder.glob("*/raw")), *sorted(folder.glob("*/"))):
        for file in sorted(place.glob("*")) if place.is_dir() else ():
            match = NAME.fullmatch(file.name.lower())
            if match and file.is_file() and is_idx(file):
                found.setdefault(match["set"], []).append(file)
        if found and place == folder / "raw":
            break
    return found


def is_idx(path: Path) -> bool:
    start = first_bytes(path, 4)
    return start[:2] == GZIP_MAGIC or (start[:2] == b"\0\0" and start[2:3] in {bytes([code]) for code in DTYPES})


def read_set(folder: Path, name: str, files: list[Path], part: str) -> Found:
    wanted = ("train",) if part == "train" else ("t10k", "test", "val")

    def file(kind: str) -> Path:
        matches = {path: NAME.fullmatch(path.name.lower()) for path in files}
        for where in wanted:
            for path, match in matches.items():
                if match and (match["part"], match["kind"]) == (where, kind):
                    return path
        listed = ", ".join(sorted({path.name for path in files}))
        raise ValueError(f"{folder}: expected IDX files of {part} images and labels; no {part} {kind} among {listed}.")

    images, labels = read_idx(file("images")), read_idx(file("labels"))
    notes: list[str] = []
    what, classes = named(folder, name, labels)
    if labels.ndim == 2 and labels.shape[1] == 8:
        labels = labels[:, 0]
        notes.append("column 0 of QMNIST's table of labels is the class")
    if "emnist" in name or "emnist" in folder.name.lower():
        images = images.swapaxes(1, 2)
        notes.append("EMNIST stores its images transposed; they were turned back")
    return Found(images, labels, f"IDX files of {what}", classes, part, tuple(notes))


def named(folder: Path, name: str, labels: np.ndarray) -> tuple[str, list[str] | None]:
    """What set this is and what its classes are called: by its labels, else by its
    name, else unknown.
    """
    digest = label_digest(labels)
    if digest in BY_LABELS:
        return BY_LABELS[digest]
    mapping = folder / f"{name}-mapping.txt"
    if mapping.is_file():
        return name, emnist_classes(mapping)
    words = f"{name} {folder.resolve().name} {folder.resolve().parent.name}".lower()
    if "qmnist" in words:
        return "QMNIST", DIGITS
    if "kmnist" in words or "kuzushiji" in words:
        return "KMNIST", KUZUSHIJI
    if "fashion" in words:
        return "Fashion-MNIST", FASHION
    return (name or folder.resolve().name), None


def label_digest(labels: np.ndarray) -> str:
    header = b"\0\0\x08\x01" + np.array(labels.shape[:1], ">u4").tobytes()
    return hashlib.sha256(header + labels.astype(np.uint8).tobytes()).hexdigest()


def emnist_classes(path: Path) -> list[str] | None:
    """EMNIST's mapping: a line for each label, with the codes of its characters (upper
    and lower case).
    """
    classes: dict[int, str] = {}
    try:
        for line in path.read_text(encoding="ascii").splitlines()[:1000]:
            label, *codes = map(int, line.split())
            classes[label] = "/".join(map(chr, codes))
    except (ValueError, OverflowError):
        return None
    if not classes or not 0 <= min(classes) <= max(classes) < 1000:
        return None
    return [classes.get(label, str(label)) for label in range(max(classes) + 1)]
