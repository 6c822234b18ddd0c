"""Runs a solution in a process of its own: `python run_one.py SOLUTION FOLDER MEGABYTES`.

FOLDER holds `calls.npz`: which functions are called with which arrays. What they return
is written to `answer.npz` there. Nothing of the right answers is in this process.
"""

import ast
import importlib.util
import json
import sys
import traceback
import warnings
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path

import numpy as np

STARTS_A_PROGRAM = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill", "os.killpg")


class NotAllowed(BaseException):
    """Not an Exception: a solution's own `except Exception` does not swallow it."""


def foreign_import(text, allowed):
    """(line, module) of the first import of anything but Python's own modules and those
    allowed; None without one.
    """
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." if node.level or node.module is None else node.module]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            names = [str(node.args[0].value)] if called in ("__import__", "import_module") else []
        for name in names:
            if not _may_import(name, allowed):
                return getattr(node, "lineno", 0), name
    return None


def _may_import(name, allowed):
    root = name.split(".")[0]
    return root in sys.stdlib_module_names or root in allowed


def _is_there(name):
    """Python's own modules try some that are never there (copy: Jython's)."""
    return PathFinder.find_spec(name.split(".")[0]) is not None


def guard(allowed, seen):
    """From now on a foreign import, a program started or a signal sent is noted in
    `seen` and raises NotAllowed. Whatever is loaded already stays.
    """

    def hook(event, arguments):
        if event == "import" and not _may_import(arguments[0], allowed) and _is_there(arguments[0]):
            seen.append(["import", arguments[0]])
            raise NotAllowed(arguments[0])
        if event.startswith(STARTS_A_PROGRAM):
            seen.append(["program", event])
            raise NotAllowed(event)

    sys.addaudithook(hook)


def limit(megabytes):
    """Memory, files and core dumps; on systems without `resource` time alone is limited."""
    try:
        import resource
    except ImportError:
        return
    size = megabytes * 2**20
    for what, most in ((resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 2**28), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue  # macOS knows the limit, and refuses it


def load(path):
    """{name: what the solution defines}."""
    loader = SourceFileLoader("solution", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("solution", loader))  # type: ignore[arg-type]
    sys.modules["solution"] = module  # dataclasses look there
    loader.exec_module(module)
    return vars(module)


def answers(solution, calls, arrays):
    """For each call {"results": [...], "second": [...], "after": [...]} or {"error": ...}."""
    made = []
    for call in calls:
        function = solution.get(call["function"])
        if not callable(function):
            made.append({"error": ["missing", call["function"]]})
            continue
        given = [arrays[value] if isinstance(value, str) else _pair(value) for value in call["arguments"]]
        options = {name: _pair(value) for name, value in call["options"].items()}
        try:
            copies = [np.array(a) if isinstance(a, np.ndarray) else a for a in given]
            results = _arrays(function(*copies, **options))
            answer = {"results": results, "after": [a for a in copies if isinstance(a, np.ndarray)]}
            if call["twice"]:
                copies = [np.array(a) if isinstance(a, np.ndarray) else a for a in given]
                answer["second"] = _arrays(function(*copies, **options))
            made.append(answer)
        except NotImplementedError:
            made.append({"error": ["unwritten", call["function"]]})
        except MemoryError as error:
            made.append({"error": ["memory", place(error, solution["__file__"])]})
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a solution raises
            made.append({"error": ["raised", place(error, solution["__file__"])]})
    return made


def apart(report):
    """The arrays of `answers`, taken out of it, under names such as 0/results/1."""
    return {
        f"{i}/{key}/{j}": array
        for i, answer in enumerate(report)
        for key in ("results", "second", "after")
        for j, array in enumerate(answer.pop(key, []))
    }


def _pair(value):
    """JSON has no tuples."""
    return tuple(value) if isinstance(value, list) else value


def _arrays(returned):
    """Each result as an array of numbers, or as a text that says what it is."""
    several = isinstance(returned, tuple) or (isinstance(returned, list) and any(map(_is_array, returned)))
    found = []
    for value in returned if several else [returned]:
        try:
            array = np.array(value)
        except Exception:  # noqa: BLE001 - lists of unequal length, foreign objects
            array = np.array(type(value).__name__)
        found.append(array if array.dtype.kind in "fiub" else np.array(type(value).__name__))
    return found


def _is_array(value):
    return isinstance(value, np.ndarray)


def place(error, path):
    """The error in a sentence, with the last line of the solution on the way to it."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{Path(path).name}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{Path(path).name}, line {lines[-1]}: {text}" if lines else text


def main(path, folder, megabytes):
    """Read the calls, run them, write the answer."""
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    with np.load(Path(folder) / "calls.npz") as file:
        arrays = {name: file[name] for name in file.files}
    request = json.loads(str(arrays.pop("request")))
    seen = []
    kept = {}
    try:
        foreign = foreign_import(Path(path).read_text(encoding="utf-8"), request["allowed"])
        if foreign:
            seen.append(["import", foreign[1], foreign[0]])
            raise NotAllowed
        limit(int(megabytes))
        guard(request["allowed"], seen)
        with np.errstate(all="ignore"):
            report = answers(load(path), request["calls"], arrays)
        kept = apart(report)
    except NotAllowed:
        report = []
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever happens while it is imported
        report = [{"error": ["import", place(error, path)]}]
    kept["report"] = np.array(json.dumps({"answers": report, "seen": seen}))
    np.savez(Path(folder) / "answer.npz", **kept)


if __name__ == "__main__":
    sys.path.pop(0)  # the solution is one file: what lies beside this one is not its own
    main(*sys.argv[1:])
