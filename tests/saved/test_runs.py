"""The run folder and the weights in it."""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file

from minicnn import nn, optim
from minicnn.saved import checkpoints
from minicnn.saved.files import write_whole
from minicnn.saved.run_folder import Metrics, Run, earlier_filters
from minicnn.saved.weights import load_weights, save_weights
from tests.support.commands import rows

WEIGHTS = {"cnn.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "cnn.0.bias": np.zeros(2)}


def learner():
    """What a run keeps after an epoch: model, optimiser, the first layer's filters."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    return model, optim.Adam(model.parameters()), model[0].weight.data


def test_default_folders_never_collide():
    names = [str(Run(None, "simplecnn-seed0", {}).folder) for _ in range(3)]
    assert names == [
        os.path.join("runs", name) for name in ("simplecnn-seed0", "simplecnn-seed0-2", "simplecnn-seed0-3")
    ]


def test_config_is_readable_json(tmp_path):
    config = {"epochs": 10, "lr": 1e-3, "data": None, "out": "é"}
    run = Run(tmp_path / "new" / "deep", "", config)
    assert json.loads((run.folder / "config.json").read_text(encoding="utf-8")) == config


def test_a_row_for_each_epoch_with_all_digits(tmp_path):
    run, (model, *rest) = Run(tmp_path / "out", "", {}), learner()
    for epoch in (1, 2):
        run.finish_epoch(Metrics(epoch, 1 / 3, 0.1, 2 / 3, 0.2, 1.5 + epoch), model, *rest)
        assert len(rows(run.folder)) == epoch
    assert (run.folder / "metrics.csv").read_text().splitlines()[0] == (
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,seconds"
    )
    read = [Metrics(int(r.pop("epoch")), **{k: float(v) for k, v in r.items()}) for r in rows(run.folder)]
    assert read == run.history
    assert load_file(run.folder / "model.safetensors").keys() == model.state_dict().keys()


def test_the_filters_of_every_epoch_are_kept_also_of_one_that_went_on(tmp_path):
    run, (model, optimizer, filters) = Run(tmp_path / "out", "", {}), learner()
    first = filters.copy()
    run.keep(model, optimizer, filters)
    for epoch in (1, 2):
        filters += 1
        run.finish_epoch(Metrics(epoch, 1.0, 0.1, 1.0, 0.1, 1.0), model, optimizer, filters)
        run.lock.release()
        checkpoint = checkpoints.load(run.folder / "checkpoint.safetensors")
        run = Run.reopen(run.folder, checkpoint.config, checkpoint.history)
        assert run.history == [Metrics(e, 1.0, 0.1, 1.0, 0.1, 1.0) for e in range(1, epoch + 1)]
    kept = load_file(run.folder / "filters.safetensors")
    assert sorted(kept) == ["epoch-000", "epoch-001", "epoch-002"]
    for epoch in range(3):
        np.testing.assert_array_equal(kept[f"epoch-{epoch:03d}"], sum([1.0] * epoch, start=first))


def test_what_could_not_be_kept_does_not_count(tmp_path, monkeypatch):
    run, rest = Run(tmp_path / "out", "", {}), learner()
    run.finish_epoch(Metrics(1, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minicnn.saved.run_folder.checkpoints.save", full)
    with pytest.raises(OSError, match="No space"):
        run.finish_epoch(Metrics(2, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    assert run.summary() == f"{run.folder} holds the metrics of epoch 1 and the weights after that."


def test_an_epoch_whose_checkpoint_stands_counts_though_the_rest_could_not_be_written(tmp_path, monkeypatch):
    run, rest = Run(tmp_path / "out", "", {}), learner()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minicnn.saved.run_folder.write_whole", full)
    with pytest.raises(OSError, match="No space"):
        run.finish_epoch(Metrics(1, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    assert run.summary() == f"{run.folder} holds the checkpoint after epoch 1; --resume writes the other files from it."
    monkeypatch.undo()
    run.lock.release()
    history = checkpoints.load(run.folder / "checkpoint.safetensors").history
    again = Run.reopen(run.folder, {}, history)
    again.keep(*rest)
    assert again.summary() == f"{run.folder} holds the metrics of epoch 1 and the weights after that."
    assert len(rows(run.folder)) == 1


def test_a_folder_that_another_training_has_replaced_is_left_to_it(tmp_path):
    """The lock of the first lies in the folder that was removed: only the name is the same."""
    first, rest = Run(tmp_path / "out", "", {"seed": 1}), learner()
    first.keep(*rest)
    (tmp_path / "out").rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        first.finish_epoch(Metrics(1, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    second = Run(tmp_path / "out", "", {"seed": 2})
    second.keep(*rest)
    with pytest.raises(FileExistsError, match="out was removed meanwhile, and is another training's folder now"):
        first.finish_epoch(Metrics(1, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    assert checkpoints.load(tmp_path / "out" / "checkpoint.safetensors").config == {"seed": 2}


def test_filters_are_kept_beyond_a_thousand_epochs(tmp_path):
    """Names have three digits or more; as texts, epoch-101 would come after epoch-1000."""
    kept = {f"epoch-{epoch:03d}": np.full(1, epoch) for epoch in (0, 1, 101, 999, 1000, 1001)}
    save_weights(tmp_path / "f", kept | {"epoch-": np.zeros(1), "epoch-²": np.zeros(1), "other": np.zeros(1)})
    assert earlier_filters(tmp_path / "f", 1000).keys() == kept.keys() - {"epoch-1001"}
    assert earlier_filters(tmp_path / "f", 999).keys() == kept.keys() - {"epoch-1000", "epoch-1001"}


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_link_in_the_way_of_a_half_file_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "out").mkdir()
    for name in ("config.json.unfinished", "config.json.0.unfinished"):
        (tmp_path / "out" / name).symlink_to(precious)
    Run(tmp_path / "out", "", {})
    assert precious.read_text() == "mine"


def test_many_writers_of_one_file_do_not_mix(tmp_path):
    """Each reader finds what one of them wrote, whole."""
    path, contents = tmp_path / "file", [bytes([n]) * 100_000 for n in range(4)]
    write_whole(path, contents[0])
    found = set()

    def write(content):
        for _ in range(30):
            write_whole(path, content)
            found.add(path.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, content) for content in contents]:
            done.result()
    assert found <= set(contents)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("written", range(1, 10))
def test_a_training_killed_after_any_file_loses_no_epochs_filters(tmp_path, monkeypatch, written):
    """After config.json the initial state takes two files, an epoch four."""
    replace, done = os.replace, []

    def killed(*paths):
        if len(done) > written:
            raise SystemExit
        done.append(replace(*paths))

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(SystemExit):
        three_epochs(Run(tmp_path / "out", "", {}), range(4))
    monkeypatch.undo()
    if (tmp_path / "out" / "checkpoint.safetensors").exists():
        history = checkpoints.load(tmp_path / "out" / "checkpoint.safetensors").history
        three_epochs(Run.reopen(tmp_path / "out", {}, history), range(len(history) + 1, 4))
        kept = load_file(tmp_path / "out" / "filters.safetensors")
        assert {name: float(filters.flat[0]) for name, filters in kept.items()} == {f"epoch-00{e}": e for e in range(4)}
    else:
        assert written == 1


def three_epochs(run, epochs):
    """Each leaves its number in the filters; number 0 is the initial state."""
    model, optimizer, filters = learner()
    with contextlib.ExitStack() as ending:
        ending.callback(run.lock.release)
        for epoch in epochs:
            filters = np.full_like(filters, epoch)
            if epoch:
                run.finish_epoch(Metrics(epoch, 1.0, 0.1, 1.0, 0.1, 1.0), model, optimizer, filters)
            else:
                run.keep(model, optimizer, filters)


def test_the_summary_tells_what_is_there(tmp_path):
    run, rest = Run(tmp_path / "out", "", {}), learner()
    assert run.summary() == f"No epoch was finished; {run.folder} holds config.json and the initial state only."
    run.finish_epoch(Metrics(1, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    assert run.summary() == f"{run.folder} holds the metrics of epoch 1 and the weights after that."
    run.finish_epoch(Metrics(2, 1.0, 0.1, 1.0, 0.1, 1.0), *rest)
    assert run.summary() == f"{run.folder} holds the metrics of epochs 1 to 2 and the weights after that."


def test_an_existing_folder_is_refused(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="old exists and is not empty; .* never overwritten"):
        Run(tmp_path / "old", "", {})
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["thesis.txt"]


def test_an_existing_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert Run(tmp_path / "empty", "", {}).folder == tmp_path / "empty"


def test_of_two_that_claim_a_folder_at_once_one_gets_it(tmp_path, monkeypatch):
    first = Run(tmp_path / "out", "", {"seed": 1})
    monkeypatch.setattr("minicnn.saved.run_folder.claim_folder", lambda folder: folder)  # both saw it empty
    with pytest.raises(FileExistsError):
        Run(tmp_path / "out", "", {"seed": 2})
    assert json.loads((first.folder / "config.json").read_text()) == {"seed": 1}


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file, not a folder"):
        Run(tmp_path / "file", "", {})


@pytest.mark.parametrize("make", [lambda runs: runs.touch(), lambda runs: runs.symlink_to("gone")])
def test_runs_that_is_no_folder_is_an_error_and_no_endless_search(tmp_path, make):
    make(tmp_path / "runs")
    with pytest.raises(OSError, match="runs"):
        Run(None, "simplecnn-seed0", {})


def test_weights_come_back_bit_for_bit(tmp_path):
    wide = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    weights = {"a": wide.T, "b": wide[:, ::2], "c": np.float64(0.1).reshape(()), "d": wide[:0]}
    save_weights(tmp_path / "w.safetensors", weights)
    found = load_weights(tmp_path / "w.safetensors")
    assert found.keys() == weights.keys()
    for name, weight in weights.items():
        assert found[name].dtype == weight.dtype
        assert np.array_equal(found[name], weight), name


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch, failing):
    path = tmp_path / "w.safetensors"
    save_weights(path, WEIGHTS)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        save_weights(path, {"other": np.ones(3)})
    assert load_weights(path).keys() == WEIGHTS.keys()
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("damage", [lambda c: c[:-3], lambda c: b"", lambda c: b"\xff" * 8 + c[8:]])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "w.safetensors"
    save_weights(path, WEIGHTS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"w\.safetensors is (not a whole safetensors file|empty|neither a whole)"):
        load_weights(path)
