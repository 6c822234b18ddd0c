"""How it is timed: everybody checked, then in turns, all in one process with equal threads.

A machine's speed changes while one measures, so the contenders take turns, and a ratio
is taken within a round, between neighbours in time; reported is the median over the
rounds. A turn is a burst of calls whose first ones do not count.

Before each turn all rest, because idle threads are not idle: those of OpenBLAS, of
torch's OpenMP and of minicnn spin for a while, lest they fall asleep between two calls,
on cores that the next one needs. Measured without the rest, a training step of torch
right after one NumPy product took 107 ms (89 and 14 in the second and third call, then
10.5), and inference of 64 images by minicnn 8.0 ms for a tenth of a second (then 3.3).
On one thread nobody rests, because nobody is waited for.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .agreement import demand
from .contenders import Contender
from .machine import clock, set_threads
from .task import Task
from .work import EAGER, ONNX_RUNTIME, OPENVINO, OURS, RUNTIME, Bar, Work


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int = 15
    calls: int = 8  # of a turn, at most; those that count
    turn: float = 0.15  # seconds that these calls may take; one is made in any case
    total: float = 4.0  # seconds for one contender; three rounds are made in any case
    rest: float = 0.15  # seconds of sleep before each turn; OpenBLAS's threads spin for 0.1
    judged: bool = True  # whether the work is the one that the bars are about

    @classmethod
    def quick(cls, rounds: int = 2) -> "Plan":
        return cls(rounds, calls=2, turn=0.01, total=0.02, rest=0.0, judged=False)


def measure(work: Work, contenders: Sequence[Contender], threads: int, peak: float, plan: Plan) -> dict[str, Any]:
    """One work, done by all who take part: everything that the report says of it.
    Raises Disagreement.
    """
    set_threads(threads)
    tasks = {c.name: task for c in contenders if (task := c.task(work)) is not None}
    first = {name: call(task) for name, task in tasks.items()}  # the first calls: they compile, and are compared
    expected = tasks[EAGER].results()
    deviation = {name: demand(work, name, task.results(), EAGER, expected) for name, task in tasks.items()}
    rounds = take_turns(tasks, plan if threads > 1 else replace(plan, rest=0.0))

    def entry(name: str) -> dict[str, Any]:
        samples = [turns[name] for turns in rounds if name in turns]
        median, low, high = middle([sample for turn in samples for sample in turn])
        speed = work.multiply_adds / median
        ratio, ratio_low, ratio_high = middle(ratios(rounds, name, EAGER))
        return {
            "median_ms": 1e3 * median,
            "quartiles_ms": [1e3 * low, 1e3 * high],
            "ratio": ratio,
            "ratio_quartiles": [ratio_low, ratio_high],
            "multiply_adds_per_second": speed or None,
            "share_of_peak": speed / peak or None,
            "first_call_extra_ms": 1e3 * max(first[name] - median, 0.0),
            "deviation_in_tolerances": deviation[name],
            "samples_ms": [[1e3 * sample for sample in turn] for turn in samples],
        }

    return {
        "work": work.name,
        "what": work.title,
        "threads": threads,
        "multiply_adds": work.multiply_adds,
        "contenders": {name: entry(name) for name in tasks},
        "bars": [
            judge(bar, ratios(rounds, OURS, bar.against), plan)
            for bar in work.bars
            if OURS in tasks and any(name in tasks for name in names_of(bar.against))
        ],
    }


def judge(bar: Bar, found: Sequence[float], plan: Plan) -> dict[str, Any]:
    """What was promised beside what was measured: the median of the rounds' ratios."""
    ratio, low, high = middle(found)
    met = ratio <= bar.bar if plan.judged else None
    return {**bar._asdict(), "ratio": ratio, "ratio_quartiles": [low, high], "met": met}


def call(task: Task) -> float:
    with task.inside():
        return clock(task.run)


def take_turns(tasks: dict[str, Task], plan: Plan) -> list[dict[str, list[float]]]:
    """For each round the samples of each contender in it, in seconds. Whoever is slow
    sits out the later rounds.
    """
    tries = 2 if plan.calls > 2 else 1
    seconds = {name: min(call(task) for _ in range(tries)) for name, task in tasks.items()}
    calls = {name: max(1, min(plan.calls, int(plan.turn / s))) for name, s in seconds.items()}
    warm = {name: 2 if seconds[name] < 0.05 and plan.calls > 2 else 1 for name in tasks}
    least = min(3, plan.rounds)
    last = {n: max(least, min(plan.rounds, int(plan.total / (s * (calls[n] + warm[n]))))) for n, s in seconds.items()}
    order, rounds = list(tasks), []
    for number in range(max(last.values())):
        taking = [name for name in order if number < last[name]]
        rounds.append({name: burst(tasks[name], warm[name], calls[name], plan.rest) for name in taking})
        order = order[1:] + order[:1]
    return rounds


def burst(task: Task, warm: int, calls: int, rest: float) -> list[float]:
    time.sleep(rest)
    with task.inside():
        return [clock(task.run) for _ in range(warm + calls)][warm:]


def names_of(against: str) -> tuple[str, ...]:
    """The contenders that a bar's `against` stands for."""
    return (ONNX_RUNTIME, OPENVINO) if against == RUNTIME else (against,)


def ratios(rounds: Sequence[dict[str, list[float]]], name: str, against: str) -> list[float]:
    """One for each round in which both took part."""
    found = []
    for turns in rounds:
        others = [statistics.median(turns[other]) for other in names_of(against) if other in turns]
        if name in turns and others:
            found.append(statistics.median(turns[name]) / min(others))
    return found


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and quartiles."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high
