"""What a user waits for and what it takes: the first start, the second, the imports,
the peak memory.

Each figure comes from a fresh process. The first start has an empty cache for compiled
kernels, as after installing.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .contenders import judged_set, offered
from .work import FIRST_EPOCH

ROOT = Path(__file__).resolve().parent.parent
Fact = dict[str, Any]


def fact(
    what: str, value: float, unit: str, bar: float | None = None, aim: float | None = None, note: str = ""
) -> Fact:
    """A figure that is no ratio, with the limit that is set for it, if one is."""
    met = None if bar is None else value <= bar
    return {"what": what, "value": value, "unit": unit, "bar": bar, "aim": aim, "met": met, "note": note}


def first_start(threads: int) -> Fact:
    """Seconds from `python -m minicnn.train`, with nothing compiled, to the end of the
    first epoch.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        return _first_start(threads, here, environment(here))


def _first_start(threads: int, here: Path, env: dict[str, str]) -> Fact:
    backend = judged_set()
    seconds, said = to_first_epoch(train(here, "first", backend, threads, "--epochs", "1"), env, here)
    says = "it says that it is compiling" if any("ompil" in line for line in said) else "no word of compiling"
    limits = FIRST_EPOCH if backend == "numba" else {}
    return fact(f"from nothing compiled to the end of epoch 1, {backend}", seconds, "s", **limits, note=says)


def environment(here: Path) -> dict[str, str]:
    """An empty folder for what is compiled."""
    return {**os.environ, "NUMBA_CACHE_DIR": str(here / "cache"), "PYTHONPATH": str(ROOT)}


def train(here: Path, name: str, backend: str, threads: int, *flags: str) -> list[str]:
    """`minicnn.train` and its arguments; the run folder is here / name."""
    start = ["--no-plots", "--backend", backend, "--threads", str(threads), "--out", str(here / name)]
    return ["minicnn.train", *start, *flags]


def cold(threads: int) -> Iterator[Fact]:
    """All figures, each as soon as it is known. The bars are for the numba set; without
    it the textbook shows what it takes.
    """
    backend = judged_set()
    judged = backend == "numba"

    def bar(value: float) -> float | None:
        return value if judged else None

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        env = environment(here)

        def seconds_to_import(module: str) -> float:
            script = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            return min(float(run([sys.executable, "-c", script], env, here).stdout) for _ in range(3))

        yield fact("import minicnn", seconds_to_import("minicnn"), "s")
        yield fact("import torch", seconds_to_import("torch"), "s")
        compiled = sum(1 for path in (here / "cache").rglob("*") if path.is_file())
        yield fact("files compiled by the import", compiled, "", bar(0))

        yield _first_start(threads, here, env)
        seconds, _ = to_first_epoch(train(here, "second", backend, threads, "--epochs", "2"), env, here)
        with (here / "second" / "metrics.csv").open(newline="") as file:
            warm = float(list(csv.DictReader(file))[1]["seconds"])
        less = f"{seconds:.1f} s less {warm:.1f} s"
        yield fact(f"second start, beyond the epoch itself, {backend}", seconds - warm, "s", bar(3), note=less)

        def peak(*command: str, **more: str) -> float:
            answer = here / "peak"
            run([sys.executable, "-m", "benchmarks.peak_memory", str(answer), *command], {**env, **more}, here)
            return float(answer.read_text())

        for N in (64, 1024):
            short = ("--epochs", "1", "--batch-size", str(N))
            torch = peak("reference.simple_cnn", *short, "--threads", str(threads))
            yield fact(f"peak memory, reference, batch {N}", torch, "MB")
            for name in ("numpy", "numba"):
                if offered(name):
                    used = peak(*train(here, f"{name}-{N}", name, threads, *short))
                    most = (350 if N == 64 else torch) if name == "numba" else None
                    yield fact(f"peak memory, minicnn {name}, batch {N}", used, "MB", most)
        if judged:
            compiling = train(here, "compiling", backend, threads, "--epochs", "1")
            used = peak(*compiling, NUMBA_CACHE_DIR=str(here / "empty"))
            yield fact(f"peak memory, minicnn {backend}, first start, compiling", used, "MB")


def run(command: list[str], env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess:
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")
    return done


def to_first_epoch(module: list[str], env: dict[str, str], cwd: Path) -> tuple[float, list[str]]:
    """Seconds from starting `python -m ...` to its line after epoch 1, and the lines
    until then.
    """
    command = [sys.executable, "-u", "-m", *module]
    started, said = time.perf_counter(), []
    with subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout:
            said.append(line)
            if line.startswith("Epoch 1/"):
                seconds = time.perf_counter() - started
                process.stdout.read()
                break
        else:
            raise RuntimeError(f"{' '.join(command)} did not finish an epoch:\n{''.join(said)}")
    return seconds, said
