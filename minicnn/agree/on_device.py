"""The torch set on a device, judged by the textbook in float64: torch does not judge itself.

What the device may choose, the order of a sum for one, the bounds allow for: they hold for
every order. They do not hold where cuDNN transforms the image first (Winograd, FFT); then an
error follows from the largest elements around it, and such a row says WRONG.

Not yet run on a GPU; on the CPU it is run in the tests.
"""

from .bounds import OPTIMISERS
from .programs import IMPORTS, Trial, forward_and_backward, steps

BODY = """

def double(array):
    return array.astype(np.float64) if array.dtype.kind == "f" else array


arrays = [{names}]
results = ours(*(torch.tensor(array, device={device!r}) for array in arrays))
results = {{name: tensor.numpy(force=True) for name, tensor in results.items()}}
with minicnn.use_backend("numpy"):
    expected = ours(*map(double, arrays))
"""


def program(trial: Trial, device: str, dtype: str, seed: int) -> str:
    """Computes `results` on the device and `expected` by the textbook, both {name: array}."""
    names = ", ".join(trial.arrays)
    lines = steps(trial) if trial.operation in OPTIMISERS else forward_and_backward(trial)
    drawn = "\n".join([f"rng = np.random.default_rng({seed})", *trial.draws(dtype)])
    function = "\n    ".join([f"def ours({names}):", *lines])
    return f"{IMPORTS}{drawn}\n\n\n{function}\n{BODY.format(names=names, device=device)}"
