"""A recording as JSON: the sources, the steps, and every value once."""

import json
from functools import lru_cache
from typing import Any

import numpy as np

from ...geometry import Geometry
from ...kernels import use_backend
from .. import ask, layer_bench
from ..ask import Refused
from ..say import family, say
from . import lines, notation, origin, questions, record, subjects
from .own import Own


class Walks:
    """What the view "Source" answers: over the textbook, and a layer of the reader's own."""

    def __init__(self, own: Own | None = None):
        self.subjects = subjects.SUBJECTS
        self.files = subjects.FILES
        self._owns: dict[str, Own] = {}  # by the names of their subjects
        self._again = lru_cache(maxsize=4)(self._from_text)
        if own:
            self.add(own)

    def add(self, own: Own) -> str:
        """Opens a layer of the reader's own, before all others and in place of an earlier one
        of its name; gives the name of its forward.
        """
        mine = own.subjects()
        others = {name: subject for name, subject in self.subjects.items() if name not in mine}
        self.subjects = mine | others
        self.files = self.files | own.files
        self._owns |= dict.fromkeys(mine, own)
        self._again.cache_clear()
        return next(iter(mine))

    def listing(self) -> dict[str, Any]:
        """GET /api/source/subjects: what can be chosen, and what the names mean."""
        chosen = [{"name": s.name, "group": say(f"group.{s.group}"), "layer": s.layer} for s in self.subjects.values()]
        return {"subjects": chosen, "names": family("name."), "letters": family("letter.")} | {
            "questions": questions.listing()
        }

    def answer(self, body: Any, origins: bool = False) -> dict[str, Any]:
        """POST /api/source: a setting as for /api/bench, and `subject`: which function. With
        `origins` also where each number came from, for pages without a server.
        """
        subject, setting = self._read(body)
        try:
            bench = layer_bench.Bench(setting)
            recording = self.recorded(bench, subject)
        except (*layer_bench.REFUSALS, layer_bench.TooLarge) as error:
            return {"problem": layer_bench.problem(error)}
        if not recording.stops:
            sentence = say("source.not_called", layer=setting.layer, name=subject.name)
            return {"problem": {"kind": say("view.not_called_kind"), "sentence": sentence}}
        told = {"problem": None, "transposed": layer_bench.transposed(bench)} | as_json(recording, subject.name)
        if origins:
            told["origins"] = origin.everything(recording)
        if subject.name in self._owns:
            told["verdict"] = self._owns[subject.name].verdict(bench)
        return told

    def _read(self, body: Any) -> tuple[subjects.Subject, layer_bench.Setting]:
        subject = self.subjects[ask.choice(body, "subject", self.subjects)]
        setting = layer_bench.read(body)
        if subject.layer not in ("", setting.layer):
            raise Refused(say("source.runs_in", name=subject.name, layer=subject.layer, other=setting.layer))
        return subject, setting

    def cell(self, body: Any) -> dict[str, Any]:
        """POST /api/source/cell: a request as for /api/source; `step`, `name` and `at`, the
        place in row order. Where that number came from, or {"kind": "unknown"}.
        """
        self._read(body)
        step = ask.integer(body, "step", 0, record.STOPS)
        at = ask.integer(body, "at", 0, 2 * record.NUMBERS)
        name = ask.field(body, "name")
        walked = {key: value for key, value in body.items() if key not in ("step", "name", "at")}
        recording = self._again(json.dumps(walked, sort_keys=True))
        if step >= len(recording.stops) or not isinstance(name, str):
            raise Refused(say("source.step", count=len(recording.stops)))
        return origin.origin(recording, step, name, at) or {"kind": "unknown"}

    def _from_text(self, body: str) -> record.Recording:
        """The recording of a request, kept: who points at its numbers asks often."""
        subject, setting = self._read(json.loads(body))
        with use_backend("numpy"):
            try:
                return self.recorded(layer_bench.make(setting), subject)
            except layer_bench.REFUSALS as error:
                raise Refused(str(error), 422) from error

    def recorded(self, bench: layer_bench.Bench, subject: subjects.Subject) -> record.Recording:
        return record.record(subject.prepare(bench), subject.root, self.files)


class _Values:
    """Every value once; a step names it by its number."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any, unset: np.ndarray | None = None) -> int:
        if isinstance(value, np.ndarray):  # the recording has each array once
            key: Any = (id(value), b"" if unset is None else unset.tobytes())
        elif isinstance(value, Geometry):  # many steps hold the same one, and its text is long
            key = value
        else:
            key = text_of(value)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(shown_value(value, unset))
        return self._numbers[key]


def shown_value(value: Any, unset: np.ndarray | None = None) -> dict[str, Any]:
    """An array as its numbers (None where none has been written), all else as a text."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        return {"text": text_of(value)}
    data = value.astype(np.int64) if value.dtype == bool else value
    flat = data.reshape(-1).tolist()
    if unset is not None:
        flat = [None if missing else number for number, missing in zip(flat, unset.reshape(-1).tolist(), strict=True)]
    return {"shape": value.shape, "dtype": value.dtype.name, "data": flat}


def text_of(value: Any) -> str:
    if isinstance(value, Geometry):
        return ", ".join(f"{letter}={size}" for letter, size in value._asdict().items())
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, slice):
        return f"{value.start}:{value.stop}:{value.step}".replace("None", "")
    if isinstance(value, np.ndarray):
        return say("walk.array", dtype=value.dtype)
    if isinstance(value, tuple):
        inside = ", ".join(map(text_of, value))
        return f"({inside}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {text_of(part)}" for name, part in value.items()) + "}"
    return value if isinstance(value, str) else repr(value)


def as_json(recording: record.Recording, title: str) -> dict[str, Any]:
    values = _Values()
    sources: dict[Any, dict[str, Any]] = {}
    frames = []
    for frame in recording.frames:
        if frame.code not in sources:
            sources[frame.code] = source(frame.code) | {"number": len(sources)}
        frames.append({"source": sources[frame.code]["number"], "parent": frame.parent})
    loops = rounds(recording)
    before: dict[int, dict[str, tuple[int, str]]] = {}
    known: dict[int, dict[str, int]] = {}
    stops = []
    for place, stop in enumerate(recording.stops):
        code = recording.frames[stop.frame].code
        margin = sources[code]["margin"]
        if stop.frame not in known:
            known[stop.frame] = notation.sizes(stop.holds)
        letters = known[stop.frame]
        held = before.setdefault(stop.frame, {})
        now: dict[str, tuple[int, str]] = {}
        for name, value in stop.holds.items():
            number = values.number(value, stop.unset.get(name))
            if name in held and held[name][0] == number:
                now[name] = held[name]
            else:
                now[name] = (number, in_letters(code, name, value, margin, letters))
        changed = {name: both for name, both in now.items() if held.get(name) != both}
        entry: dict[str, Any] = {"frame": stop.frame, "kind": stop.kind, "set": changed}
        entry["lines"] = [stop.statement.first, stop.statement.last]
        gone = [name for name in held if name not in now]
        if gone:
            entry["gone"] = gone
        if place in loops:
            entry["loops"] = loops[place]
        if stop.kind in ("return", "yield"):
            parts = stop.result if isinstance(stop.result, tuple) and _has_array(stop.result) else (stop.result,)
            entry["result"] = [
                (values.number(part), in_letters(code, "return", part, margin, letters)) for part in parts
            ]
        term = notation.part(code.co_name, text(code, stop.statement))
        if term and stop.kind != "enter":
            entry["part"] = notation.spoken(term)
        before[stop.frame] = now
        stops.append(entry)
    shown = [{key: value for key, value in one.items() if key not in ("number", "margin")} for one in sources.values()]
    return {
        "title": title,
        "sources": shown,
        "frames": frames,
        "stops": stops,
        "values": values.values,
        "cut": recording.cut,
    }


def _has_array(values: tuple) -> bool:
    return any(isinstance(value, np.ndarray) for value in values)


def text(code: Any, statement: lines.Statement) -> str:
    return lines.read(code.co_filename).lines[statement.first - 1].strip()


def source(code: Any) -> dict[str, Any]:
    """A function as the page shows it: its lines with their colours, its formula."""
    file = lines.read(code.co_filename)
    first, last = lines.function_lines(code)
    formula, _ = notation.FORMULAS.get(code.co_name, ("", []))
    return {
        "name": getattr(code, "co_qualname", code.co_name),
        "file": _short(code.co_filename),
        "first": first,
        "lines": file.coloured[first - 1 : last],
        "formula": notation.spoken(formula),
        "margin": notation.shapes_in_margin(file, first, last),
    }


def _short(filename: str) -> str:
    parts = filename.replace("\\", "/").split("/")
    return "/".join(parts[len(parts) - parts[::-1].index("minicnn") - 1 :]) if "minicnn" in parts else parts[-1]


def in_letters(code: Any, name: str, value: Any, margin: dict[str, list[str]], known: dict[str, int]) -> str:
    """The shape in the field's letters; "" where none that is said for this name fits."""
    if not isinstance(value, np.ndarray):
        return ""
    own = notation.SHAPES.get(code.co_name, {}).get(name)
    said = own.split("|") if own else []
    said += margin.get(name, [])
    if not said and name in notation.COMMON:
        said = [notation.COMMON[name]]
    return next((f"({letters})" for letters in said if notation.fits(letters, value.shape, known)), "")


def rounds(recording: record.Recording) -> dict[int, list[dict[str, Any]]]:
    """step -> for each loop around it: what a round is called, its number, and of how many."""
    found: dict[int, list[dict[str, Any]]] = {}
    open_loops: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for place, stop in enumerate(recording.stops):
        code = recording.frames[stop.frame].code
        headers = lines.enclosing(lines.read(code.co_filename), stop.statement.first)
        running = open_loops.setdefault(stop.frame, {})
        around = {header.first for header in headers}
        for line in [line for line in running if line not in around]:
            _close(running.pop(line), found)
        if stop.kind == "enter":
            continue
        for header in headers:
            passes = running.setdefault(header.first, [])
            if stop.statement is header or not passes:
                passes.append({"places": []})
            passes[-1]["places"].append(place)
            passes[-1]["word"] = "tap" if "tap" in text(code, header) else "round"
    for running in open_loops.values():
        for passes in running.values():
            _close(passes, found, complete=not recording.cut)
    return found


def _close(passes: list[dict[str, Any]], found: dict[int, list[dict[str, Any]]], complete: bool = True) -> None:
    """A loop has ended: its last look at the header found nothing more."""
    ended = complete and len(passes[-1]["places"]) == 1 and len(passes) > 1
    total = len(passes) - 1 if ended else len(passes)
    for number, one in enumerate(passes[:total], 1):
        for place in one["places"]:
            entry = {"word": one["word"], "number": number, "of": total if complete else None}
            found.setdefault(place, []).append(entry)
