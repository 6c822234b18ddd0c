"""Which requests there are: /api/train ..."""

from collections.abc import Callable
from typing import Any

from .. import ask
from ..ask import Refused
from ..say import say
from .experiments import listing
from .setting import BACKENDS, MOST_IMAGES, OPTIMIZERS, TASKS, Setting, rate, read
from .trainer import Trainer

MOST_RUNS = 2


def gets(trainer: Trainer) -> dict[str, Callable[[], Any]]:
    choices = {"task": TASKS, "optimizer": OPTIMIZERS, "backend": BACKENDS, "images": MOST_IMAGES}
    return {
        "/api/train": lambda: {"choices": choices, "plain": Setting()._asdict(), "experiments": listing()},
    }


def posts(trainer: Trainer) -> dict[str, Callable[[Any], Any]]:
    return {
        "/api/train/begin": lambda body: trainer.begin(settings(body)),
        "/api/train/go": lambda body: trainer.go(ask.choice(body, "how", ("start", "step", "epoch", "pause"))),
        "/api/train/rate": lambda body: trainer.set_rate(run(body), rate(body)),
        "/api/train/look": trainer.look,
        "/api/train/keep": lambda body: trainer.keep(run(body)),
    }


def settings(body: Any) -> list[Setting]:
    given = ask.field(body, "runs")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_RUNS:
        raise Refused(say("train.refused.runs", most=MOST_RUNS))
    runs = [read(one) for one in given]
    if len({(one.task, one.images) for one in runs}) > 1:
        raise Refused(say("train.refused.unlike"))
    return runs


def run(body: Any) -> int:
    return ask.integer(body, "run", 0, MOST_RUNS - 1)
