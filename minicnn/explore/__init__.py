"""`python -m minicnn.explore`: a local page that shows forward and backward, on small
grids and on your own run.

All arithmetic is done here, by minicnn, and fetched as JSON; the page in `static` only draws.

    server          HTTP: who may ask, what may be read, how errors are said
    say, texts      what the page says, in each of its languages
    ask, answer     JSON in (checked and bounded), JSON out (NaN and infinity included)
    wiring          which input pixel lies under which kernel element, for which output pixel
    bench, cells    view 1, the layer bench: a whole layer, and one number of it written out
    source          view "Source": real lines, and what each name holds at each of them
    train_view      view "Train": a network learns while the page looks on
    formula         the size formula with the numbers in it; the Python lines that do the same
    channels        view 2: the products of each channel before they are summed
    matrix          view 3: convolution as a matrix
    runs, network, digits    view 4: a run folder, the layers of its network, what a digit
                             does in them
    costs           view 5: parameters, multiply-adds, bytes, seconds
    notebook        `show` in a notebook's cell
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .notebook import close, show

__all__ = ["close", "show"]


def __getattr__(name: str) -> Any:
    """`show` and `close` bring the whole page, which `--help` does not wait for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import notebook

    return getattr(notebook, name)
