"""The torch kernel set against the textbook, which torch has judged: never against
torch itself.

Every operation runs in three ways: on NumPy arrays with backend "torch", on tensors whatever
the backend, and on tensors on a GPU (`pytest -m gpu`), which all take the same test bodies.

What a GPU does not promise: the order of sums that several threads add to at once (atomics),
and which algorithm cuDNN takes. Where it takes one that transforms the image first (Winograd,
FFT), the error of an element follows from the largest elements around it, not from its own sum.
So a bound that fails here on a GPU says which; not yet run on a GPU.
"""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.agree.bounds import OPTIMISERS
from minicnn.kernels.arrays import to_numpy
from minicnn.nn import functional as F
from tests.nn.test_losses import LAYERS, assert_within, losses, magnitudes, specials
from tests.nn.test_pointwise import cases as pointwise_cases
from tests.nn.test_pointwise import ulps
from tests.optim.test_optim import ROUNDINGS, runs
from tests.support import oracle, scripts, strategies
from tests.support.oracle import torch

WAYS = ("arrays", "tensors", pytest.param("cuda", marks=pytest.mark.gpu))
CPU = torch.device("cpu")  # the string "cpu" leaves NumPy arrays arrays
DEVICES = {"tensors": "cpu", "cuda": "cuda"}  # of the ways that take tensors
GPU = WAYS[-1]


# ----------------------------------------------------------------------- the three ways


@pytest.fixture(autouse=True)
def a_gpu_where_one_is_asked_for(request):
    asked = request.node.get_closest_marker("gpu")
    if asked and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")


def tensor(value, device="cpu"):
    """An array as a tensor on the device, on the CPU in the same layout where torch knows it;
    floats require grad, which must not matter.
    """
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    native = np.asarray(value).astype(value.dtype.newbyteorder("="), copy=False)
    fits = min(native.strides, default=0) >= 0 and native.flags.writeable
    made = torch.from_numpy(native if fits else native.copy("C")).to(device)
    return made.requires_grad_() if made.is_floating_point() else made


def array(result, device="cpu"):
    """Back again, after a look at what came: a tensor on the device, and no tape attached."""
    assert isinstance(result, torch.Tensor)
    assert result.device.type == device
    assert not result.requires_grad
    assert result.grad_fn is None
    return result.cpu().numpy()


def torch_set(way, function, arrays):
    """[function(*arrays), ...] computed by the torch set, as NumPy arrays whichever way."""
    if way == "arrays":
        with minicnn.use_backend("torch"):
            return function(*arrays)
    device = DEVICES[way]
    with minicnn.use_backend("numpy"):  # tensors do not care
        results = function(*(tensor(a, device) for a in arrays))
    return [None if result is None else array(result, device) for result in results]


def textbook(function, arrays):
    with minicnn.use_backend("numpy"), np.errstate(invalid="ignore"):  # NumPy remarks on inf - inf
        return function(*arrays)


# ------------------------------------------------------------- operations that are sums


def with_gradients(name, arguments):
    """x, weight, bias, grad_output -> [output, grad_input, grad_weight, grad_bias]."""
    forward, backward = getattr(F, name), getattr(F, f"{name}_backward")
    return lambda x, weight, bias, grad: [
        forward(x, weight, bias, **arguments),
        *backward(grad, x, weight, **arguments),
    ]


def is_float(value):
    return "f" in getattr(value.dtype, "kind", str(value.dtype))


def padding(arguments):
    width, mode = arguments["pad"], arguments["mode"]

    def function(x, _weight, _bias, grad):
        return [F.pad(x, **arguments), *([F.pad_backward(grad, width, mode)] if is_float(grad) else [])]

    return function


def unfolding(arguments):
    def function(x, _weight, _bias, grad):
        return [F.unfold(x, **arguments), F.unfold_backward(grad, tuple(x.shape[-2:]), **arguments)]

    return function


SUMS = {
    "conv2d": (strategies.convolutions(), lambda a: with_gradients("conv2d", a)),
    "conv_transpose2d": (strategies.conv_transposes(), lambda a: with_gradients("conv_transpose2d", a)),
    "linear": (strategies.linears(), lambda a: with_gradients("linear", a)),
    "pad": (strategies.pads(), padding),
    "unfold": (strategies.unfolds(), unfolding),
}


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SUMS)
@given(st.data(), strategies.layouts)
def test_integers_agree_bit_for_bit_in_every_layout_and_no_input_is_changed(name, way, data, layouts):
    strategy, operation = SUMS[name]
    case = data.draw(strategy)
    plain = case.arrays(strategies.integers)
    arrays = strategies.lay_out(plain, layouts)
    expected = textbook(operation(case.arguments), plain)
    with oracle.unchanged(arrays):
        results = torch_set(way, operation(case.arguments), arrays)
    for i, (result, right) in enumerate(zip(results, expected, strict=True)):
        oracle.assert_equal(result, right, f"result {i} of {name}")


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SUMS)
@given(st.data(), st.sampled_from(strategies.FLOATS))
def test_reals_agree_within_the_bound_for_sums(name, way, data, dtype):
    """The judge is the textbook in float64; on absolute values it gives the scale, on
    ones the number of terms.
    """
    strategy, operation = SUMS[name]
    case = data.draw(strategy)
    arrays = case.arrays(strategies.reals, dtype)
    function, exact = operation(case.arguments), [a if a is None else a.astype(np.float64) for a in arrays]
    results = torch_set(way, function, arrays)
    expected = textbook(function, exact)
    scale = textbook(function, [a if a is None else np.abs(a) for a in exact])
    terms = textbook(function, [a if a is None else np.ones_like(a) for a in exact])
    for i, (result, right, size, n) in enumerate(zip(results, expected, scale, terms, strict=True)):
        assert result.dtype == dtype
        oracle.assert_close(result, right, size, n.max(initial=1), f"result {i} of {name}")


JUDGED = {  # which results: the others mix special values with padding, where torch's own algorithms differ
    "conv2d": ((0, (0, 2)), (1, (1,)), (3, (1, 3))),
    "conv_transpose2d": ((0, (0,)), (1, (0,)), (3, (1, 2, 3))),
    "linear": ((0, (0, 2)), (1, (0, 1)), (2, (0,)), (3, (1, 2, 3))),
    "pad": ((0, (0,)), (3, (1,))),
    "unfold": ((0, (0,)), (3, (1,))),
}


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SUMS)
@given(st.data())
def test_nan_and_infinity_travel_as_in_the_textbook(name, way, data):
    strategy, operation = SUMS[name]
    case = data.draw(strategy)
    plain, special = case.arrays(strategies.integers, "float64"), case.arrays(strategies.specials, "float64")
    function = operation(case.arguments)
    for odd, judged in JUDGED[name]:
        arrays = [special[i] if i == odd else a for i, a in enumerate(plain)]
        results, expected = torch_set(way, function, arrays), textbook(function, arrays)
        for i in judged:
            if expected[i] is not None:
                oracle.assert_equal(results[i], expected[i], f"result {i} of {name}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "linear"])
@given(st.data())
def test_without_needs_input_grad_the_input_gradient_is_none(name, way, data):
    strategy, operation = SUMS[name]
    case = data.draw(strategy)
    arrays = case.arrays(strategies.integers)

    def spared(x, weight, _bias, grad):
        return getattr(F, f"{name}_backward")(grad, x, weight, **case.arguments, needs_input_grad=False)

    results = torch_set(way, spared, arrays)
    assert results[0] is None
    for result, right in zip(results[1:], textbook(operation(case.arguments), arrays)[2:], strict=True):
        oracle.assert_equal(result, right)


# ---------------------------------------------------------------- pooling and pointwise


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@given(
    strategies.pools(),
    st.sampled_from([strategies.integers, strategies.reals, strategies.specials]),
    strategies.layouts,
)
def test_max_pooling_agrees_bit_for_bit_in_winners_and_gradient(way, case, values, layouts):
    if case.dtype not in strategies.FLOATS:
        values = strategies.integers
    plain = case.arrays(values)
    grad = case.arrays(strategies.integers, "float64")[3]
    arrays = strategies.lay_out([plain[0], grad], layouts)

    def pool(x, grad):
        output, indices = F.max_pool2d(x, **case.arguments, return_indices=True)
        return [output, indices, F.max_pool2d_backward(grad, indices, x.shape, **case.arguments)]

    with oracle.unchanged(arrays):
        results = torch_set(way, pool, arrays)
    for name, result, right in zip(
        ("output", "indices", "grad"), results, textbook(pool, [plain[0], grad]), strict=True
    ):
        oracle.assert_identical(result, right, name)


POINTWISE = ("relu", "sigmoid", "tanh")


def same_bits(way):
    """On a GPU relu may turn -0.0 into 0.0."""
    return oracle.assert_equal if way == "cuda" else oracle.assert_identical


def sloped(name):
    def function(x, grad):
        output = getattr(F, name)(x)
        return [output, getattr(F, f"{name}_backward")(grad, output)]

    return function


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@given(
    pointwise_cases(), st.sampled_from([strategies.integers, strategies.specials, strategies.reals]), strategies.layouts
)
def test_relu_agrees_bit_for_bit_with_nan_and_negative_zero(way, case, values, layouts):
    plain = [case.arrays(values)[0], case.arrays(strategies.reals)[3]]
    arrays = strategies.lay_out(plain, layouts)
    with oracle.unchanged(arrays):
        results = torch_set(way, sloped("relu"), arrays)
    for result, right in zip(results, textbook(sloped("relu"), plain), strict=True):
        same_bits(way)(result, right)


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@given(pointwise_cases())
def test_sigmoid_and_tanh_agree_to_a_few_units_in_the_last_place(name, way, case):
    rng = np.random.default_rng(case.seed)
    x, grad = (np.array(rng.uniform(-30, 30, case.input), case.dtype) for _ in range(2))
    exact = textbook(sloped(name), [x.astype(np.float64), grad.astype(np.float64)])
    output, slope = torch_set(way, sloped(name), [x, grad])
    assert output.dtype == slope.dtype == case.dtype
    ulps(output, exact[0], 4)
    ulps(slope, exact[1], 8, np.abs(grad))  # 1 - output is exact to half a unit of 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_special_values_of_the_pointwise_functions_are_the_textbooks(name, way, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1000.0, -1000.0, 1e-30, -1e-30] * 5, dtype)
    grad = np.random.default_rng(0).integers(1, 5, x.size).astype(dtype)
    for result, right in zip(torch_set(way, sloped(name), [x, grad]), textbook(sloped(name), [x, grad]), strict=True):
        same_bits(way)(result, right)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
def test_relu_takes_integers(way, dtype):
    x = np.arange(-3, 4).astype(dtype)
    (result,) = torch_set(way, lambda x: [F.relu(x)], [x])
    oracle.assert_identical(result, np.array([0, 0, 0, 0, 1, 2, 3], dtype) if dtype != "uint8" else x)


def test_relu_inplace_writes_into_the_tensor_and_returns_it():
    x = torch.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x
    assert x.tolist() == [0.0, 2.0]
    leaf = torch.tensor([-1.0, 2.0], requires_grad=True)
    assert not F.relu(leaf, inplace=True).requires_grad
    assert leaf.tolist() == [0.0, 2.0]


# ------------------------------------------------------------------------------- losses


def loss_and_gradient(case):
    """All arrays of a case in one call, so that both ways can take them."""
    names = [name for name, value in case.options.items() if isinstance(value, np.ndarray)]
    forward, backward = getattr(F, case.name), getattr(F, f"{case.name}_backward")

    def function(x, target, grad_output, *factors):
        options = case.options | dict(zip(names, factors, strict=True))
        return [forward(x, target, **options), backward(grad_output, x, target, **options)]

    return function, case.arrays


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LAYERS)
@given(st.data(), strategies.layouts)
def test_losses_and_their_gradients_agree_with_every_argument(name, way, data, layouts):
    case = data.draw(losses(name))
    function, plain = loss_and_gradient(case)
    arrays = [*strategies.lay_out(plain[:2], layouts), *plain[2:]] if plain[1].ndim else plain
    with oracle.unchanged(arrays):
        results = torch_set(way, function, arrays)
    expected = textbook(function, [a.astype(np.float64) if a.dtype.kind == "f" else a for a in plain])
    *bounds, n = magnitudes(case)
    for what, result, right, bound in zip(("loss", "gradient"), results, expected, bounds, strict=True):
        assert result.dtype == case.input.dtype, what
        assert_within(np.asarray(result), np.asarray(right), bound, n, what)


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LAYERS)
@given(st.data())
def test_special_values_in_losses_are_the_textbooks(name, way, data):
    case = data.draw(losses(name, specials, ("float64",)))
    function, arrays = loss_and_gradient(case)
    found = zip(("loss", "gradient"), torch_set(way, function, arrays), textbook(function, arrays), strict=True)
    if name == "cross_entropy":  # of logits up to 1e4: E is 4e4 units of 2e-16, 1e-11; there is no log p where p is 0
        for what, result, right in found:
            np.testing.assert_allclose(result, right, rtol=1e-9, atol=1e-9, err_msg=what)
        return
    tame = np.nan_to_num(case.input, nan=0, posinf=1e4, neginf=-1e4)  # what they make finite, these make no smaller
    *bounds, n = magnitudes(case._replace(input=tame))
    for (what, result, right), bound in zip(found, bounds, strict=True):
        assert_within(np.asarray(result), np.asarray(right), bound, n, what)


def test_a_loss_of_arrays_is_numpys_number_and_of_tensors_a_tensor():
    x, target = np.zeros((2, 4), np.float32), np.array([1, 3])
    with minicnn.use_backend("torch"):
        loss = F.cross_entropy(x, target)
    assert isinstance(loss, np.float32) and loss.dtype == np.float32
    loss = F.cross_entropy(torch.from_numpy(x), torch.from_numpy(target))
    assert (type(loss), loss.shape, loss.dtype) == (torch.Tensor, (), torch.float32)


@pytest.mark.parametrize("grad_output", [2, 2.0, np.float64(2), np.int64(2), torch.tensor(2.0), torch.tensor(2)])
def test_the_gradient_of_a_loss_of_tensors_is_a_number_or_a_tensor(grad_output):
    x, target = torch.zeros(2, 4), torch.tensor([1, 3])
    once, twice = (F.cross_entropy_backward(g, x, target) for g in (1.0, grad_output))
    assert torch.equal(twice, 2 * once)


def test_the_gradient_of_each_loss_of_tensors_may_be_a_list():
    x, target = torch.zeros(2, 4), torch.tensor([1, 3])
    given = [F.cross_entropy_backward(g, x, target, reduction="none") for g in ([1.0, 2.0], torch.tensor([1.0, 2.0]))]
    assert torch.equal(*given)


# --------------------------------------------------------------------------- optimisers


def run_optimiser(run, kind, convert):
    """Parameters and state after all steps, the arrays converted first."""
    params = [[nn.Parameter(convert(value.copy())) for value in group] for group in run.arrays]
    groups = [{"params": group, **options} for group, options in zip(params, run.options, strict=True)]
    optimizer, flat = kind(groups), [param for group in params for param in group]
    for grads in run.grads:
        for param, grad in zip(flat, grads, strict=True):
            param.grad = None if grad is None else convert(grad)
        optimizer.step()
    return [param.data for param in flat], optimizer.state_dict()["state"]


def assert_same_numbers(actual, expected):
    actual = actual.numpy(force=True) if isinstance(actual, torch.Tensor) else actual
    oracle.assert_equal(np.asarray(actual), np.asarray(expected))


@pytest.mark.differential
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMISERS)
@given(st.data())
def test_optimisers_take_the_textbooks_steps(name, way, data):
    """SGD bit for bit. Adam within its bound: in float32 torch's square root may be
    wrong in the last place.
    """
    run, kind = data.draw(runs([name])), getattr(minicnn.optim, name)
    with minicnn.use_backend("numpy"):
        expected = run_optimiser(run, kind, lambda value: value)
    with minicnn.use_backend("torch" if way == "arrays" else "numpy"):
        results = run_optimiser(run, kind, lambda value: value if way == "arrays" else tensor(value, DEVICES[way]))
    arrays = [value for group in run.arrays for value in group]
    options = [options for group, options in zip(run.arrays, run.options, strict=True) for _ in group]
    assert results[1].keys() == expected[1].keys()
    for i, (start, chosen) in enumerate(zip(arrays, options, strict=True)):
        bounds = OPTIMISERS[name](start, [grads[i] for grads in run.grads], **chosen)
        pairs = {"param": (results[0][i], expected[0][i])}
        pairs |= {key: (results[1][i][key], right) for key, right in expected[1].get(i, {}).items()}
        for key, (result, right) in pairs.items():
            if key == "step" or right is None:
                assert result == right
                continue
            assert isinstance(result, np.ndarray if way == "arrays" else torch.Tensor)
            if name == "SGD":
                assert_same_numbers(result, right)
            else:
                n, bound = ROUNDINGS * len(run.grads), np.broadcast_to(bounds[key], right.shape)
                oracle.assert_close(to_numpy(result), right, bound, n, key)


@pytest.mark.parametrize("layout", strategies.LAYOUTS)
def test_an_optimiser_step_reaches_an_array_in_every_layout(layout):
    start, grad = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    data = strategies.LAYOUTS[layout](start)
    parameter = nn.Parameter(data)
    parameter.grad = strategies.LAYOUTS[layout](grad)
    with minicnn.use_backend("torch"):
        if layout == "read-only":
            with pytest.raises(ValueError, match="read-only"):
                minicnn.optim.SGD([parameter], lr=0.5).step()
            return
        minicnn.optim.SGD([parameter], lr=0.5, momentum=0.9).step()
    assert parameter.data is data
    assert (data == start - 0.5).all()


# ------------------------------------------------------------------ a model on a device


def batches(steps, size, dtype):
    loader = minicnn.data.DataLoader(minicnn.data.Subset(minicnn.data.MNIST(), range(steps * size)), batch_size=size)
    return [(images.astype(dtype), labels) for images, labels in loader]


def train(data, dtype, device=None):
    """The losses of SimpleCNN's first steps, and the model and optimiser after them."""
    minicnn.manual_seed(0)
    model, criterion = minicnn.models.SimpleCNN(), nn.CrossEntropyLoss()
    model.load_state_dict({name: value.astype(dtype) for name, value in model.state_dict().items()})
    move = (lambda value: value) if device is None else (lambda value: torch.as_tensor(value, device=device))
    if device is not None:
        model.to(device)
    optimizer, values = minicnn.optim.Adam(model.parameters()), []
    for images, labels in data:
        optimizer.zero_grad()
        values.append(criterion(model(move(images)), move(labels)))
        model.backward(criterion.backward())
        optimizer.step()
    return [float(value) for value in values], model, optimizer


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("device", [None, CPU, GPU])
def test_training_follows_the_textbook(device, dtype, tolerance):
    data = batches(10, 16, dtype)
    with minicnn.use_backend("numpy"):
        expected, *_ = train(data, dtype)
    with minicnn.use_backend("numpy" if device else "torch"):
        results, model, optimizer = train(data, dtype, device)
        again, other, _ = train(data, dtype, device)
    apart = 10 if device == "cuda" else 1  # other algorithms for the same sums
    np.testing.assert_allclose(results, expected, rtol=apart * tolerance)
    kind = torch.Tensor if device else np.ndarray
    if device != "cuda":  # which promises it with --deterministic alone
        assert results == again  # run after run
    for parameter, twin in zip(model.parameters(), other.parameters(), strict=True):
        assert isinstance(parameter.data, kind) and isinstance(parameter.grad, kind)
        assert device == "cuda" or (parameter.data == twin.data).all()
    for state in optimizer.state.values():
        assert isinstance(state["exp_avg"], kind)
    if device:
        tensors = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
        tensors += [value for state in optimizer.state.values() for value in state.values() if isinstance(value, kind)]
        assert not any(t.requires_grad for t in tensors)


def small_model():
    minicnn.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding_mode="circular", padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(18, 2)
    )


@pytest.mark.parametrize("device", [CPU, "auto", GPU])
def test_moving_a_model_there_and_back_keeps_every_bit(device):
    model = small_model()
    model(np.ones((1, 1, 3, 3), np.float32))
    model.backward(np.ones((1, 2), np.float32))
    before = {name: (p.data.copy(), p.grad.copy()) for name, p in model.named_parameters()}
    assert model.to(device) is model
    parameters = dict(model.named_parameters())
    assert all(isinstance(p.data, torch.Tensor) and isinstance(p.grad, torch.Tensor) for p in parameters.values())
    assert [p.shape for p in parameters.values()] == [data.shape for data, _ in before.values()]
    assert [p.size for p in parameters.values()] == [data.size for data, _ in before.values()]
    assert {p.dtype for p in parameters.values()} == {torch.float32}
    model.to("numpy")
    for name, parameter in model.named_parameters():
        oracle.assert_identical(parameter.data, before[name][0])
        oracle.assert_identical(parameter.grad, before[name][1])


def test_a_moved_model_does_not_share_memory_with_the_arrays_that_it_left():
    model = small_model()
    old = model.state_dict()["0.weight"]
    copy = old.copy()
    model.to(CPU).state_dict()["0.weight"].fill_(7)
    oracle.assert_identical(old, copy)


def test_moving_forgets_what_forward_kept_and_takes_a_losss_weights_along():
    model, criterion = small_model(), nn.CrossEntropyLoss(weight=np.array([1.0, 3.0], np.float32))
    model(np.ones((1, 1, 3, 3), np.float32))
    model.to(CPU)
    criterion.to(CPU)
    with pytest.raises(RuntimeError, match="nothing was kept"):
        model.backward(torch.ones(1, 2))
    assert isinstance(criterion.weight, torch.Tensor)
    criterion(model(torch.ones(1, 1, 3, 3)), torch.tensor([1]))
    assert model.backward(criterion.backward()).shape == (1, 1, 3, 3)


def test_layers_take_a_tensor_that_requires_grad_as_data():
    model = small_model().to(CPU)
    for layer in (model, nn.Flatten(), nn.Unflatten(3, (3, 1))):
        output = layer(torch.ones(1, 1, 3, 3, requires_grad=True))
        grad = layer.backward(torch.ones(output.shape, requires_grad=True))
        assert not output.requires_grad
        assert not grad.requires_grad


@pytest.mark.parametrize("to", ["numpy", CPU])
@pytest.mark.parametrize("given_as", ["arrays", "tensors", "parameters"])
def test_a_state_dict_loads_to_where_the_parameters_live(given_as, to):
    kinds = {
        "arrays": np.asarray,
        "tensors": torch.from_numpy,
        "parameters": lambda a: torch.nn.Parameter(torch.from_numpy(a)),
    }
    source = {name: value.astype(np.float64) for name, value in small_model().state_dict().items()}
    model = small_model().to(to)
    for parameter in model.parameters():
        parameter.data = parameter.data * 0
    model.load_state_dict({name: kinds[given_as](value) for name, value in source.items()})
    for name, value in model.state_dict().items():
        assert isinstance(value, np.ndarray if to == "numpy" else torch.Tensor)
        oracle.assert_identical(np.asarray(value), source[name])
        assert not np.shares_memory(np.asarray(value), source[name])


def test_what_does_not_fit_is_listed_for_tensors_too():
    model = nn.Linear(2, 2).to(CPU)
    with pytest.raises(
        RuntimeError, match=r"(?s)weight: expected shape \(2, 2\), got \(3, 2\).*got float16.*bias: missing"
    ):
        model.load_state_dict({"weight": torch.zeros(3, 2, dtype=torch.float16)})


def stepped(layer, optimizer, steps):
    for step in steps:
        grad = np.full((2, 2), 0.5 - step, np.float32)
        layer.weight.grad = torch.from_numpy(grad) if isinstance(layer.weight.data, torch.Tensor) else grad
        with minicnn.use_backend("numpy"):
            optimizer.step()


@pytest.mark.parametrize("source, target", [(CPU, CPU), (CPU, "numpy"), ("numpy", CPU), ("numpy", "numpy")])
@pytest.mark.parametrize("kind, options", [("Adam", {"amsgrad": True}), ("SGD", {"momentum": 0.9})])
def test_an_optimisers_state_loads_to_where_the_parameters_live(kind, options, source, target):
    """And the next steps are those that the first optimiser takes, bit for bit."""
    first, second = (nn.Linear(2, 2, bias=False).to(place) for place in (source, target))
    saving, loading = (getattr(minicnn.optim, kind)(layer.parameters(), **options) for layer in (first, second))
    stepped(first, saving, range(3))
    second.load_state_dict(first.state_dict())
    loading.load_state_dict(saving.state_dict())
    for layer, optimizer in ((first, saving), (second, loading)):
        stepped(layer, optimizer, range(3, 5))
    expected, state = saving.state_dict()["state"][0], loading.state_dict()["state"][0]
    assert_same_numbers(second.weight.data, np.asarray(first.weight.data))
    assert state.keys() == expected.keys()
    for key, value in state.items():
        assert_same_numbers(value, np.asarray(expected[key]))
        if key != "step":
            assert isinstance(value, np.ndarray if target == "numpy" else torch.Tensor)


def test_a_state_follows_a_model_that_is_moved_later():
    results = []
    for moved in (False, True):
        minicnn.manual_seed(0)
        layer = nn.Linear(2, 2, bias=False)
        optimizer = minicnn.optim.Adam(layer.parameters())
        for step, place in enumerate(["numpy", CPU, "numpy"]):
            layer.to(place if moved else "numpy")
            stepped(layer, optimizer, [step])
            assert type(optimizer.state[layer.weight]["exp_avg"]) is type(layer.weight.data)
        results.append(layer.weight.data)
    oracle.assert_identical(*results)


def test_zero_grad_leaves_zeros_of_the_gradients_kind():
    layer = nn.Linear(2, 2).to(CPU)
    layer.weight.grad = torch.ones(2, 2)
    optimizer = minicnn.optim.SGD(layer.parameters())
    optimizer.zero_grad(set_to_none=False)
    assert torch.equal(layer.weight.grad, torch.zeros(2, 2))
    optimizer.zero_grad()
    assert layer.weight.grad is None


# ----------------------------------------------------------------------------- rejected

A, T = np.ones((1, 1, 3, 3), np.float32), torch.ones(1, 1, 3, 3)
MIXES = {
    "array into a model on a device": (
        lambda: small_model().to(CPU)(A),
        r"conv|pad|Conv2d",
        (
            r"input is a NumPy array but weight is a torch tensor on cpu.*torch.as_tensor\(input, device='cpu'\) or "
            r"weight.numpy\(force=True\) brings them together.*model.to\('numpy'\)"
        ),
    ),
    "tensor into a model of arrays": (
        lambda: small_model()(T),
        "conv2d",
        r"input is a torch tensor on cpu but weight .*input.numpy\(force=True\).*model.to\(torch.device\('cpu'\)\)",
    ),
    "target": (
        lambda: F.cross_entropy(torch.zeros(1, 2), np.array([1])),
        "cross_entropy",
        "input is a torch tensor on cpu but target is a NumPy array",
    ),
    "target of mse_loss": (
        lambda: F.mse_loss(T, A),
        "mse_loss",
        "input is a torch tensor on cpu but target is a NumPy array",
    ),
    "class weights": (
        lambda: F.cross_entropy(torch.zeros(1, 2), torch.tensor([1]), np.ones(2, np.float32)),
        "cross_entropy",
        "weight is a NumPy array",
    ),
    "grad_output": (
        lambda: F.relu_backward(A, T),
        "relu_backward",
        "output is a torch tensor on cpu but grad_output is a NumPy array",
    ),
    "grad_output of a loss": (
        lambda: F.mse_loss_backward(np.array(1.0), T, T),
        "mse_loss_backward",
        "input is a torch tensor on cpu but grad_output is a NumPy array",
    ),
    "grad_output of a loss of arrays": (
        lambda: F.mse_loss_backward(torch.tensor(1.0), A, A),
        "mse_loss_backward",
        "input is a NumPy array but grad_output is a torch tensor on cpu",
    ),
    "pooling's indices": (
        lambda: F.max_pool2d_backward(torch.ones(1, 1, 1, 1), np.zeros((1, 1, 1, 1), int), (1, 1, 3, 3), 3),
        "max_pool2d_backward",
        "grad_output is a torch tensor on cpu but indices is a NumPy array",
    ),
    "another device": (
        lambda: F.conv2d(T, torch.ones(1, 1, 3, 3, device="meta")),
        "conv2d",
        r"input is a torch tensor on cpu but weight is a torch tensor on meta.*device='meta'",
    ),
}


@pytest.mark.parametrize("name", MIXES)
def test_what_does_not_live_together_is_refused_with_what_to_do(name):
    call, who, text = MIXES[name]
    with pytest.raises(RuntimeError, match=rf"(?s){who}.*{text}"):
        call()


@pytest.mark.parametrize("on_device", [True, False])
def test_an_optimiser_refuses_a_gradient_from_elsewhere(on_device):
    layer = nn.Linear(2, 2).to(CPU if on_device else "numpy")
    layer.weight.grad = np.ones((2, 2), np.float32) if on_device else torch.ones(2, 2)
    kinds = ["a torch tensor on cpu", "a NumPy array"][:: 1 if on_device else -1]
    sentence = f"Adam: its parameter is {kinds[0]} but grad is {kinds[1]}, and nothing is moved silently"
    with pytest.raises(RuntimeError, match=sentence):
        minicnn.optim.Adam(layer.parameters()).step()


REFUSED = {
    "a dtype of torch": (
        lambda: F.conv2d(T.half(), T),
        RuntimeError,
        r"conv2d: input has dtype float16, .*float32.*input.to\(torch.float32\) converts",
    ),
    "two dtypes": (
        lambda: F.conv2d(T, T.double()),
        RuntimeError,
        r"input is float32 but weight is float64.*input.to\(torch.float64\) or weight.to\(torch.float32\)",
    ),
    "a shape": (
        lambda: F.linear(T, torch.ones(2, 4)),
        RuntimeError,
        r"in_features = 4, got an input of shape \(1, 1, 3, 3\)",
    ),
    "dimensions": (lambda: F.conv2d(T[0, 0], T), RuntimeError, r"got 2 dimension\(s\): \(3, 3\)"),
    "a bias": (lambda: F.conv2d(T, T, torch.ones(2)), RuntimeError, r"bias must have shape \(1,\), got \(2,\)"),
    "a class": (
        lambda: F.cross_entropy(torch.zeros(1, 2), torch.tensor([2])),
        IndexError,
        "classes from 0 to 1 .*got 2",
    ),
    "a probability": (
        lambda: F.binary_cross_entropy(T + 1, T),
        RuntimeError,
        r"between 0 and 1, got values from 2.0 to 2.0",
    ),
    "an index": (
        lambda: F.max_pool2d_backward(torch.ones(1, 1, 1), torch.tensor([[[9]]]), (1, 3, 3), 3),
        IndexError,
        r"indices must lie in \[0, 9\).*got 9 to 9",
    ),
    "flatten's gradient": (
        lambda: (layer := nn.Flatten(), layer(T), layer.backward(T)),
        RuntimeError,
        r"output's shape \(1, 9\), got \(1, 1, 3, 3\)",
    ),
    "SimpleCNN's input": (lambda: minicnn.models.SimpleCNN().to(CPU)(T), RuntimeError, r"got \(1, 1, 3, 3\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_tensor_is_described_as_an_array_would_be(name):
    call, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", torch.device("cuda"), "cuda:99"])
def test_a_device_that_is_not_here_is_an_error_and_nothing_moves(device):
    from minicnn.kernels.torch_gpu.devices import find_device

    if str(device) != "cuda:99" and (torch.cuda.device_count() > 1 or torch.mps.is_available()):
        pytest.skip("such a device is here")
    if str(device) == "cuda" and torch.cuda.is_available():
        pytest.skip("such a device is here")
    model, text = (
        nn.Linear(2, 2),
        rf"device '{device}' was asked for, but torch finds \d device\(s\) of the kind.*'auto'",
    )
    for call in (lambda: find_device(device), lambda: model.to(device)):
        with pytest.raises(RuntimeError, match=text):
            call()
    assert isinstance(model.weight.data, np.ndarray)


@pytest.mark.parametrize(
    "name, kind, text",
    [
        ("gpu", ValueError, "device must be 'auto', 'cpu', 'cuda'.*got 'gpu'"),
        ("cuda:x", ValueError, "got 'cuda:x'"),
        ("", ValueError, "got ''"),
        ("meta", ValueError, "got 'meta'"),
        (0, TypeError, "a string or a torch.device, got int: 0"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_a_name_that_is_no_device_is_refused(name, kind, text):
    with pytest.raises(kind, match=text):
        nn.Linear(2, 2).to(name)


def test_auto_finds_the_best_device_and_cpu_is_always_there():
    from minicnn.kernels.torch_gpu.devices import find_device

    assert find_device("cpu") == torch.device("cpu")
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu"
    assert find_device("auto") == find_device() == torch.device(best)


# ----------------------------------------------------------------------------- settings


def test_tf32_is_off_unless_asked_for():
    from minicnn.kernels.torch_gpu.devices import allow_tf32, tf32_is_allowed

    minicnn.nn.functional.relu(T)  # loads the set
    assert tf32_is_allowed() == (False, False)
    with contextlib.ExitStack() as stack:
        stack.callback(allow_tf32, False)
        allow_tf32(True)
        assert tf32_is_allowed() == (True, True)
    assert tf32_is_allowed() == (False, False)


def test_torch_can_read_its_own_settings_and_export_a_network_after_minicnn_used_it(tmp_path):
    """torch refuses to read its older TF32 settings where they differ from its newer ones."""
    script = """
        import torch
        from minicnn.kernels.torch_gpu.devices import allow_tf32, tf32_is_allowed

        def export():
            torch.export.export(torch.nn.Conv2d(1, 1, 3), (torch.zeros(1, 1, 4, 4),))

        export()  # as the set was loaded
        settings = [
            "torch.set_float32_matmul_precision('high')",
            "torch.set_float32_matmul_precision('medium')",
            "torch.backends.cuda.matmul.allow_tf32 = True",
            "torch.backends.cudnn.allow_tf32 = True",
        ]
        if hasattr(torch.backends, "fp32_precision"):
            settings += [
                "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
                "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
                "torch.backends.cudnn.rnn.fp32_precision = 'tf32'",
                "torch.backends.cudnn.fp32_precision = 'tf32'",
                "torch.backends.fp32_precision = 'tf32'",
            ]
        for setting in settings:
            for allowed in (False, True, False):
                exec(setting)
                allow_tf32(allowed)
                read = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
                assert read == tf32_is_allowed() == (allowed, allowed), setting
                assert torch.get_float32_matmul_precision() == ("high" if allowed else "highest"), setting
                export()
        print("read")
    """
    assert scripts.run(tmp_path, script).endswith("read\n")


def test_the_number_of_threads_is_torchs_too():
    for n in (2, 1):
        minicnn.set_num_threads(n)
        assert torch.get_num_threads() == n


def test_values_on_another_device_are_not_looked_at():
    """A stand-in for a GPU: what lies on the meta device has no values, so looking
    would fail.
    """
    from minicnn.kernels.arrays import checkable_values

    elsewhere = torch.zeros(2, 3, device="meta")
    assert checkable_values(elsewhere).size == 0
    assert F.binary_cross_entropy(elsewhere, elsewhere).device.type == "meta"
    loss = F.cross_entropy(elsewhere, torch.zeros(2, dtype=torch.int64, device="meta"))
    assert loss.device.type == "meta"
    model = small_model()
    for parameter in model.parameters():
        parameter.data = torch.from_numpy(parameter.data).to("meta")
    criterion, optimizer = nn.CrossEntropyLoss(), minicnn.optim.Adam(model.parameters())
    criterion(model(torch.zeros(2, 1, 3, 3, device="meta")), torch.zeros(2, dtype=torch.int64, device="meta"))
    model.backward(criterion.backward())
    optimizer.step()
