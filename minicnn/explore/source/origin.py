"""Where a number came from: the line that set it, done once more with numbers that remember.

The line's own source runs again, on arrays of `Number`s in place of its floats: each knows
its cell, and what is computed from several knows them all. So the answer is the code's, not
a second opinion about it. It is given only if the same value comes out at that place;
where a line does what such numbers cannot (a check of dtypes, np.isnan), there is none.
"""

import ast
import math
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from . import record

TERMS = 64  # written out in full


class Cell(NamedTuple):
    """A place in an array: its name, and its place in row order."""

    name: str
    at: int


class Number:
    """A value, and how it was made: `op` with its operands, or a cell, or a constant."""

    __slots__ = ("cell", "op", "operands", "value")
    __hash__ = object.__hash__

    def __init__(self, value: Any, cell: Cell | None = None, op: str = "", operands: tuple["Number", ...] = ()):
        self.value = value
        self.cell = cell
        self.op = op
        self.operands = operands

    def exp(self) -> "Number":
        return _applied("exp", np.exp, self)

    def log(self) -> "Number":
        return _applied("log", np.log, self)

    def sqrt(self) -> "Number":
        return _applied("sqrt", np.sqrt, self)

    def tanh(self) -> "Number":
        return _applied("tanh", np.tanh, self)

    def __neg__(self) -> "Number":
        return _applied("neg", np.negative, self)

    def __abs__(self) -> "Number":
        return _applied("abs", np.abs, self)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)


def _applied(op: str, function: Callable[..., Any], *operands: Any) -> Number:
    numbers = tuple(one if isinstance(one, Number) else Number(one) for one in operands)
    with np.errstate(all="ignore"):
        return Number(function(*(one.value for one in numbers)), None, op, numbers)


def _add_operators() -> None:
    """+ - * / ** with their reflections, and the comparisons, which compare the values."""
    arithmetic = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power}
    for name, function in arithmetic.items():
        setattr(Number, f"__{name}__", lambda a, b, n=name, f=function: _applied(n, f, a, b))
        setattr(Number, f"__r{name}__", lambda a, b, n=name, f=function: _applied(n, f, b, a))
    comparisons = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
    for name, function in (comparisons | {"eq": np.equal, "ne": np.not_equal}).items():
        setattr(Number, f"__{name}__", lambda a, b, f=function: bool(f(a.value, getattr(b, "value", b))))


_add_operators()


# ---------------------------------------------------------------------- the line, again


def origin(recording: record.Recording, step: int, name: str, at: int) -> dict[str, Any] | None:
    """What the number at place `at` of `name` (of "result": what is returned) was made from
    by the statement of this step; for an argument, by the line that called. None where that
    cannot be shown exactly.
    """
    return Origins(recording, step).of(name, at)


def everything(recording: record.Recording) -> dict[str, dict[str, Any]]:
    """ "step name at" -> `origin`, for all numbers that a step has set."""
    found = {}
    before: dict[int, record.Stop] = {}
    for step, stop in enumerate(recording.stops):
        made = Origins(recording, step)
        last = before.get(stop.frame)
        before[stop.frame] = stop
        for name, array in [*stop.holds.items(), *_results(stop.result)]:
            if not isinstance(array, np.ndarray):
                continue
            places = set(_changed(last.holds.get(name) if last else None, array))
            if last and name in last.unset:  # the bits of memory as it is found may be those that are written
                written = last.unset[name] & ~stop.unset.get(name, np.zeros(array.shape, bool))
                places |= set(np.flatnonzero(written).tolist())
            for at in sorted(places):
                told = made.of(name, at)
                if told is not None:
                    found[f"{step} {name} {at}"] = told
    return found


def _results(result: Any) -> list[tuple[str, Any]]:
    if isinstance(result, tuple):
        return [(f"result {part}", array) for part, array in enumerate(result)]
    return [("result", result)]


def _changed(old: Any, new: np.ndarray) -> list[int]:
    """The places at which an array holds other numbers than before, bit for bit."""
    if not isinstance(old, np.ndarray) or (old.shape, old.dtype) != (new.shape, new.dtype):
        return list(range(new.size))
    bits = f"V{new.dtype.itemsize}"
    return np.flatnonzero(np.ascontiguousarray(old).view(bits) != np.ascontiguousarray(new).view(bits)).tolist()


class Origins:
    """The statement of one step, done once more."""

    def __init__(self, recording: record.Recording, step: int):
        self.stop = recording.stops[step]
        self._recording = recording
        self._step = step
        self._done: dict[str, dict[str, Any]] = {}  # the names after it

    def of(self, name: str, at: int) -> dict[str, Any] | None:
        word, _, part = name.partition(" ")
        held = _part(self.stop.result, part) if word == "result" else self.stop.holds.get(name)
        if not isinstance(held, np.ndarray) or not 0 <= at < held.size:
            return None
        if name in self.stop.unset and self.stop.unset[name].reshape(-1)[at]:
            return {"kind": "unset"}
        kinds = "f" if held.dtype.kind == "f" else "fiu"
        if self.stop.kind == "enter":
            return {"kind": "argument"} | self._argument(name, at, held, kinds)
        before = self._last(self.stop.frame, self._step)
        if before is None or self.stop.kind not in ("line", "return"):
            return None
        return self._told(kinds, self.stop.statement.node, before, (word, part), held, at)

    def _last(self, frame: int | None, step: int) -> record.Stop | None:
        """The state of a call before this step."""
        return next((one for one in reversed(self._recording.stops[:step]) if one.frame == frame), None)

    def _told(
        self, kinds: str, node: ast.stmt, before: record.Stop, name: tuple[str, str], held: np.ndarray, at: int
    ) -> dict[str, Any] | None:
        key = f"{kinds} {name[0]}" if self.stop.kind == "enter" else kinds
        if key not in self._done:
            scope = self._recording.frames[before.frame].scope
            self._done[key] = _after(node, scope, before.holds, kinds)
        names = self._done[key]
        word, part = name
        made = _part(names.get(word), part) if word == "result" else names.get(f"{word} {part}".strip())
        if not isinstance(made, (np.ndarray, Number)):
            return None
        made = np.array(made, object)
        if made.shape != held.shape:
            return None
        number = made.reshape(-1)[at]
        number = number if isinstance(number, Number) else Number(number)
        if _hides(number, node, before.holds, kinds):
            return None
        return _told(number, held.reshape(-1)[at], before.holds)

    def _argument(self, name: str, at: int, held: np.ndarray, kinds: str) -> dict[str, Any]:
        """What the caller's line gives for an argument; empty where that line does not say it
        in one expression.
        """
        frame = self._recording.frames[self.stop.frame]
        before = self._last(frame.parent, self._step)
        calling = next((one for one in self._recording.stops[self._step :] if one.frame == frame.parent), None)
        if before is None or calling is None:
            return {}
        given = _given(calling.statement.node, frame.code, name)
        if given is None:
            return {}
        node = ast.Assign([ast.Name(name, ast.Store())], given, lineno=1)
        told = self._told(kinds, node, before, (name, ""), held, at)
        if told is None:
            return {}
        caller = self._recording.frames[before.frame].code
        return {"made": told, "function": caller.co_name, "line": calling.statement.first}


def _given(node: ast.stmt, callee: CodeType, name: str) -> ast.expr | None:
    """The expression that a statement gives for an argument of the one function that it calls
    by this name.
    """
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    calls = [one for one in calls if getattr(one.func, "id", getattr(one.func, "attr", "")) == callee.co_name]
    arguments = callee.co_varnames[: callee.co_argcount]
    if len(calls) != 1 or name not in arguments or any(isinstance(one, ast.Starred) for one in calls[0].args):
        return None
    by_word = {word.arg: word.value for word in calls[0].keywords}
    place = arguments.index(name) - ("self" in arguments)
    return calls[0].args[place] if 0 <= place < len(calls[0].args) else by_word.get(name)


def _part(result: Any, number: str) -> Any:
    """Part "1" of a tuple; all of it for ""."""
    if not number:
        return result
    return result[int(number)] if isinstance(result, tuple) and number.isdigit() and int(number) < len(result) else None


def _hides(number: Number, node: ast.stmt, holds: dict[str, Any], kinds: str) -> bool:
    """Whether a constant in it may be no constant: where integers and truth values pass,
    such as indices and comparisons, the numbers cannot remember.
    """
    constants = [leaf.value for leaf in _leaves(number) if leaf.cell is None]
    read = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    arrays = [holds[name] for name in read if isinstance(holds.get(name), np.ndarray)]
    forgotten = [array for array in arrays if array.dtype.kind not in kinds or kinds != "f"]
    return bool(constants) and (bool(forgotten) or any(isinstance(one, (bool, np.bool_)) for one in constants))


def _after(node: ast.stmt, scope: dict[str, Any], holds: dict[str, Any], kinds: str) -> dict[str, Any]:
    """The names after the statement, done again; none where it cannot be."""
    if isinstance(node, ast.Return) and node.value is not None:
        node = ast.Assign([ast.Name("result", ast.Store())], node.value)
    if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)):
        return {}
    code = compile(ast.fix_missing_locations(ast.Module([node], [])), "<again>", "exec")
    names = scope | {each: _numbers(each, value, kinds) for each, value in holds.items()}
    try:
        with np.errstate(all="ignore"):
            exec(code, names)  # noqa: S102 - a line of the function's own source
    except Exception:  # noqa: BLE001 - whatever such numbers cannot do, there the view does not pretend
        return {}
    return names


def _numbers(name: str, value: Any, kinds: str) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        return value
    numbers = np.empty(value.size, object)
    for at, one in enumerate(value.reshape(-1)):
        numbers[at] = Number(one, Cell(name, at))
    return numbers.reshape(value.shape)


# ------------------------------------------------------------------- what is told of it


def _told(number: Number, value: Any, holds: dict[str, Any]) -> dict[str, Any] | None:
    if number.cell is not None:
        same = np.asarray(number.value, value.dtype).tobytes() == value.tobytes()
        return {"kind": "copy", "cells": [_place(number.cell, holds)], "value": value} if same else None
    leaves = list(_leaves(number))
    if not _agree(number.value, value, leaves):
        return None
    cells = list(dict.fromkeys(leaf.cell for leaf in leaves if leaf.cell is not None))
    told = {"kind": "computed", "cells": [_place(cell, holds) for cell in cells], "value": value}
    if not cells:
        return told | {"kind": "constant"}
    terms = []
    for factors in _terms(number):
        if factors is None:
            return told
        product = math.prod([float(leaf.value) for leaf in factors])
        terms.append({"factors": [_factor(leaf, holds) for leaf in factors], "product": product})
    return told | {"kind": "sum", "terms": terms[:TERMS], "left_out": max(len(terms) - TERMS, 0)}


def _agree(made: Any, held: Any, leaves: list[Number]) -> bool:
    """Equal within the rounding of a sum in another order."""
    if not np.isfinite(held) or not np.isfinite(made):
        return bool(np.array_equal(made, held, equal_nan=True))
    eps = np.finfo(held.dtype).eps if held.dtype.kind == "f" else 0.0
    largest = max([1.0, abs(float(held)), *(abs(float(leaf.value)) for leaf in leaves if np.isfinite(leaf.value))])
    return abs(float(made) - float(held)) <= 4 * len(leaves) * eps * largest**2


def _leaves(number: Number) -> Iterator[Number]:
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one.operands:
            waiting.extend(reversed(one.operands))
        else:
            yield one


def _terms(number: Number) -> Iterator[list[Number] | None]:
    """The factors of each term, if it is a sum of products; None for a term that is neither."""
    waiting = [(number, False)]
    while waiting:
        one, negative = waiting.pop()
        if one.op in ("add", "sub"):
            left, right = one.operands
            waiting += [(right, negative != (one.op == "sub")), (left, negative)]
        elif one.op == "neg":
            waiting.append((one.operands[0], not negative))
        else:
            factors = _factors(one)
            yield None if factors is None else [Number(-1)] * negative + factors


def _factors(number: Number) -> list[Number] | None:
    if not number.operands:
        return [number]
    if number.op != "mul":
        return None
    left, right = (_factors(one) for one in number.operands)
    return None if left is None or right is None else left + right


def _factor(leaf: Number, holds: dict[str, Any]) -> dict[str, Any]:
    if leaf.cell is None:
        return {"name": "constant", "value": leaf.value, "at": None}
    return {"name": leaf.cell.name, "value": leaf.value, "at": _place(leaf.cell, holds)["index"]}


def _place(cell: Cell, holds: dict[str, Any]) -> dict[str, Any]:
    array = holds[cell.name]
    index = [int(i) for i in np.unravel_index(cell.at, array.shape)] if array.ndim else []
    return {"name": cell.name, "at": cell.at, "index": index, "value": array.reshape(-1)[cell.at]}
