#!/usr/bin/env bash
# Guess: a label that no class has is an error in cross-entropy (torch: IndexError; -100 is left out
# of the mean there).
# Seen (Keras 3.15.1 on JAX 0.10.2): it costs nothing and counts in the mean, so -100 halves the loss
# of two images and 10 of 10 classes is learnt as if it were certain; Optax 0.2.8 gives NaN for both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet keras==3.15.1 jax==0.10.2 optax==0.2.8 numpy==2.3.5
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import jax.numpy as jnp
import keras
import numpy as np
import optax

logits = np.zeros((2, 2), np.float32)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
right = float(loss(np.array([0, 1]), logits))
for label in (-100, 2):
    labels = np.array([0, label])
    found = float(loss(labels, logits))
    theirs = float(optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), jnp.asarray(labels)).mean())
    print(f"labels 0 and {label} of two classes: Keras {found:.4f}, Optax {theirs}; labels 0 and 1: {right:.4f}")
    assert abs(found - right / 2) < 1e-6, "Keras has changed"
    assert np.isnan(theirs), "Optax has changed"
PYTHON
