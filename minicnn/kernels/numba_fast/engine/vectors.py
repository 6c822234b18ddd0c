"""Vector registers as a value: load, store, multiply_add. Numba has no such type; this
is all of it that is needed.

LLVM vectorises a plain loop, but it does not keep a block of sums in registers around
an inner loop: it reads and writes them in every step. With sixteen registers as local
variables conv2 reaches 94 of the 102 GFLOP/s that OpenBLAS gets from a core.

A number is no part of a type, but the length of a tuple is: so `width` is a tuple, as
long as the registers side by side are many. Each length is compiled by itself, when it
is first used.

Without compilation (NUMBA_DISABLE_JIT=1) the functions do the same with short NumPy arrays.
"""

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # numbers in a register, whatever their size
ONE, PAIR, FOUR, EIGHT = (0,), (0,) * 2, (0,) * 4, (0,) * 8


def load(array, at, width):
    """The numbers array[at : at + LANES len(width)]. Compiled, nobody checks that they
    lie inside.
    """
    if not 0 <= at <= array.size - LANES * len(width):
        raise IndexError(f"numbers {at} to {at + LANES * len(width)} of {array.size}")
    return array[int(at) : int(at) + LANES * len(width)].copy()


def store(array, at, vectors):
    array[int(at) : int(at) + len(vectors)] = vectors


def load_some(array, at, count):
    """The numbers array[at : at + count], at most LANES, and zeros in the other lanes of one
    register. Nothing behind them is read.
    """
    vectors = np.zeros(LANES, array.dtype)
    count = max(0, min(int(count), LANES))
    vectors[:count] = array[int(at) : int(at) + count]
    return vectors


def store_some(array, at, vectors, count):
    """The first `count` lanes of one register. Nothing behind them is written."""
    count = max(0, min(int(count), LANES))
    array[int(at) : int(at) + count] = vectors[:count]


def multiply_add(sums, factor, vectors):
    """sums + factor * vectors, in one instruction for each register where the machine has it.

    The factor is one number, or vectors too.
    """
    return (sums + np.asarray(factor, sums.dtype) * vectors).astype(sums.dtype)


def beginning_with(number, width):
    """One number, and zeros in all other lanes."""
    vectors = np.zeros(LANES * len(width), np.asarray(number).dtype)
    vectors[0] = number
    return vectors


def add_lanes(vectors):
    """All the numbers as one sum, in a fixed order.

    Neighbouring registers are added first, (a + b) + (c + d); then the upper half of
    the lanes is added to the lower half, until there is one. The number of registers is
    a power of 2.
    """
    registers = vectors.reshape(-1, LANES)
    while len(registers) > 1:
        registers = registers[0::2] + registers[1::2]
    lanes = registers[0]
    while lanes.size > 1:
        half = lanes.size // 2
        lanes = lanes[:half] + lanes[half:]
    return lanes[0]


class Vectors(types.Type):
    def __init__(self, dtype, count):
        self.dtype, self.count = dtype, count
        super().__init__(f"Vectors({dtype}, {LANES} x {count})")


@register_model(Vectors)
class _VectorsModel(models.PrimitiveModel):
    def __init__(self, manager, vectors):
        vector = ir.VectorType(manager.lookup(vectors.dtype).get_data_type(), LANES)
        super().__init__(manager, vectors, ir.ArrayType(vector, vectors.count))


def _pointers(context, builder, array, value, at, count):
    """Where each register's numbers begin, and how they are aligned at least."""
    data = context.make_array(array)(context, builder, value).data
    first = builder.bitcast(
        builder.gep(data, [at]), ir.VectorType(context.get_data_type(array.dtype), LANES).as_pointer()
    )
    return [(builder.gep(first, [ir.Constant(ir.IntType(64), k)]), array.dtype.bitwidth // 8) for k in range(count)]


@intrinsic
def _load(typingctx, array, at, width):
    def emit(context, builder, signature, arguments):
        vectors = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        for k, (pointer, align) in enumerate(_pointers(context, builder, array, *arguments[:2], width.count)):
            vectors = builder.insert_value(vectors, builder.load(pointer, align=align), k)
        return vectors

    return Vectors(array.dtype, width.count)(array, types.uint64, width), emit


@intrinsic
def _store(typingctx, array, at, vectors):
    def emit(context, builder, signature, arguments):
        for k, (pointer, align) in enumerate(_pointers(context, builder, array, *arguments[:2], vectors.count)):
            builder.store(builder.extract_value(arguments[2], k), pointer, align=align)
        return context.get_dummy_value()

    return types.none(array, types.uint64, vectors), emit


def _first_lanes(builder, count):
    """A mask: true in the first `count` lanes."""
    integer = ir.IntType(32)
    count = builder.trunc(count, integer)
    numbers = ir.Constant(ir.VectorType(integer, LANES), list(range(LANES)))
    one = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
    limit = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
    return builder.icmp_signed("<", numbers, limit)


def _masked(builder, name, result, vector, arguments):
    """Calls LLVM's masked load or store, by https://llvm.org/docs/LangRef.html."""
    kinds = ir.FunctionType(result, [argument.type for argument in arguments])
    name = f"llvm.masked.{name}.v{vector.count}{vector.element.intrinsic_name}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kinds, name), arguments)


@intrinsic
def _load_some(typingctx, array, at, count):
    def emit(context, builder, signature, arguments):
        kind = context.get_value_type(signature.return_type)
        ((pointer, align),) = _pointers(context, builder, array, *arguments[:2], 1)
        align = ir.Constant(ir.IntType(32), align)
        mask = _first_lanes(builder, arguments[2])
        zeros = ir.Constant(kind.element, None)
        vector = _masked(builder, "load", kind.element, kind.element, [pointer, align, mask, zeros])
        return builder.insert_value(ir.Constant(kind, ir.Undefined), vector, 0)

    return Vectors(array.dtype, 1)(array, types.uint64, types.int64), emit


@intrinsic
def _store_some(typingctx, array, at, vectors, count):
    def emit(context, builder, signature, arguments):
        ((pointer, align),) = _pointers(context, builder, array, *arguments[:2], 1)
        align = ir.Constant(ir.IntType(32), align)
        vector = builder.extract_value(arguments[2], 0)
        mask = _first_lanes(builder, arguments[3])
        _masked(builder, "store", ir.VoidType(), vector.type, [vector, pointer, align, mask])
        return context.get_dummy_value()

    return types.none(array, types.uint64, vectors, types.int64), emit


@intrinsic
def _multiply_add(typingctx, sums, factor, vectors):
    several = isinstance(factor, Vectors)

    def emit(context, builder, signature, arguments):
        result, factor, others = arguments
        kind = context.get_value_type(sums).element
        if not several:
            one = builder.insert_element(ir.Constant(kind, ir.Undefined), factor, ir.Constant(ir.IntType(32), 0))
            factors = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
        for k in range(sums.count):
            if several:
                factors = builder.extract_value(factor, k)
            old, other = builder.extract_value(result, k), builder.extract_value(others, k)
            if isinstance(sums.dtype, types.Float):
                product = builder.fmul(factors, other, flags=("contract",))
                new = builder.fadd(old, product, flags=("contract",))
            else:
                new = builder.add(old, builder.mul(factors, other))
            result = builder.insert_value(result, new, k)
        return result

    return sums(sums, factor if several else sums.dtype, vectors), emit


@intrinsic
def _beginning_with(typingctx, number, width):
    def emit(context, builder, signature, arguments):
        vectors = ir.Constant(context.get_value_type(signature.return_type), None)
        first = builder.insert_element(builder.extract_value(vectors, 0), arguments[0], ir.Constant(ir.IntType(32), 0))
        return builder.insert_value(vectors, first, 0)

    return Vectors(number, width.count)(number, width), emit


@intrinsic
def _add_lanes(typingctx, vectors):
    def emit(context, builder, signature, arguments):
        add = builder.fadd if isinstance(vectors.dtype, types.Float) else builder.add
        registers = [builder.extract_value(arguments[0], k) for k in range(vectors.count)]
        while len(registers) > 1:
            registers = [add(a, b) for a, b in zip(registers[0::2], registers[1::2], strict=True)]
        lanes = registers[0]
        half = LANES
        while half > 1:
            half //= 2
            lower = ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(half)))
            upper = ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(half, 2 * half)))
            lanes = add(builder.shuffle_vector(lanes, lanes, lower), builder.shuffle_vector(lanes, lanes, upper))
        return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))

    return vectors.dtype(vectors), emit


@overload(load)
def _compile_load(array, at, width):
    return lambda array, at, width: _load(array, at, width)


@overload(store)
def _compile_store(array, at, vectors):
    return lambda array, at, vectors: _store(array, at, vectors)


@overload(load_some)
def _compile_load_some(array, at, count):
    return lambda array, at, count: _load_some(array, at, count)


@overload(store_some)
def _compile_store_some(array, at, vectors, count):
    return lambda array, at, vectors, count: _store_some(array, at, vectors, count)


@overload(multiply_add)
def _compile_multiply_add(sums, factor, vectors):
    return lambda sums, factor, vectors: _multiply_add(sums, factor, vectors)


@overload(beginning_with)
def _compile_beginning_with(number, width):
    return lambda number, width: _beginning_with(number, width)


@overload(add_lanes)
def _compile_add_lanes(vectors):
    return lambda vectors: _add_lanes(vectors)
