"""Products of scattered matrices, and convolutions as such: each way gives the same sums."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicnn import geometry
from minicnn.kernels import numba_fast, numpy_textbook
from minicnn.kernels.numba_fast import convolution
from minicnn.kernels.numba_fast.operands import packed, scattered

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([65, 513, packed.DEEP + 1]))


def matrix(rng, rows, columns, kind):
    """A matrix of small integers, and the same numbers as they lie in memory."""
    numbers = rng.integers(-8, 9, (rows, columns)).astype(np.float32)
    if kind == "by rows":
        return numbers, scattered.scattered(numbers, ((rows, columns),), ((columns, 1),))
    if kind == "by columns":
        return numbers, scattered.scattered(numbers.T.copy(), ((rows, 1),), ((columns, rows),))
    order = np.argsort(rng.random(rows)), np.argsort(rng.random(columns))
    shuffled = np.empty_like(numbers)
    shuffled[np.ix_(*order)] = numbers
    return numbers, packed.Scattered(shuffled.reshape(-1), order[0] * columns, order[1], 0, 0)


@given(SIZES, SIZES, SIZES, *[st.sampled_from(["by rows", "by columns", "in any order"])] * 3, st.integers(0, 2**31))
@example(3, 0, 5, "by rows", "by rows", "by rows", 0)  # sums of nothing
@example(0, 4, 5, "by rows", "by rows", "by rows", 0)  # no sums at all
@example(3, 4, 0, "by rows", "by rows", "by rows", 0)
@example(65, 300, 700, "in any order", "by rows", "by rows", 0)  # several parts
@example(257, 70, 300, "by rows", "in any order", "by columns", 0)
@example(33, 257, 65, "in any order", "by rows", "in any order", 362880)  # ends that look like neighbours
@example(8, 2000, 600, "by columns", "by rows", "in any order", 0)
def test_the_product_of_integers_is_exact_however_they_lie_in_memory(M, K, P, left, right, target, seed):
    rng = np.random.default_rng(seed)
    a, scattered_a = matrix(rng, M, K, left)
    b, scattered_b = matrix(rng, K, P, right)
    bias = rng.integers(-8, 9, M).astype(np.float32)
    _, result = matrix(rng, M, P, target)
    packed.multiply_scattered(scattered_a, scattered_b, bias, result)
    found = result.numbers[np.add.outer(result.rows, result.columns)]
    np.testing.assert_array_equal(found, a.astype(int) @ b.astype(int) + bias[:, None].astype(int))


def test_how_the_work_is_shared_moves_no_bit(monkeypatch):
    """A sum runs over the same numbers in the same order, whatever the shares are."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((130, 300), np.float32)
    b = rng.standard_normal((300, 250), np.float32)
    results = set()
    for tall, broad, parts in ((1024, 16, 4), (1024, 1, 1), (16, 3, 50), (8, 16, 7)):
        monkeypatch.setattr(packed, "TALL", tall)
        monkeypatch.setattr(packed, "BROAD", broad)
        monkeypatch.setattr(packed, "PARTS", parts)
        output = np.empty((130, 250), np.float32)
        matrices = [scattered.scattered(x, ((len(x), x.shape[1]),), ((x.shape[1], 1),)) for x in (a, b, output)]
        packed.multiply_scattered(matrices[0], matrices[1], np.zeros(130, np.float32), matrices[2])
        results.add(output.tobytes())
    assert len(results) == 1
    np.testing.assert_allclose(output, a @ b, rtol=0, atol=1e-3)


@st.composite
def geometries(draw, least=1):
    """One group of `least` channels or more, small images, every option of a convolution."""
    channels = st.integers(least, 9)
    small = st.integers(1, 3)
    K = draw(small), draw(small)
    S = draw(small), draw(small)
    P = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    D = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    H, W = (draw(st.integers(1, 5)) + max(0, D[i] * (K[i] - 1) + 1 - 2 * P[i]) for i in range(2))
    C = draw(channels)
    if draw(st.booleans()):  # zeros behind the image that are not before it
        return geometry.conv2d((draw(small), C, H, W), (draw(channels), C, *K), 1, "same", D)
    return geometry.conv2d((draw(small), C, H, W), (draw(channels), C, *K), S, P, D)


@given(geometries(least=3), st.integers(0, 2**31))
@example(geometry.conv2d((3, 5, 4, 4), (6, 5, 4, 4)), 0)  # one pixel of output
@example(geometry.conv2d((2, 3, 2, 2), (4, 3, 3, 3), 1, 2, 2), 0)
@example(geometry.conv2d((2, 3, 1, 1), (4, 3, 1, 2), 1, "same"), 0)
@example(geometry.conv2d((2, 3, 1, 3), (4, 3, 3, 3), 1, (1, 0)), 0)  # taps that meet only padding
def test_a_convolution_gives_the_same_bits_by_scattered_matrices(g, seed):
    """The output and the gradient to the input: their sums run in one order in both ways.

    From three channels on: `multiply_row`, for one or two, rounds a product before it adds it
    where the numbers left over fill no vector.
    """
    g = convolution.without_idle_strides(g)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(g.input_shape, np.float32)
    weight = rng.standard_normal(g.weight_shape, np.float32)
    bias = rng.standard_normal(g.O, np.float32)
    grad_output = rng.standard_normal(g.output_shape, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "scatters_output", lambda *_: False)
        patch.setattr(convolution, "scatters_grad_input", lambda *_: False)
        output = numba_fast.conv2d(x, weight, bias, g)
        grad_input = numba_fast.conv2d_grad_input(grad_output, weight, g)
    assert scattered.scattered_conv2d(x, weight, bias, g).tobytes() == output.tobytes()
    np.testing.assert_array_equal(scattered.scattered_grad_input(grad_output, weight, g), grad_input)


@given(geometries(), st.integers(0, 2**31))
@example(geometry.conv2d((3, 5, 4, 4), (6, 5, 4, 4)), 0)
@example(geometry.conv2d((2, 2, 1, 1), (4, 2, 1, 2), 1, "same"), 0)
def test_its_gradients_are_exact_on_integers(g, seed):
    g = convolution.without_idle_strides(g)
    rng = np.random.default_rng(seed)
    x, weight, grad_output = (
        rng.integers(-8, 9, shape).astype(np.float32) for shape in (g.input_shape, g.weight_shape, g.output_shape)
    )
    found = scattered.scattered_grad_weight(grad_output, x, g)
    np.testing.assert_array_equal(found, numpy_textbook.conv2d_grad_weight(grad_output, x, g))
    found = scattered.scattered_grad_input(grad_output, weight, g)
    np.testing.assert_array_equal(found, numpy_textbook.conv2d_grad_input(grad_output, weight, g))


@pytest.mark.parametrize(("channels", "taken"), [(2, False), (512, True)])
def test_images_of_few_pixels_and_many_channels_take_this_way(monkeypatch, channels, taken):
    calls = []
    for name in ("scattered_conv2d", "scattered_grad_input", "scattered_grad_weight"):
        way = getattr(convolution, name)
        monkeypatch.setattr(convolution, name, lambda *a, way=way, name=name: calls.append(name) or way(*a))
    g = geometry.conv2d((2, channels, 2, 2), (channels, channels, 3, 3), 1, 1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(g.input_shape, np.float32)
    weight = rng.standard_normal(g.weight_shape, np.float32)
    numba_fast.conv2d(x, weight, None, g)
    numba_fast.conv2d_grad_input(x, weight, g)
    numba_fast.conv2d_grad_weight(x, x, g)
    assert calls == (["scattered_conv2d", "scattered_grad_input", "scattered_grad_weight"] if taken else [])
