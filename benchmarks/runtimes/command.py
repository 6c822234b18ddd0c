"""`python -m benchmarks runtimes`: each kind of layer, exported, in each runtime here."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import table
from minicnn.command import whole_number
from minicnn.onnx import export

from .models import Case, kinds, random_layers
from .runner import RUNTIMES

RUNNER = Path(__file__).with_name("runner.py")
RIGHT = 1e-4  # of the largest number; float32 rounds far less, the next precision far more


def write(cases: Iterable[Case], folder: Path) -> tuple[list[str], list[str]]:
    """The names of what was exported, in order; and a sentence for each that export refuses."""
    names: list[str] = []
    refused = []
    for name, model, x in cases:
        path = folder / f"{len(names):04}.onnx"
        try:
            export(model, path, (2, *x.shape[1:]))
        except (ValueError, RuntimeError) as error:
            refused.append(f"{name}: {error}")
            continue
        np.savez(path.with_suffix(".npz"), x=x, y=model(x))
        names.append(name)
    return names, refused


def run(runtime: str, python: str, folder: Path, count: int) -> tuple[str, list[dict[str, Any]]]:
    """(version, an answer for each model). Where the runtime takes its process down, the
    next one goes on behind that model. Raises ImportError: it is not installed.
    """
    version = ""
    answers: list[dict[str, Any]] = []
    while len(answers) < count:
        command = [python, str(RUNNER), runtime, str(folder), str(len(answers))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not lines:
            raise ImportError((done.stderr.strip().splitlines() or ["it says nothing"])[-1])
        version = lines[0]["version"]
        answers += lines[1:]
        if len(answers) < count:
            answers.append({"refused": f"the process ends with status {done.returncode}"})
    return version, answers


def judged(answer: dict[str, Any]) -> str:
    """right, other numbers (how far), or refused."""
    if "refused" in answer:
        return "refused"
    if isinstance(answer["error"], str):
        return f"other: {answer['error']}"
    return "right" if answer["error"] <= RIGHT else f"other: {answer['error']:.2g}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks runtimes", description=__doc__)
    parser.add_argument(
        "--random", type=whole_number(0), default=0, metavar="N", help="that many random layers too (%(default)s)"
    )
    parser.add_argument("--only", nargs="*", choices=tuple(RUNTIMES), help="these runtimes alone")
    parser.add_argument(
        "--python", action="append", default=[], metavar="RUNTIME=PYTHON",
        help="a runtime in an environment of its own, such as onnxruntime=OLD/bin/python",
    )  # fmt: skip
    args = parser.parse_args(arguments)
    where = [(name, sys.executable) for name in args.only or RUNTIMES]
    where += [tuple(text.split("=", 1)) for text in args.python]
    if any(name not in RUNTIMES for name, _ in where):
        parser.error(f"--python takes RUNTIME=PYTHON, RUNTIME one of {', '.join(RUNTIMES)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names, refused = write([*kinds(), *random_layers(args.random)], folder)
        columns = {}
        for runtime, python in where:
            try:
                version, answers = run(runtime, python, folder, len(names))
            except ImportError as error:
                print(f"{runtime} is not asked: {error}", flush=True)
                continue
            columns[f"{runtime} {version}"] = answers
            print(f"{runtime} {version}: {counts(answers)}", flush=True)
    print("\n".join(report(names, columns, len(names) - args.random)))
    for text in refused:
        print(f"not exported: {text}")
    return int(not columns)


def counts(answers: Sequence[dict[str, Any]]) -> str:
    words = [judged(answer).split(":")[0] for answer in answers]
    return ", ".join(f"{words.count(word)} {word}" for word in ("right", "other", "refused") if word in words)


def report(names: Sequence[str], columns: dict[str, list[dict[str, Any]]], kinds_: int) -> list[str]:
    """The kinds as a table; of the random layers those that are not right everywhere; and
    what was said at each refusal.
    """
    rows = [["", *columns]]
    said = []
    for i, name in enumerate(names):
        row = [judged(answers[i]) for answers in columns.values()]
        if i < kinds_ or set(row) != {"right"}:
            rows.append([name, *row])
        for column, answers in columns.items():
            if "refused" in answers[i]:
                said.append(f"{column}, {name}: {answers[i]['refused'][:160]}")
    return ["", *table.lines(rows, "<" * len(rows[0])), "", *said]
