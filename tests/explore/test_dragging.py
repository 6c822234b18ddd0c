"""The command that measures the answers while dragging; the quick way to JSON."""

import json
import time

import numpy as np
import pytest

from minicnn.explore.answer import encode, jsonable

from . import dragging


def test_it_measures_both_settings_of_the_walks_that_are_named():
    rows = dragging.measure(2, ["relu", "MaxPool2d.forward"])
    assert rows[0] == dragging.HEAD
    assert [row[:2] for row in rows[1:]] == [
        *(("relu", "first"), ("relu", "larger")),
        *(("MaxPool2d.forward", "first"), ("MaxPool2d.forward", "larger")),
    ]
    for row in rows[1:]:
        assert int(row[2]) > 0
        assert all(float(figure) >= 0 for figure in row[3:])


def test_the_smallest_and_the_median_are_in_milliseconds():
    ticks = iter([0.0, 0.001, 1.0, 1.003, 2.0, 2.002])
    assert dragging.timed(lambda: None, lambda: next(ticks), 3) == pytest.approx((1.0, 2.0))
    assert dragging.timed(lambda: None, time.thread_time, 3)[0] >= 0


@pytest.mark.parametrize("number", [1.5, -0.0, 5e-324, np.nan, np.inf, -np.inf])
def test_json_is_the_same_with_and_without_a_look_at_each_number(number):
    value = {
        "array": np.array([[1.0, number]]),
        "single": np.array([0.1], np.float32),
        "scalars": (np.float32(0.1), np.float64(number), np.int64(3), np.bool_(True), None, "text", number),
        "whole": np.arange(3),
        "nothing": np.zeros((0, 2)),
    }
    looked_at = json.dumps(jsonable(value), allow_nan=False, separators=(",", ":")).encode()
    assert encode(value) == looked_at


def test_what_has_no_form_in_json_is_an_error():
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        encode({"it": object()})
