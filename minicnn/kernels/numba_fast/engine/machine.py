"""Words to the machine that Numba has no name for: an atomic addition, a fence, a fused
multiply-add, a search for a bit.

Each is a Python function that does the same for one thread, and an overload that Numba
compiles instead of it.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload


def fetch_add(array, index):
    """array[index] += 1 as one step that no other thread can interrupt; the value before."""
    before = array[index]
    array[index] += 1
    return before


def fence():
    """What other threads wrote to memory is seen by the next read: without it a waiting
    loop reads once and spins forever.
    """


def fused(a, b, c):
    """a * b + c, rounded once."""
    return a * b + c


def trailing_zeros(word):
    """The place of the lowest bit that is set; one is."""
    return np.uint64((int(word) & -int(word)).bit_length() - 1)


@intrinsic
def _fetch_add(typingctx, array, index):
    def emit(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(context, builder, array, view, [arguments[1]], wraparound=False)
        return builder.atomic_rmw("add", pointer, context.get_constant(types.int64, 1), "seq_cst")

    return types.int64(array, types.int64), emit


@intrinsic
def _fence(typingctx):
    def emit(context, builder, signature, arguments):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.none(), emit


@intrinsic
def _fused(typingctx, a, b, c):
    def emit(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return c(c, c, c), emit


@intrinsic
def _trailing_zeros(typingctx, word):
    def emit(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), emit


@overload(fetch_add)
def _compile_fetch_add(array, index):
    return lambda array, index: _fetch_add(array, index)


@overload(fence)
def _compile_fence():
    return lambda: _fence()


@overload(fused)
def _compile_fused(a, b, c):
    return lambda a, b, c: _fused(a, b, c)


@overload(trailing_zeros)
def _compile_trailing_zeros(word):
    return lambda word: _trailing_zeros(word)
