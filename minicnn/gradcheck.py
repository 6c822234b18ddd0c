"""Is `backward` the derivative of `forward`? Central differences say it without knowing
any formula.

    D(h) = (f(x + h) - f(x - h)) / 2h = f'(x) + h^2 f'''(x) / 6 + ...

    where f = sum(grad_output * forward(...))

Where h and the tolerance come from, in float64 (eps = 2^-52):

    the step      The formula's own error falls with h^2, that of rounding, eps / h, grows
                  as h shrinks; both are about equal at h = eps^(1/3), here 2^-17, times the
                  scale of the array (its root mean square; a power of two, so that the step
                  itself is exact).
    the formula   D(2h) - D(h) = 3 h^2 f''' / 6: three times the error of D(h). Twice that
                  difference is allowed, so that also a bend as near as h/2 is covered
                  (below).
    rounding      An output computed with n additions errs by sqrt(n) u Y when the errors
                  are independent, u = eps / 2 (Higham and Mary, 2019); eight times as much
                  never happens by chance. n is at most the number of inputs and parameters,
                  Y the largest output or input, as a difference of large inputs may be a
                  small output. So 8 sqrt(n) eps Y |grad_output| / h is allowed, over the
                  outputs that changed; one that did not may still have moved by less than
                  it can show, eps Y.

A kink is a place where the slope jumps: ReLU at 0, a tie in max pooling. There the
slopes to both sides, (f(x + h) - f(x)) / h and (f(x) - f(x - h)) / h, do not approach
each other when h is halved, as they do where f is smooth; backward may return either or
anything between, and so has not failed. A bend at a distance d < h/2 shows in the same
way.
"""

import copy
import math
from typing import Any, NamedTuple

import numpy as np

from . import diagnosis, table
from .diagnosis import Element
from .mistakes import MISTAKES
from .nn import Module, Parameter
from .nn.functional import random

EPS = float(np.finfo(np.float64).eps)
STEP = 2.0**-17
LARGEST = 2.0**500  # of an input: sums of its squares stay finite
REFUSALS = (ArithmeticError, IndexError, RuntimeError, ValueError)


class GradcheckError(Exception):
    """What `gradcheck(..., raise_error=True)` raises; its text is the report."""


class Result(NamedTuple):
    """What was found for the input or one parameter."""

    name: str
    shape: tuple[int, ...]
    elements: list[Element]
    kinks: int
    problem: str | None  # what is wrong, in a sentence

    @property
    def worst(self) -> Element | None:
        """The element with the largest error in units of what is allowed; those at
        kinks are not among them.
        """
        return max(self.elements, key=lambda element: element.badness, default=None)


class Report:
    """What `gradcheck` found: true when all is right, and printed a table. `results`
    has one entry for each array.
    """

    def __init__(self, title: str, results: list[Result]):
        self.title = title
        self.results = results

    def __bool__(self) -> bool:
        return not any(result.problem for result in self.results)

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            ("gradient of", "shape", "checked", "kinks", "error / allowed", "worst at", "backward", "difference")
        ]
        for name, shape, elements, kinks, problem in self.results:
            size, worst = math.prod(shape), Result(name, shape, elements, kinks, problem).worst
            checked = f"{len(elements) + kinks:,}" + (f" of {size:,}" if len(elements) + kinks < size else "")
            numbers = ("", "", "", "")
            if worst is not None:
                place = str(list(worst.place))
                numbers = (f"{worst.badness:.3g}", place, f"{worst.backward:.9g}", f"{worst.difference:.9g}")
            rows.append((name, str(shape), checked, str(kinks), *numbers))
        return rows

    def _verdict(self) -> list[str]:
        problems = [f"{result.name}: {result.problem}" for result in self.results if result.problem]
        verdict = problems or ["backward is the derivative of forward."]
        kinks = sum(result.kinks for result in self.results)
        if kinks:
            verdict.append(f"{kinks} at a kink: the slopes to both sides differ there, and any value between is right.")
            if not any(result.elements for result in self.results):
                verdict.append("So nothing is proved; choose an input without zeros and ties, such as random numbers.")
        return verdict

    def __str__(self) -> str:
        return "\n".join([self.title, "", *table.lines(self._rows(), "<" * 8), "", *self._verdict()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table, as a notebook shows it."""
        return table.as_html(self._rows(), "<" * 8, self.title, self._verdict())


def gradcheck(
    module: Module, inputs: Any, *, max_elements: int = 100, seed: int = 0, raise_error: bool = False
) -> Report:
    """Compare `module.backward` with central differences of `module.forward`: for the
    input and for every parameter that is not frozen.

    `inputs` is the input, or a tuple of all that forward takes, such as (input, target)
    for a loss. The upstream gradient is random: ones would hide mistakes. Everything is
    done in float64 on a copy, `module` itself is not touched. Of arrays with more than
    `max_elements` a random sample is checked. The report is true when all is right.

    >>> import numpy as np
    >>> from minicnn import nn
    >>> class Square(nn.Module):
    ...     def forward(self, x):
    ...         self.keep(x)
    ...         return x * x
    ...     def backward(self, grad_output):
    ...         (x,) = self.kept()
    ...         return x * grad_output  # forgot the 2
    >>> report = gradcheck(Square(), np.array([1.0, 2.0, 3.0]))
    >>> bool(report)
    False
    >>> print(report.results[0].problem)
    3 of 3 elements are wrong, each 0.5 times what it must be: a factor is missing.

    A mistake that explains all numbers is named: a factor, a sign, a transposed matrix;
    for convolutions a flipped or transposed kernel, overlaps overwritten, a crop at the
    wrong end; a batch that is not summed over.

    Often believed: a layer that passes is right. In fact its forward and backward
    agree; whether either is what you wanted, gradcheck cannot know. Raises TypeError
    for what is not a Module or not an array; ValueError where nothing can be compared:
    NaN, infinity, numbers beyond 2^500, an output that is not float64 or differs from
    call to call; GradcheckError with `raise_error`.
    https://docs.pytorch.org/docs/stable/notes/gradcheck.html
    """
    if not isinstance(module, Module):
        raise TypeError(f"gradcheck: module must be a minicnn.nn.Module, got {type(module).__name__}: {module!r}.")
    if isinstance(max_elements, bool) or not isinstance(max_elements, int) or max_elements < 1:
        raise ValueError(f"gradcheck: max_elements must be an int of at least 1, got {max_elements!r}.")
    stands = random.get_state()
    try:
        report = _Check(module, inputs, max_elements, seed).report()
    finally:
        random.set_state(*stands)
    if raise_error and not report:
        raise GradcheckError(f"\n{report}")
    return report


class _Check:
    """One run of `gradcheck`."""

    def __init__(self, module: Module, inputs: Any, max_elements: int, seed: int):
        # Not default_rng(seed), which the input may come from: grad_output = input
        # makes x^T grad_output symmetric.
        self.rng = np.random.default_rng((seed, 2718281828))
        self.max_elements = max_elements
        self.who = type(module).__name__
        self.module = _in_float64(module)
        self.random = random.get_state()  # each forward draws the same numbers, as dropout does
        self.inputs = [_float64(x, i) for i, x in enumerate(inputs if isinstance(inputs, tuple) else (inputs,))]
        self.parameters = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        try:
            self.output = self.forward()
        except TypeError as error:
            raise TypeError(
                f"gradcheck: inputs must be all that {self.who}.forward takes, as a tuple: {error}"
            ) from error
        if not np.array_equal(self.output, self.forward(), equal_nan=True):
            raise ValueError(
                f"gradcheck: {self.who}.forward gave two different outputs for the same input; "
                "differences need a forward without chance. Fix its random numbers for the check."
            )
        if self.output.dtype != np.float64:
            raise ValueError(
                f"gradcheck: {self.who}.forward returned {self.output.dtype} for a float64 input; "
                "differences need float64. "
                "Keep the input's dtype in forward."
            )
        if not np.isfinite(self.output).all():
            raise ValueError(f"gradcheck: {self.who}.forward returned NaN or infinity; nothing can be compared there.")
        self.grad_output = self.rng.standard_normal(self.output.shape)
        n = sum(x.size for x in self.inputs) + sum(p.size for p in self.parameters.values())
        floats = [self.output, *(x for x in self.inputs if x.dtype == np.float64)]
        self.unit = EPS * max(np.abs(array).max(initial=0.0) for array in floats)
        self.noise = 8 * math.sqrt(n) * self.unit

    def forward(self) -> np.ndarray:
        random.set_state(*self.random)
        output = self.module(*(x.copy() for x in self.inputs))  # a layer may work in place
        return np.array(output[0] if isinstance(output, tuple) else output)

    def backward(self) -> tuple:
        """One forward and backward pass: the gradients of the inputs."""
        self.forward()
        given = self.grad_output.copy()[()]  # without dimensions: a number
        try:
            grads = self.module.backward(given)
        except TypeError as error:
            if "NoneType" not in str(error):
                raise
            raise TypeError(
                f"gradcheck: {self.who}.backward met a None: {error}. .grad is None before the first backward pass; "
                "parameter.accumulate(gradient) takes care of that."
            ) from error
        return grads if isinstance(grads, tuple) else (grads,)

    def report(self) -> Report:
        self.module.zero_grad()
        grads = self.backward()
        first = {name: parameter.grad for name, parameter in self.parameters.items()}
        first = {name: None if grad is None else np.array(grad) for name, grad in first.items()}
        self.backward()
        results = []
        for i, (x, grad) in enumerate(zip(self.inputs, grads, strict=False)):
            if x.dtype == np.float64:
                results.append(self.compare("input" if len(grads) == 1 else f"input {i}", x, grad))
        for name, parameter in self.parameters.items():
            result = self.compare(name, parameter.data, first[name])
            if not result.problem:
                result = result._replace(problem=diagnosis.accumulation(first[name], parameter.grad))
            results.append(result)
        if not any(result.shape and math.prod(result.shape) or result.shape == () for result in results):
            raise ValueError(
                f"gradcheck: {self.who} has nothing to differentiate: no floating point input that is not empty."
            )
        shapes = ", ".join(str(x.shape) for x in self.inputs)
        return Report(f"gradcheck of {self.who} on {shapes}, in float64, with a random upstream gradient", results)

    def compare(self, name: str, array: np.ndarray, grad: Any) -> Result:
        """`array` is changed, element by element, and put back."""
        problem = diagnosis.unfit(name, array, grad)
        if problem:
            return Result(name, array.shape, [], 0, problem)
        if not array.size:
            return Result(name, array.shape, [], 0, None)
        places = np.arange(array.size)
        if array.size > self.max_elements:
            places = np.sort(self.rng.choice(array.size, self.max_elements, replace=False))
        h = STEP * _scale(array)
        checked = [self.element(array, np.unravel_index(place, array.shape), grad, h) for place in places]
        right, kinks, wrong = [], 0, []
        for element, kink in checked:
            if kink and element.at_kink:
                kinks += 1
            elif element.error <= element.allowed:
                right.append(element)
            else:
                wrong.append(element)
        if not wrong:
            return Result(name, array.shape, right, kinks, None)
        mistake = diagnosis.in_common(wrong, grad) or self.mistake(array, grad, right + wrong, wrong, h)
        how_many = f"{len(wrong)} of {len(checked)} elements are wrong" if len(checked) > 1 else "its element is wrong"
        sentence = f"{how_many}{mistake or diagnosis.worst_of(wrong, array)}"
        return Result(name, array.shape, right + wrong, kinks, sentence)

    def mistake(self, array: np.ndarray, grad: np.ndarray, checked: list, wrong: list, h: float) -> str | None:
        """The usual mistake that explains all numbers, if there is one."""
        wrong = wrong[:20]
        shares = [self.shares(array, element.place, h) for element in wrong]
        dimensions = self.output.ndim
        number = next((i for i, x in enumerate(self.inputs) if x is array), None)
        if number is None:
            turned = list(diagnosis.kernels_turned(grad).items())
            images = [share.sum(tuple(range(1, dimensions))) for share in shares] if dimensions > 1 else []
            others = {"not summed over the batch": bool(images) and diagnosis.first_or_last_alone(images, wrong)}
        else:
            turned = self.with_turned_kernels(number)
            pixels = [share.sum(tuple(range(dimensions - 2))) for share in shares] if dimensions > 2 else []
            alone = bool(pixels) and (
                diagnosis.first_or_last_alone(pixels, wrong) or diagnosis.first_or_last_alone(shares, wrong)
            )
            others = {"cropped at the wrong end": diagnosis.cropped(grad, checked), "overlap overwritten": alone}
        names = [name for name, candidate in turned if diagnosis.explains(candidate, checked)]
        names += [name for name, found in others.items() if found]
        return f": {names[0]}. {MISTAKES[names[0]]}" if names else None

    def with_turned_kernels(self, number: int) -> list[tuple[str, Any]]:
        """(mistake, the gradient of input `number` where a parameter is another kernel)."""
        parameters = list(self.parameters.values())
        before = [None if parameter.grad is None else parameter.grad.copy() for parameter in parameters]
        found = []
        for parameter in parameters:
            kernel = parameter.data
            for name, turned in diagnosis.kernels_turned(kernel).items():
                parameter.data = turned
                found.append((name, self.backward()[number]))
            parameter.data = kernel
        for parameter, grad in zip(parameters, before, strict=True):
            parameter.grad = grad
        return found

    def shares(self, array: np.ndarray, place: tuple, h: float) -> np.ndarray:
        """What each output adds to the gradient of this element."""
        value = array[place]
        array[place] = value + h
        high = self.forward()
        array[place] = value - h
        low = self.forward()
        array[place] = value
        return self.grad_output * (high - low) / (2 * h)

    def element(self, array: np.ndarray, place: tuple, grad: Any, h: float) -> tuple[Element, bool]:
        """The element, and whether f has a kink there."""
        value = array[place]
        steps = {}
        for k in (-2, -1, 1, 2):
            array[place] = value + k * h
            try:
                steps[k] = self.forward() - self.output, array[place] - value
            except REFUSALS as error:
                raise ValueError(
                    f"gradcheck: {self.who}.forward refuses the input when element {diagnosis.text_of(place)} of it "
                    "or of a parameter "
                    f"moves by {k * h:.3g} from {value:.9g}: {error} Move it away from the edge of what "
                    "forward accepts."
                ) from error
            finally:
                array[place] = value

        def slope(a: int, b: int) -> float:
            """Between two of the steps; the outputs that did not change have left no
            rounding error.
            """
            low, high = steps.get(a, (0, 0.0)), steps.get(b, (0, 0.0))
            return float((self.grad_output * (high[0] - low[0])).sum() / (high[1] - low[1]))

        changed = (steps[1][0] != 0) | (steps[-1][0] != 0)
        noise = np.where(changed, self.noise, self.unit)
        rounding = float(np.sqrt(((self.grad_output * noise) ** 2).sum()) / h)
        near, far = slope(-1, 1), slope(-2, 2)
        left, right, left2, right2 = slope(-1, 0), slope(0, 1), slope(-2, 0), slope(0, 2)
        gap, gap2 = abs(right - left), abs(right2 - left2)
        allowed = 2 * abs(far - near) + rounding
        where = tuple(int(i) for i in place)
        found = Element(where, float(np.asarray(grad)[place]), near, allowed, left, right)
        return found, gap > 0.6 * gap2 and gap > 4 * rounding  # where f is smooth, gap is half of gap2


# ------------------------------------------------------------------------------ helpers


def _scale(array: np.ndarray) -> float:
    """The power of two next to the root mean square; 1 for zeros."""
    size = float(np.sqrt(np.mean(np.square(array))))
    return 2.0 ** round(math.log2(size)) if size > 0 and math.isfinite(size) else 1.0


def _float64(x: Any, i: int) -> np.ndarray:
    """A copy; only floating point numbers are differentiated, class indices stay what
    they are.
    """
    if not isinstance(x, (np.ndarray, np.generic)):
        raise TypeError(f"gradcheck: input {i} must be a NumPy array, got {type(x).__name__}; np.asarray makes one.")
    x = np.array(x, np.float64 if x.dtype.kind == "f" else None)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ValueError(f"gradcheck: input {i} must be finite, it holds NaN or infinity.")
    if x.dtype.kind == "f" and np.abs(x).max(initial=0.0) > LARGEST:
        raise ValueError(
            f"gradcheck: input {i} holds {np.abs(x).max():.3g}; above 2^500, about {LARGEST:.2g}, squares overflow and "
            "no step fits. Choose smaller numbers."
        )
    return x


def _in_float64(module: Module) -> Module:
    """A copy in training mode whose parameters and other floating point arrays are
    float64, asked for all gradients.
    """
    module = copy.deepcopy(module)
    for part in module.modules():
        part.needs_input_grad = True
        for name, value in list(vars(part).items()):
            if isinstance(value, Parameter):
                value.data = np.array(value.data, np.float64)
            elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                setattr(part, name, value.astype(np.float64))
    return module.train()
