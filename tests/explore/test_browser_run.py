"""A run in a real browser: digits drawn and picked, filters, confusion matrix, costs;
numbers compared with the library's.
"""

import re

import numpy as np
import pytest

from minicnn import models, use_backend
from minicnn.data import MNIST
from minicnn.explore.open_run import RunFolder
from minicnn.saved.weights import load_weights

from .conftest import Asker, serve, stop
from .page import settled, until, values

# A loop around 0 and strokes for 1 and 3, as a hand would draw them on the canvas of 280 x 280.
DIGITS = {
    0: [(140 + 55 * np.sin(t), 140 - 80 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 17)],
    1: [(150, 50), (146, 140), (140, 230)],
    3: [(85, 80), (140, 55), (185, 85), (170, 130), (120, 140), (170, 150), (190, 190), (150, 230), (85, 215)],
}


def draw(page, points):
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    scale = box["width"] / 280
    at = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=3)
    page.mouse.up()


def test_a_drawn_digit_is_recognised(run_server, visit):
    page = visit(run_server, "run")
    for digit, points in DIGITS.items():
        page.get_by_role("button", name="Clear").click()
        until(page, "document.querySelector('#verdict').textContent.startsWith('Draw a digit')")
        draw(page, points)
        until(page, f"document.querySelector('#predicted')?.dataset.value === '{digit}'")
    probabilities = page.eval_on_selector_all(
        "#softmax-table tbody tr td:last-child", "all => all.map(one => Number(one.dataset.value))"
    )
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert np.argmax(probabilities) == 3


def test_a_digit_is_drawn_with_the_keys(run_server, visit):
    page = visit(run_server, "run")
    page.get_by_role("button", name="Clear").click()
    until(page, "document.querySelector('#verdict').textContent.startsWith('Draw a digit')")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "canvas"
    assert page.locator(".pen").is_visible()
    page.keyboard.press("ArrowUp")  # with the pen up nothing is drawn
    assert page.inner_text("#verdict").startswith("Draw a digit")
    page.keyboard.press("Space")
    for _ in range(18):
        page.keyboard.press("ArrowDown")
    until(page, "document.querySelector('#predicted')?.dataset.value === '1'")
    page.keyboard.press("Tab")  # to the button Clear: the pen is lifted and put away
    assert page.locator(".pen").is_hidden()
    page.mouse.move(*(page.locator("#canvas").bounding_box()[side] + 30 for side in "xy"), steps=5)
    assert page.locator("#predicted").get_attribute("data-value") == "1"


def test_a_run(run_server, run_folder, visit):
    page = visit(run_server, "run")
    page.wait_for_selector("#confusion")
    settled(page)
    model = models.SimpleCNN()
    model.load_state_dict(load_weights(run_folder / "model.safetensors"))
    data = MNIST(train=False)
    with use_backend("numpy"):
        logits = model(data[0][0][None])
        model.backward(np.eye(10, dtype=np.float32)[None, logits.argmax()])
    column = "#softmax-table tbody tr td:nth-of-type(1)"
    np.testing.assert_array_equal(
        np.array(page.eval_on_selector_all(column, "all => all.map(one => Number(one.dataset.value))"), np.float32),
        logits[0],
    )
    assert page.locator(".layer").count() == 10
    assert page.locator(".layer").nth(0).locator("canvas").count() == 32  # 16 activations, 16 gradients

    page.get_by_label("activation of layer 0, channel 5: show its numbers").click()
    page.wait_for_selector("dialog[open] td.cell")
    with use_backend("numpy"):
        first = model.cnn[0](data[0][0][None])[0, 5]
    np.testing.assert_allclose(values(page, "numbers"), first, rtol=1e-6)
    page.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="the loss, if it were the truth").click()
    page.wait_for_selector("text=/^loss /")
    page.locator(".class-bars button").nth(4).click()
    until(page, "document.querySelectorAll('.class-bars button')[4].getAttribute('aria-pressed') === 'true'")

    rows = page.eval_on_selector_all(
        "#metrics-table tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.dataset.value))"
    )
    written = (run_folder / "metrics.csv").read_text().splitlines()[1:]
    np.testing.assert_array_equal(np.array(rows, float), [[float(n) for n in row.split(",")] for row in written])

    slider = page.locator("#filter-epoch")
    slider.focus()
    page.keyboard.press("Home")
    assert page.inner_text("#filter-epoch-name") == "before training"
    page.get_by_label("filter 3, before training: show its numbers").click()
    kept = load_weights(run_folder / "filters.safetensors")
    np.testing.assert_allclose(values(page, "filter"), kept["epoch-000"][3, 0], rtol=1e-6)

    counts = page.eval_on_selector_all(
        "#confusion tbody tr",
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => Number(cell.dataset.value)))",
    )
    np.testing.assert_array_equal(np.sum(counts, axis=1), np.bincount(data.labels))
    page.locator("#confusion tbody tr").nth(7).locator("td").nth(7).locator("button").click()
    page.wait_for_selector("#behind .thumbnails button")
    assert page.inner_text("#behind h3").startswith(f"{counts[7][7]} images of 7")
    name = page.locator("#behind .thumbnails button").first.get_attribute("aria-label")
    index = int(re.fullmatch(r"test image (\d+), a 7", name).group(1))
    assert data.labels[index] == 7
    page.locator("#behind .thumbnails button").first.click()
    until(page, "document.querySelector('#verdict').textContent.includes('7')")


@pytest.fixture
def open_run(visit):
    served = []

    def open_folder(folder):
        served.append(serve(RunFolder(folder)))
        return visit(Asker(served[-1][0]), "run")

    yield open_folder
    for one in served:
        stop(*one)


def test_a_parity_run_shows_both_probabilities(open_run, parity_folder):
    page = open_run(parity_folder)
    even, odd = page.eval_on_selector_all(".class-bars .number", "all => all.map(one => Number(one.dataset.value))")
    assert even + odd == pytest.approx(1)
    assert page.inner_text("#predicted") == ("odd" if odd > even else "even")
    assert page.get_by_role("button", name="its probability").count() == 1
    page.wait_for_selector("#confusion")
    assert page.locator("#confusion tbody td").count() == 4


def test_a_run_that_paints_says_what_it_cannot_show(open_run, painter_folder):
    page = open_run(painter_folder)
    assert "paints pictures and names no classes" in page.inner_text("#no-classes")
    page.wait_for_selector("#filter-epoch-name")
    assert page.locator("#canvas, #confusion").count() == 0


def test_without_a_run_it_says_how_to_train_one(server, visit):
    page = visit(server, "run")
    assert "python -m minicnn.train" in page.inner_text("#no-run pre")


def test_costs_and_timing(server, visit):
    page = visit(server, "costs")
    parameters = page.eval_on_selector_all(
        "#costs-table tbody tr",
        "rows => rows.map(row => Number(row.querySelectorAll('td[data-value]')[0].dataset.value))",
    )
    sizes = [p.size for p in models.SimpleCNN().parameters()]
    assert [n for n in parameters if n] == [sizes[i] + sizes[i + 1] for i in range(0, len(sizes), 2)]
    assert "93.2 % of the parameters are in linear_block.0, 83.0 % of the multiply-adds in cnn.3" in page.inner_text(
        "#view-costs"
    )
    page.fill("#batch", "2")
    page.select_option("#backend", "numpy")
    page.fill("#threads", "1")
    page.click("#measure")
    page.wait_for_selector("#time-table")
    assert page.locator("#time-table tbody tr").count() == 10
