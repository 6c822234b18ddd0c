"""Many threads and one model; ten thousand steps; a forward that is not the latest.
MINICNN_LONG=1 takes the long way.
"""

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import nn, optim
from minicnn.data import MNIST
from minicnn.models import SimpleCNN
from tests.trust.repetitions import times

ROOT = Path(minicnn.__file__).parents[1]


@pytest.fixture(params=["numpy", "numba", "torch"])
def backend(request):
    if request.param == "torch":
        pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    minicnn.set_backend(request.param)
    return request.param


# ------------------------------------------------------------------------------ threads


@pytest.mark.parametrize("inner", [1, 2], ids=["one thread each", "a team of two"])
def test_many_threads_that_ask_one_model_get_the_right_answers(backend, inner):
    minicnn.set_num_threads(inner)
    minicnn.manual_seed(0)
    model = SimpleCNN().eval()
    images, _ = MNIST().batch(range(60))
    batches = [images[i : i + 1 + i % 5] for i in range(50)]
    alone = [model(batch).tobytes() for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(times(2, 40)):
            together = [answer.tobytes() for answer in pool.map(model, batches)]
            assert together == alone
    assert all(module.kept_for_backward is None for module in model.modules())


def test_many_threads_that_train_a_model_each_get_the_right_gradients(backend):
    images, labels = MNIST().batch(range(40))

    def gradients(i):
        model, criterion = models[i], nn.CrossEntropyLoss()
        criterion(model(images[i : i + 8]), labels[i : i + 8])
        model.backward(criterion.backward())
        return [parameter.grad.tobytes() for parameter in model.parameters()]

    minicnn.set_num_threads(2)
    found = []
    for workers in (1, 8):
        minicnn.manual_seed(0)
        models = [SimpleCNN() for _ in range(8)]
        with ThreadPoolExecutor(workers) as pool:
            found.append(list(pool.map(gradients, range(8))))
    assert found[0] == found[1]


# ------------------------------------------------------------------------------- memory

STEPS = """
import os, sys
import numpy as np
import minicnn
from minicnn import nn, optim
minicnn.set_backend(sys.argv[1])
minicnn.set_num_threads(2)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 2, 2), nn.Tanh(),
    nn.Flatten(), nn.Linear(98, 8), nn.Sigmoid(), nn.Linear(8, 10),
)
criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters())
rng = np.random.default_rng(0)
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
for step in range(1, int(sys.argv[2]) + 1):
    x, y = rng.random((8, 1, 12, 12), np.float32), rng.integers(0, 10, 8)
    optimizer.zero_grad()
    criterion(model(x), y)
    model.backward(criterion.backward())
    optimizer.step()
    if step == int(sys.argv[3]):
        before = resident()
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory where Linux tells it")
@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_many_steps_leave_the_memory_where_it_was(backend):
    if backend == "torch":
        pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    # It takes up to 1,500 steps until the process has all the memory that it will use.
    first = 100 if backend == "torch" else 2000
    steps = times(200 if backend == "torch" else 1000, 10_000)
    done = subprocess.run(
        [sys.executable, "-c", STEPS, backend, str(first + steps), str(first)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    print(f"{backend}: {grown / 1024:.0f} KiB more after {first + steps} steps than after {first}")
    assert grown < 1_000_000  # a single batch that is kept in each of 1,000 steps would be four times that


# ----------------------------------------------------------------------- stale forwards

IMAGES, PROBABILITIES = (2, 2, 6, 6), (3, 4)
PLACES = np.broadcast_to(4 * np.arange(36).reshape(6, 6), IMAGES)  # of a 12 x 12 plane
LAYERS = {
    "Conv2d": (lambda: nn.Conv2d(2, 2, 3, padding=1), IMAGES),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 2, 3, padding=1), IMAGES),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 1, 1), IMAGES),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 1, 1), IMAGES),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((4, None)), IMAGES),
    "MaxUnpool2d": (lambda: nn.MaxUnpool2d(2), IMAGES),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGES),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(2), IMAGES),
    "LayerNorm": (lambda: nn.LayerNorm(6), IMAGES),
    "Dropout": (nn.Dropout, IMAGES),
    "Dropout2d": (nn.Dropout2d, IMAGES),
    "Identity": (nn.Identity, IMAGES),
    "ReLU": (nn.ReLU, IMAGES),
    "LeakyReLU": (nn.LeakyReLU, IMAGES),
    "GELU": (nn.GELU, IMAGES),
    "Softmax": (lambda: nn.Softmax(1), IMAGES),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), IMAGES),
    "Sigmoid": (nn.Sigmoid, IMAGES),
    "Tanh": (nn.Tanh, IMAGES),
    "Flatten": (lambda: nn.Flatten(0, 0), IMAGES),
    "Unflatten": (lambda: nn.Unflatten(0, (2,)), IMAGES),
    "Linear": (lambda: nn.Linear(6, 6), IMAGES),
    "Sequential": (lambda: nn.Sequential(nn.Linear(6, 6), nn.Tanh()), IMAGES),
    "Residual": (lambda: nn.Residual(nn.Linear(6, 6), nn.Tanh()), IMAGES),
    "Concat": (lambda: nn.Concat(nn.Conv2d(2, 1, 1), nn.Conv2d(2, 1, 3, padding=1)), IMAGES),
}
OF_ONE_INPUT = [name for name in LAYERS if name != "MaxUnpool2d"]  # its indices cannot come through a Sequential
CRITERIA = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss, np.array([1, 0, 3])),
    "NLLLoss": (nn.NLLLoss, np.array([1, 0, 3])),
    "BCELoss": (nn.BCELoss, np.full(PROBABILITIES, 0.25, np.float32)),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, np.full(PROBABILITIES, 0.25, np.float32)),
    "MSELoss": (nn.MSELoss, np.full(PROBABILITIES, 0.25, np.float32)),
}


def drawn(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32) - np.float32(0.5 * (shape == IMAGES))


def test_none_is_forgotten_here():
    modules = {name for name, kind in vars(nn).items() if isinstance(kind, type) and issubclass(kind, nn.Module)}
    assert modules - {"Module"} == {*LAYERS, *CRITERIA}


@pytest.mark.parametrize("name", [*LAYERS, *CRITERIA])
def test_backward_serves_the_latest_forward_once(backend, name):
    if name in LAYERS:
        make, shape = LAYERS[name]
        rest = (PLACES,) if name == "MaxUnpool2d" else ()
    else:
        make, target = CRITERIA[name]
        shape = PROBABILITIES
        rest = (target,)
    module = make()
    grad = (drawn(module(drawn(shape), *rest).shape, 1),) if name in LAYERS else ()
    module.train()  # which forgets that forward
    with pytest.raises(RuntimeError, match="backward was called, but nothing was kept"):
        module.backward(*grad)
    module(drawn(shape, 2), *rest)
    minicnn.manual_seed(0)  # dropout draws anew in each forward
    module(drawn(shape, 3), *rest)
    found = module.backward(*grad)
    with pytest.raises(RuntimeError, match="each forward serves one backward"):
        module.backward(*grad)
    module.zero_grad()
    minicnn.manual_seed(0)
    module(drawn(shape, 3), *rest)
    np.testing.assert_array_equal(module.backward(*grad), found)
    module.eval()(drawn(shape, 4), *rest)
    with pytest.raises(RuntimeError, match=r"in eval\(\) mode forward keeps nothing"):
        module.backward(*grad)


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_a_layer_that_stands_twice_in_a_sequential_gets_the_gradients_of_both_places(backend, name):
    """Those of two layers with the same parameters, added."""
    make, shape = LAYERS[name]
    layer = make()
    first, second = copy.deepcopy(layer), copy.deepcopy(layer)
    found = []
    for network in (nn.Sequential(layer, nn.Tanh(), layer), nn.Sequential(first, nn.Tanh(), second)):
        minicnn.manual_seed(0)
        output = network(drawn(shape))
        found.append((output, network.backward(drawn(output.shape, 1))))
    np.testing.assert_array_equal(*[output for output, _ in found])
    np.testing.assert_array_equal(*[grad_input for _, grad_input in found])
    for shared, one, other in zip(layer.parameters(), first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(shared.grad, one.grad + other.grad)


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_a_layer_used_twice_where_nobody_notes_both_calls_is_noticed_and_both_are_named(backend, name):
    make, shape = LAYERS[name]
    layer = make()
    network = nn.Sequential(nn.Sequential(layer), nn.Tanh(), nn.Sequential(layer))
    output = network(drawn(shape))
    inner = r"(\.\w+)*"  # the layer itself, or one inside it
    with pytest.raises(RuntimeError, match=rf"stands at '0\.0(?P<inner>{inner})' and '2\.0(?P=inner)' in one forward"):
        network.backward(np.ones_like(output))


@pytest.mark.parametrize("change", ["step", "load"])
def test_a_forward_with_other_parameters_than_backwards_is_noticed(backend, change):
    """As in torch: the gradient would be that of a network which never computed the output."""
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = drawn(IMAGES)
    model.backward(np.ones_like(model(x)))
    output = model(x)
    if change == "step":
        optimizer.step()
    else:
        model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="Linear.backward was called, but its parameters have changed since forward"):
        model.backward(np.ones_like(output))
    model.backward(np.ones_like(model(x)))


class Stumbling(nn.Module):
    """A layer that fails when it is asked to: a Ctrl-C, an error, no memory."""

    error = None

    def forward(self, x):
        if self.error is not None:
            raise self.error
        return x

    def backward(self, grad_output):
        return grad_output


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError, ZeroDivisionError])
def test_a_forward_that_was_broken_off_leaves_nothing_to_backward(backend, error):
    """Else the layers in front would have kept the new input and those behind the old one."""
    last = Stumbling()
    inner = nn.Sequential(nn.Linear(6, 6), last)
    model = nn.Sequential(nn.Linear(6, 6), inner, nn.Linear(6, 6))
    output = model(drawn(IMAGES))
    last.error = error
    with pytest.raises(error):
        model(drawn(IMAGES, 1))
    for layer in (model, inner[0], model[0]):
        with pytest.raises(RuntimeError, match="nothing was kept"):
            layer.backward(np.ones_like(output))
    last.error = None
    model.backward(np.ones_like(model(drawn(IMAGES))))


def test_a_layer_called_by_itself_between_forward_and_backward_is_noticed(backend):
    model = nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.Tanh(), nn.Linear(6, 6)))
    output = model(drawn(IMAGES))
    model[1][1](drawn(IMAGES, 1))
    model[1][1].backward(np.ones_like(output))  # its own is right
    model.zero_grad()
    with pytest.raises(RuntimeError, match=r"nothing was kept"):
        model.backward(np.ones_like(output))
    output = model(drawn(IMAGES))
    model[0](drawn(IMAGES, 1))
    with pytest.raises(
        RuntimeError,
        match=r"Linear.backward was called, but Linear\(.*\) was called on its own after the network's forward",
    ):
        model.backward(np.ones_like(output))
    model.backward(np.ones_like(model(drawn(IMAGES))))


def test_two_networks_do_not_overtake_each_other(backend):
    """As a generator and its critic are trained: each has its own way forward and back."""
    first, second = (nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(2))
    x = drawn(IMAGES)
    output = second(first(x))
    grad = first.backward(second.backward(np.ones_like(output)))
    np.testing.assert_array_equal(first(x), first(x))  # the latest forward counts
    second(first(x))
    np.testing.assert_array_equal(first.backward(second.backward(np.ones_like(output))), grad)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_asked_twice_answers_for_the_latest(backend, name):
    make, target = CRITERIA[name]
    one, other = make(), make()
    one(drawn(PROBABILITIES, 1), target)
    one(drawn(PROBABILITIES, 2), target)
    other(drawn(PROBABILITIES, 2), target)
    np.testing.assert_array_equal(one.backward(), other.backward())
