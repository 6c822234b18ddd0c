"""The parallel engine: a kernel's work is cut into numbered parts, and a few threads
take the next part until none is left.

A compiled loop begins with `part = next_part(team)` and goes on while `part < parts`.
It runs without the GIL (nogil=True), so plain Python threads run it side by side. What
a part computes, and where it puts the result, depends on its number alone, never on who
computes it or on how many do: the number of threads changes no bit.

    the thread that asks            a helper
    --------------------            --------
    publishes the job               watches the bell; after 10 ms it falls asleep
    wakes the sleepers
    takes part 0, which rings       sees the bell, goes in by the door: joined
    takes parts ...                 takes parts ...
    closes the door                 (who comes now stays outside)
    waits for those who joined      reports that it has left, and watches again

If the helpers are busy with another Python thread's kernel, the thread works alone. A
forked child has no helpers and starts its own. A ring that a helper misses, between two
looks, delays it by those 10 ms at most: then it looks whether a job came.

    started through a queue or a semaphore a helper comes 50 to 100 us late (the idle core
    sleeps); so it first watches a memory cell for a while, the bell, which the asking
    thread rings when it no longer holds the GIL: 5 us
"""

import contextlib
import os
import threading
import time

import numpy as np
from numba import config

from ...threads import get_num_threads
from .compilation import compiled
from .machine import fence, fetch_add

NEXT, LEFT = 0, 1  # a job's counter: the next part, and how many helpers have left

# Looks at the bell before a helper goes to sleep: some 10 ms, as long as a training
# step, lest it sleep within one. With a fortieth of that a step takes 8.0 instead of
# 7.4 ms, and now and then 13: the system then puts both threads on one core.
WATCH = 400_000


@compiled()
def next_part(team):
    """The number of the next part. Whoever takes the first one rings: now the asking
    thread has let the GIL go.
    """
    counter, bell = team
    part = fetch_add(counter, NEXT)
    if part == 0:
        fetch_add(bell, 0)
    return part


@compiled()
def _watch_loops(counter, bell, rung):
    """A helper between two kernels: reports that it has left the last one, then waits
    for the bell.
    """
    fetch_add(counter, LEFT)
    for _ in range(WATCH):
        fence()
        if bell[0] != rung:
            return True
    return False


@compiled()
def _await_loops(counter, helpers):
    """Until the helpers that began have left."""
    for _ in range(WATCH):
        fence()
        if counter[LEFT] == helpers:
            return True
    return False


class _Job:
    def __init__(self, loops, arguments):
        self.loops, self.arguments = loops, arguments
        self.counter = np.zeros(2, np.int64)
        self.joined = 0  # helpers
        self.open = True  # the door
        self.error = None


class _Team:
    """The helpers, and the one job that they are at."""

    def __init__(self):
        self.bell = np.zeros(1, np.int64)
        self.busy = threading.Lock()  # held by the thread whose job it is
        self.door = threading.Lock()  # held for a moment, to join a job or to close it
        self.asleep = []
        self.helpers = 0
        self.job, self.number = None, 0

    def run(self, loops, arguments, helpers):
        """The asking thread's side of a job."""
        self.job = job = _Job(loops, arguments)
        self.number += 1
        with contextlib.suppress(RuntimeError):  # the system starts no thread more: those that there are do the work
            while self.helpers < helpers:
                rank = self.helpers + 1
                threading.Thread(target=self.help, args=(rank,), name="minicnn-helper", daemon=True).start()
                self.helpers = rank
        while self.asleep:
            self.asleep.pop().release()
        try:
            loops((job.counter, self.bell), *arguments)
        finally:
            with self.door:
                job.open = False
            while not _await_loops(job.counter, job.joined):
                time.sleep(1e-4)
            job.arguments = None  # a finished job keeps no array alive
        if job.error is not None:
            raise job.error

    def help(self, rank):
        """A helper's life. With n threads the first n - 1 helpers join, the others look on.

        `number` is that of the last job it has seen; `counter` is where it reports that
        it has left, of a job or of none.
        """
        number, counter = 0, np.zeros(2, np.int64)
        while True:
            if not _watch_loops(counter, self.bell, self.bell[0]) and self.number == number:
                pillow = threading.Lock()
                pillow.acquire()
                self.asleep.append(pillow)
                if self.number == number:  # otherwise a job came in between
                    pillow.acquire()
            counter = np.zeros(2, np.int64)
            if self.number == number:
                continue
            number, job = self.number, self.job
            with self.door:
                joins = job.open and rank < get_num_threads()
                job.joined += joins
            if joins:
                counter = job.counter
                try:
                    job.loops((counter, self.bell), *job.arguments)
                except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
                    job.error = error


_team = _Team()


def parallel(loops, parts, *arguments):
    """loops(team, parts, *arguments) on each thread; returns when all the parts are done."""
    helpers = min(get_num_threads(), parts) - 1
    if helpers < 1 or config.DISABLE_JIT or not _team.busy.acquire(blocking=False):
        loops((np.zeros(2, np.int64), np.zeros(1, np.int64)), parts, *arguments)
        return
    try:
        _team.run(loops, (parts, *arguments), helpers)
    finally:
        _team.busy.release()


def _new_team():
    """Threads do not survive a fork: the child begins with a team of its own, without
    helpers.
    """
    global _team
    _team = _Team()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_team)
