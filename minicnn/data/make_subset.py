"""Makes the bundled subset from a folder with the complete MNIST.

    python -m minicnn.data.make_subset FOLDER

The same images give the same bytes with the same zlib; another zlib may pack them
differently. What is printed belongs into BUNDLED_DIGESTS in mnist.py.
"""

import argparse
import hashlib
from pathlib import Path

from .idx import write_idx
from .mnist import BUNDLED, find_files, read_pair

SIZES = {"train": 5_000, "t10k": 1_000}
LIMIT = 1_100_000  # bytes, all files together


def make_subset(source, target=BUNDLED, sizes=SIZES):
    """Writes the first `sizes[split]` examples of both splits; returns the paths."""
    written = []
    for split, size in sizes.items():
        paths = find_files(Path(source), split == "train")
        if not paths:
            raise FileNotFoundError(f"{source} holds no {split} images and labels in IDX format.")
        for path, array in zip(paths, read_pair(*paths), strict=True):
            if len(array) < size:
                raise ValueError(f"{path}: expected at least {size} entries, found {len(array)}.")
            written.append(Path(target) / f"{path.name.removesuffix('.gz')}.gz")
            write_idx(written[-1], array[:size].astype("u1"))
    return written


def main():
    parser = argparse.ArgumentParser(description="Make the bundled subset of MNIST.")
    parser.add_argument("folder", type=Path, help="holds the four IDX files, gzipped or not")
    paths = make_subset(parser.parse_args().folder)
    for path in paths:
        print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",')
    total = sum(path.stat().st_size for path in paths)
    print(f"{total:,} bytes of at most {LIMIT:,}")
    if total > LIMIT:
        raise SystemExit("The subset is too big.")


if __name__ == "__main__":
    main()
