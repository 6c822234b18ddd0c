"""Clocks inside a step, and what runs beside it in other programs and processes."""

import json
import sys
import time
import types

import numpy as np
import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch: pip install 'minicnn[torch]'")

import minicnn
from benchmarks import avx2, contenders, exported, inside, measure, work
from benchmarks.cold import fact
from minicnn import kernels

from .test_benchmarks import numpy_alone_and_threads_as_before  # noqa: F401 - a fixture

STEP = work.Step(4)
AS_ONE = {
    ("cnn.0 to cnn.2 Conv2d, ReLU, MaxPool2d", "forward"): {"conv_block": 1},
    ("cnn.3 to cnn.5 Conv2d, ReLU, MaxPool2d", "backward"): {"conv_block_grad": 1},
}
ONE_BY_ONE = {
    ("cnn.0 Conv2d", "forward"): {"conv2d": 1},
    ("cnn.3 Conv2d", "backward"): {"conv2d_grad_weight": 1, "conv2d_grad_input": 1, "grad_bias": 1},
    ("cnn.5 MaxPool2d", "backward"): {"max_pool2d_grad": 1},
}
KERNELS = {
    ("linear_block.0 Linear", "backward"): {"linear_grad_weight": 1, "linear_grad_input": 1, "grad_bias": 1},
    ("linear_block.2 Linear", "forward"): {"linear": 1},
    ("loss CrossEntropyLoss", "forward"): {"cross_entropy": 1},
    ("optimizer Adam", "step"): {"adam": 8},
}

# --------------------------------------------------------------------- clocks inside a step


@pytest.mark.parametrize(("backend", "blocks"), [("numpy", AS_ONE), ("numba", AS_ONE), ("torch", ONE_BY_ONE)])
def test_the_clocks_of_a_step_add_up_and_each_kernel_stands_in_its_layer(backend, blocks):
    for clocks in (*inside.steps(backend, STEP, count=3), inside.mean(inside.steps(backend, STEP, count=3))):
        for key, calls in (KERNELS | blocks).items():
            assert calls.items() <= clocks.parts[key].calls.items(), key
        assert all(0 <= part.in_kernels <= part.seconds for part in clocks.parts.values())
        assert sum(part.seconds for part in clocks.parts.values()) + clocks.rest == pytest.approx(clocks.whole)
        assert clocks.rest >= 0
        assert 0 < clocks.in_kernels < clocks.whole
        assert (0 < clocks.compiled < clocks.in_kernels) == (backend == "numba")
        assert 0 < inside.share_of_python(backend, clocks) < 1


def test_afterwards_no_clock_is_left():
    before = {name: getattr(kernels.numpy_textbook, name) for name in kernels.vocabulary.NAMES}
    inside.steps("numpy", STEP, count=1, warm=0)
    assert before == {name: getattr(kernels.numpy_textbook, name) for name in before}
    assert minicnn.nn.Conv2d.forward.__name__ == "forward"
    assert "backward" in vars(minicnn.nn.Conv2d)
    assert "zero_grad" not in vars(minicnn.optim.Adam)


def test_what_a_part_does_inside_another_counts_once():
    watch = inside.Watch()
    inner = watch.part(lambda owner: time.sleep(0.02), lambda owner: ("inner", ""))

    def outside(owner):
        time.sleep(0.01)
        inner(owner)

    watch.part(outside, lambda owner: ("outer", ""))(None)
    seconds = {name: part.seconds for (name, _), part in watch.clocks.parts.items()}
    assert seconds["inner"] >= 0.02
    assert seconds["outer"] >= 0.01
    assert watch.open[0][1] == pytest.approx(sum(seconds.values()))


def test_the_mean_is_that_of_the_quicker_half():
    steps = [inside.Clocks({("a", ""): inside.Part(s, s / 2)}, s / 4, s) for s in (3.0, 1.0, 100.0, 2.0, 50.0)]
    found = inside.mean(steps)
    assert (found.whole, found.compiled, found.in_kernels) == (2.0, 0.5, 1.0)
    assert inside.share_of_python("numba", found) == 0.75
    assert inside.share_of_python("numpy", found) == 0.5


# ------------------------------------------------------------------------ AVX2 code only


@pytest.mark.skipif(not avx2.offered(), reason="this processor has no AVX2")
def test_the_child_computes_with_avx2_and_answers():
    row = avx2.row(threads=1, repeats=None, quick=True)
    assert row["work"] == "step, AVX2 only"
    assert {work.EAGER, work.TUNED, work.TEXTBOOK} <= row["contenders"].keys()


@pytest.mark.skipif(not avx2.offered(), reason="this processor has no AVX2")
def test_a_child_that_fails_says_why(monkeypatch):
    monkeypatch.setitem(avx2.ENVIRONMENT, "ATEN_CPU_CAPABILITY", "default")
    with pytest.raises(RuntimeError, match="torch was asked for AVX2 and uses"):
        avx2.row(threads=1, repeats=None, quick=True)


def test_a_masked_processor_has_short_vectors(monkeypatch):
    features = {"avx2": True, "avx512f": True, "avx512vl": True, "fma": True}
    monkeypatch.setattr(avx2.binding, "get_host_cpu_features", lambda: dict(features))
    avx2.mask()
    assert avx2.binding.get_host_cpu_features() == features | {"avx512f": False, "avx512vl": False}


# ------------------------------------------------------------- what reads an exported network


@pytest.mark.parametrize("name", exported.PREPARE)
@pytest.mark.parametrize("N", [1, 5])
def test_a_runtime_gives_torchs_logits(name, N):
    package, _ = exported.PREPARE[name]
    pytest.importorskip(package, reason="an extra: pip install 'minicnn[runtimes]'")
    everybody = [contenders.contenders()[0], exported.Exported(name)]
    row = measure.measure(work.Inference(N), everybody, 1, 1e9, measure.Plan.quick(rounds=1))
    assert row["contenders"][name]["deviation_in_tolerances"] <= 1


def test_onnx_runtime_is_asked_for_our_threads(monkeypatch):
    asked = {}

    class Session:
        def __init__(self, path, options, providers):
            asked.update(vars(options), providers=providers)

        def run(self, wanted, inputs):
            return [np.zeros((len(inputs["input"]), 10), np.float32)]

    fake = types.SimpleNamespace(SessionOptions=types.SimpleNamespace, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    minicnn.set_num_threads(1)
    task = exported.Exported(work.ONNX_RUNTIME).task(work.Inference(3))
    assert asked == {"intra_op_num_threads": 1, "inter_op_num_threads": 1, "providers": ["CPUExecutionProvider"]}
    measure.call(task)
    assert task.results()["logits"].shape == (3, 10)
    assert exported.Exported(work.ONNX_RUNTIME).task(STEP) is None


def test_a_runtime_that_is_not_installed_is_left_out_with_a_sentence(monkeypatch):
    monkeypatch.setattr(exported, "installed", lambda package: package != "openvino")
    assert [one.name for one in exported.runtimes()] == [work.ONNX_RUNTIME]
    (said,) = exported.left_out()
    assert said == "OpenVINO is left out, because it is not installed: pip install 'minicnn[runtimes]'"
    monkeypatch.setattr(exported, "installed", lambda package: package != "onnx")
    assert len(list(exported.left_out())) == 2


def test_the_faster_runtime_is_the_faster_one_in_each_round():
    rounds = [
        {work.OURS: [2.0], work.ONNX_RUNTIME: [1.0], work.OPENVINO: [4.0]},
        {work.OURS: [6.0], work.ONNX_RUNTIME: [3.0], work.OPENVINO: [1.0]},
        {work.OURS: [6.0], work.ONNX_RUNTIME: [3.0]},
        {work.OURS: [6.0]},
    ]
    assert measure.ratios(rounds, work.OURS, work.RUNTIME) == [2.0, 6.0, 2.0]


def test_a_figure_that_is_no_ratio_has_its_limits():
    assert fact("x", 7.0, "%", bar=7, aim=4)["met"]
    assert not fact("x", 7.1, "%", bar=7, aim=4)["met"]
    assert json.loads(json.dumps(fact("x", 7.1, "%")))["met"] is None
