"""`python -m minicnn.assignment DIR`: write a folder to hand out."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from minicnn import messages
from minicnn.command import start, whole_number

from .cases import ARGUMENTS, Requirement
from .requirements import FUNCTIONS, OPERATIONS, requirements
from .skeleton import skeleton

HANDOUT = Path(__file__).with_name("handout")
COPIED = {"test_assignment.py": "grading.py", "conftest.py": "report.py", "run_one.py": "run_one.py"}


def several(known: Sequence[str], what: str) -> Callable[[str], list[str]]:
    """For argparse: names separated by commas, in the order in which they are known."""

    def parse(text: str) -> list[str]:
        given = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {what} {unknown[0]!r}; choose from {', '.join(known)}")
        return [name for name in known if name in given]

    return parse


def modules(text: str) -> list[str]:
    """For argparse: names of modules separated by commas; NumPy is always among them."""
    return list(dict.fromkeys(["numpy", *(name.strip() for name in text.split(",") if name.strip())]))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.assignment",
        description="Write a folder to hand out: a skeleton to fill in, a README, and tests that give points."
        " pytest and NumPy are all that it needs.",
        epilog="To grade, in that folder: pytest --solution=FILE --json=points.json --junitxml=points.xml",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to write; new, or empty")
    parser.add_argument(
        "--operations",
        type=several(OPERATIONS, "operation"),
        default=["conv2d", "max_pool2d", "linear", "relu", "cross_entropy"],
        metavar="NAMES",
        help=f"separated by commas, of {', '.join(OPERATIONS)} (default: conv2d,max_pool2d,linear,relu,cross_entropy)",
    )
    parser.add_argument(
        "--arguments",
        type=several(ARGUMENTS, "argument"),
        default=["stride", "padding"],
        metavar="NAMES",
        help=f"what sliding windows take, of {', '.join(ARGUMENTS)} (default: stride,padding; '' is none)",
    )
    parser.add_argument("--lang", choices=tuple(messages.LANGUAGES), default="en", help="of all texts (%(default)s)")
    parser.add_argument(
        "--allow", type=modules, default=["numpy"], metavar="NAMES", help="modules that a solution may import too"
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="N", help="other numbers in the cases (%(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    if not args.operations:
        parser.error("--operations is empty; name at least one")
    if args.folder.exists() and (not args.folder.is_dir() or any(args.folder.iterdir())):
        parser.error(f"{args.folder} is there and not an empty folder: name another one")
    try:
        total = write(args.folder, args.operations, args.arguments, args.lang, args.allow, args.seed)
    except OSError as error:
        parser.error(str(error))
    print(f"{args.folder} is ready to hand out: {total} points. `pytest` there grades solution.py.")
    return 0


def write(folder: Path, operations: list[str], arguments: list[str], lang: str, allow: list[str], seed: int) -> int:
    """The folder. Returns the sum of the points."""
    texts = messages.texts("minicnn.assignment.texts", lang)
    functions = [name for name in FUNCTIONS if name.removesuffix("_backward") in operations]
    wanted = requirements(functions, arguments, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for target, source in COPIED.items():
        (folder / target).write_bytes((HANDOUT / source).read_bytes())
    (folder / "solution.py").write_text(skeleton(functions, arguments, texts), encoding="utf-8")
    (folder / "README.md").write_text(readme(operations, wanted, allow, texts), encoding="utf-8")
    asked, arrays = cases(wanted, texts)
    complaints = {key: text for key, text in texts.items() if "." not in key and key != "readme"}
    plan = {"requirements": asked, "texts": complaints, "allowed": allow}
    arrays["plan"] = np.array(json.dumps(plan))
    np.savez_compressed(folder / "cases.npz", **arrays)  # type: ignore[arg-type]
    return sum(requirement.points for requirement in wanted)


def readme(operations: list[str], wanted: list[Requirement], allow: list[str], texts: dict[str, str]) -> str:
    """What students read first."""
    points: dict[str, int] = {}
    for requirement in wanted:
        points[requirement.function] = points.get(requirement.function, 0) + requirement.points
    rows = [texts["points_row"].format(function=name, points=n) for name, n in points.items()]
    table = [texts["points_head"], *rows, texts["points_sum"].format(points=sum(points.values()))]
    allowed = ", ".join(f"`{name}`" for name in allow)
    return texts["readme"].format(title=", ".join(operations), points="\n".join(table), allowed=allowed)


def line(requirement: Requirement, texts: dict[str, str]) -> str:
    """The sentence of a requirement: its function's own, or the one that all share."""
    return texts.get(f"line.{requirement.id}") or texts[f"line.{requirement.name}"]


def cases(wanted: list[Requirement], texts: dict[str, str]) -> tuple[list[dict], dict[str, np.ndarray]]:
    """The requirements for `test_assignment.py`: arrays are named, and stand apart."""
    arrays: dict[str, np.ndarray] = {}
    plan = []

    def kept(name: str, value):
        if not isinstance(value, np.ndarray):
            return value
        arrays[name] = value
        return name

    for requirement in wanted:
        calls = []
        for i, case in enumerate(requirement.cases):
            place = f"{requirement.id}/{i}"
            calls.append(
                {
                    "names": list(case.arguments),
                    "arguments": [kept(f"{place}/{name}", value) for name, value in case.arguments.items()],
                    "options": case.options,
                    "results": [[name, kept(f"{place}/right/{name}", value)] for name, value in case.results.items()],
                }
            )
        plan.append(
            {
                "id": requirement.id,
                "function": requirement.function,
                "points": requirement.points,
                "check": requirement.check,
                "text": line(requirement, texts),
                "cases": calls,
            }
        )
    return plan, arrays


if __name__ == "__main__":
    start(main)
