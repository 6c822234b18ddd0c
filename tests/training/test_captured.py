"""A training step as a CUDA graph: all but the graph itself on the CPU, and all on a GPU."""

from functools import partial

import numpy as np
import pytest

import minicnn
from minicnn import train
from minicnn.data import MNIST, Subset
from minicnn.kernels import arrays
from minicnn.optim import Adam
from minicnn.tasks import TASKS, TaskDataset
from minicnn.train import answer, evaluate, learn_from, main, train_epoch
from minicnn.training.processes import ONE_PROCESS, OneProcess

torch = pytest.importorskip("torch", reason="a device needs torch: pip install 'minicnn[torch]'")

from torch.utils._python_dispatch import TorchDispatchMode

from minicnn.training.captured import WARM_UP, Captured, CapturedSteps, CudaGraphs, FlatAdam
from minicnn.training.on_device import DeviceLoader

GPU = pytest.param("cuda", marks=pytest.mark.gpu)
SIZE = 5 * 16 + 7  # the last batch is smaller


@pytest.fixture(autouse=True)
def a_gpu_where_one_is_asked_for(request):
    if request.node.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")


# ---------------------------------------------------------------------- stand-ins for a GPU


class Recorded:
    """A CUDA graph's stand-in: each operation of torch with the tensors that it read and wrote.

    As a graph it repeats the same operations on the same memory, and runs no Python of the
    function's. So a number that Python computed while it recorded stays as it was.
    """

    def launch(self, function):
        function()

    def capture(self, function):
        recorder = Recorder()
        with recorder:
            function()
        recorder.undo()
        return recorder.replay


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.before = []  # (tensor, what it held): to record computes nothing

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self.before.append((value, value.clone()))
        for argument in func._schema.arguments:
            if argument.name in kwargs and argument.alias_info is not None and argument.alias_info.is_write:
                self.before.append((kwargs[argument.name], kwargs[argument.name].clone()))
        result = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, result))
        return result

    def undo(self):
        for tensor, value in reversed(self.before):
            tensor.copy_(value)

    def replay(self):
        for func, args, kwargs, kept in self.calls:
            result = func(*args, **kwargs)
            for old, new in zip(flat(kept), flat(result), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def flat(result):
    results = result if isinstance(result, (tuple, list)) else [result]
    return [one for one in results if isinstance(one, torch.Tensor)]


class Plain:
    """Runs the function anew each time."""

    def launch(self, function):
        function()

    def capture(self, function):
        return function


GRAPHS = {"cpu": Recorded, "cuda": CudaGraphs}


# --------------------------------------------------------------------------------- training


def loader(task="digits", device="cpu", dtype="float32", shuffle=True):
    images = Subset(MNIST(dtype=np.dtype(dtype)), range(SIZE))
    return DeviceLoader(TaskDataset(images, TASKS[task]), device, batch_size=16, shuffle=shuffle, seed=3)


def network(task="digits", device="cpu", dtype="float32"):
    minicnn.manual_seed(0)
    model = TASKS[task].network({"latent_dim": 4})
    model.load_state_dict({name: value.astype(dtype) for name, value in model.state_dict().items()})
    return model.to(torch.device(device))


def captured_steps(model, criterion, optimizer, graphs, task="digits", processes=ONE_PROCESS):
    parts = (model, criterion, TASKS[task].count_right)
    return CapturedSteps(partial(learn_from, *parts), partial(answer, *parts), optimizer, processes, graphs)


def trained(task, device, dtype, graphs=None, epochs=4, processes=ONE_PROCESS, **options):
    """Metrics of each epoch, weights and Adam's state after a training whose rate changes."""
    model, data = network(task, device, dtype), loader(task, device, dtype)
    criterion = TASKS[task].criterion()
    optimizer = Adam(model.parameters(), **options)
    captured = captured_steps(model, criterion, optimizer, graphs, task, processes) if graphs else None
    metrics = []
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 1e-3 / (1 + epoch)
        rest = (TASKS[task].count_right,)
        metrics.append(train_epoch(model, criterion, optimizer, data, *rest, processes=processes, captured=captured))
        metrics.append(evaluate(model, criterion, data, *rest, captured=captured))
    return metrics, model, optimizer


def host(state):
    """A state_dict's arrays on the CPU."""
    return {name: arrays.to_numpy(value) for name, value in state.items() if value is not None}


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "amsgrad": True}, {"betas": (0.3, 0.5)}])
@pytest.mark.parametrize("task", TASKS)
def test_a_repeated_step_learns_what_a_plain_one_learns(task, options, device):
    """On the CPU bit for bit: metrics, weights, Adam's averages and step counts.

    The rate changes each epoch, each epoch ends with a smaller batch, and from the fourth call
    of a shape on no Python runs.
    """
    expected, model, optimizer = trained(task, device, "float32", **options)
    metrics, other, flattened = trained(task, device, "float32", GRAPHS[device](), **options)
    same = np.testing.assert_array_equal if device == "cpu" else partial(np.testing.assert_allclose, rtol=1e-3)
    same(metrics, expected)
    for name, value in host(model.state_dict()).items():
        np.testing.assert_allclose(arrays.to_numpy(other.state_dict()[name]), value, atol=1e-3)
        if device == "cpu":
            np.testing.assert_array_equal(arrays.to_numpy(other.state_dict()[name]), value, name)
    for number, state in optimizer.state_dict()["state"].items():
        found = host(flattened.state_dict()["state"][number])
        assert found.keys() == host(state).keys()
        assert found["step"] == state["step"] == 4 * 6
        for name, value in host(state).items():
            if device == "cpu":
                np.testing.assert_array_equal(found[name], value, name)


class Two(OneProcess):
    """Two processes as one of them sees them, if the other one has the same images."""

    size = 2

    def mean(self, vector, n):
        assert n in (16, 7)
        return (vector * n + vector * n) / (2 * n)


def test_between_several_processes_the_gradients_are_averaged():
    expected, model, _ = trained("digits", "cpu", "float64")
    metrics, other, _ = trained("digits", "cpu", "float64", Recorded(), processes=Two())
    np.testing.assert_allclose(metrics, expected, rtol=1e-12)
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(other.state_dict()[name], value, rtol=1e-12, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("graphs", [Recorded, Plain])
def test_a_captured_training_goes_on_from_a_checkpoint(graphs):
    """Adam's averages and its step count are taken over when the vectors are made."""
    _, model, optimizer = trained("digits", "cpu", "float32", graphs(), epochs=2)
    other = network()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    other.load_state_dict(state)
    again = Adam(other.parameters())
    again.load_state_dict(optimizer.state_dict())
    data = loader()
    results = []
    for net, adam in ((model, optimizer), (other, again)):
        data.epoch = 4  # two to learn from and two to validate are done
        steps = captured_steps(net, TASKS["digits"].criterion(), adam, graphs())
        results.append(train_epoch(net, None, None, data, captured=steps))
    assert results[0] == results[1]
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


# ------------------------------------------------------------------------------ its parts


def test_each_shape_is_captured_once_after_its_first_calls():
    ran = []

    def double(x):
        ran.append(x.shape)
        return (2 * x,)

    captured = Captured(double, Recorded())
    results = [captured(torch.full((n,), float(n)))[0] for n in [2] * 6 + [3] * 5 + [2]]
    assert ran == [(2,)] * (WARM_UP + 1) + [(3,)] * (WARM_UP + 1)
    assert [result.tolist() for result in results] == [[4.0] * 2] * 6 + [[6.0] * 3] * 5 + [[4.0] * 2]
    assert results[-1].tolist() == [4.0, 4.0]  # a copy: later calls leave it alone


def test_the_stand_in_repeats_no_python():
    """As a CUDA graph, it keeps a number of Python's as it was: this is what it must show."""
    state = {"calls": 0, "tensor": torch.zeros(())}

    def count(x):
        state["calls"] += 1
        state["tensor"] += 1
        return (x + state["calls"], x + state["tensor"])

    captured = Captured(count, Recorded())
    found = [[float(value) for value in captured(torch.zeros(()))] for _ in range(7)]
    assert found == [[min(i, WARM_UP + 1), i] for i in range(1, 8)]


def test_what_is_frozen_stays_as_it_is():
    model, data = network(), loader()
    model.cnn[0].weight.requires_grad = False
    before = model.cnn[0].weight.data.clone()
    learnt = model.cnn[3].weight.data.clone()
    captured = captured_steps(model, TASKS["digits"].criterion(), Adam(model.parameters()), Recorded())
    train_epoch(model, None, None, data, captured=captured)
    assert torch.equal(model.cnn[0].weight.data, before)
    assert not torch.equal(model.cnn[3].weight.data, learnt)


def test_the_parameters_are_views_of_one_vector():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = Adam(model.parameters())
    adam = FlatAdam(optimizer)
    adam.data += 1
    adam.averages["exp_avg"] += 2
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.data, before[name] + 1)
        assert torch.equal(optimizer.state[parameter]["exp_avg"], torch.full_like(parameter.data, 2))
    assert adam.data.numel() == sum(parameter.size for parameter in model.parameters())


# --------------------------------------------------------------------------- who waits when


class Transfers(TorchDispatchMode):
    """Counts what goes from one device to another."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        places = {tensor.device for tensor in flat([*args, *flat(result)]) if tensor.numel()}
        self.count += len(places) > 1
        return result


@pytest.mark.parametrize("graphs", [None, Plain])
@pytest.mark.parametrize("task", TASKS)
def test_an_epoch_waits_for_the_device_three_times(task, graphs, monkeypatch):
    """A stand-in for a GPU: on the meta device tensors have no values, so to look at one fails.

    The order of the images goes there, the figures of training and validation come back.
    """
    model = network(task)
    for parameter in model.parameters():
        parameter.data = parameter.data.to("meta")
    data = loader(task, "meta")
    fetched = []

    def numbers(*columns):
        assert all(value.device.type == "meta" for column in columns for value in column)
        fetched.append([len(column) for column in columns])
        return [[1.0] * len(column) for column in columns]

    monkeypatch.setattr(train, "numbers", numbers)
    criterion, optimizer = TASKS[task].criterion(), Adam(model.parameters())
    captured = captured_steps(model, criterion, optimizer, graphs(), task) if graphs else None
    rest = (TASKS[task].count_right,)
    for epoch in range(3):
        with Transfers() as transfers:
            train_epoch(model, criterion, optimizer, data, *rest, captured=captured)
            data.shuffle = False
            evaluate(model, criterion, data, *rest, captured=captured)
            data.shuffle = True
        if epoch:  # the first one brings the task's constants
            assert transfers.count == 1
    assert fetched == [[6, 6]] * 6


def test_what_an_epoch_leaves_on_disk_is_fetched_in_two_pieces(tmp_path, monkeypatch):
    """All of the checkpoint together, then the weights. With the filters five in all."""
    from minicnn.saved.run_folder import Metrics, Run

    _, model, optimizer = trained("digits", "cpu", "float32", Plain(), epochs=1)
    run = Run(tmp_path / "run", "x", {})
    count = []
    to_numpy = torch.Tensor.numpy
    monkeypatch.setattr(torch.Tensor, "numpy", lambda *a, **o: count.append(1) or to_numpy(*a, **o))
    run.finish_epoch(Metrics(1, 0.5, 0.5, 0.5, 0.5, 0.1), model, optimizer, np.zeros((1, 1)))
    assert len(count) == 2


@pytest.mark.gpu
@pytest.mark.parametrize("flags", [[], ["--shuffle"]])
def test_a_whole_epoch_on_a_gpu_waits_at_most_five_times(flags, monkeypatch, tmp_path):
    """torch itself counts. The last of five epochs, as the graphs are made in the fourth."""
    import warnings

    waits = []
    learn = train.learn_and_validate

    def counted(*arguments):
        torch.cuda.set_sync_debug_mode("warn")
        return learn(*arguments)

    monkeypatch.setattr(train, "learn_and_validate", counted)
    finish = train.Metrics  # made when an epoch has been learnt

    def metrics(*values):
        waits.append(len(caught))
        return finish(*values)

    monkeypatch.setattr(train, "Metrics", metrics)
    small = ["--epochs", "5", "--train-size", "200", "--val-size", "100", "--no-plots", "--quiet"]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert main([*small, *flags, "--backend", "torch", "--device", "cuda", "--out", str(tmp_path / "run")]) == 0
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert 0 < waits[-1] - waits[-2] <= 5, [str(one.message) for one in caught[waits[-2] :]]
