"""Forward and backward of a layer, each by its own clock, all contenders in turns.

As in `benchmarks.measure`: a ratio is taken within a round, between neighbours in time.
Together is the sum of both passes of one call, so the three figures come from the same
calls.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..machine import clock
from ..measure import middle
from ..task import Task
from ..work import EAGER, OURS

PASSES = ("forward", "backward", "together")
Calls = list[list[float]]  # of a turn: for each call the seconds of each pass


class Plan(NamedTuple):
    """How long to measure one layer, with one batch and one number of threads."""

    rounds: int = 7
    calls: int = 6  # of a turn, at most; those that count
    turn: float = 0.05  # seconds that these calls may take; one is made in any case
    rest: float = 0.03  # seconds of sleep before a turn on several threads; theirs spin for a while
    judged: bool = True

    @classmethod
    def quick(cls) -> "Plan":
        return cls(rounds=1, calls=1, turn=0.0, rest=0.0, judged=False)


def call(task: Task) -> list[float]:
    """Seconds of each pass."""
    with task.inside():
        return [clock(one) for one in task.passes]


def take_turns(tasks: dict[str, Task], plan: Plan, rest: float) -> list[dict[str, Calls]]:
    """For each round, for each contender, the calls of its turn."""
    seconds = {name: sum(call(task)) for name, task in tasks.items()}
    calls = {name: max(1, min(plan.calls, int(plan.turn / s))) for name, s in seconds.items()}
    order, rounds = list(tasks), []
    for _ in range(plan.rounds):
        turns = {}
        for name in order:
            time.sleep(rest)
            warm = 1 if seconds[name] < plan.turn else 0
            turns[name] = [call(tasks[name]) for _ in range(warm + calls[name])][warm:]
        rounds.append(turns)
        order = order[1:] + order[:1]
    return rounds


def of_pass(calls: Calls, which: str) -> list[float]:
    """Seconds of one pass in each call of a turn, or of both together."""
    if which == "together":
        return [sum(passes) for passes in calls]
    place = PASSES.index(which)
    return [passes[place] for passes in calls]


def summary(rounds: Sequence[dict[str, Calls]], which: str, against: str = EAGER) -> dict[str, Any]:
    """Median milliseconds of both, and the ratio of `OURS`: the median over the rounds, and
    its quartiles.
    """

    def median_ms(name: str) -> float:
        samples = [sample for turns in rounds for sample in of_pass(turns[name], which)]
        return 1e3 * middle(samples)[0]

    ratios = []
    for turns in rounds:
        mine, others = (middle(of_pass(turns[name], which))[0] for name in (OURS, against))
        ratios.append(mine / others)
    ratio, low, high = middle(ratios)
    return {
        "ms": {name: median_ms(name) for name in (against, OURS)},
        "ratio": ratio,
        "ratio_quartiles": [low, high],
    }


def measured(tasks: dict[str, Task], threads: int, plan: Plan) -> dict[str, dict[str, Any]]:
    """By pass. One thread waits for nobody, so nobody rests."""
    rounds = take_turns(tasks, plan, plan.rest if threads > 1 else 0.0)
    return {which: summary(rounds, which) for which in PASSES}


def beside_textbook(tasks: dict[str, Task], textbook: str, plan: Plan) -> dict[str, Any]:
    """Both passes together, beside the textbook set, which is slow: three rounds.

    It multiplies by OpenBLAS, whose threads spin for a tenth of a second.
    """
    few = plan._replace(rounds=min(3, plan.rounds))
    rounds = take_turns(tasks, few, 5 * plan.rest)
    return summary(rounds, "together", textbook)
