"""The page in a real browser: each view opened, controls moved, and every number on it compared with the library's.

Needs Chromium (Debian: apt-get install chromium) and the package playwright; says so when it skips.
"""

import re
import shutil

import numpy as np
import pytest

from minicnn import models, nn, use_backend
from minicnn.checkpoints import load_weights
from minicnn.data import MNIST
from minicnn.nn import functional as F

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no browser: chromium is not installed", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="no browser driver: pip install 'minicnn[test]'")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A loop around 0 and strokes for 1 and 3, as a hand would draw them on the canvas of 280 x 280.
DIGITS = {
    0: [(140 + 55 * np.sin(t), 140 - 80 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 17)],
    1: [(150, 50), (146, 140), (140, 230)],
    3: [(85, 80), (140, 55), (185, 85), (170, 130), (120, 140), (170, 150), (190, 190), (150, 230), (85, 215)],
}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, request):
    """Opens a view; at the end of the test nothing may have gone wrong in the page or been asked of another host."""
    contexts, troubles = [], []

    def open_view(asker, view="bench", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(asker.url) or troubles.append(f"asked {asked.url}"))
        page.goto(f"{asker.url}#{view}")
        page.wait_for_selector(READY[view])
        return page

    yield open_view
    for context in contexts:
        context.close()
    assert troubles == []


READY = {
    "bench": "#view-bench .stack.output td.cell",
    "channels": "#channels-explain .total",
    "matrix": "#matrix-why:not(:empty)",
    "run": "#softmax-table, #no-run",
    "costs": "#costs-table",
}


def values(page, label):
    """The numbers of a grid as the page holds them."""
    rows = page.eval_on_selector_all(
        f'table[aria-label="{label}"] tbody tr',
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.dataset.value))",
    )
    return np.array(rows, float)


def shown(page, label):
    """The numbers of a grid as a person reads them."""
    rows = page.eval_on_selector_all(
        f'table[aria-label="{label}"] tbody tr',
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.querySelector('input')?.value ?? cell.textContent))",
    )
    return np.array([[text.replace("−", "-") for text in row] for row in rows], float)


def cell(page, label, row, column):
    return page.locator(f'table[aria-label="{label}"] td[data-place="{row},{column}"]')


def until(page, expression):
    """Waits for the page; wait_for_function would need eval in it, which its policy forbids."""
    for _ in range(1000):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"The page never came to {expression}; it says {page.inner_text('main')[:2000]}")


def settled(page):
    page.wait_for_load_state("networkidle")


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
        "document.querySelector('#matrix-shape').textContent.includes('has 16 rows, one for each input pixel, and 1 columns')",
    )


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
          const found = names.map((name) => { probe.style.color = `var(--${name})`; return [name, getComputedStyle(probe).color]; });
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
