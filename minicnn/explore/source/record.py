"""Runs a function and keeps what each of its lines left behind.

Python's own tracing (`sys.settrace`) tells of every line before it runs, in this thread
alone. So a line's work is seen when the next one of its function is announced. Of the
values only copies are kept: what a later line does to an array changes no earlier step.
"""

import ast
import copy
import os
import sys
import time
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

from ... import nn
from ...geometry import Geometry
from ..say import count, say
from . import lines

STOPS = 1500  # steps of one walk
NUMBERS = 60_000  # kept in all its arrays, each array counted once
LOOKED_AT = 6_000_000  # numbers compared while recording
SECONDS = 3.0  # that a program may take, recorded or not
OURS = tuple(os.path.join(module.__path__[0], "") for module in (sys.modules["minicnn"], np))


class Stop(NamedTuple):
    """The state after one statement; or on entering a function, before the first."""

    frame: int
    kind: str  # enter, line, return, yield, resume
    statement: lines.Statement
    holds: dict[str, Any]  # name -> a copy of its value
    unset: dict[str, np.ndarray]  # name -> True where np.empty's memory has not been written yet
    result: Any = None


class Frame(NamedTuple):
    """One call of a function. A generator is one frame, however often it goes on."""

    code: CodeType
    parent: int | None
    scope: dict[str, Any]  # the module's names


class Recording(NamedTuple):
    frames: list[Frame]
    stops: list[Stop]
    cut: str  # why the recording ends early, or ""


class _Enough(BaseException):
    """Ends the program that is watched. Not an Exception, which the program may catch."""


class TooLong(RuntimeError):
    """A program of the reader's own does not come to an end."""


def bounded(run: Callable[[], Any]) -> Any:
    """What `run()` gives. Raises TooLong where it is still at lines outside of minicnn and
    NumPy after SECONDS.
    """
    clock = _Clock()
    try:
        return _watched(run, clock.on_call)
    except _Enough as enough:
        raise TooLong(str(enough)) from None


def record(run: Callable[[], Any], root: CodeType, files: Collection[str]) -> Recording:
    """Calls `run()`, and keeps what happens in the first call of `root`, line by line, in
    the functions of these files; when that call has ended, so does the program. What `run`
    raises before goes on to the caller; an error inside ends the recording, which says it.
    Raises TooLong where `root` is not reached within SECONDS.
    """
    recorder = _Recorder(root, files)
    try:
        _watched(run, recorder.on_call)
    except _Enough as enough:
        if not recorder.stops:
            raise TooLong(str(enough)) from None
        recorder.cut = str(enough)
    except Exception as error:
        if not recorder.stops:
            raise
        recorder.cut = say("record.error", kind=type(error).__name__, why=error)
    return Recording(recorder.frames, recorder.stops, recorder.cut)


def _watched(run: Callable[[], Any], on_call: Callable[..., Any]) -> Any:
    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        return run()
    finally:
        sys.settrace(before)


class _Clock:
    """Looks at the time at each line that is neither minicnn's nor NumPy's: those end."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + SECONDS

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return None if frame.f_code.co_filename.startswith(OURS) else self.on_tick

    def on_tick(self, frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > self._ends:
            where = {"function": frame.f_code.co_name, "line": frame.f_lineno}
            raise _Enough(say("record.endless", seconds=f"{SECONDS:g}", **where))
        return self.on_tick


class _Recorder(_Clock):
    def __init__(self, root: CodeType, files: Collection[str]):
        super().__init__()
        self.root = root
        self.files = files
        self.frames: list[Frame] = []
        self.stops: list[Stop] = []
        self.cut = ""
        self._numbers: dict[FrameType, int] = {}
        self._running: dict[int, lines.Statement] = {}
        self._yielded: dict[int, lines.Statement] = {}
        self._unset: dict[int, dict[str, np.ndarray]] = {}
        self._kept: dict[tuple, np.ndarray] = {}
        self._kept_numbers = 0
        self._looked_at = 0
        self._raising = False  # whether the first call is ending with an error

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        begun = bool(self.frames) or code is self.root
        wanted = code is self.root or (code.co_filename in self.files and not code.co_name.startswith("<"))
        if not (begun and wanted):
            return super().on_call(frame, event, argument)
        if frame in self._numbers:  # a generator goes on behind its yield
            number = self._numbers[frame]
            self._stop(frame, number, "resume", self._yielded[number])
            return self.on_line
        number = self._numbers[frame] = len(self.frames)
        self.frames.append(Frame(code, self._parent(frame), frame.f_globals))
        self._unset[number] = {}
        self._stop(frame, number, "enter", lines.read(code.co_filename).statements[code.co_firstlineno])
        return self.on_line

    def _parent(self, frame: FrameType) -> int | None:
        """The nearest caller that is recorded too."""
        caller = frame.f_back
        while caller is not None and caller not in self._numbers:
            caller = caller.f_back
        return None if caller is None else self._numbers[caller]

    def on_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        number = self._numbers[frame]
        if number == 0 and event != "return":
            self._raising = event == "exception"
        if event not in ("line", "return"):
            return self.on_line
        self.on_tick(frame, event, argument)
        statement = lines.read(frame.f_code.co_filename).statements.get(frame.f_lineno)
        running = self._running.get(number)
        if event == "line":
            if running is not None and running is not statement:
                self._stop(frame, number, "line", running)
            if statement is not None:
                self._running[number] = statement
            return self.on_line
        self._running.pop(number, None)
        if running is not None:
            kind = "return" if isinstance(running.node, ast.Return) else "yield" if _yields(running.node) else "line"
            self._stop(frame, number, kind, running, argument)
            self._yielded[number] = running
        if number == 0 and not self._raising:
            raise _Enough("")
        return self.on_line

    def _stop(self, frame: FrameType, number: int, kind: str, statement: lines.Statement, result: Any = None) -> None:
        holds = {}
        for name, value in dict(frame.f_locals).items():
            holds.update(self._copies(name, value))
        if kind == "line":
            self._follow_empty(number, statement, holds)
        unset = {name: mask for name, mask in self._unset[number].items() if name in holds}
        self.stops.append(Stop(number, kind, statement, holds, unset, self._copy(result)))
        if len(self.stops) >= STOPS:
            self._end(say("record.steps", count=count(STOPS)))
        elif self._kept_numbers > NUMBERS:
            self._end(say("record.numbers", count=count(NUMBERS)))
        elif self._looked_at > LOOKED_AT:
            self._end(say("record.compared", count=count(LOOKED_AT)))

    def _end(self, bound: str) -> None:
        raise _Enough(say("record.cut", bound=bound))

    # ------------------------------------------------------------------------ the copies

    def _copies(self, name: str, value: Any) -> dict[str, Any]:
        """A layer is shown as its parameters, their gradients, and its plain settings."""
        if not isinstance(value, nn.Module):
            return {name: self._copy(value)}
        found = {}
        for attribute, held in vars(value).items():
            if isinstance(held, nn.Parameter):
                found[f"{name}.{attribute}.data"] = self._copy(held.data)
                if held.grad is not None:
                    found[f"{name}.{attribute}.grad"] = self._copy(held.grad)
            elif not attribute.startswith("_") and isinstance(held, (np.ndarray, int, float, str, tuple)):
                found[f"{name}.{attribute}"] = self._copy(held)
        return found or {name: type(value).__name__}

    def _copy(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            self._looked_at += value.size
            key = (value.dtype.str, value.shape, value.tobytes())
            if key not in self._kept:
                self._kept[key] = value.copy()
                self._kept[key].flags.writeable = False
                self._kept_numbers += value.size
            return self._kept[key]
        if isinstance(value, Geometry):
            return value
        if isinstance(value, (tuple, list)):
            return tuple(self._copy(part) for part in value)
        if isinstance(value, dict):
            return {name: self._copy(part) for name, part in value.items()}
        if value is None or isinstance(value, (bool, int, float, str, slice, np.generic, np.dtype)):
            return value
        if isinstance(value, nn.Module):
            return type(value).__name__
        return getattr(value, "__name__", type(value).__name__)

    # -------------------------------------------------------------- np.empty, exactly

    def _follow_empty(self, number: int, statement: lines.Statement, holds: dict[str, Any]) -> None:
        """Which cells of an array from np.empty have been written by now.

        Their bits cannot tell: memory as it is found may hold the very number that is
        written later. So each assignment is done once more, into an array of marks.
        """
        masks = self._unset[number]
        node = statement.node
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name):
            masks.pop(target.id, None)
            value = holds.get(target.id)
            if _is_call_of_empty(node) and isinstance(value, np.ndarray):
                masks[target.id] = np.ones(value.shape, bool)
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id in masks:
            masks[target.value.id] = _written(target, masks[target.value.id], holds, self.frames[number].scope)
        for name in [name for name, mask in masks.items() if not mask.any()]:
            del masks[name]


def _written(target: ast.Subscript, mask: np.ndarray, holds: dict[str, Any], scope: dict[str, Any]) -> np.ndarray:
    marks = mask.copy()
    assignment = ast.Assign([copy.deepcopy(target)], ast.Constant(False))
    module = ast.fix_missing_locations(ast.Module([assignment], []))
    names = scope | holds | {ast.unparse(target.value): marks}
    exec(compile(module, "<marks>", "exec"), names)  # noqa: S102 - an assignment of the function's own source
    return marks


def _is_call_of_empty(node: ast.stmt) -> bool:
    value = getattr(node, "value", None)
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("np.empty", "np.empty_like")


def _yields(node: ast.stmt) -> bool:
    value = getattr(node, "value", None)
    return isinstance(value, (ast.Yield, ast.YieldFrom))
