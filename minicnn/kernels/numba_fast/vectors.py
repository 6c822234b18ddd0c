"""A vector register as a value: load, store, multiply_add. Numba has no such type; this is all of it that is needed.

LLVM vectorises a plain loop, but it does not keep a block of sums in registers around an inner loop: it reads and writes
them in every step. With sixteen vectors as local variables a product of conv2's shape reaches 169 GFLOP/s a core instead of 108.

Without compilation (NUMBA_DISABLE_JIT=1) the functions do the same with short NumPy arrays.
"""

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # numbers in a vector, whatever their size


def load(array, at):
    """The vector array[at : at + LANES]. Nobody checks that `at` lies inside."""
    return array[int(at) : int(at) + LANES].copy()


def store(array, at, vector):
    array[int(at) : int(at) + LANES] = vector


def multiply_add(sums, factor, vector):
    """sums + factor * vector, in one instruction where the machine has it."""
    return (sums + np.asarray(factor, sums.dtype) * vector).astype(sums.dtype)


class Vector(types.Type):
    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Vector({dtype}, {LANES})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, ir.VectorType(manager.lookup(vector.dtype).get_data_type(), LANES))


def _pointer(context, builder, array, value, at):
    data = context.make_array(array)(context, builder, value).data
    whole = ir.VectorType(context.get_data_type(array.dtype), LANES).as_pointer()
    return builder.bitcast(builder.gep(data, [at]), whole)


@intrinsic
def _load(typingctx, array, at):
    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, array, *arguments)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.uint64), emit


@intrinsic
def _store(typingctx, array, at, vector):
    def emit(context, builder, signature, arguments):
        pointer = _pointer(context, builder, array, *arguments[:2])
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.uint64, vector), emit


@intrinsic
def _multiply_add(typingctx, sums, factor, vector):
    def emit(context, builder, signature, arguments):
        kind = context.get_value_type(sums)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), arguments[1], ir.Constant(ir.IntType(32), 0))
        factors = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
        if isinstance(sums.dtype, types.Float):
            product = builder.fmul(factors, arguments[2], flags=("contract",))
            return builder.fadd(arguments[0], product, flags=("contract",))
        return builder.add(arguments[0], builder.mul(factors, arguments[2]))

    return sums(sums, sums.dtype, vector), emit


@overload(load)
def _compile_load(array, at):
    return lambda array, at: _load(array, at)


@overload(store)
def _compile_store(array, at, vector):
    return lambda array, at, vector: _store(array, at, vector)


@overload(multiply_add)
def _compile_multiply_add(sums, factor, vector):
    return lambda sums, factor, vector: _multiply_add(sums, factor, vector)
