"""Each of the experiments on the page is trained, as the page would, and what the page
says to expect is found.
"""

import math

import numpy as np
import pytest

import minicnn
from minicnn import messages
from minicnn.explore.train_view.experiments import EXPERIMENTS
from minicnn.explore.train_view.learner import Learner
from minicnn.explore.train_view.look import Look

BY_KEY = {one.key: one for one in EXPERIMENTS}
CHANCE = 0.15  # of the validation images one class has 12.6 % at most


class Trained:
    """A run that has learnt for the experiment's epochs, and what the page shows of it."""

    def __init__(self, setting, epochs):
        self.learner = Learner(setting)
        self.losses = []
        with minicnn.use_backend(setting.backend), np.errstate(all="ignore"):
            while len(self.learner.history) < epochs and self.learner.ended is None:
                self.learner.step()
                self.losses.append(float(self.learner.of_epoch[-1][0]) if self.learner.of_epoch else math.nan)
            self.shown = Look(self.learner, 0, exact=True).answer("cnn.0.weight", [0, 0, 0, 0])
        self.last = self.learner.history[-1]
        self.hints = {hint["key"] for hint in self.shown["hints"]}
        self.dead = {row["name"]: row["dead"] / row["units"] for row in self.shown["dead"]}


def trained(key):
    experiment = BY_KEY[key]
    return [Trained(setting, experiment.epochs) for setting in experiment.runs]


def test_there_are_eight_and_each_has_its_words():
    assert len(EXPERIMENTS) == 8
    texts = messages.texts("minicnn.explore.texts.train", "en")
    for key in BY_KEY:
        assert texts[f"train.experiment.{key}.name"]
        assert texts[f"train.experiment.{key}.expect"]


def test_learning_rate_1_raises_the_loss_and_kills_the_relus():
    (run,) = trained("rate_one")
    assert max(run.losses[1:20]) > run.losses[0]
    assert np.mean(list(run.dead.values())) > 0.8
    assert run.last.val_accuracy < CHANCE
    assert {"rises", "dead"} <= run.hints


def test_zero_weights_stay_zero_and_give_one_answer():
    (run,) = trained("zeros")
    for row in run.shown["sizes"]:
        assert (row["weight"] == row["gradient"] == 0) is (row["name"] != "linear_block.2.bias")
    assert run.last.val_loss == pytest.approx(math.log(10), abs=0.01)
    assert run.last.val_accuracy < CHANCE
    assert {"no_gradient", "one_answer"} <= run.hints


def test_without_relu_it_learns_as_well_because_pooling_is_not_linear():
    with_relu, without = trained("no_relu")
    assert min(with_relu.last.val_accuracy, without.last.val_accuracy) > 0.8
    assert abs(with_relu.last.val_accuracy - without.last.val_accuracy) < 0.06
    x = np.array([[[[1.0, -2.0], [0.5, 3.0]]]], np.float32)
    pool = without.learner.model.cnn[2]
    assert pool(x) + pool(-x) != pool(x - x)
    assert without.shown["dead"] == []


def test_a_batch_of_one_jumps_and_learns_more_from_the_same_images():
    many, one = trained("batch_of_one")
    assert many.shown["seen"] == one.shown["seen"]
    assert one.shown["steps"] == 300 > 50 * many.shown["steps"]
    assert np.nanstd(np.diff(one.losses)) > 5 * np.nanstd(np.diff(many.losses))
    assert one.last.val_accuracy > many.last.val_accuracy + 0.1


def test_shuffled_labels_are_learnt_by_heart():
    (run,) = trained("shuffled")
    assert run.last.train_accuracy > 0.9
    assert run.last.val_accuracy < 0.25
    assert run.last.val_loss > 2 * math.log(10)
    assert "ahead" in run.hints


def test_of_100_images_training_is_far_ahead_of_validation():
    (run,) = trained("few_images")
    assert run.last.train_accuracy > 0.95
    assert run.last.val_accuracy < 0.8
    assert "ahead" in run.hints


def test_at_one_learning_rate_adam_learns_and_sgd_hardly_moves():
    adam, sgd = trained("adam_sgd")
    assert adam.last.val_accuracy > 0.8
    assert sgd.last.val_loss > 2.2
    first = [run.shown["sizes"][0] for run in (adam, sgd)]
    assert first[0]["update"] > 50 * first[1]["update"]
    assert first[0]["update"] == pytest.approx(1e-3, rel=0.9)


def test_momentum_goes_ten_times_as_far():
    without, momentum = trained("momentum")
    assert without.last.val_loss > 2.2
    assert momentum.last.val_loss < 1.6
