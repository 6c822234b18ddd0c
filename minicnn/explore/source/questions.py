"""Questions that the view "Source" answers, each as a few places to look at, in order.

A place is a line: in the walk of `subject`, the first time that `function` comes to the line
that begins so. Tests walk there. The texts stand in `explore/texts/questions`.
"""

from typing import Any, NamedTuple

from ..say import say


class Place(NamedTuple):
    subject: str
    function: str
    line: str
    transposed: bool = False  # ConvTranspose2d on the same numbers: `layer_bench.transposed`


QUESTIONS = {
    "transposed": [
        Place("conv2d", "conv2d", "output = "),
        Place("conv2d", "im2col", "cols[:, :, kh, kw] = "),
        Place("conv2d_grad_input", "conv2d_grad_input", "grad_cols = "),
        Place("conv2d_grad_input", "col2im", "padded[:, :, down, across] += "),
        Place("ConvTranspose2d.forward", "conv2d_grad_input", "def conv2d_grad_input", transposed=True),
        Place("ConvTranspose2d.forward", "conv2d_grad_input", "return ", transposed=True),
    ],
}


def listing() -> list[dict[str, Any]]:
    """As the page shows them, in the language of the request."""
    return [
        {
            "question": say(f"question.{key}"),
            "places": [
                place._asdict() | {"text": say(f"question.{key}.{number}")} for number, place in enumerate(places, 1)
            ],
        }
        for key, places in QUESTIONS.items()
    ]
