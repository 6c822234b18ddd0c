"""Channels, the matrix, a run and its digits, costs: each number equals the library's."""

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn import models, nn
from minicnn.data.images import read_digit
from minicnn.explore import channels, costs, digits, matrix, network
from minicnn.explore.ask import Refused
from minicnn.nn import functional as F


@pytest.fixture(autouse=True)
def textbook():
    with minicnn.use_backend("numpy"):
        yield


# ----------------------------------------------------------------------------- channels


def channel_setting(**changes):
    return {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": 2,
        "groups": 1,
        "size": 4,
        "seed": 0,
        "shown": 0,
    } | changes


@pytest.mark.parametrize("groups", [1, 2])
def test_what_the_channels_add_sums_up_to_the_output(groups):
    for shown in range(6):
        answer = channels.answer(channel_setting(groups=groups, shown=shown))
        np.testing.assert_array_equal(sum(answer["partial"]) + answer["bias"], answer["output"])
        assert [c for c, linked in enumerate(answer["links"][shown]) if linked] == answer["sources"]
        told = channels.cell(channel_setting(groups=groups, shown=shown, row=1, column=2))
        assert told["total"] == answer["output"][1, 2]
        for one in told["channels"]:
            np.testing.assert_array_equal(one["weights"] * one["inputs"], one["products"])
            assert one["products"].sum() == one["sum"]
        assert sum(one["sum"] for one in told["channels"]) + told["bias"] == told["total"]


def test_groups_cut_links_and_weights():
    whole, halves = channels.answer(channel_setting()), channels.answer(channel_setting(groups=2))
    assert np.sum(whole["links"]) == 24
    assert np.sum(halves["links"]) == 12
    assert (whole["weights"], halves["weights"], halves["weights_without_groups"]) == (96, 48, 96)
    assert "Of 24 links 12 are left" in halves["remark"]
    each = channels.answer(channel_setting(out_channels=4, groups=4))
    assert "depthwise" in each["remark"]
    problem = channels.answer(channel_setting(groups=3))["problem"]
    assert problem["kind"] == "ValueError"
    assert "must be divisible by groups" in problem["sentence"]
    with pytest.raises(Refused, match="divisible"):
        channels.cell(channel_setting(groups=3, row=0, column=0))


# ------------------------------------------------------------------------------- matrix


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 0, 1)])
def test_the_matrix_is_the_convolution_and_its_transpose_the_transposed_one(stride, padding, dilation):
    body = {
        "size": [5, 6],
        "kernel_size": [2, 3],
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "seed": 3,
    }
    answer = matrix.answer(body)
    np.testing.assert_array_equal(answer["product"], answer["output"])
    np.testing.assert_array_equal(answer["transposed_product"], answer["transposed"])
    names = {"F": F, "x": answer["input"][None, None], "weight": answer["weight"][None, None]}
    np.testing.assert_array_equal(eval(answer["line"], names)[0, 0], answer["output"])
    names["y"] = answer["output"][None, None]
    np.testing.assert_array_equal(eval(answer["line_transposed"], names)[0, 0], answer["transposed"])
    assert answer["zeros"] == np.sum(answer["matrix"] == 0)
    taps = F.conv_transpose2d(
        np.ones((1, *answer["output"].shape)),
        np.ones((1, 1, 2, 3)),
        None,
        stride,
        padding,
        answer["output_padding"],
        1,
        dilation,
    )
    np.testing.assert_array_equal(answer["uses"], taps[0])  # no weight is 0 here
    assert answer["transposed"].shape == answer["input"].shape
    np.testing.assert_array_equal(answer["gram"], answer["matrix"].T @ answer["matrix"])


def test_the_transpose_is_no_inverse_unless_the_kernel_only_copies():
    body = {"size": [3, 3], "kernel_size": [2, 2], "stride": 1, "padding": 0, "dilation": 1, "seed": 0}
    answer = matrix.answer(body)
    assert answer["rank"] == 4
    assert "5 of the 9 dimensions of the input leave no trace" in answer["why"]
    wide = matrix.answer(body | {"padding": 1})
    assert wide["rank"] == 9
    assert "an inverse exists; but the transpose is not it" in wide["why"]
    copy = matrix.answer(body | {"kernel_size": [1, 1], "weight": [[1]]})
    assert "This kernel only copies" in copy["why"]
    assert matrix.answer(body | {"kernel_size": [4, 4]})["problem"]["kind"] == "RuntimeError"
    assert matrix.answer(body | {"kernel_size": [0, 4]})["problem"]["kind"] == "ValueError"
    assert matrix.answer(body | {"weight": [["nan", 1], [1, 1]]})["rank"] is None
    skipped = matrix.answer(body | {"stride": 2, "kernel_size": [1, 1]})
    assert skipped["unseen"].tolist() == [[False, True, False], [True, True, True], [False, True, False]]


# ------------------------------------------------------------------------------ drawing


def test_a_drawing_becomes_a_centred_digit_as_an_image_file_does(tmp_path):
    canvas = np.zeros((280, 280), np.uint8)
    canvas[10:110, 200:220] = 255  # a thin stroke in a corner
    digit = digits.drawn_digit(canvas)
    assert (digit.shape, digit.dtype) == ((28, 28), np.uint8)
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    assert (len(rows), len(columns)) == (20, 4)  # 100 x 20 shrunk to 20 x 4
    assert (rows[0], columns[0]) == (4, 12)
    assert digit.max() == 255
    Image.fromarray(canvas).save(tmp_path / "canvas.png")
    np.testing.assert_array_equal(digit, read_digit(tmp_path / "canvas.png").pixels)
    one_pixel = np.zeros((280, 280), np.uint8)
    one_pixel[279, 279] = 255
    assert digits.drawn_digit(one_pixel).max() == 255
    assert digits.drawn_digit(np.full((280, 280), 255, np.uint8)).min() == 0  # all ink: a block of 20 x 20


def test_a_blank_drawing_stays_blank_and_specks_are_a_sentence():
    canvas = np.zeros((280, 280), np.uint8)
    assert not digits.drawn_digit(canvas).any()
    canvas[20, 20] = canvas[250, 250] = 50
    with pytest.raises(Refused, match="The drawing cannot be read: expected a digit, found specks"):
        digits.drawn_digit(canvas)


# -------------------------------------------------------------------------------- costs


def test_costs_are_counted_from_the_layers():
    told = costs.answer(None)
    rows = {row["name"]: row for row in told["layers"]}
    assert told["total"]["parameters"] == sum(p.size for p in models.SimpleCNN().parameters()) == 215_370
    assert rows["cnn.3"]["multiply_adds"] == 32 * 14 * 14 * 16 * 5 * 5
    assert rows["linear_block.0"]["parameters"] == 1568 * 128 + 128
    assert (rows["cnn.5"]["output_shape"], rows["cnn.5"]["receptive_field"]) == ((32, 7, 7), (16, 16))
    assert rows["cnn.1"]["layer"] == "ReLU()"
    for name in ("parameters", "multiply_adds", "kept_bytes"):
        assert sum(row[f"share_{name}"] for row in told["layers"]) == pytest.approx(1)


def test_timing_has_a_number_for_each_layer_and_restores_the_threads():
    before = minicnn.get_num_threads()
    told = costs.timing(None, {"batch": 2, "backend": "numpy", "threads": costs.cores()})
    assert minicnn.get_num_threads() == before
    assert [row["name"] for row in told["layers"]] == [name for name, _ in network.layers(models.SimpleCNN())]
    assert all(row["forward"] > 0 and row["backward"] > 0 for row in told["layers"])
    assert told["rounds"] >= 3
    with costs._busy, pytest.raises(Refused, match="A measurement is running already") as refused:
        costs.timing(None, {"batch": 2, "backend": "numpy", "threads": 1})
    assert refused.value.status == 409


def test_a_network_that_is_no_chain_is_refused():
    class Skip(nn.Module):
        def __init__(self):
            self.a = nn.Tanh()

        def forward(self, x):
            return x + self.a(x)

    with pytest.raises(Refused, match="Skip is not a chain of layers"):
        network.check_chain(Skip(), (1, 2, 2))
