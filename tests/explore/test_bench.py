"""The layer bench says what the library says: whole grids, single sums, gradients,
formulas, programs, errors.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import use_backend
from minicnn.explore import ask, cells, layer_bench
from minicnn.explore.answer import encode, jsonable, shades
from minicnn.explore.ask import Refused, filled, grid, number

from .conftest import setting


@st.composite
def settings_that_fit(draw):
    layer = draw(st.sampled_from(layer_bench.LAYERS))
    groups = draw(st.sampled_from([1, 1, 2]))
    pair = lambda low, high: draw(st.tuples(st.integers(low, high), st.integers(low, high)))
    K, S, D = pair(1, 3), pair(1, 3), pair(1, 2)
    P = tuple(draw(st.integers(0, k // 2 if layer == "MaxPool2d" else 2)) for k in K)
    span = [d * (k - 1) + 1 for k, d in zip(K, D, strict=True)]
    size = [max(s, 3) + draw(st.integers(0, 3)) for s in span]
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])) if layer == "Conv2d" else "zeros"
    OP = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(S, D, strict=True))
    return setting(
        layer,
        size,
        draw(st.booleans()),
        in_channels=groups * draw(st.integers(1, 2)),
        out_channels=groups * draw(st.integers(1, 2)),
        kernel_size=list(K),
        stride=list(S),
        padding=list(P),
        output_padding=list(OP),
        dilation=list(D),
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=mode,
        dtype=draw(st.sampled_from(["float64", "float32"])),
        ceil_mode=draw(st.booleans()),
        return_indices=draw(st.booleans()),
    ) | {"seed": draw(st.integers(0, 50))}


@given(settings_that_fit(), st.randoms(use_true_random=False))
def test_every_sum_on_the_page_is_what_the_layer_computes(body, random):
    with use_backend("numpy"):
        answer = layer_bench.answer(body)
        if answer["problem"]:  # convolving the padding of a transposed layer away, for one
            sentence = answer["problem"]["sentence"]
            if answer["problem"]["kind"] == "Too large to draw":
                assert int(sentence.partition(" = ")[2].partition(".")[0]) > ask.CELLS
            else:
                assert sentence.startswith(body["layer"])
            return
        assert [axis["value"] for axis in answer["formula"]] == list(answer["output"].shape[1:])

        output = tuple(random.randrange(n) for n in answer["output"].shape)
        told = cells.answer(body | {"grid": "output", "cell": list(output)})
        if body["layer"] == "MaxPool2d":
            values = [one["value"] for one in told["maximum"]["candidates"] if one["at"]]
            assert max(values) == told["maximum"]["total"] == answer["output"][output]
            c, h, w = told["maximum"]["winner"]
            assert answer["input"][c, h, w] == told["maximum"]["total"]
        else:
            total = sum(term["product"] for term in told["sum"]["terms"]) + (told["sum"]["bias"] or 0)
            assert total == told["sum"]["total"] == answer["output"][output]  # small integers: no rounding

        place = tuple(random.randrange(n) for n in answer["input"].shape)
        told = cells.answer(body | {"grid": "input", "cell": list(place)})
        assert told["feeds"] == len(told["marks"]["output"])
        fed = {tuple(at) for at in told["marks"]["output"]}
        changed = answer["input"].astype(float).copy()
        changed[place] += 100  # large enough to win in every window
        again = layer_bench.answer(body | {"input": changed.tolist()} | kept(answer))
        differs = {tuple(map(int, at)) for at in np.argwhere(again["output"] != answer["output"])}
        assert differs <= fed
        if body["layer"] == "MaxPool2d":
            assert differs == fed
        if not body["backward"]:
            assert told["gradient"] is None
            return
        gradient = told["gradient"]
        assert sum(term["product"] for term in gradient["terms"]) == gradient["total"] == answer["grad_input"][place]
        if not gradient["kink"]:
            assert gradient["numeric"] == pytest.approx(gradient["total"], abs=1e-9)
        if body["layer"] != "MaxPool2d":
            weight = tuple(random.randrange(n) for n in answer["weight"].shape)
            gradient = cells.answer(body | {"grid": "weight", "cell": list(weight)})["gradient"]
            assert (
                sum(term["product"] for term in gradient["terms"]) == gradient["total"] == answer["grad_weight"][weight]
            )
            assert gradient["numeric"] == pytest.approx(gradient["total"], abs=1e-9)


@pytest.mark.parametrize(("layer", "mode"), [("Conv2d", "reflect"), ("Conv2d", "zeros"), ("ConvTranspose2d", "zeros")])
def test_every_cell_of_a_layer_with_groups(layer, mode):
    """No symmetry to hide behind: groups, two different kernel sizes, strides,
    paddings, dilations.
    """
    body = setting(
        layer,
        (4, 6),
        True,
        in_channels=4,
        out_channels=4,
        groups=2,
        kernel_size=[2, 3],
        stride=[2, 1],
        padding=[1, 2],
        dilation=[1, 2],
        padding_mode=mode,
    )
    with use_backend("numpy"):
        answer = layer_bench.answer(body)
        for grid_name, gradient in (("input", "grad_input"), ("weight", "grad_weight"), ("output", None)):
            for place in np.ndindex(answer[grid_name].shape):
                told = cells.answer(body | {"grid": grid_name, "cell": list(place)})
                assert told["value"] == answer[grid_name][place]
                same = grid_name == ("output" if layer == "ConvTranspose2d" else "input")
                if same:  # its copies in the padded input, or the place that cropping keeps
                    assert {answer["framed"][tuple(at)] for at in told["marks"]["framed"]} <= {told["value"]}
                if gradient is None:
                    total = sum(term["product"] for term in told["sum"]["terms"]) + told["sum"]["bias"]
                    assert total == told["sum"]["total"] == told["value"]
                    continue
                terms = told["gradient"]["terms"]
                assert sum(term["product"] for term in terms) == told["gradient"]["total"] == answer[gradient][place]
                assert told["gradient"]["numeric"] == pytest.approx(answer[gradient][place], abs=1e-9)
                for one in terms:
                    for part in one["factors"]:  # each factor stands where it is said to stand
                        if part["at"] is not None:
                            assert answer[part["name"]][tuple(part["at"])] == part["value"]


def kept(answer):
    return {name: answer[name].tolist() for name in ("weight", "bias", "grad_output") if name in answer}


@given(settings_that_fit())
def test_the_program_to_copy_gives_the_numbers_on_the_page(body):
    with use_backend("numpy"):
        answer = layer_bench.answer(body)
        if answer["problem"]:
            return
        names = {}
        exec(answer["program"], names)  # noqa: S102
        np.testing.assert_array_equal(names["output"], answer["output"])
        assert names["output"].dtype == answer["output"].dtype
        if body["backward"]:
            np.testing.assert_array_equal(names["grad_input"], answer["grad_input"])
        if "indices" in answer:
            np.testing.assert_array_equal(names["indices"], answer["indices"])


@given(settings_that_fit())
def test_greyed_pixels_are_those_that_have_no_effect(body):
    with use_backend("numpy"):
        answer = layer_bench.answer(body)
        if answer["problem"]:
            return
        unseen = np.broadcast_to(answer["unseen"]["input"], answer["input"].shape)
        changed = np.where(unseen, np.nan, answer["input"]).astype(answer["input"].dtype)
        again = layer_bench.answer(body | {"input": changed.tolist()} | kept(answer))
        np.testing.assert_array_equal(again["output"], answer["output"])
        assert answer["unseen_count"] == answer["unseen"]["input"].sum()


def test_a_tie_is_called_a_kink_and_the_first_wins():
    body = setting("MaxPool2d", (2, 2), True, kernel_size=[2, 2]) | {
        "input": [[[5, 5], [1, 5]]],
        "grad_output": [[[3]]],
    }
    told = cells.answer(body | {"grid": "output", "cell": [0, 0, 0]})
    assert (told["maximum"]["ties"], told["maximum"]["winner"]) == (3, [0, 0, 0])
    first, second, low = (
        cells.answer(body | {"grid": "input", "cell": cell}) for cell in ([0, 0, 0], [0, 0, 1], [0, 1, 0])
    )
    assert (first["gradient"]["total"], second["gradient"]["total"]) == (3, 0)
    assert first["gradient"]["numeric"] == second["gradient"]["numeric"] == 1.5
    assert "A tie: here the maximum has a kink" in first["gradient"]["kink"]
    assert low["gradient"]["kink"] == ""


def test_a_transposed_input_stamps_its_outputs():
    body = setting("ConvTranspose2d", (2, 2), kernel_size=[2, 2], bias=False) | {
        "input": [[[0, 1], [2, 3]]],
        "weight": [[[[0, 1], [2, 3]]]],
    }
    assert layer_bench.answer(body)["output"].tolist() == [[[0, 0, 1], [0, 4, 6], [4, 12, 9]]]  # the course's example
    told = cells.answer(body | {"grid": "input", "cell": [0, 1, 1]})
    assert [(one["at"], one["product"]) for one in told["stamps"]] == [
        ([0, 1, 1], 0),
        ([0, 1, 2], 3),
        ([0, 2, 1], 6),
        ([0, 2, 2], 9),
    ]
    cropped = cells.answer(setting("ConvTranspose2d", (2, 2), padding=[1, 1]) | {"grid": "input", "cell": [0, 0, 0]})
    assert cropped["cropped"] == 5
    wanted = setting("ConvTranspose2d", (3, 3), stride=[2, 2], padding=[1, 1]) | {"output_size": [6, 5]}
    assert layer_bench.answer(wanted)["output"].shape == (1, 6, 5)


def test_the_size_formula_has_the_numbers_and_the_floor_in_it():
    height = layer_bench.answer(setting(size=(6, 6), stride=[2, 2], padding=[1, 1]))["formula"][0]
    assert height["symbols"] == "OH = ⌊(H + 2·PH − DH·(KH − 1) − 1) / SH⌋ + 1"
    assert height["steps"] == ["⌊(6 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1", "⌊5 / 2⌋ + 1", "2 + 1", "3"]
    assert height["remark"] == "The floor drops a rest of 1: the last row of the padded input is under no window."
    width = layer_bench.answer(setting("ConvTranspose2d", (3, 3), stride=[2, 2], padding=[1, 1]))["formula"][1]
    assert width["steps"] == ["(3 − 1)·2 − 2·1 + 1·(3 − 1) + 0 + 1", "4 + (−2) + 2 + 0 + 1", "5"]
    assert "maps each of the sizes 5 to 6 to 3" in width["remark"]
    ceiling = setting("MaxPool2d", (5, 5), kernel_size=[2, 2], stride=[2, 2], ceil_mode=True)
    assert layer_bench.answer(ceiling)["formula"][0]["steps"] == [
        "⌈(5 + 2·0 − 1·(2 − 1) − 1) / 2⌉ + 1",
        "⌈3 / 2⌉ + 1",
        "2 + 1",
        "3",
    ]
    dropped = setting("MaxPool2d", (3, 3), kernel_size=[2, 2], stride=[3, 3], padding=[1, 1], ceil_mode=True)
    assert "it is dropped" in layer_bench.answer(dropped | {"size": [2, 2]})["formula"][0]["remark"]


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (setting(kernel_size=[7, 7]), "RuntimeError", "Conv2d: height 5 becomes floor((5 + 0 of padding"),
        (
            setting(stride=[0, 1]),
            "ValueError",
            "Conv2d: stride must be an int or a pair of ints, at least 1, got (0, 1)",
        ),
        (setting(groups=2), "ValueError", "in_channels must be divisible by groups"),
        (setting(padding="same", stride=[2, 2]), "ValueError", "padding='same' needs stride 1"),
        (setting(padding=[6, 6], padding_mode="reflect"), "RuntimeError", "can pad the width 6 by at most 5"),
        (setting("MaxPool2d", kernel_size=[2, 2], padding=[2, 2]), "ValueError", "at most half the kernel size"),
        (setting("ConvTranspose2d", output_padding=[1, 1]), "ValueError", "must be smaller than stride or dilation"),
        (setting("ConvTranspose2d", padding_mode="reflect"), "ValueError", "padding_mode must be 'zeros'"),
        (setting("ConvTranspose2d") | {"output_size": [50, 7]}, "ValueError", "cannot be reached"),
        (
            setting("ConvTranspose2d", (12, 12), stride=[8, 8]),
            "Too large to draw",
            "draws at most 1024 output numbers, and this layer would give 1 x 91 x 91",
        ),
    ],
)
def test_what_cannot_be_is_explained_in_the_librarys_words(body, kind, words):
    answer = layer_bench.answer(body)
    assert answer["problem"]["kind"] == kind
    assert words in answer["problem"]["sentence"]
    assert "[in " not in answer["problem"]["sentence"]
    assert answer["line"].startswith("nn.")
    encode(answer)
    with pytest.raises(Refused, match=kind):
        cells.answer(body | {"grid": "output", "cell": [0, 0, 0]})


def test_same_padding_with_an_even_kernel_puts_the_odd_column_right():
    answer = layer_bench.answer(setting(size=(4, 4), kernel_size=[2, 2], padding="same"))
    assert answer["frame"] == (0, 1, 0, 1)
    assert answer["output"].shape == (1, 4, 4)
    assert "4 + 0 + 1" in answer["formula"][0]["steps"][0]


def test_not_a_number_travels_to_the_page_and_back():
    body = setting(size=(3, 3), padding=[1, 1], backward=True) | {
        "input": [[[1, "nan", 0], ["inf", 0, 0], [0, 0, 0]]],
        "weight": [[[[1] * 3] * 3]],
    }
    answer = jsonable(layer_bench.answer(body))
    assert answer["input"][0][0] == [1.0, "NaN", 0.0]
    assert answer["output"][0][0][0] == "NaN"
    assert answer["output"][0][2][0] == "Infinity"
    encode(answer)
    told = cells.answer(body | {"grid": "input", "cell": [0, 0, 1]})
    assert jsonable(told)["gradient"]["numeric"] == "NaN"
    exec(layer_bench.answer(body)["program"], {})  # noqa: S102 - np.nan and np.inf are written as Python has them


def test_float32_is_rounded_as_the_layer_rounds_and_its_differences_are_taken_in_double():
    body = setting(dtype="float32", backward=True) | {"input": [[[0.1] * 6] * 5], "weight": [[[[0.1] * 3] * 3]]}
    answer = layer_bench.answer(body)
    assert answer["output"].dtype == np.float32
    gradient = cells.answer(body | {"grid": "input", "cell": [0, 2, 2]})["gradient"]
    assert gradient["numeric"] == pytest.approx(float(gradient["total"]), rel=1e-6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1e-3", 0.001), (" −2 ", -2.0), ("inf", math.inf), ("∞", math.inf), (3, 3.0), (10**400, math.inf)],
)
def test_numbers_as_people_type_them(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize("value", ["", "1,5", "--1", "1" * 33, None, True, [], {}])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Refused, match="must hold a number"):
        number(value)


def test_grids_are_bounded_and_full():
    with pytest.raises(Refused, match="at most 1024 cells, got 33 x 32") as refused:
        grid([[0] * 32] * 33, "input", 2)
    assert refused.value.status == 413
    with pytest.raises(Refused, match="every row of the same length"):
        grid([[1, 2], [3]], "input", 2)
    with pytest.raises(Refused, match="2 nested lists of numbers, none of them empty"):
        grid([], "input", 2)
    assert grid(None, "input", 2) is None


def test_a_grid_that_grows_keeps_its_numbers():
    small = filled(None, (1, 3, 3), 0)
    assert np.array_equal(filled(None, (1, 5, 5), 0)[:, :3, :3], small)
    typed = np.full((1, 2, 2), 9.0)
    grown = filled(typed, (1, 3, 3), 0)
    assert np.array_equal(grown[:, :2, :2], typed)
    assert np.array_equal(grown[:, 2], small[:, 2])
    assert not np.array_equal(filled(None, (1, 3, 3), 10), small)


def test_planes_become_bytes_from_low_to_high():
    import base64

    told = shades(np.array([[[0.0, 2.0], [4.0, np.nan]]]), signed=False)
    assert (told["low"], told["high"]) == (0, 4)
    assert list(base64.b64decode(told["bytes"])) == [0, 128, 255, 0]
    signed = shades(np.array([[[-1.0, 0.0, 4.0]]]), signed=True)
    assert (signed["low"], signed["high"]) == (-4, 4)
    assert list(base64.b64decode(signed["bytes"])) == [96, 128, 255]
