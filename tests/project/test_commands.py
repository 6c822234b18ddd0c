"""The commands are listed, each in one line, and what needs no torch answers without it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minicnn
from minicnn.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
# The list itself, how the bundled digits were made, and what an assignment's tests start.
NOT_LISTED = {"minicnn", "data.make_subset", "assignment.handout.run_one"}


def programs():
    """What can be run with `python -m minicnn.X`."""
    for path in (ROOT / "minicnn").rglob("*.py"):
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT / "minicnn").with_suffix("").parts
            yield ".".join(part for part in parts if part != "__main__") or "minicnn"


def test_every_command_is_listed_in_one_line(capsys):
    assert {name for name, _ in COMMANDS} == set(programs()) - NOT_LISTED
    assert main([]) == 0
    printed = capsys.readouterr().out.splitlines()
    for name, about in COMMANDS:
        assert sum(line.startswith(f"python -m minicnn.{name} ") and about in line for line in printed) == 1
    assert max(map(len, printed)) <= 100


def without_torch(*command):
    """What `python -m ...` prints where torch is not installed."""
    script = (
        "import json, runpy, sys; sys.modules['torch'] = None;"
        "module, *sys.argv[1:] = json.loads(sys.argv[1]);"
        "runpy.run_module(module, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, json.dumps(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [("minicnn",), ("benchmarks", "--help"), ("benchmarks.results", "--help")])
def test_it_answers_without_torch(command):
    status, out, err = without_torch(*command)
    assert (status, err) == (0, "")
    assert "python -m " in out


def test_without_torch_the_benchmarks_say_what_to_install():
    status, _, err = without_torch("benchmarks", "step", "--quick")
    assert (status, err) == (1, "The benchmarks compare with torch: pip install 'minicnn[torch]'\n")


def test_the_version_is_the_same_everywhere():
    for name, pattern in (
        ("pyproject.toml", r'^version = "(.*)"$'),
        ("CITATION.cff", r"^version: (.*)$"),
        ("CHANGELOG.md", r"^## ([\d.]+)"),
    ):
        found = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert found, name
        assert found[1] == minicnn.__version__, name
