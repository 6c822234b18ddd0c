"""The team of threads: equal bits however many there are, errors, forks, and the end of
the process.
"""

import inspect
import os
import threading

import numba
import numpy as np
import pytest

import minicnn
from minicnn.kernels.numba_fast.engine import team
from minicnn.nn import functional as F
from tests.support.scripts import TIMEOUT, run, two_steps

needs_compilation = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT: nothing is compiled")


@pytest.fixture(autouse=True)
def four_cores_and_nobody_else(monkeypatch):
    """A team never has more threads than cores, nor goes on where a helper is late;
    here it shall.
    """
    monkeypatch.setattr(team, "CORES", 4)
    monkeypatch.setattr(team, "LATE", TIMEOUT)
    monkeypatch.setattr(team._team, "alone", 0)


def convolution_of(x_shape, weight_shape, **arguments):
    """A computation: the output and all gradients of a convolution, as bytes."""

    def compute():
        rng = np.random.default_rng(1)
        x, weight = rng.standard_normal(x_shape, np.float32), rng.standard_normal(weight_shape, np.float32)
        output = F.conv2d(x, weight, **arguments)
        gradient = F.relu(rng.standard_normal(output.shape, np.float32) - 0.7)  # one in four is not 0
        dense = rng.standard_normal(output.shape, np.float32)
        both = [*F.conv2d_backward(gradient, x, weight, **arguments), *F.conv2d_backward(dense, x, weight, **arguments)]
        return [array.tobytes() for array in (output, *both)]

    return compute


def transposed_convolution():
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((8, 32, 13, 13), np.float32), rng.standard_normal((32, 16, 4, 4), np.float32)
    output = F.conv_transpose2d(x, weight, stride=2, padding=1)
    grads = F.conv_transpose2d_backward(np.sin(output), x, weight, stride=2, padding=1)
    return [array.tobytes() for array in (output, *grads)]


def pooling():
    x = np.random.default_rng(3).standard_normal((8, 32, 40, 40), np.float32)
    output, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    return [output.tobytes(), indices.tobytes(), F.max_pool2d_backward(output, indices, x.shape, 3, 2, 1).tobytes()]


COMPUTATIONS = {
    "two steps of SimpleCNN": two_steps,
    "stride": convolution_of((8, 16, 33, 31), (24, 16, 3, 3), stride=2, padding=1),
    "groups": convolution_of((8, 32, 20, 20), (32, 8, 3, 3), padding=1, groups=4),
    "depthwise": convolution_of((8, 32, 28, 28), (32, 1, 3, 3), padding=1, groups=32),
    "dilation": convolution_of((8, 16, 28, 28), (16, 16, 3, 3), padding=2, dilation=2),
    "one image": convolution_of((1, 16, 64, 64), (32, 16, 3, 3), padding=1),
    "few pixels": convolution_of((16, 128, 3, 3), (144, 128, 3, 3), padding=1),
    "one pixel": convolution_of((16, 96, 4, 4), (128, 96, 4, 4)),
    "transposed": transposed_convolution,
    "pooling": pooling,
}


def places(found, expected):
    """How many float32 numbers of each array differ, by how much, and where the first
    and the last of them stand.
    """
    for a, b in (
        (np.frombuffer(x, np.float32), np.frombuffer(y, np.float32)) for x, y in zip(found, expected, strict=True)
    ):
        where = np.flatnonzero(a.view(np.int32) != b.view(np.int32))
        if where.size:
            return (
                f"the first in {where.size} of {a.size} numbers, up to {np.abs(a - b).max()}, places {where[[0, -1]]}"
            )
    return "nowhere"


def told(again, found, expected):
    """Which side was odd: what a second computation agrees with."""
    return {(True, False): "as expected", (False, True): "as found"}.get((again == expected, again == found), "neither")


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_one_two_three_and_four_threads_give_the_same_bits_run_after_run(name):
    expected = COMPUTATIONS[name]()
    for threads in (1, 2, 3, 4):
        minicnn.set_num_threads(threads)
        for _ in range(3):
            found = COMPUTATIONS[name]()
            different = [i for i, both in enumerate(zip(found, expected, strict=True)) if both[0] != both[1]]
            if different:
                again = COMPUTATIONS[name]()
                minicnn.set_num_threads(1)
                alone = COMPUTATIONS[name]()
                pytest.fail(
                    f"{minicnn.get_backend()}, {threads} threads: array(s) {different} differ, "
                    f"{places(found, expected)}. Computed again on {threads} threads they are "
                    f"{told(again, found, expected)}, on one thread {told(alone, found, expected)}."
                )


def side_by_side(*calls):
    """Each call in a Python thread of its own, all begun together; their results."""
    results, start = [None] * len(calls), threading.Barrier(len(calls))

    def call(k):
        start.wait()
        results[k] = calls[k]()

    running = [threading.Thread(target=call, args=(k,), daemon=True) for k in range(len(calls))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), "a thread hangs"
    return results


@pytest.mark.parametrize("names", [["stride"] * 2, ["transposed", "pooling"], list(COMPUTATIONS)[:4]], ids=", ".join)
def test_python_threads_that_compute_at_once_get_what_each_gets_alone(names):
    expected = [COMPUTATIONS[name]() for name in names]
    minicnn.set_num_threads(2)
    repeated = [lambda name=name: [COMPUTATIONS[name]() for _ in range(5)] for name in names]
    for results, right in zip(side_by_side(*repeated), expected, strict=True):
        assert all(result == right for result in results or [None])


def test_the_number_of_threads_may_change_while_others_compute():
    names, done = ("stride", "two steps of SimpleCNN", "pooling"), threading.Event()
    expected = [COMPUTATIONS[name]() for name in names]

    def compute():
        try:
            return [[COMPUTATIONS[name]() for name in names] for _ in range(5)]
        finally:
            done.set()

    def change():
        while not done.is_set():
            for threads in (4, 1, 3, 2):
                minicnn.set_num_threads(threads)

    assert side_by_side(compute, change)[0] == [expected] * 5


class Watched:
    """Loops in Python: part 0 waits until a helper has begun as well, which then does
    what it is told to.
    """

    def __init__(self, in_helper):
        self.in_helper, self.helper_began = in_helper, threading.Event()
        self.caller = threading.current_thread()

    def __call__(self, counter, parts, done):
        helper = threading.current_thread() is not self.caller
        while (part := team.next_part(counter)) < parts:
            if helper:
                self.helper_began.set()
                self.in_helper()
            else:
                assert self.helper_began.wait(TIMEOUT), "no helper came"
            done[part] += 1


def test_a_helper_shares_the_work_and_every_part_is_done_once():
    minicnn.set_num_threads(2)
    for _ in range(20):
        done = np.zeros(50)
        team.parallel(Watched(lambda: None), 50, done)
        np.testing.assert_array_equal(done, 1)


@needs_compilation
def test_compiled_loops_take_every_part_once_however_fast_two_threads_take_them():
    @numba.njit(nogil=True)
    def count(counter, parts, done):
        part = team.next_part(counter)
        while part < parts:
            done[part] += 1
            part = team.next_part(counter)

    minicnn.set_num_threads(2)
    for _ in range(20):  # on a busy machine the two seldom run at once
        done = np.zeros(500_000, np.uint8)
        team.parallel(count, done.size, done)
        assert (done == 1).all(), np.unique(done, return_counts=True)


def test_a_helper_that_comes_when_the_call_is_over_does_not_join(monkeypatch):
    over = threading.Event()
    passed = threading.Event()
    ours = team._Team()
    joins = []
    join = team._join

    def join_late(counter):
        assert over.wait(TIMEOUT), "the call does not end"
        joins.append(join(counter))
        passed.set()
        return joins[-1]

    def count(counter, parts, done):
        while (part := team.next_part(counter)) < parts:
            done[part] += 1

    monkeypatch.setattr(team, "_join", join_late)
    done = np.zeros(50)
    assert ours.run(count, (50, done), 1)
    np.testing.assert_array_equal(done, 1)
    over.set()
    assert passed.wait(TIMEOUT), "no helper came"
    assert joins == [False]


def test_an_error_in_a_helper_is_raised_by_the_call_and_the_next_one_works():
    minicnn.set_num_threads(2)
    for _ in range(3):
        with pytest.raises(MemoryError, match="of a helper"):
            team.parallel(Watched(raiser(MemoryError("of a helper"))), 50, np.zeros(50))
        test_a_helper_shares_the_work_and_every_part_is_done_once()


def raiser(error):
    def fail():
        raise error

    return fail


def test_an_error_in_the_calling_thread_waits_for_the_helpers():
    minicnn.set_num_threads(2)
    caller, began, ended = threading.current_thread(), threading.Event(), []

    def loops(counter, parts):
        part = team.next_part(counter)
        if threading.current_thread() is not caller:
            began.set()
            threading.Event().wait(0.1)
            ended.append(part)
        else:
            assert began.wait(TIMEOUT), "no helper came"
            raise MemoryError("of the caller")

    with pytest.raises(MemoryError, match="of the caller"):
        team.parallel(loops, 2)
    assert len(ended) == 1


def test_where_the_system_starts_no_thread_the_asking_one_works_alone(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team, "_team", team._Team())
    x = np.ones(1 << 18)
    minicnn.set_num_threads(4)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        assert F.relu(x).sum() == x.size
        assert not any(helper.is_alive() for helper in team._team.helpers.values())
    assert F.relu(x).sum() == x.size
    assert any(helper.is_alive() for helper in team._team.helpers.values())  # as soon as it does, they help


# ---------------------------------------------------------------------------- processes

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
FORK = """
def forked(function):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if function() else 3)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

"""


@forks
@pytest.mark.parametrize("threads", [2, 4])
def test_a_forked_child_computes_the_same_and_so_does_its_own_child(tmp_path, threads):
    script = f"""
        minicnn.set_num_threads({threads})
        expected = two_steps()
        assert forked(lambda: two_steps() == expected and forked(lambda: two_steps() == expected) == 0) == 0
        assert two_steps() == expected
    """
    run(tmp_path, FORK + inspect.cleandoc(script))


@forks
def test_a_child_forked_while_another_thread_is_inside_a_kernel_computes_the_same(tmp_path):
    script = """
        minicnn.set_num_threads(2)
        expected, over, rounds = two_steps(), threading.Event(), []
        mine, *theirs = [minicnn.models.SimpleCNN() for _ in range(3)]
        def compute(model):
            while not over.is_set():
                rounds.append(two_steps(model) == expected)
        threads = [threading.Thread(target=compute, args=(model,), daemon=True) for model in theirs]
        for thread in threads:
            thread.start()
        for _ in range(20):
            assert forked(lambda: two_steps(mine) == expected) == 0
        over.set()
        for thread in threads:
            thread.join()
        assert rounds and all(rounds)
    """
    run(tmp_path, FORK + inspect.cleandoc(script))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_children_of_multiprocessing_compute_the_same(tmp_path, method):
    if method not in __import__("multiprocessing").get_all_start_methods():
        pytest.skip(f"no {method} here")
    script = f"""
        if __name__ == "__main__":
            minicnn.set_num_threads(2)
            expected = two_steps()
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                assert pool.map(two_steps, [None] * 4) == [expected] * 4
            assert two_steps() == expected
    """
    run(tmp_path, script)


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "threading.Thread(target=two_steps).start()"])
def test_the_interpreter_ends_while_helpers_wait_for_work(tmp_path, end):
    assert run(tmp_path, f"minicnn.set_num_threads(4); two_steps()\n{end}") == ""
