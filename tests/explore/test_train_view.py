"""The view Train: what it learns is what `python -m minicnn.train` learns, and what it
shows is what the network and the optimizer held.
"""

import csv
import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import models, nn, optim, train
from minicnn.data import MNIST
from minicnn.explore.ask import Refused
from minicnn.explore.open_run import RunFolder
from minicnn.explore.train_view import trainer as trainers
from minicnn.explore.train_view.curve import MOST, Curve
from minicnn.explore.train_view.learner import Learner
from minicnn.explore.train_view.setting import Setting
from minicnn.explore.train_view.trainer import Trainer
from minicnn.saved.weights import load_weights
from minicnn.training.settings import make_parser, read_flags

from .conftest import Asker, serve, stop

LOOK = {"digit": 7, "parameter": "cnn.0.weight", "place": [3, 0, 1, 2]}
SMALL = Setting(images=120, batch_size=32, seed=5, backend="numpy")


@pytest.fixture
def trainer(monkeypatch):
    """Without pauses between two looks."""
    monkeypatch.setattr(trainers, "REST", 0.0)
    monkeypatch.setattr(trainers, "LONGEST", 60.0)
    one = Trainer()
    yield one
    one.close()


def finish(trainer):
    """Waits until the training pauses; what is seen then."""
    while True:
        answer = trainer.look(LOOK)
        if not answer["running"]:
            return answer


def run(trainer, *settings, how="epoch"):
    trainer.begin(settings)
    trainer.go(how)
    return finish(trainer)["learners"]


# --------------------------------------------------------------------- the same training


@pytest.mark.parametrize("task", ["digits", "parity"])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_kept_run_is_what_the_command_leaves_bit_for_bit(trainer, tmp_path, monkeypatch, task, backend):
    monkeypatch.chdir(tmp_path)
    setting = SMALL._replace(task=task, backend=backend)
    run(trainer, setting)
    trainer.go("epoch")
    finish(trainer)
    trainer.go("step")  # of the third epoch, which is not kept
    finish(trainer)
    kept = tmp_path / trainer.keep(0)["folder"]
    command = ["--epochs", "2", "--train-size", "120", "--batch-size", "32", "--seed", "5", "--task", task]
    command += ["--backend", backend, "--threads", "1", "--no-plots", "--quiet", "--out", "by-command"]
    assert train.main(command) == 0
    assert kept.name == f"{'simple' if task == 'digits' else 'parity'}cnn-seed5"
    for name in ("model.safetensors", "filters.safetensors"):
        ours, theirs = load_weights(kept / name), load_weights(tmp_path / "by-command" / name)
        assert ours.keys() == theirs.keys()
        assert all(ours[key].tobytes() == theirs[key].tobytes() for key in ours)
    rows = [
        list(csv.reader((folder / "metrics.csv").read_text().splitlines()))
        for folder in (kept, tmp_path / "by-command")
    ]
    assert [row[:-1] for row in rows[0]] == [row[:-1] for row in rows[1]]  # all but the seconds
    ours, theirs = (json.loads((folder / "config.json").read_text()) for folder in (kept, tmp_path / "by-command"))
    assert {name: ours[name] for name in theirs if name not in ("out", "no_plots", "quiet")} == {
        name: value for name, value in theirs.items() if name not in ("out", "no_plots", "quiet")
    }
    assert len(RunFolder(kept).metrics()) == 2
    assert train.main(["--resume", str(kept), "--epochs", "3", "--quiet", "--no-plots"]) == 0
    assert trainer.keep(0)["folder"].endswith("seed5-2")  # earlier results stay


@pytest.mark.parametrize("optimizer", ["SGD", "momentum"])
def test_another_optimizers_run_is_opened_but_not_resumed_with_adam(trainer, tmp_path, monkeypatch, optimizer, capsys):
    monkeypatch.chdir(tmp_path)
    run(trainer, SMALL._replace(optimizer=optimizer))
    kept = trainer.keep(0)["folder"]
    assert RunFolder(tmp_path / kept).config()["optimizer"] == optimizer
    with pytest.raises(SystemExit):
        train.main(["--resume", kept, "--epochs", "2"])
    assert f"written by a training with {optimizer}" in capsys.readouterr().err
    with pytest.raises(ValueError, match="with Adam alone"):
        train.prepare(*read_flags(make_parser(), ["--resume", kept, "--epochs", "2"]))


def test_a_run_folder_that_cannot_be_written_is_a_sentence(trainer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    run(trainer, SMALL)
    with pytest.raises(Refused, match=r"cannot be written into runs/, .*: File exists\."):
        trainer.keep(0)


def test_the_learning_rate_is_another_one_from_the_next_step_on(trainer):
    trainer.begin([SMALL._replace(optimizer="SGD", lr=0.1)])
    trainer.go("step")
    finish(trainer)
    trainer.set_rate(0, 0.025)
    trainer.go("step")
    finish(trainer)
    with minicnn.use_backend("numpy"):
        minicnn.manual_seed(5)
        model = models.SimpleCNN()
        criterion = nn.CrossEntropyLoss()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for place, lr in ((0, 0.1), (32, 0.025)):
            optimizer.param_groups[0]["lr"] = lr
            images, labels = MNIST().batch(range(place, place + 32))
            optimizer.zero_grad()
            criterion(model(images), labels)
            model.backward(criterion.backward())
            optimizer.step()
    for name, value in trainer.learners[0].model.state_dict().items():
        np.testing.assert_array_equal(value, model.state_dict()[name])
    assert trainer.learners[0].config()["rates"] == [[0, 0.1], [1, 0.025]]


def test_two_runs_side_by_side_learn_what_each_learns_alone(trainer):
    two = (SMALL, SMALL._replace(optimizer="momentum", lr=0.05, batch_size=7, seed=6))
    together = run(trainer, *two)
    for place, setting in enumerate(two):
        (alone,) = run(trainer, setting)
        for name in ("curve", "sizes", "dead", "update", "probabilities", "steps"):
            np.testing.assert_equal(together[place][name], alone[name])


# ------------------------------------------------------------------------ what is shown


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_a_curve_has_few_points_and_loses_no_image(steps, seed):
    rng = np.random.default_rng(seed)
    losses, rights, images = rng.random(steps), rng.integers(0, 9, steps), rng.integers(1, 9, steps)
    curve = Curve()
    for step in zip(losses.tolist(), rights.tolist(), images.tolist(), strict=True):
        curve.add(*step)
    assert 1 <= len(curve.points) <= MOST
    parts = np.array(curve.points)
    assert set(parts[:-1, 0]) <= {curve.width}
    np.testing.assert_allclose(parts.sum(axis=0), [steps, images.sum(), losses @ images, rights.sum()], rtol=1e-12)
    drawn = curve.drawn(int(images.sum()))
    assert drawn["x"][-1] == 1
    first = slice(0, int(parts[0, 0]))
    np.testing.assert_allclose(drawn["loss"][0], losses[first] @ images[first] / images[first].sum(), rtol=1e-12)
    np.testing.assert_allclose(drawn["accuracy"][0], rights[first].sum() / images[first].sum(), rtol=1e-12)


@pytest.mark.parametrize("setting", [SMALL, SMALL._replace(task="parity", images=60)])
def test_sizes_dead_units_and_activations_are_the_networks(trainer, setting):
    (shown,) = run(trainer, setting)
    learner = trainer.learners[0]
    for row, (name, parameter) in zip(shown["sizes"], learner.model.named_parameters(), strict=True):
        assert row["name"] == name
        moved = parameter.data - learner.before.weights[name]
        for key, array in (("weight", parameter.data), ("gradient", parameter.grad), ("update", moved)):
            np.testing.assert_allclose(row[key], np.linalg.norm(array.astype(float)) / array.size**0.5, rtol=1e-6)
        assert row["ratio"] == row["update"] / row["weight"]
    images, labels = MNIST(train=False).batch(range(100))
    with minicnn.use_backend("numpy"):
        model = learner.model.eval()
        outputs = [model.cnn[:2](images), model.cnn[:5](images)]
        outputs.append(model.linear_block[:2](model.flatten(model.cnn(images))))
        said = model(images)[7]
    assert [row["dead"] for row in shown["dead"]] == [
        int(sum(not (output[:, unit] > 0).any() for unit in range(output.shape[1]))) for output in outputs
    ]
    assert [row["units"] for row in shown["dead"]] == [16, 32, 128]
    assert shown["label"] == (labels[7] if setting.task == "digits" else labels[7] % 2)
    with minicnn.use_backend("numpy"):
        alone = model(images[7:8])[0]  # of one image, as the page asks: another order of summing than in a batch
    np.testing.assert_allclose(alone, said, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(shown["probabilities"], learner.task.probabilities(alone[None])[0])
    maps = shown["activations"][1]
    np.testing.assert_allclose(maps["maps"]["high"], outputs[0][7].max(), rtol=1e-5)
    assert maps["maps"]["shape"] == (16, 28, 28)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "momentum"])
def test_the_terms_of_an_update_are_those_that_the_optimizer_held(trainer, optimizer):
    trainer.begin([SMALL._replace(optimizer=optimizer, lr=0.01, momentum=0.7)])
    learner = trainer.learners[0]
    rng = np.random.default_rng(3)
    assert trainer.look(LOOK)["learners"][0]["update"] is None
    for t in range(1, 5):
        earlier = {name: value.copy() for name, value in learner.model.state_dict().items()}
        states = {p: {k: np.copy(v) for k, v in state.items()} for p, state in learner.optimizer.state.items()}
        trainer.go("step")
        finish(trainer)
        for name, parameter in learner.model.named_parameters():
            place = [int(rng.integers(size)) for size in parameter.shape]
            at = tuple(place)
            shown = trainer.look(LOOK | {"parameter": name, "place": place})["learners"][0]["update"]
            assert (shown["before"], shown["after"]) == (earlier[name][at], parameter.data[at])
            assert shown["grad"] == parameter.grad[at]
            # float32 rounds the weight once, and the few terms of the step
            bound = np.finfo(np.float32).eps * (abs(shown["before"]) + 8 * abs(shown["step"]))
            assert abs(shown["result"] - shown["after"]) <= bound
            assert shown["result"] == pytest.approx(shown["before"] - shown["step"], abs=1e-15)
            kept, now = states.get(parameter, {}), learner.optimizer.state.get(parameter, {})
            if optimizer == "Adam":
                assert shown["t"] == t == now["step"]
                assert shown["m_before"] == (kept["exp_avg"][at] if kept else 0)
                np.testing.assert_allclose(
                    [shown["m"], shown["v"]], [now["exp_avg"][at], now["exp_avg_sq"][at]], 1e-5, 1e-12
                )
                step = shown["lr"] * shown["m_hat"] / (shown["root"] + shown["eps"])
                assert shown["step"] == pytest.approx(step, rel=1e-9, abs=1e-15)
            elif optimizer == "momentum":
                assert shown["first"] is (t == 1)
                assert shown["b_before"] == (kept["momentum_buffer"][at] if kept else 0)
                np.testing.assert_allclose(shown["b"], now["momentum_buffer"][at], 1e-5, 1e-9)


def test_a_look_changes_nothing(trainer):
    (looked_at,) = run(trainer, SMALL)
    trainer.begin([SMALL])
    trainer.go("epoch")
    while trainer.running:
        pass  # nobody looks
    np.testing.assert_equal(trainer.look(LOOK)["learners"][0]["curve"], looked_at["curve"])


# ----------------------------------------------------------------------- what may happen


def test_a_step_that_raises_ends_that_run_and_the_other_goes_on(trainer, monkeypatch, capsys):
    trainer.begin([SMALL, SMALL._replace(seed=1)])

    def fail():
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(trainer.learners[0].optimizer, "step", fail)
    trainer.go("epoch")
    first, second = finish(trainer)["learners"]
    assert (first["ended"], first["error"]) == ("failed", "ZeroDivisionError: planted")
    assert second["ended"] is None
    assert second["epochs"] == 1
    assert "planted" in capsys.readouterr().err
    (again,) = run(trainer, SMALL)
    assert (again["ended"], again["epochs"]) == (None, 1)


def test_while_a_step_takes_long_the_page_is_told_and_a_pause_is_heard(trainer, monkeypatch):
    monkeypatch.setattr(trainers, "LONGEST", 0.05)
    trainer.begin([SMALL])
    learner = trainer.learners[0]
    begun, free = threading.Event(), threading.Event()

    def wait():
        begun.set()
        free.wait(60)

    monkeypatch.setattr(learner.before, "remember", wait)
    trainer.go("start")
    begun.wait(60)
    assert trainer.look(LOOK)["busy"]
    threading.Timer(0.1, free.set).start()
    assert trainer.go("pause")["running"] is False
    assert learner.steps == 1


def test_without_a_page_that_looks_the_training_pauses_and_goes_on_when_asked(trainer, monkeypatch):
    trainer.begin([SMALL])
    monkeypatch.setattr(trainers, "PATIENCE", -1.0)  # as if nobody had asked for long
    trainer.go("start")
    assert finish(trainer)["nobody"]
    assert trainer.learners[0].steps == 0
    monkeypatch.setattr(trainers, "PATIENCE", 60.0)
    trainer.go("step")
    assert finish(trainer)["nobody"] is False
    assert trainer.learners[0].steps == 1


def test_start_pressed_often_makes_no_second_training(trainer):
    trainer.begin([SMALL])
    trainer._do(lambda: [trainer._go("epoch") for _ in range(5)])
    assert finish(trainer)["learners"][0]["steps"] == 4


def test_the_most_epochs_end_a_training(monkeypatch):
    monkeypatch.setattr("minicnn.explore.train_view.learner.MOST_EPOCHS", 2)
    learner = Learner(SMALL._replace(images=8))
    with minicnn.use_backend("numpy"):
        learner.step()
        assert learner.ended is None
        learner.step()
    assert learner.ended == "epochs"


def test_a_loss_that_is_not_finite_ends_the_run_with_a_hint(trainer):
    trainer.begin([SMALL])
    trainer.learners[0].model.linear_block[2].bias.data[3] = np.inf
    trainer.go("epoch")
    (shown,) = finish(trainer)["learners"]
    assert (shown["ended"], shown["steps"]) == ("nan", 1)
    assert [hint["key"] for hint in shown["hints"]] == ["nan"]


def test_a_usual_training_gets_no_hint(trainer):
    trainer.begin([Setting(images=1000)])
    for _ in range(3):
        trainer.go("epoch")
        (shown,) = finish(trainer)["learners"]
    assert shown["hints"] == []
    assert shown["history"][-1]["val_accuracy"] > 0.75


# ---------------------------------------------------------------------- over the network


@pytest.fixture(scope="module")
def asker():
    server, thread = serve()
    yield Asker(server)
    stop(server, thread)


def begin(**changes):
    return {"runs": [SMALL._asdict() | changes]}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("begin", begin(task="generator"), 400, "task must be one of 'digits', 'parity'"),
        ("begin", begin(images=5001), 400, "images must be a whole number from 1 to 5000, got 5001"),
        ("begin", begin(images=0), 400, "images must be a whole number from 1"),
        ("begin", begin(batch_size=1001), 400, "batch_size must be a whole number from 1 to 1000"),
        ("begin", begin(seed=-1), 400, "seed must be a whole number from 0"),
        ("begin", begin(lr=0), 400, "must be above 0"),
        ("begin", begin(lr="nan"), 400, "lr must be a number from 0 to 1000, got nan"),
        ("begin", begin(lr="fast"), 400, "such as 1.5"),
        ("begin", begin(momentum=1), 400, "momentum must be a number from 0 to 0.999"),
        ("begin", begin(relu="no"), 400, "relu must be true or false"),
        ("begin", begin(backend="torch"), 400, "backend must be one of 'numba', 'numpy'"),
        ("begin", {"runs": []}, 400, "a list of 1 to 2"),
        ("begin", {"runs": [SMALL._asdict()] * 3}, 400, "a list of 1 to 2"),
        ("begin", {"runs": [SMALL._asdict(), SMALL._replace(images=3)._asdict()]}, 400, "the same images"),
        ("go", {"how": "fly"}, 400, "how must be one of 'start', 'step', 'epoch', 'pause'"),
        ("rate", {"run": 1, "lr": 0.1}, 409, "Nothing is being trained as run B"),
        ("rate", {"run": 0, "lr": -1}, 400, "lr must be a number from 0"),
        ("keep", {"run": 0}, 422, "No epoch is finished yet"),
        ("look", LOOK | {"digit": 1000}, 400, "digit must be a whole number from 0 to 999"),
        ("look", LOOK | {"parameter": "cnn.1.weight"}, 400, "parameter must be one of 'cnn.0.weight'"),
        ("look", LOOK | {"place": [0]}, 400, "place must be 4 whole numbers"),
        ("look", LOOK | {"place": [0, 0, 0, 5]}, 400, "place must be a whole number from 0 to 4"),
    ],
)
def test_what_cannot_be_is_a_sentence(asker, path, body, status, words):
    asker.ok("/api/train/begin", begin())
    found, answer = asker.post(f"/api/train/{path}", body)
    assert (found, True) == (status, words in answer["error"]), answer


def test_before_anything_is_begun_it_says_so():
    server, thread = serve()
    try:
        asker = Asker(server)
        assert asker.ok("/api/train/look", LOOK)["learners"] == []
        assert asker.post("/api/train/go", {"how": "start"})[0] == 409
    finally:
        stop(server, thread)


def test_a_network_without_relu_cannot_be_kept(asker):
    asker.ok("/api/train/begin", begin(relu=False))
    status, answer = asker.post("/api/train/keep", {"run": 0})
    assert (status, answer["error"][:21]) == (422, "A network without ReL")


def test_bundled_digits_that_cannot_be_read_are_a_sentence(asker, monkeypatch):
    def damaged(*arguments, **options):
        raise ValueError("t10k-images: this bundled file is damaged, install minicnn again.")

    monkeypatch.setattr("minicnn.explore.train_view.learner.first_images", damaged)
    status, answer = asker.post("/api/train/begin", begin())
    assert status == 422
    assert "install minicnn again" in answer["error"]


def test_a_server_that_closes_stops_the_training():
    server, thread = serve()
    asker = Asker(server)
    asker.ok("/api/train/begin", begin())
    asker.ok("/api/train/go", {"how": "start"})
    stop(server, thread)
    assert server.trainer.running is False
    assert not any(thread.is_alive() for thread in server.trainer.thread._threads)
