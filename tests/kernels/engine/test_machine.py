"""What is written as LLVM's instructions, beside the Python functions that stand for
them without compilation.
"""

import re

import numba
import numpy as np
import pytest

from minicnn.kernels.numba_fast.engine import machine, vectors
from tests.support import strategies

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT: nothing is compiled")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_compiled_registers_hold_what_the_python_functions_say_wherever_they_begin(dtype):
    @numba.njit
    def compute(target, to, a, at, b, begin, factor):
        sums = vectors.multiply_add(vectors.load(a, at, WIDTH), factor, vectors.load(b, begin, WIDTH))
        vectors.store(target, to, sums)

    WIDTH, rng, size = (0,) * 3, np.random.default_rng(0), 3 * vectors.LANES
    a, b = (strategies.integers(rng, size + 9).astype(dtype) for _ in range(2))
    target, factor = np.arange(size + 5).astype(dtype), np.dtype(dtype).type(3)
    for to, at, begin in [(0, 0, 0), (1, 3, 7), (5, 9, 9), (2, 1, 0)]:  # most of them lie across cache lines
        found, expected = target.copy(), target.copy()
        compute(found, np.uint64(to), a, np.uint64(at), b, np.uint64(begin), factor)
        compute.py_func(expected, to, a, at, b, begin, factor)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(expected[to : to + size], a[at : at + size] + factor * b[begin : begin + size])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_compiled_a_part_of_a_register_touches_no_number_behind_it(dtype):
    @numba.njit
    def compute(target, to, behind, a, at, count):
        vectors.store_some(target, to, vectors.load_some(a, at, count), count)
        vectors.store(target, behind, vectors.load_some(a, at, count))

    a = np.arange(1, 30).astype(dtype)
    for count in (0, 1, 7, vectors.LANES):
        for at in (0, 3, a.size - count):  # the last ones end where the array does
            found, expected = np.full((2, 60), -1, dtype)
            compute(found, np.uint64(5), np.uint64(25), a, np.uint64(at), count)
            compute.py_func(expected, 5, 25, a, at, count)
            np.testing.assert_array_equal(found, expected)
            right = np.full(60, -1, dtype)
            right[25 : 25 + vectors.LANES] = 0
            right[5 : 5 + count] = right[25 : 25 + count] = a[at : at + count]
            np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_compiled_lanes_are_added_in_the_order_of_the_python_function(dtype, count):
    """The numbers are of very different sizes: in any other order the sum would be
    rounded to another number.
    """

    @numba.njit
    def compute(a, b, number):
        start = vectors.beginning_with(number, WIDTH)
        product = vectors.multiply_add(
            start, vectors.load(a, np.uint64(0), WIDTH), vectors.load(b, np.uint64(0), WIDTH)
        )
        return vectors.add_lanes(product)

    WIDTH, rng = (0,) * count, np.random.default_rng(count)
    for _ in range(20):
        a = np.exp2(rng.integers(0, 24, vectors.LANES * count)).astype(dtype)  # times it there is nothing to round
        b = rng.integers(-99, 99, a.size).astype(dtype)
        number = np.dtype(dtype).type(rng.integers(99))
        found = compute(a, b, number)
        assert found == compute.py_func(a, b, number)
        if np.issubdtype(dtype, np.integer):
            assert found == number + (a * b).sum()


def test_compiled_a_fused_product_is_rounded_once():
    @numba.njit
    def compute(a, b, c):
        return machine.fused(a, b, c)

    for dtype, bits in (("float32", 14), ("float64", 30)):
        one, tiny = np.dtype(dtype).type(1), np.dtype(dtype).type(2.0**-bits)
        assert compute(one + tiny, one - tiny, -one) == -tiny * tiny  # 1 - tiny^2 by itself is rounded to 1


def test_compiled_the_lowest_bit_is_found_where_the_python_function_finds_it():
    @numba.njit
    def find(word):
        return machine.trailing_zeros(word)

    words = [np.uint64(1) << np.uint64(bit) for bit in range(64)]
    words += list(np.random.default_rng(0).integers(1, 2**63, 50, np.uint64))
    assert [int(find(word)) for word in words] == [int(machine.trailing_zeros(word)) for word in words]


def test_compiled_an_addition_that_threads_share_is_one_instruction():
    """What two threads do to it is a matter of chance; whether they can is written in
    the code.
    """

    @numba.njit
    def add(array, index):
        return machine.fetch_add(array, index)

    array = np.array([5, 7])
    assert (add(array, 1), array.tolist()) == (7, [5, 8])
    (code,) = add.inspect_llvm().values()
    assert re.search("atomicrmw add .* seq_cst", code)
