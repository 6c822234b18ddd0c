"""Words to the machine that Numba has no name for: an atomic addition, a fence, a fused
multiply-add, a search for a bit.

Each is a Python function that does the same for one thread, and an overload that Numba
compiles instead of it.
"""

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload


def fetch_add(array, index, amount=1):
    """array[index] += amount as one step that no other thread can interrupt; the value
    before.
    """
    before = array[index]
    array[index] += amount
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


def floating_mode():
    """How this thread rounds, and whether it flushes denormal numbers to zero: MXCSR on
    x86, FPCR on 64-bit ARM.

    0 elsewhere, where the mode stays the thread's own, and without compilation.
    """
    return 0


def set_floating_mode(mode):
    """Compute in this thread as in the one that `mode` was read in."""


@intrinsic
def _fetch_add(typingctx, array, index, amount):
    def emit(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(context, builder, array, view, [arguments[1]], wraparound=False)
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), emit


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


PROCESSOR = binding.get_process_triple().partition("-")[0]
X86 = PROCESSOR in ("x86_64", "i386", "i686")
ARM = PROCESSOR in ("aarch64", "arm64")


def _instruction(builder, name, result, *arguments):
    """What LLVM calls an intrinsic: one instruction of a certain processor."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@intrinsic
def _floating_mode(typingctx):
    def emit(context, builder, signature, arguments):
        if ARM:
            return _instruction(builder, "llvm.aarch64.get.fpcr", ir.IntType(64))
        if not X86:
            return context.get_constant(types.int64, 0)
        place = cgutils.alloca_once(builder, ir.IntType(32))
        address = builder.bitcast(place, ir.IntType(8).as_pointer())
        _instruction(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), address)
        return builder.zext(builder.load(place), ir.IntType(64))

    return types.int64(), emit


@intrinsic
def _set_floating_mode(typingctx, mode):
    def emit(context, builder, signature, arguments):
        if ARM:
            _instruction(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), arguments[0])
        elif X86:
            place = cgutils.alloca_once_value(builder, builder.trunc(arguments[0], ir.IntType(32)))
            address = builder.bitcast(place, ir.IntType(8).as_pointer())
            _instruction(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), address)
        return context.get_dummy_value()

    return types.none(types.int64), emit


@overload(fetch_add)
def _compile_fetch_add(array, index, amount=1):
    return lambda array, index, amount=1: _fetch_add(array, index, amount)


@overload(fence)
def _compile_fence():
    return lambda: _fence()


@overload(floating_mode)
def _compile_floating_mode():
    return lambda: _floating_mode()


@overload(set_floating_mode)
def _compile_set_floating_mode(mode):
    return lambda mode: _set_floating_mode(mode)


@overload(fused)
def _compile_fused(a, b, c):
    return lambda a, b, c: _fused(a, b, c)


@overload(trailing_zeros)
def _compile_trailing_zeros(word):
    return lambda word: _trailing_zeros(word)
