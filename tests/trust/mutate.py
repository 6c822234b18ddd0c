"""Mutation testing: `python -m tests.trust.mutate geometry` changes one operator or number at a time and runs the tests on it.

mutmut plants the mutants (pip install mutmut) in a copy of the package; the textbook kernels compute. A mutant that no test
notices is printed with its change: either a test is missing, or the change changes nothing.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS: dict[str, tuple[str, list[str]]] = {  # what is changed, and the tests that should notice
    "geometry": (
        "minicnn/geometry.py",
        ["geometry"],
    ),
    "textbook": (
        "minicnn/kernels/numpy_textbook/*.py",
        ["convolution", "conv_transpose", "pooling", "padding", "pointwise", "linear", "losses", "optim"],
    ),
    "functional": (
        "minicnn/nn/functional/*.py",
        ["convolution", "conv_transpose", "pooling", "padding", "pointwise", "linear", "losses", "api"],
    ),
    "nn": (
        "minicnn/nn/*.py",
        [
            "module",
            "layers",
            "init",
            "flatten",
            "convolution",
            "conv_transpose",
            "pooling",
            "pointwise",
            "linear",
            "losses",
        ],
    ),
    "optim": ("minicnn/optim/*.py", ["optim"]),
}
EQUIVALENT = {  # changes that no test can notice, and why
    r"strict=(None|False)\)|(stride|dilation|most|kernel_size), \)": "the arguments are pairs: none is longer than another",
    r"if P > K / 2:": "P is whole: it exceeds K / 2 where it exceeds K // 2",
    r"return D >= size and any\(": "a remainder of D = size is below size: the rest says no by itself",
}


def prepare(folder: Path, room: str) -> None:
    """A copy of the project in which mutmut finds what to change and what to run."""
    without = shutil.ignore_patterns("__pycache__", "files")
    shutil.copytree(ROOT / "minicnn", folder / "minicnn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=without)
    changed, tests = ROOMS[room]
    settings = {
        "source_paths": ["minicnn"],
        "only_mutate": [changed],
        "also_copy": ["tests", "pyproject.toml"],
        "pytest_add_cli_args": [
            *("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=dev", "--hypothesis-seed=0"),
            *("-k", "not numba and not torch_set"),
        ],
        "pytest_add_cli_args_test_selection": [f"tests/test_{name}.py" for name in tests],
        "timeout_multiplier": 30.0,
        "use_git_change_detection": False,
    }
    lines = [
        "\n[tool.mutmut]",
        *(f"{name} = {str(value).replace('False', 'false')}" for name, value in settings.items()),
    ]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(project + "\n".join(lines) + "\n", encoding="utf-8")
    conftest = folder / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text(encoding="utf-8") + '\nminicnn.set_backend("numpy")\n', encoding="utf-8")


def mutmut(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": "", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust.mutate", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)} (default: all)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="at once (%(default)s)")
    args = parser.parse_args(given)
    if unknown := [room for room in args.rooms if room not in ROOMS]:
        parser.error(f"there is no room {', '.join(unknown)}; choose from {', '.join(ROOMS)}")
    alive = 0
    for room in args.rooms or ROOMS:
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            folder = Path(name)
            prepare(folder, room)
            mutmut(folder, "run", "--max-children", str(args.processes))
            found = re.findall(r"^\s*(\S+): (.+)$", mutmut(folder, "results", "--all", "true"), re.MULTILINE)
            counts = Counter(verdict for _, verdict in found)
            killed = counts["killed"] + counts["timeout"]
            print(f"{room}: {len(found)} mutants, {killed} noticed ({killed / max(len(found), 1):.1%}): {dict(counts)}")
            for mutant, verdict in found:
                if verdict not in ("killed", "timeout"):
                    alive += 1
                    change = [
                        line for line in mutmut(folder, "show", mutant).splitlines() if re.match(r"[-+][^-+]", line)
                    ]
                    print(f"  {mutant}: {verdict}\n    " + "\n    ".join(change), flush=True)
    return int(alive > 0)


if __name__ == "__main__":
    sys.exit(main())
