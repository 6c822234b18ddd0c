"""minicnn.testing: the example of its documentation passes what is right and fails what
is wrong.
"""

import inspect
import textwrap

import pytest
from hypothesis import settings

import minicnn.testing
from minicnn.nn import functional as F


def example(mine):
    """The test of the docstring, for a function called `mine`."""
    text = inspect.getdoc(minicnn.testing).split("anything:\n")[1].split("\nWith `case")[0]
    names = {"mine": mine}
    exec(textwrap.dedent(text), names)  # noqa: S102 - it is our own documentation
    return settings(max_examples=60, database=None, derandomize=True)(names["test_mine"])


def test_the_example_passes_a_right_convolution():
    example(F.conv2d)()


def wrong(x, weight, bias=None, **options):
    return F.conv2d(x, weight[..., ::-1].copy(), bias, **options)


def test_the_example_fails_a_convolution_that_turns_its_kernel_round():
    with pytest.raises(AssertionError, match="exceeds the bound"):
        example(wrong)()
