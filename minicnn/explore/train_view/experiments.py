"""Eight settings to try. What to expect of each stands in the texts, and a test trains it."""

from typing import Any, NamedTuple

from .setting import Setting


class Experiment(NamedTuple):
    """One or two runs, and after how many epochs the expectation is met."""

    key: str
    runs: tuple[Setting, ...]
    epochs: int


PLAIN = Setting(images=1000)
SLOW = PLAIN._replace(optimizer="SGD", lr=0.01)
FEW = Setting(images=100, batch_size=10)

EXPERIMENTS = (
    Experiment("rate_one", (PLAIN._replace(lr=1.0),), 2),
    Experiment("zeros", (PLAIN._replace(weights="zeros"),), 2),
    Experiment("no_relu", (PLAIN, PLAIN._replace(relu=False)), 5),
    Experiment("batch_of_one", (PLAIN._replace(images=300), PLAIN._replace(images=300, batch_size=1)), 1),
    Experiment("shuffled", (FEW._replace(labels="shuffled"),), 24),
    Experiment("few_images", (FEW,), 10),
    Experiment("adam_sgd", (PLAIN, PLAIN._replace(optimizer="SGD")), 4),
    Experiment(
        "momentum", (PLAIN._replace(optimizer="SGD", lr=0.01), PLAIN._replace(optimizer="momentum", lr=0.01)), 4
    ),
)


def listing() -> list[dict[str, Any]]:
    return [
        {"key": one.key, "runs": [setting._asdict() for setting in one.runs], "epochs": one.epochs}
        for one in EXPERIMENTS
    ]
