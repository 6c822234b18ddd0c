"""PEERS.md, written from what the peers answered."""

from collections.abc import Iterator, Sequence
from typing import Any

from minicnn import table

from .cases import CASES

Documents = dict[str, dict[str, Any]]  # a peer's name -> what `child` printed, or {"missing": why}
MARKS = {"": "agrees", "raised": "refuses some"}

INTRODUCTION = """# Other libraries beside torch

Written by `python -m benchmarks peers` on {date}; not edited by hand. {machine}
{versions}.

"""
ABOUT_TABLE = """## Who computes what torch computes

Each row is an operation without options, or with the one option that is named: {examples} configurations
from one pixel upwards, ties among them, judged by torch in float64 within bounds that rounding explains.
Gradients are judged with a random gradient from above. An adapter of a few lines gives the library's own
functions torch's names (`benchmarks/peers/adapters`). Where nothing stands, the library has no such
argument, or the adapter does not use it.

"""
ABOUT_NOTES = """## How they differ

Each with a small case; counts are of the configurations tried. "As if" names the mistake that would give
the same numbers: a description, not a verdict. A library may have chosen so.

"""
ABOUT_CASES = """## What changes when a model or a solution moves

The same question, put to torch and to each library in float32; only what was found by this run is said.
Libraries that are not named answer as torch does or were not asked.

"""
ABOUT_STEP = """## A training step

The course's network, 64 images, forward, backward, Adam; the same weights and images, in turns with torch
eager in one process, all cores for everybody. The first four losses were torch's to a thousandth. A ratio
is the median over the rounds, then its quartiles.

"""


def page(documents: Documents, date: str, machine: str, examples: int) -> str:
    """The whole file. `documents` has every peer, those that are missing too."""
    present = {name: found for name, found in documents.items() if "rows" in found}
    versions = sorted({version for found in present.values() for version in found["versions"]})
    text = INTRODUCTION.format(date=date, machine=machine, versions=", ".join(versions))
    missing = [f"{name} ({found['missing']})" for name, found in documents.items() if "missing" in found]
    if missing:
        text += f"Not judged: {'; '.join(missing)}.\n\n"
    text += ABOUT_TABLE.format(examples=examples) + "\n".join(verdicts(present)) + "\n\n"
    text += ABOUT_NOTES + "\n".join(notes(present)) + "\n"
    text += ABOUT_CASES + "\n".join(moves(present)) + "\n\n"
    return text + ABOUT_STEP + "\n".join(steps(present)) + "\n"


def verdicts(documents: Documents) -> list[str]:
    """A row for each operation, argument and result; a column for each peer."""
    keys = dict.fromkeys(
        (row["operation"], row["result"], row["argument"]) for found in documents.values() for row in found["rows"]
    )
    operations = list(dict.fromkeys(operation for operation, _, _ in keys))
    arguments = list(dict.fromkeys(argument for _, _, argument in keys))
    ordered = sorted(keys, key=lambda key: (operations.index(key[0]), key[1] != "output", arguments.index(key[2])))
    lines = [["operation", "argument", *documents]]
    for operation, result, argument in ordered:
        title = operation if result == "output" else f"{operation}, gradient"
        lines.append([title, argument, *(verdict(found, operation, result, argument) for found in documents.values())])
    return table.markdown(lines, "<" * len(lines[0]))


def verdict(document: dict[str, Any], operation: str, result: str, argument: str) -> str:
    for row in document["rows"]:
        if (row["operation"], row["result"], row["argument"]) == (operation, result, argument):
            return MARKS.get(",".join(row["kinds"]), "**differs**")
    return ""


def notes(documents: Documents) -> Iterator[str]:
    """What differs, once for each peer and operation where an argument adds nothing new."""
    for name, found in documents.items():
        lines = list(of_one(found["rows"]))
        if lines:
            yield f"### {name}\n"
            yield from lines
            yield ""


def of_one(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    told = set()
    for row in rows:
        for kind, text in row["notes"]:
            title = " with ".join(filter(None, [row["operation"], row["argument"]]))
            key = (row["operation"], row["result"], kind)
            if key not in told:
                yield f"- {title}: {text}"
            if not row["argument"]:
                told.add(key)


def moves(documents: Documents) -> list[str]:
    """A row for each case whose answers differ: torch's, then the others' with their names."""
    lines = [["what", "torch", "others"]]
    for case in CASES:
        asked = {name: found["cases"][case.title] for name, found in documents.items() if case.title in found["cases"]}
        right = next((found["torch"].get(case.title, "") for found in documents.values()), "")
        answers: dict[str, list[str]] = {}
        for name, text in asked.items():
            if text != right:
                answers.setdefault(text, []).append(name)
        if answers:
            lines.append([case.title, right, "; ".join(f"{text} ({', '.join(who)})" for text, who in answers.items())])
    return table.markdown(lines, "<<<")


def steps(documents: Documents) -> list[str]:
    lines = [["", "ms a step", "torch beside it", "times torch", "first step, s"]]
    refused = []
    for name, found in documents.items():
        step = found.get("step")
        if not step:
            continue
        if "refused" in step:
            refused.append(f"\n{name} is not timed: {step['refused']}.")
            continue
        ratio, low, high = step["ratio"]
        times = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
        lines.append([name, f"{step['ms']:.1f}", f"{step['torch_ms']:.1f}", times, f"{step['first_s']:.1f}"])
    return table.markdown(lines, "<>>>>") + refused
