"""Learning rate schedules: torch's rates, to the last bit, after any number of steps."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minicnn
from minicnn.optim import lr_scheduler
from tests.support.oracle import torch

RATES = st.floats(1e-6, 10.0)
SHARES = st.floats(0.05, 1.5)


def optimizers(kind, lr):
    """An optimizer with two groups, here and in torch; the second group has twice the rate."""
    ours = [minicnn.nn.Parameter(np.zeros(2, np.float32)) for _ in range(2)]
    theirs = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    made = []
    for package, parameters in ((minicnn.optim, ours), (torch.optim, theirs)):
        groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 2 * lr}]
        made.append(getattr(package, kind)(groups, lr=lr, **options))
    return made


def follow(kind, lr, name, steps, changes=(), **arguments):
    """Step both schedules; after each step the rates are the same."""
    ours, theirs = optimizers(kind, lr)
    here = getattr(lr_scheduler, name)(ours, **arguments)
    there = getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    compare(ours, theirs)
    for step in range(steps):
        theirs.step()  # or torch warns
        there.step()
        here.step()
        compare(ours, theirs)
        assert here.get_last_lr() == there.get_last_lr()
        if step in changes:  # a rate that somebody changed goes on from there
            for group in (*ours.param_groups, *theirs.param_groups):
                group["lr"] *= 0.7
    return here


def compare(ours, theirs):
    for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
        for option in ("lr", "betas", "momentum"):
            assert mine.get(option) == other.get(option), option


KINDS = st.sampled_from(["SGD", "Adam"])
STEPS = st.integers(0, 40)
CHANGES = st.sets(st.integers(0, 40), max_size=2)


@given(KINDS, RATES, STEPS, CHANGES, st.integers(1, 12), SHARES)
def test_step_lr(kind, lr, steps, changes, step_size, gamma):
    follow(kind, lr, "StepLR", steps, changes, step_size=step_size, gamma=gamma)


@given(KINDS, RATES, STEPS, CHANGES, st.lists(st.integers(0, 30), max_size=6), SHARES)
def test_multi_step_lr(kind, lr, steps, changes, milestones, gamma):
    follow(kind, lr, "MultiStepLR", steps, changes, milestones=milestones, gamma=gamma)


@given(KINDS, RATES, STEPS, CHANGES, SHARES)
def test_exponential_lr(kind, lr, steps, changes, gamma):
    follow(kind, lr, "ExponentialLR", steps, changes, gamma=gamma)


@given(KINDS, RATES, STEPS, CHANGES, st.integers(1, 15), st.sampled_from([0.0, 1e-5, 0.01]))
def test_cosine_annealing_lr(kind, lr, steps, changes, T_max, eta_min):
    follow(kind, lr, "CosineAnnealingLR", steps, changes, T_max=T_max, eta_min=eta_min)


@given(
    KINDS,
    RATES,
    st.integers(4, 60),
    st.floats(0.1, 0.45),
    st.sampled_from(["cos", "linear"]),
    st.booleans(),
    st.booleans(),
    st.floats(2.0, 50.0),
    st.floats(2.0, 1e5),
)
def test_one_cycle_lr(kind, lr, total, pct_start, anneal, momentum, three_phase, div_factor, final):
    assume(pct_start * total != 1)  # torch divides by zero
    arguments = {
        "max_lr": [lr, 3 * lr],
        "total_steps": total,
        "pct_start": pct_start,
        "anneal_strategy": anneal,
        "cycle_momentum": momentum,
        "div_factor": div_factor,
        "final_div_factor": final,
        "three_phase": three_phase,
    }
    follow(kind, lr, "OneCycleLR", total - 1, **arguments)


@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_lr_that_rises_for_one_step_begins_at_the_top(three_phase):
    optimizer = minicnn.optim.SGD([minicnn.nn.Parameter(np.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer, 2.0, total_steps=10, pct_start=0.1, cycle_momentum=False, three_phase=three_phase
    )
    assert scheduler.get_last_lr() == [2.0]
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr()[0] < 2.0


@given(
    RATES,
    st.lists(st.sampled_from([0.0, 1.0, 0.99995, 0.5, -1.0, float("nan"), float("inf")]), max_size=30),
    st.sampled_from(["min", "max"]),
    st.sampled_from(["rel", "abs"]),
    st.floats(0.1, 0.9),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([0, 1e-3, [1e-3, 1e-2]]),
)
def test_reduce_lr_on_plateau(lr, figures, mode, threshold_mode, factor, patience, cooldown, min_lr):
    ours, theirs = optimizers("SGD", lr)
    arguments = {
        "mode": mode,
        "factor": factor,
        "patience": patience,
        "threshold_mode": threshold_mode,
        "cooldown": cooldown,
        "min_lr": min_lr,
    }
    here = lr_scheduler.ReduceLROnPlateau(ours, **arguments)
    there = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **arguments)
    for figure in figures:
        here.step(figure)
        there.step(figure)
        compare(ours, theirs)
        assert here.num_bad_epochs == there.num_bad_epochs


SCHEDULES = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 3, 3]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 3},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 12},
    "ReduceLROnPlateau": {"patience": 1, "cooldown": 1},
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_schedule_goes_on_from_its_state_as_if_it_had_not_stopped(name, before):
    def step(schedule, figure):
        schedule.step(*([figure] if name == "ReduceLROnPlateau" else []))

    optimizer, _ = optimizers("Adam", 0.01)
    schedule = getattr(lr_scheduler, name)(optimizer, **SCHEDULES[name])
    figures = itertools.cycle([1.0, 0.9, 0.9])
    for _ in range(before):
        step(schedule, next(figures))
    again, _ = optimizers("Adam", 0.01)
    resumed = getattr(lr_scheduler, name)(again, **SCHEDULES[name])
    again.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    for _ in range(6):
        figure = next(figures)
        step(schedule, figure)
        step(resumed, figure)
        for mine, other in zip(again.param_groups, optimizer.param_groups, strict=True):
            assert (mine["lr"], mine["betas"]) == (other["lr"], other["betas"])


def test_a_state_is_a_copy():
    optimizer, _ = optimizers("Adam", 0.01)
    schedule = lr_scheduler.MultiStepLR(optimizer, [1, 3])
    state = schedule.state_dict()
    schedule.step()
    assert (state["last_epoch"], schedule.last_epoch) == (0, 1)
    state["milestones"][9] = 1
    assert 9 not in schedule.milestones


@pytest.mark.parametrize(
    ("name", "arguments", "error", "words"),
    [
        (
            "StepLR",
            {"optimizer": "adam", "step_size": 1},
            TypeError,
            "expected an optimizer of minicnn.optim, got 'adam'",
        ),
        ("StepLR", {"step_size": 1, "last_epoch": 3}, KeyError, "goes on with a schedule, but group 0 has no"),
        ("OneCycleLR", {"max_lr": 1.0}, ValueError, "say total_steps, or epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 3}, ValueError, "say total_steps, or epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}, ValueError, "total_steps must be a whole number .* got 0"),
        ("OneCycleLR", {"max_lr": 1.0, "epochs": 2, "steps_per_epoch": 1.5}, ValueError, "steps_per_epoch .* got 1.5"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 2.0}, ValueError, "pct_start .* got 2.0"),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "sin"}, ValueError, "got 'sin'"),
        ("OneCycleLR", {"max_lr": [1.0], "total_steps": 9}, ValueError, "one for each of the 2 groups; got 1"),
        ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, "factor must be below 1"),
        ("ReduceLROnPlateau", {"mode": "up"}, ValueError, "mode must be 'min' or 'max', got 'up'"),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}, ValueError, "threshold_mode must be 'rel' or 'abs', got 'x'"),
        ("ReduceLROnPlateau", {"min_lr": [0.1]}, ValueError, "one for each of the 2 groups; got 1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(name, arguments, error, words):
    optimizer, _ = optimizers("SGD", 0.1)
    with pytest.raises(error, match=words):
        getattr(lr_scheduler, name)(**{"optimizer": optimizer, **arguments})


def test_a_step_too_many_of_one_cycle_is_refused():
    optimizer, _ = optimizers("SGD", 0.1)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="this is step 4 of 3; step it once a batch"):
        schedule.step()


def test_another_schedules_state_is_refused():
    optimizer, _ = optimizers("SGD", 0.1)
    state = lr_scheduler.StepLR(optimizer, 3).state_dict()
    with pytest.raises(ValueError, match="another schedule's state; it differs in step_size"):
        lr_scheduler.ExponentialLR(optimizer, 0.5).load_state_dict(state)
