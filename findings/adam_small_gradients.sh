#!/usr/bin/env bash
# Guess: Adam with the same arguments takes the same steps everywhere. Paper and torch divide by
# sqrt(v / (1 - beta2)) + eps.
# Seen: Keras 3.15.1 and PyDyNet 1.1 divide by sqrt(v) + eps before the correction, the paper's
# second form. With the same eps of 1e-8, gradient 1e-8 and lr 1, torch's first step is 0.5 and
# theirs 0.031; Keras' own eps is 1e-7: 0.0032. And its correction in float32 makes the step of a
# gradient of 1 seven millionths too short. Optax 0.2.8 is as torch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet keras==3.15.1 jax==0.10.2 optax==0.2.8 pydynet==1.1 numpy==2.3.5
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import jax.numpy as jnp
import keras
import numpy as np
import optax
from pydynet import Tensor, optim
from pydynet.nn import Parameter


def in_keras(grad, **options):
    weight = keras.Variable(np.zeros(1, np.float32))
    optimizer = keras.optimizers.Adam(1.0, **options)
    optimizer.build([weight])
    optimizer.apply([jnp.array([grad], jnp.float32)])
    return -float(np.asarray(weight)[0])


def in_optax(grad):
    optimizer = optax.adam(1.0, eps=1e-8)
    weight = jnp.zeros(1, jnp.float32)
    return -float(optimizer.update(jnp.array([grad], jnp.float32), optimizer.init(weight))[0][0])


def in_pydynet(grad):
    weight = Parameter(Tensor(np.zeros(1), dtype=float))
    weight.grad = np.array([grad])
    optim.Adam([weight], 1.0, eps=1e-8).step()
    return -float(weight.data[0])


small = {
    "Keras": in_keras(1e-8),
    "Keras, eps 1e-8": in_keras(1e-8, epsilon=1e-8),
    "PyDyNet": in_pydynet(1e-8),
    "Optax": in_optax(1e-8),
}
one = in_keras(1.0, epsilon=1e-8)
print("gradient 1e-8, lr 1:", {name: round(step, 5) for name, step in small.items()}, "torch: 0.5")
print("gradient 1, lr 1, Keras:", one)
expected = {"Keras": 0.00315, "Keras, eps 1e-8": 0.03065, "PyDyNet": 0.03065, "Optax": 0.5}
assert all(abs(small[name] / step - 1) < 0.01 for name, step in expected.items()), "a step has changed"
assert 5e-6 < 1 - one < 2e-5, "Keras' correction has changed"
PYTHON
