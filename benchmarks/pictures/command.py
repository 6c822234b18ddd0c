"""`python -m benchmarks pictures RUN`: the share of pictures that a network reads right,
kind by kind.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minicnn.command import whole_number
from minicnn.data import MNIST
from minicnn.predict import answers
from minicnn.tasks import Classifier
from minicnn.trained import Trained

from .kinds import CLEAN, KINDS, Picture

# What was looked at while the reading of pictures was written, and what never was: other
# digits, other random numbers.
TUNING = "tuning", range(500), 1_000
REPORT = "report", range(500, 1000), 2_000_000


def accuracy(trained: Trained, make: Picture, digits: int, split: tuple[str, range, int]) -> tuple[float, int]:
    """The share of right answers on that many digits, and how many pictures were refused."""
    _, indices, seed = split
    test = MNIST(train=False)
    right = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.png")
        for number in range(digits):
            index = indices[number % len(indices)]
            rng = np.random.default_rng([seed, number])
            make(rng, test.images[index]).save(path)
            try:
                answer = next(answers(trained, path, as_is=False, split=False, digits=True))
            except ValueError:
                refused += 1
                continue
            right += answer.probabilities.argmax() == test.labels[index]
    return float(right / digits), refused


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 1 if a kind falls short of the share of the clean accuracy
    that is asked of it.
    """
    args = make_parser().parse_args(arguments)
    trained = Trained(args.run, Classifier)
    split = TUNING if args.tuning else REPORT
    print(f"{args.digits} digits a kind, seed {split[2]}, test images {split[1][0]} to {split[1][-1]}\n")
    print(f"{'kind':22} {'right':>7} {'of clean':>9} {'asked':>7} {'refused':>8}")
    best, _ = accuracy(trained, KINDS[CLEAN][0], args.digits, split)
    short = 0
    for name, (make, asked) in KINDS.items():
        if args.kinds and name not in args.kinds:
            continue
        right, refused = accuracy(trained, make, args.digits, split)
        missed = right < asked * best
        short += missed
        print(f"{name:22} {right:7.1%} {right / best:9.1%} {asked:7.0%} {refused:8}{'  short' * missed}", flush=True)
    return int(short > 0)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks pictures",
        description="Pictures as people bring them: how many a network of digits reads right, kind by kind.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of a training of digits")
    parser.add_argument("--digits", type=whole_number(1), default=200, metavar="N", help="pictures of a kind (200)")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", choices=KINDS, help="these kinds alone (all)")
    parser.add_argument(
        "--tuning", action="store_true", help="the digits and seeds on which thresholds were chosen, not the reported"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
