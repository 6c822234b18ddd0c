"""gradcheck calls a convolution's usual mistakes by their names, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minicnn import gradcheck, nn
from minicnn.mistakes import MISTAKES
from tests.support.strategies import seeds


class OwnConv(nn.Module):
    """A convolution, padded by P with stride 1, as a beginner writes it: loops over the
    pixels. `mistake` says what backward does wrong.
    """

    def __init__(self, mistake=None, C=2, O=3, K=3, P=1, seed=0):
        self.weight = nn.Parameter(np.random.default_rng(seed).standard_normal((O, C, K, K)))
        self.mistake = mistake
        self.P = P

    def forward(self, x):
        P = self.P
        self.keep(x)
        padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.weight.shape[2:], (2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, self.weight.data)

    def backward(self, grad_output):
        (x,) = self.kept()
        P, K, weight, mistake = self.P, self.weight.shape[2], self.weight.data, self.mistake
        N, _, H, W = x.shape
        if mistake == "kernel flipped":
            weight = weight[..., ::-1, ::-1]
        if mistake == "kernel transposed":
            weight = weight.swapaxes(2, 3)
        padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
        grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
        for n, h, w in np.ndindex(N, *grad_output.shape[2:]):
            place = (n, slice(None), slice(h, h + K), slice(w, w + K))
            stamp = np.tensordot(grad_output[n, :, h, w], weight, 1)
            grad_padded[place] = stamp + (0 if mistake == "overlap overwritten" else grad_padded[place])
            grad_weight += np.multiply.outer(grad_output[n, :, h, w], padded[place])
            if mistake == "not summed over the batch" and (h, w) == (0, 0) and n:
                grad_weight = np.multiply.outer(grad_output[n, :, h, w], padded[place])
        if mistake == "kernel flipped in the weight's gradient":
            grad_weight = grad_weight[..., ::-1, ::-1]
        self.weight.accumulate(grad_weight)
        start = {"cropped at the beginning": 0, "cropped at the end": 2 * P}.get(mistake, P)
        return grad_padded[:, :, start : start + H, start : start + W]


CONVOLUTIONS = {
    "kernel flipped": ("input", "kernel flipped"),
    "kernel flipped in the weight's gradient": ("weight", "kernel flipped"),
    "kernel transposed": ("input", "kernel transposed"),
    "overlap overwritten": ("input", "overlap overwritten"),
    "cropped at the beginning": ("input", "cropped at the wrong end"),
    "cropped at the end": ("input", "cropped at the wrong end"),
    "not summed over the batch": ("weight", "not summed over the batch"),
}


@given(
    st.sampled_from([None, *CONVOLUTIONS]),
    st.integers(2, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
    seeds,
)
def test_a_convolutions_mistakes_are_called_by_their_names(mistake, K, O, P, sampled, seed):
    """Of one array; the other is right. And a right convolution is never accused."""
    x = np.random.default_rng(seed).standard_normal((2, 2, 6, 5))
    layer = OwnConv(mistake, O=O, K=K, P=min(P, K - 1), seed=(seed, 1))
    report = gradcheck(layer, x, max_elements=30 if sampled else 200, seed=seed)
    wrong = {result.name: result.problem for result in report.results if result.problem}
    if mistake is None:
        assert report, report
    else:
        array, name = CONVOLUTIONS[mistake]
        assert list(wrong) == [array]
        assert f" elements are wrong: {name}. {MISTAKES[name]}" in wrong[array]


class Softmax(nn.Module):
    """Over the pixels; backward forgets that each output depends on all inputs."""

    def forward(self, x):
        e = np.exp(x)
        p = e / e.sum((2, 3), keepdims=True)
        self.keep(p)
        return p

    def backward(self, grad_output):
        (p,) = self.kept()
        return p * (1 - p) * grad_output


@given(st.integers(1, 3), st.integers(2, 3), seeds)
def test_a_forgotten_dependence_is_not_called_an_overlap(H, W, seed):
    report = gradcheck(Softmax(), np.random.default_rng(seed).standard_normal((1, 1, H, W)))
    assert not report
    assert "overlap overwritten" not in str(report)


def test_an_error_without_a_name_gets_the_name_of_no_mistake():
    class Astray(OwnConv):
        def backward(self, grad_output):
            grad_input = super().backward(grad_output)
            return grad_input + np.random.default_rng(1).standard_normal(grad_input.shape)

    report = gradcheck(Astray(), np.random.default_rng(0).standard_normal((2, 2, 6, 5)))
    assert "worst element" in report.results[0].problem
    assert not any(name in str(report) for name in MISTAKES)
