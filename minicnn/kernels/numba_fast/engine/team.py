"""The parallel engine: a kernel's work is cut into numbered parts, and a few threads
take the next part until none is left.

A compiled loop begins with `part = next_part(team)` and goes on while `part < parts`.
It runs without the GIL (nogil=True), so Python's own threads run it side by side. What
a part computes, and where it puts the result, depends on its number alone, never on who
computes it or on how many do: the number of threads changes no bit.

Why not Numba's `prange`? Its threads come from OpenMP, TBB or its own "workqueue". The
workqueue layer ends the process when two Python threads compute at once, and after a
fork the child of a process that has used OpenMP is aborted; DataLoader workers and web
servers do both.

Why helpers spin before they sleep: woken through a queue or a semaphore, a helper
starts 50 to 100 us late, because its core has gone idle. Polling one memory cell (the
bell) brings that down to 5 us.

    the thread that asks            a helper
    --------------------            --------
    publishes the job               watches the bell; after 10 ms it falls asleep
    wakes the sleepers
    takes part 0, which rings       sees the bell, goes in by the door: joined
    takes parts ...                 takes parts ...
    closes the door                 (who comes now stays outside)
    waits for those who joined      reports that it has left, and watches again

If the helpers are busy with another Python thread's kernel, the thread works alone. A
forked child has no helpers and starts its own. If a helper misses the ring because it
is just going to sleep, it finds the job at its next check, at most 10 ms later.

An exception may come between any two lines, because Ctrl-C does. So a job is claimed,
published and ended in one `try`, and its end is written so that it may be repeated: a
job is done or not done when `parallel` returns or raises, and never goes on behind it.

What one thread wrote must be seen by the other: the parts before LEFT is read, the mode
before the door is passed. The counters are added to with sequential consistency, which
orders both on every processor. Two places read without adding, the bell and LEFT; there
a fence stands before and behind the loop. On x86 the second one costs nothing that the
first does not; on ARM results might be read before it.

On a machine whose cores are taken by others, a helper is put aside in the middle of a
part, and the asking thread waits for it longer than it would have worked. After such a
wait the next jobs are done alone: 32 at first, twice as many each time it happens
again.
"""

import os
import threading
import time
from functools import lru_cache

import numpy as np
from numba import config

from ...threads import cores, get_num_threads
from .compilation import compiled
from .machine import fence, fetch_add, floating_mode, set_floating_mode

# A job's counters: the next part; who has come to the door; how many helpers were let in
# before it was closed, and how many of them have left; how the asking thread rounds.
NEXT, DOOR, JOINED, LEFT, MODE = range(5)
CLOSED = 1 << 32  # added to DOOR

# Looks at the bell before a helper goes to sleep: some 10 ms, as long as a training step,
# lest it sleep within one. With a fortieth of that a step takes 8.0 instead of 7.4 ms, and
# now and then 13: the system then puts both threads on one core.
WATCH = 400_000
GLANCE = 10_000  # the same where the cores are taken
CORES = cores()  # more threads than that would only wait for each other
LATE = 5e-4  # seconds that the asking thread waits without a thought
PAUSE = 32  # jobs done alone after a longer wait, at first
LONGEST_PAUSE = 1024


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
def _watch_loops(counter, bell, rung, looks):
    """A helper between two kernels: reports that it has left the last one, then waits
    for the bell.
    """
    fetch_add(counter, LEFT)
    for _ in range(looks):
        fence()
        if bell[0] != rung:
            return True
    return False


@compiled()
def _note_mode(counter):
    counter[MODE] = floating_mode()


@compiled()
def _join(counter):
    """A helper at the door: whether it is open. Who goes in computes in the asking
    thread's mode.
    """
    if fetch_add(counter, DOOR) >= CLOSED:
        return False
    set_floating_mode(counter[MODE])
    return True


@compiled()
def _close(counter):
    """Close the door, if it is not closed; how many helpers had gone in."""
    came = fetch_add(counter, DOOR, CLOSED)
    if came < CLOSED:
        counter[JOINED] = came
    return counter[JOINED]


@compiled()
def _await_loops(counter, helpers, looks):
    """Until the helpers that began have left."""
    left = False
    for _ in range(looks):
        fence()
        if counter[LEFT] == helpers:
            left = True
            break
    fence()
    return left


class _Job:
    def __init__(self, loops, arguments, helpers):
        self.loops = loops
        self.arguments = arguments
        self.helpers = helpers  # of the ranks 1 to helpers
        self.counter = np.zeros(5, np.int64)
        self.ended = False
        self.error = None


class _Helper(threading.Thread):
    """One of the threads that help; with n threads those of rank 1 to n - 1 join, the
    others look on.
    """

    def __init__(self, team, rank):
        super().__init__(name="minicnn-helper", daemon=True)
        self.team = team
        self.rank = rank
        self.asleep = False
        self.pillow = threading.Lock()  # released by whoever wakes it
        self.pillow.acquire()

    def run(self):
        """`seen` is the last job it looked at; `counter` is where it reports that it
        has left, a job's or nobody's.
        """
        seen = None
        counter = np.zeros(5, np.int64)
        while True:
            rang = _watch_loops(counter, self.team.bell, self.team.bell[0], GLANCE if self.team.pause else WATCH)
            if not rang and self.team.job is seen:
                self.sleep(seen)
            counter = np.zeros(5, np.int64)
            job = self.team.job
            if job is seen:
                continue
            seen = job
            if self.rank <= job.helpers and _join(job.counter):
                counter = job.counter
                try:
                    job.loops((counter, self.team.bell), *job.arguments)
                except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
                    job.error = error

    def sleep(self, seen):
        self.asleep = True
        if self.team.job is seen:  # otherwise a job came in between
            self.pillow.acquire()
        self.asleep = False

    def wake(self):
        """Twice is not once too often: then it looks for a job, finds none and sleeps again."""
        if self.asleep and self.pillow.locked():
            self.pillow.release()


class _Team:
    """The helpers, and the one job that they are at."""

    def __init__(self):
        self.bell = np.zeros(1, np.int64)
        self.claim = {}  # "job": the one that the team is at. setdefault is one step, and says whose the team is
        self.helpers = {}  # by rank
        self.job = None  # the last one that was published
        self.alone = 0  # jobs to be done alone, because the cores are taken
        self.pause = 0  # how many the last time

    def run(self, loops, arguments, helpers):
        """The asking thread's side of a job. False: the team is busy, nothing was done."""
        job = _Job(loops, arguments, helpers)
        try:
            try:
                if self.claim.setdefault("job", job) is not job:
                    return False
                self.begin(job)
                began = time.perf_counter()
                loops((job.counter, self.bell), *arguments)
                worked = time.perf_counter() - began
            finally:
                self.end(job)
        finally:
            self.end(job)  # again: an exception may have fallen into the first one
        if job.error is not None:
            raise job.error
        self.judge(worked, time.perf_counter() - began - worked)
        return True

    def begin(self, job):
        """Publish it, and see that its helpers are there and awake."""
        _note_mode(job.counter)
        self.job = job
        for rank in range(1, job.helpers + 1):
            helper = self.helpers.get(rank)
            if helper is None or not helper.is_alive():
                helper = self.helpers[rank] = _Helper(self, rank)
                try:
                    helper.start()
                except RuntimeError:  # the system starts no thread more: those that there are do the work
                    break
            helper.wake()

    def end(self, job):
        """Nobody joins any more, those who joined have left, and the team is free. May
        be repeated.
        """
        if job.ended:
            return
        joined = _close(job.counter)
        while not _await_loops(job.counter, joined, GLANCE):
            time.sleep(1e-4)
        job.arguments = None  # a finished job keeps no array alive
        if self.claim.get("job") is job:
            self.claim.clear()
        job.ended = True

    def judge(self, worked, waited):
        """Work alone for a while if a helper was waited for longer than it could have
        worked.
        """
        if waited > max(worked, LATE):
            self.pause = min(max(PAUSE, 2 * self.pause), LONGEST_PAUSE)
            self.alone = self.pause
        else:
            self.pause //= 2


_team = _Team()


@lru_cache(maxsize=1024)
def plain(named):
    """A named tuple of numbers, and those in it, as plain tuples.

    Numba finds out the type of a plain tuple in C, that of a named one in Python, which takes
    1.2 us, in each thread. So loops are handed plain ones, and name their parts themselves.
    """
    return tuple(plain(value) if isinstance(value, tuple) else value for value in named)


def parallel(loops, parts, *arguments):
    """loops(team, parts, *arguments) on each thread; returns when all the parts are done.

    Ctrl-C in the moment in which compiled code begins or ends may come out of Python as a
    SystemError that was caused by KeyboardInterrupt; it is raised as what it is.
    """
    try:
        _share(loops, parts, arguments)
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _share(loops, parts, arguments):
    helpers = min(get_num_threads(), CORES, parts) - 1
    if helpers < 1 or config.DISABLE_JIT:
        _work_alone(loops, parts, arguments)
    elif _team.alone > 0:
        _team.alone -= 1
        _work_alone(loops, parts, arguments)
    elif not _team.run(loops, (parts, *arguments), helpers):
        _work_alone(loops, parts, arguments)


def _work_alone(loops, parts, arguments):
    loops((np.zeros(5, np.int64), np.zeros(1, np.int64)), parts, *arguments)


def _new_team():
    """Threads do not survive a fork: the child begins with a team of its own, without
    helpers.
    """
    global _team
    _team = _Team()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_team)
