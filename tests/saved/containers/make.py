"""Writes the small files of this folder with the libraries that people use: Keras, Flax, gguf.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install keras jax flax h5py gguf
    /tmp/peers/bin/python tests/saved/containers/make.py

Each network is a convolution, a pooling, a convolution and two linear layers on images of
8 x 8; beside the weights stand images and the library's outputs to them. No pickle is
among the files.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import gguf
import jax
import keras
import numpy as np
from flax import linen, nnx, serialization

HERE = Path(__file__).parent
IMAGES = np.random.default_rng(1).random((4, 8, 8, 1), np.float32)  # (N, H, W, C)


def write_keras(outputs: dict[str, np.ndarray]) -> None:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.Dense(5),
    ]
    model = keras.Sequential(layers)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))  # biases too, which begin as zeros
    outputs["keras"] = np.asarray(model(IMAGES))
    model.save(HERE / "keras.keras")
    model.save_weights(HERE / "keras.weights.h5")
    model.save(HERE / "keras.h5")


class Linen(linen.Module):
    """Its Dense of five outputs is made first: it is called Dense_0, though it comes last."""

    @linen.compact
    def __call__(self, x):
        x = linen.max_pool(linen.relu(linen.Conv(4, (3, 3))(x)), (2, 2), (2, 2))
        x = linen.relu(linen.Conv(3, (3, 3))(x))
        return linen.Dense(5)(linen.relu(linen.Dense(6)(x.reshape(len(x), -1))))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.conv1 = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(4, 3, (3, 3), rngs=rngs)
        self.fc1 = nnx.Linear(48, 6, rngs=rngs)
        self.fc2 = nnx.Linear(6, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv1(x)), (2, 2), (2, 2))
        x = nnx.relu(self.conv2(x))
        return self.fc2(nnx.relu(self.fc1(x.reshape(len(x), -1))))


def write_flax(outputs: dict[str, np.ndarray]) -> None:
    model = Linen()
    params = model.init(jax.random.key(0), IMAGES)
    outputs["linen"] = np.asarray(model.apply(params, IMAGES))
    (HERE / "linen.msgpack").write_bytes(serialization.to_bytes(params))
    model = Nnx(nnx.Rngs(0))
    outputs["nnx"] = np.asarray(model(IMAGES))
    (HERE / "nnx.msgpack").write_bytes(serialization.to_bytes(nnx.to_pure_dict(nnx.state(model))))


def write_gguf() -> None:
    writer = gguf.GGUFWriter(HERE / "small.gguf", "minicnn")
    writer.add_tensor("0.weight", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("0.bias", np.array([0.5, -1.5], np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    outputs: dict[str, np.ndarray] = {}
    write_keras(outputs)
    write_flax(outputs)
    write_gguf()
    np.savez_compressed(HERE / "outputs.npz", images=IMAGES, **outputs)
    versions = {name: version(name) for name in ("keras", "flax", "gguf", "h5py", "jax", "numpy")}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
