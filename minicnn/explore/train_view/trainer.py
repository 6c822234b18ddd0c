"""The one thread that all learning and all looking happens in.

Whoever wants something of the runs puts it in this thread's queue: between two steps it
is done. So nothing is shared, and nothing needs a lock.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextvars import copy_context
from typing import Any, TypeVar

import numpy as np

from ...kernels import announce_compilation, use_backend
from ..ask import Refused
from ..say import say
from . import keep, look
from .learner import Learner
from .setting import Setting

Result = TypeVar("Result")

PATIENCE = 120.0  # seconds; a hidden tab may still ask once a minute
REST = 4.0  # times as long as a look took, no other look is taken: looking costs a fifth at most
LONGEST = 1.0  # seconds that a look waits for the step before it


class Trainer:
    """The runs, and whether they go on. One for all tabs."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="training")
        self.learners: list[Learner] = []
        self.number = 0  # how often training was begun
        self.running = False
        self.compiling = False
        self.nobody = False  # paused because no page asked any more
        self.asked = time.monotonic()
        self._queued = False  # whether the next step is in the queue
        self._one_look = threading.Lock()
        self._free_from = 0.0

    def close(self) -> None:
        """The step that is under way is the last one."""
        self.running = False
        self.thread.shutdown(wait=True, cancel_futures=True)

    # ------------------------------------------------------------- asked by any thread

    def begin(self, settings: Sequence[Setting]) -> dict[str, Any]:
        return self._do(lambda: self._begin(settings))

    def go(self, how: str) -> dict[str, Any]:
        """ "start", "step", "epoch" or "pause"."""
        return self._do(lambda: self._go(how))

    def set_rate(self, run: int, lr: float) -> dict[str, Any]:
        return self._do(lambda: self._set_rate(run, lr))

    def keep(self, run: int) -> dict[str, Any]:
        return self._do(lambda: {"folder": str(keep.keep(self.learner(run)))})

    def look(self, body: Any) -> dict[str, Any]:
        """What the page shows. While a step takes long, or compiles, only that is said."""
        self.asked = time.monotonic()
        with self._one_look:
            time.sleep(max(0.0, self._free_from - time.monotonic()))
            future = self._submit(lambda: self._timed_look(body))
            try:
                return future.result(LONGEST)
            except TooLate:
                future.cancel()
                return self._state() | {"busy": True}
            except CancelledError:
                raise Refused(say("train.refused.stopping"), 503) from None

    def _submit(self, work: Callable[[], Result]) -> "Future[Result]":
        try:
            return self.thread.submit(copy_context().run, work)  # in the language of whoever asks
        except RuntimeError:
            raise Refused(say("train.refused.stopping"), 503) from None

    def _do(self, work: Callable[[], Result]) -> Result:
        self.asked = time.monotonic()
        try:
            return self._submit(work).result()
        except CancelledError:
            raise Refused(say("train.refused.stopping"), 503) from None

    # ------------------------------------------------------------ in the training's thread

    def learner(self, run: int) -> Learner:
        if not 0 <= run < len(self.learners):
            raise Refused(say("train.refused.no_run", run="AB"[run]), 409)
        return self.learners[run]

    def _state(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "runs": len(self.learners),
            "running": self.running,
            "compiling": self.compiling,
            "nobody": self.nobody,
            "busy": False,
        }

    def _begin(self, settings: Sequence[Setting]) -> dict[str, Any]:
        self.running = False
        self.learners = []  # the earlier ones' memory is free before more is taken
        learners = []
        for setting in settings:
            with use_backend(setting.backend):
                learners.append(Learner(setting))
        self.learners = learners
        self.number += 1
        return self._state()

    def _go(self, how: str) -> dict[str, Any]:
        if not self.learners:
            raise Refused(say("train.refused.no_run", run="A"), 409)
        self.nobody = False
        self.running = how != "pause"
        if self.running:
            for learner in self.learners:
                learner.set_goal(how)
            self._queue_step()
        return self._state()

    def _set_rate(self, run: int, lr: float) -> dict[str, Any]:
        self.learner(run).set_rate(lr)
        return self._state()

    def _queue_step(self) -> None:
        if not self._queued:
            with contextlib.suppress(RuntimeError):  # the server stops
                self.thread.submit(self._step)
                self._queued = True

    def _step(self) -> None:
        """One step of the run that has seen the fewest images; then the next one's turn."""
        self._queued = False
        if self.running and time.monotonic() - self.asked > PATIENCE:
            self.running = False
            self.nobody = True
        waiting = [one for one in self.learners if one.ended is None and one.steps < one.goal]
        self.running = self.running and bool(waiting)
        if self.running:
            self._advance(min(waiting, key=lambda one: one.seen / one.setting.images))
            self._queue_step()

    def _advance(self, learner: Learner) -> None:
        with use_backend(learner.setting.backend), np.errstate(all="ignore"):
            announce_compilation(self._say_compiling)
            try:
                learner.step()
            except Exception as error:  # noqa: BLE001 - the page is told, and the traceback shown here
                traceback.print_exc()
                learner.ended = "failed"
                learner.error = f"{type(error).__name__}: {error}"
        self.compiling = False

    def _say_compiling(self) -> None:
        self.compiling = True

    def _timed_look(self, body: Any) -> dict[str, Any]:
        started = time.monotonic()
        answers = []
        for learner in self.learners:
            with use_backend(learner.setting.backend), np.errstate(all="ignore"):
                answers.append(look.look(learner, body, exact=not self.running))
        now = time.monotonic()
        self._free_from = now + REST * (now - started) if self.running else now
        return self._state() | {"learners": answers}
