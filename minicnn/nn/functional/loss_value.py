"""The one number that a loss gives, and why it has no way back."""

from typing import Any, NoReturn

import numpy as np

NO_TAPE = """loss.backward(): a loss is a number here, and knows no network. Write

    model.backward(criterion.backward())

where criterion was given model(images): its backward is the gradient of the loss, and the model's
takes that through the layers. Where the loss was a function, such as F.nll_loss, its gradient is
F.nll_loss_backward(1.0, output, target)."""


def _backward(loss: Any, *gradient: Any, **options: Any) -> NoReturn:
    raise NotImplementedError(NO_TAPE)


# No base of their own: NumPy then takes such a number for an object.
class _Float32(np.float32):
    backward = _backward


class _Float64(np.float64):
    backward = _backward


def with_hint(loss: Any) -> Any:
    """The loss; a NumPy number answers `loss.backward()`, torch's word, with what to write.

    A sum or a product of losses is a plain number again.
    """
    if isinstance(loss, np.float32):
        return _Float32(loss)
    return _Float64(loss) if isinstance(loss, np.float64) else loss
