"""What goes wrong, and by which numbers that is noticed. Each hint is the key of a text
that says what was seen, why that happens, and what to try; and the numbers in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .learner import Learner

RISE = 1.25  # times the lowest mean so far,
AT_LEAST = 0.2  # and that much more
DEAD = 0.75  # of the units of a layer; a third of linear_block.1's are dead from the start
AHEAD = 0.08  # of accuracy
ENOUGH = 3  # windows, before equal answers mean something


def hints(
    learner: Learner,
    sizes: Sequence[dict[str, Any]],
    dead: Sequence[dict[str, Any]],
    answers: np.ndarray,
    truth: np.ndarray,
) -> list[dict[str, Any]]:
    """Those that apply, as {"key", "values"}."""
    found: list[dict[str, Any]] = []

    def notice(key: str, **values: Any) -> None:
        found.append({"key": key, "values": values})

    if learner.ended == "nan":
        notice("nan", lr=learner.lr, step=learner.steps)
        return found
    lowest = min(learner.windows, default=0.0)
    last = learner.windows[-1] if learner.windows else 0.0
    if last > RISE * lowest and last - lowest > AT_LEAST:
        notice("rises", last=last, lowest=lowest, lr=learner.lr)
    for row in dead:
        if row["dead"] >= DEAD * row["units"]:
            notice("dead", layer=row["name"], dead=row["dead"], units=row["units"])
    for row in sizes:
        if row["gradient"] == 0 and row["name"].endswith("weight"):
            notice("no_gradient", name=row["name"])
    if len(learner.windows) > ENOUGH and len(set(answers.tolist())) == 1:
        share = float((truth == answers[0]).mean())
        notice("one_answer", answer=learner.task.classes[answers[0]], share=share)
    if learner.history:
        epoch = learner.history[-1]
        if epoch.train_accuracy - epoch.val_accuracy > AHEAD:
            values = {"train": epoch.train_accuracy, "val": epoch.val_accuracy, "images": learner.setting.images}
            notice("ahead", **values)
    return found
