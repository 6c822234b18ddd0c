"""The optimizer's latest step of one weight, term by term.

Computed in float64 from what the optimizer held before the step; beside it stands what
the weight became in float32.
"""

import math
from typing import Any

import numpy as np

from ...kernels.numpy_textbook.optimizers import plain_adam, sgd
from .learner import Learner


def update_of(learner: Learner, name: str, place: list[int]) -> dict[str, Any] | None:
    """None before the first step."""
    parameter = learner.before.parameters[name]
    at = tuple(place)
    if not learner.steps or parameter.grad is None:
        return None
    group = learner.optimizer.param_groups[0]
    before = float(learner.before.weights[name][at])
    grad = float(parameter.grad[at])
    kept = learner.before.states[name]
    kind = adam_terms if learner.setting.optimizer == "Adam" else sgd_terms
    told = kind(group, before, grad, {key: float(value[at] if value.ndim else value) for key, value in kept.items()})
    after = float(parameter.data[at])
    return {"name": name, "place": place, "before": before, "grad": grad, "after": after, "lr": group["lr"]} | told


def adam_terms(group: dict[str, Any], before: float, grad: float, kept: dict[str, float]) -> dict[str, Any]:
    """m and v before and after, both corrected, and the step."""
    beta1, beta2 = group["betas"]
    t = int(kept.get("step", 0)) + 1
    m_before = kept.get("exp_avg", 0.0)
    v_before = kept.get("exp_avg_sq", 0.0)
    weight = np.array([before])
    m = np.array([m_before])
    v = np.array([v_before])
    with np.errstate(all="ignore"):
        plain_adam(weight, np.array([grad]), m, v, t, group["lr"], beta1, beta2, group["eps"])
        m_hat = m[0] / (1 - beta1**t)
        v_hat = v[0] / (1 - beta2**t)
    return {
        "kind": "adam",
        "t": t,
        "beta1": beta1,
        "beta2": beta2,
        "rest1": 1 - beta1,
        "rest2": 1 - beta2,
        "eps": group["eps"],
        "m_before": m_before,
        "m": m[0],
        "v_before": v_before,
        "v": v[0],
        "m_hat": m_hat,
        "v_hat": v_hat,
        "root": math.sqrt(v_hat) if v_hat >= 0 else math.nan,
        "step": before - weight[0],
        "result": weight[0],
    }


def sgd_terms(group: dict[str, Any], before: float, grad: float, kept: dict[str, float]) -> dict[str, Any]:
    """The momentum's running sum, where there is one, and the step."""
    momentum = group["momentum"]
    first = "momentum_buffer" not in kept
    b_before = kept.get("momentum_buffer", 0.0)
    weight = np.array([before])
    given = None if first else np.array([b_before])
    with np.errstate(all="ignore"):
        b = sgd(weight, np.array([grad]), given, group["lr"], momentum, 0.0, 0.0, False, False)
    told = {"kind": "sgd", "step": before - weight[0], "result": weight[0]}
    if not momentum:
        return told
    return told | {"kind": "momentum", "momentum": momentum, "first": first, "b_before": b_before, "b": b[0]}
