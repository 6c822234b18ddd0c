"""The page in a real browser: views opened, controls moved, and every number on it
compared with the library's.

Needs Chromium (Debian: apt-get install chromium) and the package playwright; says so
when it skips.
"""

import re

import numpy as np
import pytest

from minicnn import nn
from minicnn.nn import functional as F

from .page import READY, cell, settled, shown, until, values


def test_bench_convolution(server, visit):
    page = visit(server)
    page.fill('[name="stride-height"]', "2")
    page.fill('[name="in_channels"]', "2")
    until(page, "document.querySelectorAll('[aria-label=\"output\"] tbody tr').length === 3")
    until(page, "document.querySelectorAll('[aria-label=\"kernel input channel 1\"]').length === 1")
    settled(page)
    x = np.stack([values(page, f"input channel {c}") for c in (0, 1)])
    weight = np.stack([values(page, f"kernel input channel {c}") for c in (0, 1)])
    output = F.conv2d(x, weight[None], values(page, "bias")[0], stride=(2, 1), padding=1)
    np.testing.assert_array_equal(values(page, "output"), output[0])
    np.testing.assert_array_equal(shown(page, "output"), output[0])
    np.testing.assert_array_equal(values(page, "padded input channel 1"), F.pad(x, (1, 1, 1, 1))[1])

    cell(page, "output", 1, 2).hover()  # its window, and the sum
    until(page, "document.querySelector('#bench-explain b')?.textContent === 'output[0, 1, 2]'")
    assert float(page.get_attribute("#bench-explain .total", "data-value")) == output[0, 1, 2]
    products = page.eval_on_selector_all("#bench-explain .term", "all => all.map(one => Number(one.dataset.product))")
    assert len(products) == 18
    assert sum(products) + values(page, "bias")[0, 0] == output[0, 1, 2]
    assert page.locator('[aria-label="input channel 0"] .mark-input').count() == 9
    assert page.locator('[aria-label="padded input channel 1"] .mark-input').count() == 9

    cell(page, "input channel 1", 1, 1).hover()  # all outputs that it feeds
    until(page, "document.querySelector('#bench-explain b')?.textContent === 'input[1, 1, 1]'")
    places = page.eval_on_selector_all('[aria-label="output"] .mark-output', "all => all.map(one => one.dataset.place)")
    moved = x.copy()
    moved[1, 1, 1] += 1
    differs = F.conv2d(moved, np.ones((1, 2, 3, 3)), stride=(2, 1), padding=1) - F.conv2d(
        x, np.ones((1, 2, 3, 3)), stride=(2, 1), padding=1
    )
    assert places == [f"{i},{j}" for i, j in np.argwhere(differs[0])]


def test_bench_backward_and_numeric_derivative(server, visit):
    page = visit(server)
    page.check("#backward")
    page.wait_for_selector('table[aria-label="grad_input"] td.cell')
    layer = nn.Conv2d(1, 1, 3, padding=1, dtype=np.float64)
    layer.weight.data, layer.bias.data = values(page, "kernel")[None, None], values(page, "bias")[0]
    layer(values(page, "input")[None])
    grad_input = layer.backward(values(page, "grad_output")[None])
    np.testing.assert_array_equal(values(page, "grad_input"), grad_input[0])
    np.testing.assert_array_equal(values(page, "grad_weight"), layer.weight.grad[0, 0])
    cell(page, "input", 1, 2).hover()
    page.wait_for_selector("#bench-explain .numeric")
    assert float(page.get_attribute("#bench-explain .backward", "data-value")) == grad_input[0, 1, 2]
    assert float(page.get_attribute("#bench-explain .numeric", "data-value")) == pytest.approx(grad_input[0, 1, 2])
    assert page.locator('[aria-label="grad_output"] .mark-gradient').count() == 9
    cell(page, "kernel", 0, 0).hover()
    until(page, "document.querySelector('#bench-explain b')?.textContent === 'weight[0, 0, 0, 0]'")
    assert float(page.get_attribute("#bench-explain .numeric", "data-value")) == pytest.approx(
        layer.weight.grad[0, 0, 0, 0]
    )


def test_bench_edit_by_keyboard(server, visit):
    page = visit(server)
    first = page.get_by_label("input, row 0, column 0", exact=True)
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "input, row 1, column 1"
    page.keyboard.type("2.5")
    until(page, "document.querySelector('[aria-label=\"input\"] td[data-place=\"1,1\"]').dataset.value === '2.5'")
    output = F.conv2d(
        values(page, "input")[None], values(page, "kernel")[None, None], values(page, "bias")[0], padding=1
    )
    np.testing.assert_array_equal(values(page, "output"), output[0])
    np.testing.assert_allclose(shown(page, "output"), output[0], rtol=1e-3)
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "input, row 1, column 4"
    page.keyboard.type("nan")
    until(page, "document.querySelector('[aria-label=\"output\"]').textContent.includes('NaN')")
    page.keyboard.type("x")  # no number: marked, and not asked
    assert page.locator('input[aria-invalid="true"]').count() == 1
    # One Tab stop for each grid.
    assert page.locator('[aria-label="input"] [tabindex="0"]').count() == 1


def test_bench_explains_what_cannot_be_and_recovers(server, visit):
    page = visit(server)
    page.fill('[name="groups"]', "2")
    page.wait_for_selector(".problem:not([hidden])")
    with pytest.raises(ValueError, match="divisible") as error:
        nn.Conv2d(1, 1, 3, groups=2)
    assert str(error.value) in page.inner_text("#view-bench .problem")
    page.fill('[name="groups"]', "1")
    page.wait_for_selector("#view-bench .problem", state="hidden")
    assert page.locator("#view-bench .stale").count() == 0


def test_bench_size_formula_grey_pixels_and_program(server, visit):
    page = visit(server)
    page.fill('[name="padding-height"]', "0")
    page.fill('[name="padding-width"]', "0")
    page.fill('[name="size-width"]', "6")
    page.fill('[name="stride-width"]', "2")
    until(page, "document.querySelector('.sizes').textContent.includes('⌊(6 + 2·0 − 1·(3 − 1) − 1) / 2⌋ + 1')")
    settled(page)
    assert page.locator('[aria-label="input"] .unseen').count() == 5  # the last column
    assert "last column of the padded input is under no window" in page.inner_text(".sizes")
    names = {}
    exec(page.inner_text("#bench-program"), names)  # noqa: S102
    np.testing.assert_array_equal(names["output"][0], values(page, "output"))
    assert page.inner_text("#bench-line") == "nn.Conv2d(1, 1, kernel_size=3, stride=(1, 2), dtype=np.float64)"


def test_bench_pooling_and_transposed(server, visit):
    page = visit(server)
    page.get_by_role("button", name="MaxPool2d", exact=True).click()
    page.check('[name="return_indices"]')
    page.wait_for_selector('table[aria-label="indices"] td.cell')
    settled(page)
    output, indices = F.max_pool2d(values(page, "input")[None], 2, return_indices=True)
    np.testing.assert_array_equal(values(page, "output"), output[0])
    np.testing.assert_array_equal(values(page, "indices"), indices[0])
    cell(page, "output", 1, 1).hover()
    page.wait_for_selector("#bench-explain .winner")
    winner = page.get_attribute('[aria-label="input"] .mark-winner', "data-place")
    assert winner == "{},{}".format(*divmod(int(indices[0, 1, 1]), 6))

    page.get_by_role("button", name="ConvTranspose2d", exact=True).click()
    until(page, "document.querySelector('#bench-line').textContent.startsWith('nn.ConvTranspose2d')")
    settled(page)
    output = F.conv_transpose2d(
        values(page, "input")[None], values(page, "kernel")[None, None], values(page, "bias")[0], stride=2, padding=1
    )
    np.testing.assert_array_equal(values(page, "output"), output[0])
    cell(page, "input", 1, 1).hover()
    until(page, "document.querySelector('#bench-explain b')?.textContent === 'input[0, 1, 1]'")
    assert page.locator('[aria-label="output"] .mark-output').count() == 9  # the outputs that it stamps
    assert "It stamps" in page.inner_text("#bench-explain")


def test_bench_follows_a_slider_that_is_dragged(server, visit):
    page = visit(server)
    slider = page.get_by_label("input size, both, slider")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.36, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(40, 100, 2):
        page.mouse.move(box["x"] + box["width"] * step / 100, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    page.mouse.up()
    until(page, "document.querySelectorAll('[aria-label=\"output\"] tbody tr').length === 12")
    settled(page)
    output = F.conv2d(
        values(page, "input")[None], values(page, "kernel")[None, None], values(page, "bias")[0], padding=1
    )
    np.testing.assert_array_equal(values(page, "output"), output[0])


def test_channels(server, visit):
    page = visit(server, "channels")
    for name, value in (("in_channels", 4), ("out_channels", 4), ("groups", 2)):
        page.fill(f'#view-channels [name="{name}"]', str(value))
    until(page, "document.querySelectorAll('#view-channels .link.cut').length === 8")
    settled(page)
    assert page.locator("#view-channels .link:not(.cut)").count() == 8
    parts = [values(page, f"what channel {c} adds") for c in (0, 1)]
    for c, part in enumerate(parts):
        expected = F.conv2d(values(page, f"input {c}")[None], values(page, f"weight[0, {c}]")[None, None])
        np.testing.assert_array_equal(part, expected[0])
    title = page.locator("#view-channels .sum-row h3").inner_text()
    bias = float(title.split("bias")[1].replace("−", "-"))
    np.testing.assert_array_equal(values(page, title), sum(parts) + bias)
    cell(page, "what channel 1 adds", 1, 1).hover()
    until(page, "document.querySelector('#channels-explain b').textContent === 'output[0, 1, 1]'")
    totals = page.eval_on_selector_all("#channels-explain .total", "all => all.map(one => Number(one.dataset.value))")
    assert totals == [parts[0][1, 1], parts[1][1, 1], parts[0][1, 1] + parts[1][1, 1] + bias]
    page.fill('#view-channels [name="groups"]', "3")
    page.wait_for_selector("#view-channels .problem:not([hidden])")
    assert "must be divisible by groups" in page.inner_text("#view-channels .problem")


def test_matrix(server, visit):
    page = visit(server, "matrix")
    M, x, kernel = values(page, "matrix"), values(page, "x"), values(page, "kernel")
    y = F.conv2d(x[None], kernel[None, None])[0]
    np.testing.assert_array_equal((M @ x.reshape(-1)).reshape(y.shape), y)
    np.testing.assert_array_equal(values(page, "y"), y)
    back = F.conv_transpose2d(y[None], kernel[None, None])[0]
    np.testing.assert_array_equal(values(page, "M transposed times y"), back)
    np.testing.assert_array_equal(values(page, "M transposed times M"), M.T @ M)
    assert "leave no trace in the output" in page.inner_text("#matrix-why")
    cell(page, "matrix", 1, 3).hover()
    until(page, "document.querySelector('#matrix-explain b')?.textContent.startsWith('M[1, 3]')")
    assert page.locator('[aria-label="x"] .mark-input').count() == np.count_nonzero(M[1])
    page.get_by_role("button", name=re.compile("transposed convolution")).click()
    np.testing.assert_array_equal(values(page, "matrix"), M.T)
    assert page.inner_text("#matrix-line").startswith("F.conv_transpose2d(")
    page.fill('#view-matrix [name="stride"]', "2")
    until(
        page,
        (
            "document.querySelector('#matrix-shape').textContent.includes('has 16 rows, one for each input "
            "pixel, and 1 columns')"
        ),
    )


@pytest.mark.parametrize("view", READY)
def test_a_phone_has_nothing_to_scroll_sideways(run_server, visit, view):
    page = visit(run_server, view, width=390, height=844, has_touch=True, is_mobile=True)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("main h1:visible").count() == 1


def luminance(colour):
    channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_by_the_system_and_by_the_button(server, visit, scheme):
    page = visit(server, color_scheme=scheme)
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    before = luminance(page.evaluate(paper))
    assert (before < 0.1) == (scheme == "dark")
    page.click("#theme")
    after = luminance(page.evaluate(paper))
    assert (after < 0.1) == (scheme == "light")
    page.reload()
    page.wait_for_selector(READY["bench"])
    assert luminance(page.evaluate(paper)) == after  # remembered


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(server, visit, scheme):
    """Every pair of text and ground that the style sheet uses reaches WCAG's AA, 4.5."""
    page = visit(server, color_scheme=scheme)
    colours = page.evaluate(
        """() => {
          const probe = document.body.appendChild(document.createElement("span"));
          const names = ["paper", "card", "sunk", "ink", "muted", "blue", "violet", "green", "orange", "red",
            "blue-fill", "violet-fill", "green-fill", "orange-fill", "red-fill"];
          const found = names.map((name) => {
            probe.style.color = `var(--${name})`;
            return [name, getComputedStyle(probe).color];
          });
          probe.remove();
          return Object.fromEntries(found);
        }"""
    )
    pairs = [("ink", ground) for ground in colours if ground.endswith("-fill")]
    pairs += [(text, ground) for text in ("ink", "muted") for ground in ("paper", "card", "sunk")]
    pairs += [(text, ground) for text in ("blue", "violet", "green", "orange", "red") for ground in ("paper", "card")]
    pairs += [("red", "red-fill")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_motion_is_reduced_when_asked(server, visit):
    page = visit(server, reduced_motion="reduce")
    durations = page.eval_on_selector_all(".cell", "all => all.map(one => getComputedStyle(one).transitionDuration)")
    assert set(durations) == {"0s"}


def test_views_by_keyboard_and_address(server, visit):
    page = visit(server)
    page.get_by_role("link", name="As a matrix").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(READY["matrix"])
    assert page.url.endswith("#matrix")
    assert page.title() == "Convolution as a matrix · minicnn explore"
    assert page.get_attribute('nav a[href="#matrix"]', "aria-current") == "page"
    page.go_back()
    page.wait_for_selector("#view-bench:visible")
    outline = page.get_by_label("input, row 0, column 0", exact=True)
    outline.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def in_sight(page, selector):
    box = page.locator(selector).bounding_box()
    return box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"]


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_reason_is_in_sight_wherever_the_control_is(server, visit, width, height):
    page = visit(server, width=width, height=height)
    if width < 860:
        page.click("#view-bench summary")
    page.locator('#view-bench [name="groups"]').scroll_into_view_if_needed()
    page.fill('#view-bench [name="groups"]', "3")
    page.wait_for_selector("#view-bench .problem:not([hidden])")
    assert in_sight(page, '#view-bench [name="groups"]')
    assert in_sight(page, "#view-bench .problem")


@pytest.mark.parametrize(
    ("name", "typed", "becomes", "said"),
    [
        ("kernel_size-height", "9", "7", "9 is too large for this page: at most 7."),
        ("groups", "-1", "0", "-1 is too small for this page: at least 0."),
    ],
)
def test_a_number_out_of_a_controls_range_is_changed_with_a_word(server, visit, name, typed, becomes, said):
    page = visit(server)
    box = page.locator(f'#view-bench [name="{name}"]')
    box.fill(typed)
    assert box.input_value() == becomes
    word = page.locator("#view-bench .control", has=page.locator(f'[name="{name}"]')).locator(".bound")
    assert word.inner_text() == said
    box.fill("2")
    assert word.inner_text() == ""


@pytest.mark.parametrize("view", ["bench", "channels", "matrix"])
def test_the_keyboard_reaches_the_numbers_with_one_link(server, visit, view):
    page = visit(server, view)
    page.locator(f"#view-{view} .skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('table[role=grid]') !== null")


def test_no_slider_is_a_tab_stop_as_its_box_does_the_same(server, visit):
    page = visit(server)
    assert page.eval_on_selector_all('#view-bench [type="range"]', "all => all.every(one => one.tabIndex === -1)")


def test_a_maximum_is_not_called_a_sum(server, visit):
    page = visit(server)
    page.click('[data-option="MaxPool2d"]')
    until(page, "document.querySelector('#bench-explain').textContent.includes('the maximum behind it')")
