"""The questions of the view "Source": each place is there, and what is said of it is true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import use_backend
from minicnn.explore import layer_bench
from minicnn.explore.source import origin, questions
from minicnn.explore.source.walk import Walks, text

from .conftest import setting
from .page import until, values

PLACES = [place for places in questions.QUESTIONS.values() for place in places]
WALKS = Walks()


def recorded(body, subject):
    with use_backend("numpy"):
        bench = layer_bench.Bench(layer_bench.read(body))
        return bench, WALKS.recorded(bench, WALKS.subjects[subject])


def first(recording, place):
    """As walk.js finds it."""
    for number, stop in enumerate(recording.stops):
        code = recording.frames[stop.frame].code
        if code.co_name == place.function and text(code, stop.statement).startswith(place.line):
            return number
    return None


def transposed_body(bench):
    told = layer_bench.transposed(bench)
    values = told["values"]
    body = layer_bench.start("ConvTranspose2d")
    arguments = {name: value for name, value in values.items() if name not in ("size", "ask_size", "output_size")}
    arguments = body["arguments"] | arguments | {"dtype": bench.dtype.__name__}
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    given = {name: array.tolist() for name, array in told["given"].items()}
    sizes = {"size": list(values["size"]), "output_size": list(values["output_size"])}
    return body | {"arguments": lists} | sizes | given


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.subject}: {place.line}")
def test_every_place_is_in_its_walk(place):
    body = layer_bench.start("Conv2d")
    if place.transposed:
        body = transposed_body(recorded(body, "conv2d")[0])
    _, recording = recorded(body, place.subject)
    assert first(recording, place) is not None


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    return setting(
        size=(draw(st.integers(3, 6)), draw(st.integers(3, 6))),
        in_channels=groups * draw(st.integers(1, 2)),
        out_channels=groups * draw(st.integers(1, 2)),
        kernel_size=kernel,
        stride=[draw(st.integers(1, 2)), draw(st.integers(1, 2))],
        padding=[draw(st.integers(0, 1)), draw(st.integers(0, 1))],
        groups=groups,
        dtype=draw(st.sampled_from(["float64", "float32"])),
    ) | {"seed": draw(st.integers(0, 1000))}


@given(convolutions())
def test_conv_transpose2d_on_the_same_numbers_gives_conv2d_s_gradient_to_the_input(body):
    bench, back = recorded(body | {"backward": True}, "conv2d_grad_input")
    _, forward = recorded(transposed_body(bench), "ConvTranspose2d.forward")
    (gradient,) = back.stops[-1].result
    np.testing.assert_array_equal(gradient, bench.grad_input)
    np.testing.assert_array_equal(forward.stops[-1].result, gradient)


@pytest.mark.parametrize(
    "body",
    [
        setting(padding="same"),
        setting(padding=[1, 1], padding_mode="reflect"),
        setting(size=(12, 12), kernel_size=[1, 1], padding=[2, 2]),
        setting("MaxPool2d", kernel_size=[2, 2]),
        setting("ConvTranspose2d"),
    ],
)
def test_where_there_is_no_such_transposed_layer_none_is_offered(body):
    assert layer_bench.transposed(layer_bench.Bench(layer_bench.read(body))) is None


def test_an_entry_of_the_gradient_s_patch_matrix_is_a_weight_times_a_gradient():
    bench, recording = recorded(layer_bench.start("Conv2d"), "conv2d_grad_input")
    set_by = first(recording, questions.Place("", "conv2d_grad_input", "grad_cols = "))
    entered = first(recording, questions.Place("", "col2im", "def col2im"))
    cols = recording.stops[set_by].holds["grad_cols"]
    for k in range(9):
        for p in range(25):
            came = origin.origin(recording, entered, "cols", 25 * k + p)
            assert (came["kind"], came["function"]) == ("argument", "conv2d_grad_input")
            assert [(cell["name"], cell["at"]) for cell in came["made"]["cells"]] == [("grad_cols", 25 * k + p)]
            told = origin.origin(recording, set_by, "grad_cols", 25 * k + p)
            (term,) = told["terms"]
            expected = [bench.weight.ravel()[k], bench.grad_output.ravel()[p]]
            assert [factor["value"] for factor in term["factors"]] == expected
            assert term["product"] == cols.ravel()[25 * k + p]


def test_all_origins_at_once_are_those_that_are_asked_for_one_by_one():
    for subject in ("im2col", "conv2d_grad_input", "cross_entropy", "MaxPool2d.forward", "Sequential.backward"):
        layer = WALKS.subjects[subject].layer or "Conv2d"
        _, recording = recorded(layer_bench.start(layer), subject)
        found = origin.everything(recording)
        for key in list(found)[::7]:
            step, name, at = key.split()[0], " ".join(key.split()[1:-1]), key.split()[-1]
            assert origin.origin(recording, int(step), name, int(at)) == found[key]


def test_a_reader_walks_through_the_question(server, visit):
    page = visit(server, "source")
    page.click("#source-questions summary")
    page.click("#source-questions button:has-text('Begin')")
    until(page, "document.querySelector('.line.now').textContent.includes('output = (rows @ cols)')")
    next_place = page.locator("#source-questions button", has_text="Next place")
    next_place.click()
    until(page, "document.querySelector('.line.now').textContent.includes('cols[:, :, kh, kw] = ')")
    next_place.click()
    until(page, "document.querySelector('.line.now').textContent.includes('grad_cols = ')")
    page.locator('table[aria-label="grad_cols"] td[data-place="1,4"]').hover()
    page.wait_for_selector("#source-explain .total")
    next_place.click()
    until(page, "document.querySelector('.line.now').textContent.includes('+= cols')")
    page.locator("#view-source .code").focus()
    page.keyboard.press("End")
    gradient = values(page, "result")
    next_place.click()
    until(page, "document.querySelector('.calls').textContent.startsWith('ConvTranspose2d.forward')")
    next_place.click()
    until(page, "document.querySelector('.line.now').textContent.includes('return col2im')")
    np.testing.assert_array_equal(values(page, "result"), gradient)
    assert next_place.is_disabled()
    for _ in range(4):
        page.locator("#source-questions button", has_text="Previous place").click()
    until(page, "document.querySelector('.calls').textContent.startsWith('conv2d › im2col')")
