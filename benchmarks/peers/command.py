"""`python -m benchmarks peers`: asks every library that is installed, writes PEERS.md."""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from minicnn.command import whole_number

from .. import machine
from . import alarms
from .page import page

ROOT = Path(__file__).resolve().parents[2]
PEERS_MD = ROOT / "benchmarks" / "PEERS.md"
SECONDS = 400  # for one peer; it is stopped then
BUSY = 2.5  # the load of two processes that judge, and a little
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "PYTHONWARNINGS": "ignore"}


def ask(name: str, what: str, seconds: float = SECONDS) -> dict[str, Any]:
    """A peer's document; or why there is none."""
    command = [sys.executable, "-m", "benchmarks.peers.child", name, what]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {"missing": f"stopped after {seconds:.0f} seconds"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"missing": lines[-1]}
    return json.loads(done.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    from .child import EXAMPLES, PEERS

    parser = argparse.ArgumentParser(prog="python -m benchmarks peers", description=__doc__)
    parser.add_argument("peers", nargs="*", metavar="NAME", help=f"{', '.join(PEERS)} (default: all)")
    parser.add_argument("--no-times", action="store_true", help="judge only")
    parser.add_argument(
        "--false-alarms",
        type=whole_number(1),
        metavar="N",
        help="only ask each of them N configurations of what it computes as torch does; for PEERS.md's last section",
    )
    parser.add_argument("--output", type=Path, default=PEERS_MD, metavar="FILE", help="default: benchmarks/PEERS.md")
    args = parser.parse_args(arguments)
    unknown = [name for name in args.peers if name not in PEERS]
    if unknown:
        parser.error(f"there is no peer {', '.join(unknown)}; choose from {', '.join(PEERS)}")
    names = args.peers or list(PEERS)
    if args.false_alarms:
        return false_alarms(names, args.false_alarms, args.output)
    with ThreadPoolExecutor(machine.cores()) as pool:  # nothing is timed here
        documents = dict(zip(names, pool.map(lambda name: ask(name, "judge"), names), strict=True))
    for name, document in documents.items():
        print(f"{name}: {document.get('missing') or 'judged'}", flush=True)
    load = machine.load()
    for name in names if not args.no_times else []:
        if "missing" in documents[name]:
            continue
        timed = ask(name, "time")
        documents[name]["step"] = {"refused": timed["missing"]} if "missing" in timed else timed["step"]
        print(f"{name}: {documents[name]['step']}", flush=True)
    where = f"{machine.cpu_name()}, {machine.cores()} cores; torch is {torch_version()}."
    if load is not None and load > BUSY:
        where += f"\n**The machine was busy (load {load}): its times are to be made again.**"
    text = page(documents, str(datetime.date.today()), where, EXAMPLES)
    args.output.write_text("\n".join([text, *sections(args.output)[1:]]), encoding="utf-8")
    print(f"Written: {args.output}")
    return int(not any("rows" in document for document in documents.values()))


def false_alarms(names: Sequence[str], configurations: int, output: Path) -> int:
    """Only the section of so many configurations, written again as each peer is done.
    0: nothing was called wrong.
    """
    documents: dict[str, dict[str, Any]] = {}
    seconds = SECONDS + configurations
    with ThreadPoolExecutor(machine.cores()) as pool:
        answers = {pool.submit(ask, name, str(configurations), seconds): name for name in names}
        for answer in as_completed(answers):
            documents[answers[answer]] = answer.result()
            print(f"{answers[answer]}: {answer.result().get('missing') or 'asked'}", flush=True)
            first, *others = sections(output)
            others = [other for other in others if not other.startswith(alarms.title(configurations) + ",")]
            ordered = {name: documents[name] for name in names if name in documents}
            mine = alarms.section(ordered, configurations, str(datetime.date.today()))
            output.write_text("\n".join([first, *others, mine]), encoding="utf-8")
    print(f"Written: {output}")
    rows = [row for document in documents.values() for row in document.get("alarms", ())]
    return int(not rows or any(row["wrong"] for row in rows))


def sections(output: Path) -> list[str]:
    """The page, and behind it what runs with `--false-alarms` have left there."""
    text = output.read_text(encoding="utf-8") if output.exists() else ""
    return [part.rstrip("\n") + "\n" for part in re.split("(?m)^(?=## False alarms)", text)]


def torch_version() -> str:
    import torch

    return torch.__version__
