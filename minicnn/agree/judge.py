"""Runs a trial and compares its results with torch's, number by number, in units of
what rounding may explain. The torch set's are compared with the textbook's.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..kernels import use_backend
from . import bounds, on_device
from .programs import Trial


class Verdict(NamedTuple):
    """For each result the largest error over the allowed bound; 1 and less is rounding.
    And the program that was run.
    """

    ratios: dict[str, float]
    program: str
    remark: str  # which number is worst, as a line that the program can end with; or what was raised

    @property
    def worst(self) -> float:
        return max(self.ratios.values())


def judge(trial: Trial, backend: str, dtype: str, seed: int, device: str = "cpu") -> Verdict:
    """Run the trial's program here; whatever it raises counts as disagreement.

    The device is for the backend torch alone.
    """
    of_torch = backend == "torch"
    program = on_device.program(trial, device, dtype, seed) if of_torch else trial.program(backend, dtype, seed)
    names: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on 'same' padding of even kernels
            exec(compile(program, f"<{trial.operation}>", "exec"), names)  # noqa: S102 - the text that is shown
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with the program
        return Verdict({"output": np.inf}, program, f"# raised {type(error).__name__}: {error}")
    results, expected = names["results"], names["expected"]
    allowed = dict(zip(results, _allowed(trial, names, dtype), strict=True))
    ratios, remarks = {}, {}
    for name, wanted in expected.items():
        ratios[name], remarks[name] = _compare(name, np.asarray(results[name]), wanted, allowed[name], dtype)
    return Verdict(ratios, program, remarks[max(ratios, key=ratios.__getitem__)])


def _compare(name: str, result: np.ndarray, wanted: np.ndarray, allowed: Any, dtype: str) -> tuple[float, str]:
    """The largest error over its bound, and where it is."""
    if result.shape != wanted.shape or result.dtype != dtype:
        got = f"{result.dtype} of shape {result.shape}"
        return np.inf, f"# {name} is {got}, expected {dtype} of shape {wanted.shape}"
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(result.astype(np.float64) - wanted)
    error = np.where((result == wanted) | (np.isnan(result) & np.isnan(wanted)), 0.0, error)  # infinities too
    allowed = np.broadcast_to(allowed, wanted.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / allowed)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    if not ratio.size:
        return 0.0, ""
    place = tuple(int(i) for i in np.unravel_index(np.argmax(ratio), ratio.shape))
    line = f'print(results["{name}"][{place}], expected["{name}"][{place}])  # they may differ by {allowed[place]:.3g}'
    return float(ratio[place]), line


def _allowed(trial: Trial, names: dict[str, Any], dtype: str) -> list[np.ndarray]:
    """The bound for each result, in the order of `results`."""
    if trial.operation in bounds.OPTIMISERS:
        steps = list(names["grads"])
        magnitude = bounds.OPTIMISERS[trial.operation](names["start"], steps, **trial.options)["param"]
        return [bounds.of_sums(magnitude, bounds.OPTIMISER_ROUNDINGS * len(steps), dtype)]
    output, grad = names["expected"]["output"], names["grad_output"].astype(np.float64)
    if trial.operation in ("relu", "sigmoid", "tanh"):
        return list(bounds.of_pointwise(trial.operation, output, grad, dtype))
    if trial.operation in ("batch_norm", "layer_norm"):
        return _of_normalization(trial, names, dtype)
    if trial.operation == "gelu":
        return list(bounds.of_gelu(names["input"], grad, trial.options["approximate"], dtype))
    if trial.operation in ("softmax", "log_softmax"):
        *magnitudes, n = bounds.softmax_magnitudes(trial.operation, names["input"], grad, trial.options["dim"])
        return [bounds.of_sums(magnitude, n, dtype) + np.finfo(dtype).tiny for magnitude in magnitudes]
    if not trial.terms:  # a loss
        arrays = {name: names[name] for name in trial.keywords}
        arguments = (names["input"], names["target"], {"ignore_index": -100, **trial.options, **arrays})
        *magnitudes, n = bounds.loss_magnitudes(trial.operation, *arguments, names["grad_output"])
        return [bounds.of_sums(magnitude, n, dtype) for magnitude in magnitudes]
    leaves = [names[name].astype(np.float64) for name in trial.leaves]
    pooling = trial.operation == "max_pool2d"
    leaves = leaves if pooling else list(map(np.abs, leaves))
    if "theirs" in names:
        magnitudes = differentiate(names["theirs"], leaves, np.abs(grad))
    else:  # the textbook is the judge
        with use_backend("numpy"):
            given = {**names, **dict(zip(trial.leaves, leaves, strict=True)), "grad_output": np.abs(grad)}
            magnitudes = list(names["ours"](*(given[name] for name in trial.arrays)).values())
    if trial.operation == "interpolate":
        magnitudes = bounds.around(magnitudes[0], magnitudes[1], leaves[0])
    magnitudes = list(map(np.abs, magnitudes))  # the slope of leaky_relu may be negative
    found = [bounds.of_sums(size, n, dtype) for size, n in zip(magnitudes, trial.terms, strict=True)]
    return [np.zeros(output.shape), found[1]] if pooling else found  # a maximum is not rounded


def _of_normalization(trial: Trial, names: dict[str, Any], dtype: str) -> list[np.ndarray]:
    """As (N, C, L), or (1, rows, L). The gradients of weight and bias sum over N and L, or the
    rows.
    """
    x, grad, weight, bias = (names[name] for name in ("input", "grad_output", "weight", "bias"))
    by_channel = trial.operation == "batch_norm"
    shape = (*x.shape[:2], -1) if by_channel else (1, -1, weight.size)
    place = (-1, 1) if by_channel else (-1,)
    arrays = x.reshape(shape), grad.reshape(shape), weight.reshape(place), bias.reshape(place)
    sizes, n = bounds.normalization_magnitudes(*arrays, trial.options["eps"])
    allowed = [bounds.of_sums(sizes[name], n, dtype).reshape(x.shape) for name in ("output", "grad_input")]
    axes = (0, 2) if by_channel else (0, 1)
    for name in ("grad_weight", "grad_bias"):
        allowed.append(bounds.of_sums(sizes[name].sum(axes), n + x.size, dtype).reshape(weight.shape))
    return allowed


def differentiate(function: Any, leaves: list[np.ndarray], grad_output: np.ndarray) -> list[np.ndarray]:
    """[output, the gradient with respect to each leaf], by torch."""
    import torch  # only here: the rest of minicnn does without

    tensors = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    output = function(*tensors)
    grads = torch.autograd.grad(output, tensors, torch.tensor(grad_output))
    return [output.detach().numpy(), *(grad.numpy() for grad in grads)]
