"""`python -m minicnn.agree`: every operation on this machine against torch."""

import argparse
import importlib.util
from collections.abc import Sequence

import numpy as np

import minicnn
from minicnn.command import say_if_compiling, start, whole_number
from minicnn.kernels import SETS
from minicnn.nn import functional as F

from .judge import Verdict, judge
from .trials import OPERATIONS

RESULTS = ("output", "grad_input", "grad_weight", "grad_bias")
TITLES = ("forward", "grad_input", "grad_weight", "grad_bias")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.agree",
        description="Random configurations of every operation, forward and backward, against torch in float64; the"
        " torch set against the textbook. The table shows the largest error over the bound that rounding explains:"
        " up to 1 is right.",
        epilog="The exit status is 1 when a bound is exceeded; then a program to paste shows it. With --of, 2 says that"
        " nothing could be judged.",
    )
    numbers = f"of {', '.join(OPERATIONS)}"
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help=f"{numbers} (default: all)")
    parser.add_argument(
        "--backend", choices=tuple(SETS), default=minicnn.get_backend(), help="kernel set (%(default)s)"
    )
    parser.add_argument("--device", metavar="NAME", help="with --backend torch: auto, cpu, cuda or mps (default: cpu)")
    parser.add_argument(
        "--examples", type=whole_number(1), default=100, metavar="N", help="configurations of each (%(default)s)"
    )
    parser.add_argument(
        "--of",
        metavar="FILE_OR_MODULE",
        help="judge the functions in this file or module, which have torch's names; the file runs in this process",
    )
    parser.add_argument(
        "--judge", choices=("textbook", "torch"), default="textbook", help="who is right, with --of (%(default)s)"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="decides which ones (%(default)s)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="%(default)s")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    args = parser.parse_args(arguments)
    if args.of is not None:
        if args.judge == "torch" and importlib.util.find_spec("torch") is None:
            parser.error("--judge torch needs torch: pip install 'minicnn[torch]'")
        from .of import run  # the other judge does without

        return run(args)
    unknown = [name for name in args.operations if name not in OPERATIONS]
    if unknown:
        parser.error(f"there is no operation {', '.join(unknown)}; choose from {', '.join(OPERATIONS)}")
    if importlib.util.find_spec("torch") is None:
        parser.error("torch is the judge here, and it is not installed: pip install 'minicnn[torch]'")
    try:
        args.device = find_device(args.backend, args.device)
    except (RuntimeError, ValueError) as error:
        parser.error(str(error))
    before = minicnn.get_backend()
    try:
        return check(args)
    finally:
        if minicnn.get_backend() != before:
            minicnn.set_backend(before)  # each program sets its own


def find_device(backend: str, name: str | None) -> str:
    """Where the torch set computes; the others know no device."""
    if name is None:
        return "cpu"
    if backend != "torch":
        raise ValueError(f"--device needs --backend torch; the backend {backend} computes on the CPU.")
    from minicnn.kernels.torch_gpu import devices

    return str(devices.find_device(name))


def check(args: argparse.Namespace) -> int:
    """Print a row for each operation, then the worst configuration of each that disagrees."""
    import torch

    of_torch = args.backend == "torch"
    if not of_torch:  # which takes tensors, whatever the backend
        minicnn.set_backend(args.backend)
        say_if_compiling()
        F.relu(np.zeros(1, args.dtype))  # that line, if it comes, before the table
    who = f"torch {torch.__version__} kernels on {args.device}" if of_torch else f"{args.backend} kernels"
    right = "the textbook set" if of_torch else f"torch {torch.__version__}"
    print(f"{who} in {args.dtype} against {right} in float64, seed {args.seed}")
    print("The largest error over the bound that rounding explains; up to 1 is right, - has no such gradient.\n")
    wide = max(map(len, OPERATIONS))
    print("  ".join([f"{'operation':{wide}}", f"{'tried':>6}", *(f"{title:>11}" for title in TITLES)]))
    failures: dict[str, Verdict] = {}
    for name in dict.fromkeys(args.operations or OPERATIONS):
        largest: dict[str, float] = {}
        for verdict in verdicts(name, args):
            for result, ratio in verdict.ratios.items():
                column = "output" if result == "param" else result
                largest[column] = max(largest.get(column, 0.0), ratio)
            if verdict.worst > 1 and (name not in failures or verdict.worst > failures[name].worst):
                failures[name] = verdict
        cells = [f"{largest[result]:11.3g}" if result in largest else f"{'-':>11}" for result in RESULTS]
        print(
            "  ".join([f"{name:{wide}}", f"{args.examples:6,}", *cells, *(["WRONG"] if name in failures else [])]),
            flush=True,
        )
    for name, verdict in failures.items():
        print(f"\n# {name}: {verdict.worst:.3g} times what rounding explains. This program shows it:\n")
        print(verdict.program + verdict.remark)
    print(f"\n{', '.join(failures)}: wrong." if failures else "\nAll agree.")
    return int(bool(failures))


def verdicts(name: str, args: argparse.Namespace):
    """The verdicts on `examples` configurations of one operation; the same seed gives
    the same ones.
    """
    which = list(OPERATIONS).index(name)
    for i in range(args.examples):
        rng = np.random.default_rng((args.seed, which, i))
        yield judge(OPERATIONS[name](rng), args.backend, args.dtype, int(rng.integers(2**31)), args.device)


if __name__ == "__main__":
    start(main)
