"""A layer of the zoo, from its data to its row."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..agreement import demand
from ..contenders import Contender
from ..machine import set_threads
from ..task import Task
from ..work import EAGER, OURS, TEXTBOOK, Layer
from . import memory
from .networks import BATCHES, Member
from .turns import Plan, beside_textbook, call, measured


def rows(
    member: Member, contenders: Sequence[Contender], threads: Sequence[int], plan: Plan, quick: bool
) -> Iterator[dict[str, Any]]:
    """For each batch and each number of threads. Raises Disagreement.

    The largest batch with the most threads is the one that the bars are about: it is held
    beside the textbook set too, and its memory is measured.
    """
    batches = BATCHES[:1] if quick else member.batches
    for N in batches:
        layer = member.layer(N)
        set_threads(max(threads))
        tasks = agreeing(layer, contenders)
        two = {name: tasks[name] for name in (EAGER, OURS)}
        for n in threads:
            set_threads(n)
            row = {
                "network": member.network,
                "paper": member.paper,
                "role": member.role,
                "kind": member.kind,
                "layer": member.text,
                "image": list(member.image),
                "batch": N,
                "threads": n,
                "passes": measured(two, n, plan),
                "judged": plan.judged and (N, n) == (batches[-1], max(threads)),
            }
            if (N, n) == (batches[-1], max(threads)):
                row["textbook"] = beside_textbook({name: tasks[name] for name in (TEXTBOOK, OURS)}, TEXTBOOK, plan)
                row["memory_mb"] = {name: memory.extra_mb(task) for name, task in two.items()}
            yield row


def agreeing(layer: Layer, contenders: Sequence[Contender]) -> dict[str, Task]:
    """Each contender's task, run once, its results compared with torch's."""
    tasks = {}
    expected = None
    for contender in contenders:
        if contender.name not in (EAGER, TEXTBOOK, OURS):
            continue
        task = contender.task(layer)
        call(task)
        expected = expected or task.results()
        demand(layer, contender.name, task.results(), EAGER, expected)
        tasks[contender.name] = task
    return tasks
