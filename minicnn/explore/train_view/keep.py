"""A run folder of what was learnt, as `python -m minicnn.train` leaves it."""

from pathlib import Path

from ...saved.run_folder import Run
from ..ask import Refused
from ..say import say
from .learner import Finished, Learner


def keep(learner: Learner) -> Path:
    """Write the state after the last finished epoch to a new folder in runs/.

    Refused says why there is nothing to keep, or why it cannot be written.
    """
    if not learner.setting.relu:
        raise Refused(say("train.refused.no_relu"), 422)
    if learner.finished is None:
        raise Refused(say("train.refused.no_epoch"), 422)
    try:
        return write(learner, learner.finished)
    except OSError as error:
        raise Refused(say("train.refused.write", why=error.strerror or error), 422) from error


def write(learner: Learner, finished: Finished) -> Path:
    """The folder, written by the same code as the command's. Raises OSError."""
    model, optimizer = learner.build()
    model.load_state_dict(finished.weights)
    optimizer.load_state_dict(finished.optimizer)
    name = f"{type(model).__name__.lower()}-seed{learner.setting.seed}"
    *earlier, (_, filters) = learner.filters.items()
    run = Run(None, name, learner.config())
    try:
        run.filters = dict(earlier)
        run.history = learner.history[:-1]
        run.finish_epoch(learner.history[-1], model, optimizer, filters)
    finally:
        run.lock.release()
    return run.folder
