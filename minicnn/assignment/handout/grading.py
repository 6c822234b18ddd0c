"""Grades solution.py: `pytest` in this folder. It needs pytest and NumPy, nothing else.

Each requirement runs in a child process with limits on time and memory (`run_one.py`);
the right answers, in `cases.npz`, stay in this one. `conftest.py` prints the points.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
NEAR = 1e-6  # how far a number may be off, times 1 + its size; all cases are in float64
SHOWN = 40  # numbers of an array that are shown


class Assignment:
    """The requirements with their cases, and the texts in the language handed out."""

    def __init__(self, file):
        with np.load(file) as cases:
            self.arrays = {name: cases[name] for name in cases.files}
        plan = json.loads(str(self.arrays.pop("plan")))
        self.requirements = {requirement["id"]: requirement for requirement in plan["requirements"]}
        self.texts = plan["texts"]
        self.allowed = plan["allowed"]

    def say(self, key, **values):
        return self.texts[key].format(**values)

    def calls(self, requirement):
        """What the child is asked, without the right answers."""
        twice = requirement["check"] == "again"
        return [
            {"function": requirement["function"], "twice": twice, **{k: case[k] for k in ("arguments", "options")}}
            for case in requirement["cases"]
        ]


def run(assignment, requirement, solution, seconds, megabytes):
    """The complaint about a solution, "" where the requirement is met; and whether it did
    what costs all points.
    """
    calls = assignment.calls(requirement)
    used = {value for call in calls for value in call["arguments"] if isinstance(value, str)}
    request = json.dumps({"calls": calls, "allowed": assignment.allowed})
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "calls.npz", request=np.array(request), **{n: assignment.arrays[n] for n in used})
        command = [sys.executable, str(HERE / "run_one.py"), str(solution), folder, str(megabytes)]
        ended = _within(seconds, command, folder, environment)
        if ended is None:
            return assignment.say("slow", seconds=seconds), False
        try:
            with np.load(Path(folder) / "answer.npz") as file:
                answer = {name: file[name] for name in file.files}
            report = json.loads(str(answer["report"]))
        except Exception:  # noqa: BLE001 - nothing there, or not what run_one writes
            return assignment.say("ended", status=ended), False
    if report["seen"]:
        kind, name, *line = report["seen"][0]
        where = assignment.say("in_line", line=line[0]) if line else ""
        allowed = ", ".join(assignment.allowed)
        return assignment.say(f"foreign_{kind}", name=name, where=where, allowed=allowed), True
    return complaint(assignment, requirement, report["answers"], answer), False


def complaint(assignment, requirement, answers, arrays):
    """What is to be said against the answers of `run_one.answers`; "" where all are right."""
    for i, (case, found) in enumerate(zip(requirement["cases"], answers, strict=False)):
        said = _complaint(assignment, requirement, case, found, arrays, i)
        if said:
            return said
    return ""


def _within(seconds, command, folder, environment):
    """Its exit status, or None where the time ran out. All its processes end with it."""
    none = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=none, stdout=none, stderr=none, start_new_session=True
    ) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process):
    try:
        os.killpg(process.pid, 9)  # the session is its own
    except (AttributeError, ProcessLookupError, PermissionError):  # Windows; or it has ended
        process.kill()


def _complaint(assignment, requirement, case, found, answer, i):
    if "error" in found:
        kind, text = found["error"]
        return assignment.say(f"error_{kind}", text=text)
    arrays = assignment.arrays
    call = _call(requirement["function"], case, arrays)
    if requirement["check"] == "unchanged":
        given = [arrays[value] for value in case["arguments"] if isinstance(value, str)]
        names = [name for name, value in zip(case["names"], case["arguments"], strict=True) if isinstance(value, str)]
        for j, (name, before) in enumerate(zip(names, given, strict=True)):
            if not np.array_equal(before, answer[f"{i}/after/{j}"]):
                return assignment.say("changed", name=name, call=call)
        return ""
    for j, (name, right) in enumerate(case["results"]):
        if right is None:
            continue
        got = answer.get(f"{i}/results/{j}")
        said = _wrong(assignment, requirement["check"], got, arrays[right], answer.get(f"{i}/second/{j}"))
        if said:
            return f"{name}: {said}\n{call}"
    return ""


def _wrong(assignment, check, got, right, second):
    say = assignment.say
    if got is None:
        return say("nothing")
    if got.dtype.kind == "U":
        return say("no_array", type=str(got))
    if check == "dtype":
        return "" if got.dtype == right.dtype else say("dtype", got=got.dtype, right=right.dtype)
    if check == "again":
        same = second is not None and np.array_equal(got, second)
        return "" if same else say("again", first=_numbers(got), second=_numbers(second))
    if got.shape != right.shape:
        return say("shape", got=got.shape, right=right.shape)
    with np.errstate(all="ignore"):
        fine = np.abs(got.astype(np.float64) - right) <= NEAR * (1 + np.abs(right))
    if fine.all():
        return ""
    place = tuple(int(k) for k in np.argwhere(~fine)[0])
    one = {"place": list(place), "right_one": float(right[place]), "got_one": float(got[place])}
    if not right.ndim:
        return say("one", **one)
    wrong = int((~fine).sum())
    return say("values", wrong=wrong, all=fine.size, got=_numbers(got), right=_numbers(right), **one)


def _call(function, case, arrays):
    """The call as the student can paste it."""
    parts = []
    for name, value in zip(case["names"], case["arguments"], strict=True):
        parts.append(f"    {name}={_numbers(arrays[value]) if isinstance(value, str) else value}")
    parts += [f"    {name}={tuple(v) if isinstance(v, list) else v}" for name, v in case["options"].items()]
    return f"{function}(\n" + ",\n".join(parts) + ")"


def _numbers(array):
    if array is None:
        return "None"
    if array.size > SHOWN:
        return f"<{array.shape} {array.dtype}>"
    rounded = np.round(array, 6) if array.dtype.kind == "f" else array
    text = str(rounded.tolist())
    return f"np.array({text})" if array.ndim else text


# --------------------------------------------------------------------------- for pytest


def pytest_generate_tests(metafunc):
    """One test for each requirement."""
    file = Path(metafunc.config.getoption("--cases") or HERE / "cases.npz")
    assignment = Assignment(file)
    metafunc.parametrize("requirement", assignment.requirements)
    metafunc.config.assignment = assignment


@pytest.fixture(scope="session")
def complaints(request):
    """{requirement: what is to be said against the solution}; all requirements that were
    asked for run here, side by side.
    """
    option = request.config.getoption
    assignment = request.config.assignment
    solution = Path(option("--solution") or HERE / "solution.py").resolve()
    wanted = list(dict.fromkeys(item.callspec.params["requirement"] for item in request.session.items))
    if not solution.is_file():
        return dict.fromkeys(wanted, assignment.say("no_file", file=solution))

    def one(name):
        return run(assignment, assignment.requirements[name], solution, option("--seconds"), option("--megabytes"))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(wanted, pool.map(one, wanted), strict=True))
    foreign = [complaint for complaint, all_points in found.values() if all_points]
    complaints = {name: foreign[0] if foreign else complaint for name, (complaint, _) in found.items()}
    return without_empty_points(assignment, complaints)


def without_empty_points(assignment, complaints):
    """Who returns zeros changes nothing and gives the same twice: the lines on form count
    where one on numbers is met.
    """
    numbers = {name: assignment.requirements[name]["check"] == "values" for name in complaints}
    of = {name: assignment.requirements[name]["function"] for name in complaints}
    tried = {of[name] for name in complaints if numbers[name]}
    met = {of[name] for name in complaints if numbers[name] and not complaints[name]}
    return {
        name: complaint or (assignment.say("nothing_right") if of[name] in tried - met else "")
        for name, complaint in complaints.items()
    }


def test_requirement(requirement, complaints, request):
    """One requirement of the assignment."""
    wanted = request.config.assignment.requirements[requirement]
    said = complaints[requirement]
    points = {"points": 0 if said else wanted["points"], "of": wanted["points"]}
    # Into JUnit too; the fixture record_property would warn that its schema does not know them.
    request.node.user_properties += [*points.items(), ("requirement", requirement), ("complaint", said)]
    if said:
        pytest.fail(f"{wanted['text']}\n{said}", pytrace=False)
