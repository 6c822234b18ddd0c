"""Mutation testing: `python -m tests.trust.mutate geometry` changes one operator or
number at a time and runs the tests on it.

mutmut plants the mutants (pip install mutmut) in a copy of the package; the textbook
kernels compute, and in the room "numba" its loops, without compilation. A mutant that
no test notices is printed with its change: either a test is missing, or the change
changes nothing and belongs into EXCUSES below.
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
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ["convolution", "conv_transpose", "pooling", "padding", "pointwise", "linear", "losses"]


class Room(NamedTuple):
    """What is changed, and the tests that should notice: their files, and which of them
    (pytest's -k).
    """

    changed: list[str]
    tests: list[str]
    chosen: str = "not numba and not torch_set"
    backend: str = "numpy"


ROOMS = {
    "geometry": Room(["minicnn/geometry.py"], ["geometry"]),
    "textbook": Room(["minicnn/kernels/numpy_textbook/*.py"], [*OPERATIONS, "optim"]),
    "functional": Room(
        ["minicnn/nn/functional/*.py"],
        [*OPERATIONS, "calls", "api", "torch_set"],
        "not numba and (not torch_set or tensors or refused)",
    ),
    "nn": Room(
        [f"minicnn/nn/{path.name}" for path in (ROOT / "minicnn" / "nn").glob("*.py")],
        [*OPERATIONS, "module", "layers", "init", "flatten", "calls", "api", "torch_set"],
        "not numba and (not torch_set or model or device or follow or moved or moving or load)",
    ),
    "optim": Room(
        ["minicnn/optim/*.py"], ["optim", "module", "torch_set"], "not numba and (not torch_set or optimiser or follow)"
    ),
    # The loops, in Python; for LLVM's instructions, the threads and the cache
    # tests/trust/mutants.py has planted bugs.
    "numba": Room(
        [
            f"minicnn/kernels/numba_fast/{name}.py"
            for name in (
                *("convolution", "linear", "losses", "optimizers", "pointwise", "pooling", "ways"),
                *("operands/lowering", "operands/patches", "operands/products", "operands/skipping"),
            )
        ],
        [*OPERATIONS, "optim", "numba"],
        "numba and not without_options and (bit_for_bit or within_the_bound or torchs or as_in_torch or every_argument"
        " or every_option or special_values or units_in or not_skipped or class_indices or textbooks_gradients"
        " or are_skipped or either_path) or however_many_zeros",
        "numba",
    ),
}
ALONE = {"PYTHONPATH": "", "NUMBA_DISABLE_JIT": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Excuse(NamedTuple):
    """A change that no test can notice: where (what mutmut's names begin with, after
    "minicnn."), what the changed line then reads, and why that gives the same numbers.
    """

    where: str
    pattern: str
    why: str


LOOPS = r"kernels\.numba_fast\.(operands\.)?"
TEXTBOOK = r"kernels\.numpy_textbook\."
PAIRS = r"(stride|dilation|most|kernel_size|padding), (strict=(None|False))?\)"
EXCUSES = [
    Excuse(r"geometry\.", PAIRS, "the arguments are pairs: none is longer than another"),
    Excuse(r"geometry\.", "if P > K / 2:", "P is whole: it exceeds K / 2 where it exceeds K // 2"),
    Excuse(
        r"geometry\.",
        r"return D >= size and any\(",
        "a remainder of D = size is below size: the rest says no by itself",
    ),
    Excuse(
        r"geometry\.",
        r'return pair\(value, name, 1, who, "an int"\)\[1\]',
        "both numbers of a pair made of one int are that int",
    ),
    Excuse(
        r"optim\.optimizer\.",
        r'(changes|groups|\["params"\]), (strict=(None|False))?\)',
        "as many on both sides: that was asked before",
    ),
    Excuse(
        r"optim\.optimizer\.|nn\.module\.",
        r"version \+= 2|self\.version = 1 ",
        "newer is newer, wherever one begins to count",
    ),
    Excuse(r"nn\.init\.", r"legacy=(None|True)", "the generator takes its state as a tuple too"),
    Excuse(
        r"nn\.functional\.losses\.",
        r"strict=None\)|(arguments|wanted\[::-1\]), \)",
        "None is False, and False is the default",
    ),
    Excuse(
        r"nn\.functional\.losses\.",
        r"kernels_for\(arguments\[1\]\)|_grad\(grad_output, arguments\[1\]",
        "input and target are of one kind and dtype",
    ),
    Excuse(
        r"nn\.functional\.(linear|padding)\.",
        r"kernels_for\(None\)\.(linear|pad)\(|kernels = kernels_for\(None\)",
        "the textbook's linear and pad take tensors as well",
    ),
    Excuse(
        r"nn\.functional\.padding\.",
        r"\(2, (x\.shape\[1\]|C), ",
        "what copies patches does not look at the number of outputs",
    ),
    Excuse(
        r"nn\.functional\.(conv_transpose|pooling)\.",
        r"who\)\.reshape\(None\)",
        "the kernel takes it apart plane by plane anyway",
    ),
    Excuse(rf"{TEXTBOOK}pooling\.", r"for tap in range\(g\.KH", "the first tap is not larger than itself"),
    Excuse(
        rf"{TEXTBOOK}pooling\.", r"errstate\(invalid=None\)", "NumPy compares NaN in silence; earlier versions warned"
    ),
    Excuse(
        rf"{TEXTBOOK}pooling\.",
        r"np\.array\(where, (None)?\)",
        "np.arange gave int64 already, except on Windows before NumPy 2",
    ),
    Excuse(
        f"{TEXTBOOK}|{LOOPS}", r"reshape\((g\.O, )?-2\b|reshape\(-2, 2\)", "NumPy takes any negative size as `the rest`"
    ),
    Excuse(rf"{TEXTBOOK}convolution\.", r"swapaxes\(-1, \+2\)", "of four axes the second but last is number 2"),
    Excuse(
        rf"{TEXTBOOK}losses\.", r"copy=(None|True)\)|astype\((logits|p|x)\.dtype, \)", "a copy holds the same numbers"
    ),
    # the Numba loops: sizes of buffers, numbers written more than once
    Excuse(
        rf"{LOOPS}(linear|pointwise|optimizers)\.",
        r"range\(U\(r1\)\)|range\(np\.uint64\(k / ",
        "it begins further in front, and writes the same numbers once more",
    ),
    Excuse(rf"{LOOPS}skipping\.", r"2\*\*17 // ROW \+ height", "a sum is the same over bands of any height"),
    Excuse(
        rf"{LOOPS}pooling\.",
        r"np\.empty\(g\.KW, (None)?\)|np\.empty\(g\.OW, (None)?\)|here = np\.empty\(count, (None)?\)",
        "floats hold these numbers as well",
    ),
    Excuse(rf"{LOOPS}skipping\.", r"np\.empty\(runs\.BAND \* g\.OW( \+ 1)?, \)", "floats hold these numbers as well"),
    Excuse(rf"{LOOPS}products\.", r"min\(U\(8\), last\)", "last is at most 7"),
    Excuse(rf"{LOOPS}pooling\.", r"fill\(where, 0, g\.OW, -2\)", "less than 0 is less than 0"),
    Excuse(
        rf"{LOOPS}lowering\.",
        r"np\.array\((source_rows|source_columns|target|start|kernel|offsets), (None)?\)",
        "a list of whole numbers becomes int64 anyway",
    ),
    Excuse(rf"{LOOPS}convolution\.", r"np\.zeros\(g\.C, (None)?\)", "0 is 0 in any precision"),
    Excuse(rf"{LOOPS}linear\.", r"bias = np\.zeros\(.*, (None)?\)", "0 is 0 in any precision"),
    Excuse(
        rf"{LOOPS}convolution\.",
        r"aligned\([^=]*, None\)",
        "covered compiled, where a register takes numbers of its own size alone",
    ),
    Excuse(
        rf"{LOOPS}products\.",
        r"np\.zeros\(size \+ 64, (None)?\)",
        "covered compiled, where a register takes numbers of its own size alone",
    ),
    Excuse(rf"{LOOPS}(convolution|linear|patches)\.", r"\* 3 \* LANES|COLUMNS=.* \+ 2,$", "a buffer may be larger"),
    Excuse(rf"{LOOPS}patches\.", r"COLUMNS=\(g\.OW \+ 1\)", "a buffer may be larger"),
    Excuse(rf"{LOOPS}(convolution|linear)\.", r"// 8 \* 9 \* pitch|aligned\(9 \* WIDE", "a buffer may be larger"),
    Excuse(rf"{LOOPS}lowering\.", r"LEFT = max\(1, |max\(2, PIXELS // Q\)", "a buffer may be larger"),
    Excuse(rf"{LOOPS}skipping\.", r"g\.OW \+ 2,", "a buffer may be larger"),
    Excuse(
        rf"{LOOPS}(patches|skipping)\.",
        r"height = \(g\.KH - 1\) \* g\.DH \+ 2$|height = \(g\.KH \+ 1\) \* g\.DH \+ 1$",
        "a sum is the same over bands of any height, and their buffers may be larger",
    ),
    Excuse(rf"{LOOPS}pooling\.", r"range\(.*\(k \+ 1\) \* planes\)", "the same numbers are computed more than once"),
    Excuse(
        rf"{LOOPS}linear\.", r"range\(0, M, \)|r1 = min\(r0 \+ 65, K\)", "the same numbers are computed more than once"
    ),
    Excuse(
        rf"{LOOPS}(convolution|patches)\.",
        r"M=min\(9, ",
        "of nine rows a product takes eight, and the next begins with the ninth",
    ),
    Excuse(rf"{LOOPS}skipping\.", r"runs\.PIECE >= runs\.RUN", "what stands behind a whole run is put back as it was"),
    Excuse(rf"{LOOPS}pointwise\.", r"\* (x|output)\.size / parts", "a quotient that is cut off is what // gives"),
    Excuse(rf"{LOOPS}optimizers\.", r"\* param\.size / parts", "a quotient that is cut off is what // gives"),
    Excuse(
        rf"{LOOPS}(pooling|convolution)\.",
        r"SW - 1\) / (g\.|source\.)?SW",
        "a quotient that is cut off is what // gives",
    ),
    Excuse(rf"{LOOPS}optimizers\.", r"zip\(arrays, whole, (strict=(None|False))?\)", "as many on both sides"),
    # the Numba loops: into how many parts the work is divided (one, at least)
    Excuse(
        rf"{LOOPS}(pointwise|optimizers)\.",
        r"\b(parts = |_relu_loops, )max\([12], \w+\.size (//|\*) SHARE\)",
        "any number of parts",
    ),
    Excuse(rf"{LOOPS}pooling\.x__parts_", r"return max\([12], min\(g\.N [*/] g\.C, g\.N .*", "any number of parts"),
    Excuse(
        rf"{LOOPS}linear\.",
        r"\b(min\(panels, 1[67]\)|[89]) if \S+ [*/] \S+ [*/] \S+ >=? SMALL else [12]\b",
        "a product is the same in any number of parts",
    ),
    Excuse(
        rf"{LOOPS}convolution\.",
        r"parts = (min\(layout\.N \* layout\.BANDS, 33\)|max\(2, min\(g\.N \* sizes\.BANDS, PARTS\)\))",
        "any number of parts",
    ),
    Excuse(rf"{LOOPS}convolution\.", r"parts = min\(g\.N \* g\.G, 33\)", "any number of parts"),
    Excuse(
        rf"{LOOPS}lowering\.",
        r"(work|size) = .+|bands = -\(-1[67] // max\(g\.N, [12]\)\) if work >=? [89].* else [12]\b",
        "decides the number of bands alone",
    ),
    Excuse(
        rf"{LOOPS}lowering\.",
        r"return min\(height, max\(bands, size // [23]\*\*1[89]\)\)|BAND = -\(\+height // _bands",
        "any number of bands: BANDS is what BAND leaves",
    ),
    Excuse(
        rf"{LOOPS}(patches|skipping)\.",
        r"BAND = max\([12], min\(g\.OH, \(.* [+-] height\) // g\.SH [+-] [12]\)\)",
        "a sum is the same over bands of any height",
    ),
    # the Numba loops: which of two right ways is taken
    Excuse(
        rf"{LOOPS}(ways\.x_|operands\.skipping\.x_density_)",
        "",
        "each way is right, and zeros need not be skipped",
    ),
    Excuse(
        rf"{LOOPS}convolution\.x_conv2d_grad_input_",
        r"skips\(|if (not )?everything (and|or) (not )?s",
        "zeros may be skipped, and need not be",
    ),
    Excuse(
        rf"{LOOPS}skipping\.x_finite_",
        r"check = numbers\.dtype\.type\(1\)|return check == 1",
        "what is not known to be finite is not skipped",
    ),
    Excuse(
        rf"{LOOPS}products\.",
        r"while p \+ U\((8 \* )?LANES\) < end",
        "what is left is computed with narrower registers",
    ),
    Excuse(
        rf"{LOOPS}convolution\.",
        r"start < last\b|last = plane - ",
        "the exact copy does as well",
    ),
    Excuse(rf"{LOOPS}linear\.", r"whole = rows == 9 ", "the way of a panel with a rest does as well"),
    Excuse(
        rf"{LOOPS}pooling\.",
        r"2 \* g\.O[HW] < g\.[HW]|3 \* g\.O[HW] <= g\.[HW]",
        "the loops for any window do as well",
    ),
    Excuse(
        rf"{LOOPS}convolution\.x_grad_bias_",
        r"grad_output\.size (<= 1 << 15|< [12] << 1[56])",
        "NumPy's sum does as well",
    ),
]


def excused(mutant: str, before: str, after: str) -> bool:
    """Whether there is an excuse: the line reads now as one says, and did not before."""
    for where, pattern, _ in EXCUSES:
        found = re.search(pattern, after) if re.match(rf"minicnn\.({where})", mutant) else None
        if found and (not pattern or found[0] not in before):
            return True
    return False


def test_file(name: str) -> str:
    (found,) = (ROOT / "tests").rglob(f"test_{name}.py")
    return found.relative_to(ROOT).as_posix()


def prepare(folder: Path, room: Room) -> None:
    """A copy of the project in which mutmut finds what to change and what to run."""
    without = shutil.ignore_patterns("__pycache__", "files")
    shutil.copytree(ROOT / "minicnn", folder / "minicnn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=without)
    for path in (found for pattern in room.changed for found in folder.glob(pattern)):
        plain = re.sub(
            r"^@(compiled|lru_cache)\(.*?\)[^\n]*\n(?=def |@)",
            "",
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE | re.DOTALL,
        )
        path.write_text(plain, encoding="utf-8")  # mutmut leaves decorated functions alone
    settings = {
        "source_paths": ["minicnn"],
        "only_mutate": room.changed,
        "also_copy": ["tests", "pyproject.toml"],
        "pytest_add_cli_args": [
            *("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=dev", "--hypothesis-seed=0"),
            *("-W", "ignore::RuntimeWarning", "-k", room.chosen),  # NumPy warns where compiled code does not
        ],
        "pytest_add_cli_args_test_selection": [test_file(name) for name in room.tests],
        "timeout_multiplier": 6.0,
        "use_git_change_detection": False,
    }
    lines = [
        "\n[tool.mutmut]",
        *(f"{name} = {str(value).replace('False', 'false')}" for name, value in settings.items()),
    ]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(project + "\n".join(lines) + "\n", encoding="utf-8")
    conftest = folder / "tests" / "conftest.py"
    chosen = f"\nminicnn.set_backend({room.backend!r})\n"
    conftest.write_text(conftest.read_text(encoding="utf-8") + chosen, encoding="utf-8")


def mutmut(folder: Path, *words: str) -> str:
    environment = {**os.environ, **ALONE}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust.mutate", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)} (default: all)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="at once (%(default)s)")
    parser.add_argument(
        "--ending", metavar="DIGITS", default="", help="a sample: those whose number ends so; one digit is a tenth"
    )
    args = parser.parse_args(given)
    if unknown := [room for room in args.rooms if room not in ROOMS]:
        parser.error(f"there is no room {', '.join(unknown)}; choose from {', '.join(ROOMS)}")
    return int(sum([hunt(room, args.processes, args.ending) for room in args.rooms or ROOMS]) > 0)


def hunt(name: str, processes: int, ending: str) -> int:
    """Plant all mutants of a room whose number ends so, print a line of figures and
    those that nobody noticed; how many these are.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        prepare(Path(folder), ROOMS[name])
        mutmut(Path(folder), "run", "--max-children", str(processes), *([f"*{ending}"] if ending else []))
        results = mutmut(Path(folder), "results", "--all", "true")
        found = re.findall(rf"^\s*(\S+{ending}): (.+)$", results, re.MULTILINE)
        alive, same = {}, 0
        for mutant, verdict in found:
            if verdict not in ("killed", "timeout"):
                lines = mutmut(Path(folder), "show", mutant).splitlines()
                before, after = (" ".join(line for line in lines if re.match(rf"[{s}][^-+]", line)) for s in "-+")
                if excused(mutant, before, after):
                    same += 1
                else:
                    alive[mutant] = f"{verdict}\n    {before}\n    {after}"
    if not found:
        raise SystemExit(f"{name}: mutmut found no mutants{f' whose number ends in {ending}' if ending else ''}.")
    noticed, different = len(found) - len(alive) - same, max(len(found) - same, 1)
    print(
        f"{name}: {len(found)} mutants, {same} of them equivalent; of the others {noticed} noticed"
        f" ({noticed / different:.1%}), {len(alive)} not: {dict(Counter(verdict for _, verdict in found))}"
    )
    for mutant, text in alive.items():
        print(f"  {mutant}: {text}", flush=True)
    return len(alive)


if __name__ == "__main__":
    sys.exit(main())
