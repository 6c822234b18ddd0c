"""An exception between any two lines, as Ctrl-C brings it: a job is done or not done,
never later, and no thread is lost.
"""

import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest

import minicnn
from minicnn.kernels.numba_fast import optimizers
from minicnn.kernels.numba_fast.engine import machine, team
from tests.support.interruption import interrupted
from tests.support.scripts import TIMEOUT

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT: one thread does it all")
PARTS = 2000


@numba.njit(nogil=True)
def count(counter, parts, done):
    part = team.next_part(counter)
    while part < parts:
        done[part] += 1
        part = team.next_part(counter)


def shared(ours):
    """A job that ends only when a helper has come."""
    caller = threading.current_thread()
    came = threading.Event()

    def loops(counter, parts):
        while team.next_part(counter) < parts:
            if threading.current_thread() is caller:
                assert came.wait(TIMEOUT), "no helper came"
            came.set()

    return lambda: ours.run(loops, (4,), 1)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(team, "CORES", 2)
    monkeypatch.setattr(team, "LATE", TIMEOUT)
    minicnn.set_num_threads(2)


def helpers_asleep(ours):
    deadline = time.monotonic() + TIMEOUT
    while not all(helper.asleep for helper in ours.helpers.values()):
        assert time.monotonic() < deadline, "a helper does not fall asleep"
        time.sleep(0.001)


@pytest.mark.parametrize("situation", ["no helper yet", "a helper asleep"])
def test_an_exception_at_any_line_of_the_team_leaves_a_job_done_or_not_done_and_all_threads(situation):
    line = 0
    going = True
    ours = team._Team()
    while going:
        line += 1
        if situation == "no helper yet":
            ours = team._Team()
        else:
            shared(ours)()
            helpers_asleep(ours)
        done = np.zeros(PARTS, np.int64)
        call = lambda ours=ours, done=done: ours.run(count, (PARTS, done), 1)
        going = interrupted(call, ("engine/team.py",), line)
        after = done.copy()
        assert set(after) <= ({0, 1} if going else {1}), f"line event {line}"
        assert len(set(after)) == 1, f"line event {line}: half done"
        assert shared(ours)(), f"line event {line}: the team stays busy"
        np.testing.assert_array_equal(done, after, f"line event {line}: it went on behind it")
        assert [helper.is_alive() for helper in ours.helpers.values()] == [True], f"line event {line}"
    assert line > 30


def test_an_exception_at_any_line_of_an_optimisers_step_leaves_each_array_old_or_new():
    rng = np.random.default_rng(0)
    start, grad = rng.standard_normal((2, 2, 4 * optimizers.SHARE), np.float32)
    folder = Path("kernels", "numba_fast")
    files = (
        *(str(folder / name) for name in ("engine/team.py", "optimizers.py")),
        *(str(Path("optim", name)) for name in ("adam.py", "optimizer.py")),
    )

    def stepper():
        parameters = [minicnn.nn.Parameter(row.copy()) for row in start]
        for parameter, row in zip(parameters, grad, strict=True):
            parameter.grad = row.copy()
        return parameters, minicnn.optim.Adam(parameters, lr=0.1)

    parameters, optimizer = stepper()
    optimizer.step()
    new = [parameter.data.copy() for parameter in parameters]
    line = 0
    going = True
    while going:
        line += 1
        parameters, optimizer = stepper()
        going = interrupted(optimizer.step, files, line)
        after = [parameter.data.copy() for parameter in parameters]
        for found, old, right in zip(after, start, new, strict=True):
            assert np.array_equal(found, old) or np.array_equal(found, right), f"line event {line}: half done"
        assert shared(team._team)(), f"line event {line}: the team stays busy"
        for found, parameter in zip(after, parameters, strict=True):
            np.testing.assert_array_equal(parameter.data, found, f"line event {line}: it went on behind it")
    assert line > 60
    for found, right in zip(after, new, strict=True):
        np.testing.assert_array_equal(found, right)


def test_a_claim_that_another_thread_holds_is_not_taken_away():
    """Who finds the team busy works alone, and leaves the other one's job as it is."""
    ours = team._Team()
    inside = threading.Event()
    over = threading.Event()

    def wait(counter, parts):
        while team.next_part(counter) < parts:
            inside.set()
            assert over.wait(TIMEOUT)

    other = threading.Thread(target=ours.run, args=(wait, (1,), 1), daemon=True)
    other.start()
    assert inside.wait(TIMEOUT)
    assert ours.run(count, (PARTS, np.zeros(PARTS, np.int64)), 1) is False
    assert ours.run(count, (PARTS, np.zeros(PARTS, np.int64)), 1) is False
    over.set()
    other.join(TIMEOUT)
    assert shared(ours)()


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_that_python_turned_into_a_system_error_is_ctrl_c(threads):
    """So CPython tells of a function that returned although an exception was set."""

    def loops(counter, parts):
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    minicnn.set_num_threads(threads)
    with pytest.raises(KeyboardInterrupt):
        team.parallel(loops, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_any_other_system_error_stays_one(threads):
    def loops(counter, parts):
        raise SystemError("of another kind")

    minicnn.set_num_threads(threads)
    with pytest.raises(SystemError, match="of another kind"):
        team.parallel(loops, 2)


# ----------------------------------------------------------------- the asking thread's mode


FLUSH = 1 << 24 if machine.ARM else 0x8040  # of FPCR, of MXCSR


@numba.njit(nogil=True)
def read_modes(counter, parts, modes, rungs):
    part = team.next_part(counter)
    while part < parts:
        modes[part] = machine.floating_mode()
        while part == 0 and rungs[0] == 0:
            machine.fence()
        rungs[0] = part
        part = team.next_part(counter)


@numba.njit
def change_mode(bits):
    before = machine.floating_mode()
    machine.set_floating_mode(before | bits)
    return before


@numba.njit
def restore_mode(mode):
    machine.set_floating_mode(mode)


needs_mode = pytest.mark.skipif(not (machine.X86 or machine.ARM), reason="this processor's mode cannot be read")


@needs_mode
@pytest.mark.parametrize("flush", [True, False])
def test_helpers_flush_denormal_numbers_where_the_asking_thread_does_and_nowhere_else(flush):
    """The mode belongs to a thread, so without care the bits would depend on who
    computes which part.
    """
    ours = team._Team()
    modes = np.zeros(2, np.int64)
    for wanted in (flush, not flush):
        before = change_mode(FLUSH if wanted else 0)
        try:
            assert ours.run(read_modes, (2, modes, np.zeros(1, np.int64)), 1)
        finally:
            restore_mode(before)
        assert [bool(mode & FLUSH) for mode in modes] == [wanted, wanted]


@needs_mode
def test_the_mode_that_torch_sets_holds_for_all_threads():
    torch = pytest.importorskip("torch")
    ours = team._Team()
    modes = np.zeros(2, np.int64)
    if not torch.set_flush_denormal(True):
        pytest.skip("torch cannot set it here")
    try:
        assert ours.run(read_modes, (2, modes, np.zeros(1, np.int64)), 1)
    finally:
        torch.set_flush_denormal(False)
    assert modes[0] == modes[1]
    assert modes[0] & FLUSH == FLUSH


# -------------------------------------------------------------------- where cores are taken


def test_after_a_helper_that_came_late_jobs_are_done_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(team, "LATE", 0)
    ours = team._Team()
    monkeypatch.setattr(team, "_team", ours)
    for times in (1, 2, 4):
        ours.judge(worked=1e-3, waited=2e-3)
        assert ours.alone == ours.pause == times * team.PAUSE
    done = np.zeros(PARTS, np.int64)
    team.parallel(count, PARTS, done)
    np.testing.assert_array_equal(done, 1)
    assert ours.alone == 4 * team.PAUSE - 1
    assert not ours.helpers
    ours.alone = 0
    team.parallel(count, PARTS, done)
    assert ours.helpers
    for _ in range(3):
        ours.judge(worked=1e-3, waited=1e-4)
    assert ours.pause <= team.PAUSE


def test_there_are_never_more_threads_than_cores(monkeypatch):
    ours = team._Team()
    monkeypatch.setattr(team, "_team", ours)
    minicnn.set_num_threads(8)
    done = np.zeros(PARTS, np.int64)
    for _ in range(10):
        team.parallel(count, PARTS, done)
    assert list(ours.helpers) == [1]
