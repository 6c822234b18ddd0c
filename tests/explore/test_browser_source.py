"""The view "Source" in a real browser: stepping, marks, links, the keyboard."""

import numpy as np

from minicnn import nn
from minicnn.kernels import numpy_textbook

from .page import READY, cell, settled, until, values

LINE = "document.querySelector('#view-source .line.now').textContent"


def test_each_step_shows_what_im2col_holds(server, visit):
    page = visit(server, "source")
    settled(page)
    x = values(page, "x")
    assert page.locator("#view-source .line").count() == 8
    page.get_by_role("button", name="Next →").click()  # padded = np.zeros
    assert "padded = np.zeros" in page.evaluate(LINE)
    np.testing.assert_array_equal(values(page, "padded"), np.zeros((7, 7)))
    page.get_by_role("button", name="Next →").click()
    np.testing.assert_array_equal(values(page, "padded"), np.pad(x, 1))
    assert page.locator('[aria-label="padded"] .cell.changed').count() == np.count_nonzero(x)
    page.get_by_role("button", name="Next →").click()  # cols = np.empty
    assert page.locator(".cell.unset").count() == 9 * 25
    page.get_by_label("Name whose next change is looked for").select_option("cols")
    for tap in range(9):
        page.get_by_role("button", name="Next change of").click()
        kh, kw = divmod(tap, 3)
        assert page.inner_text(".said .loops").strip() == f"tap {tap + 1} of 9"
        np.testing.assert_array_equal(values(page, f"cols kh {kh}, kw {kw}"), np.pad(x, 1)[kh : kh + 5, kw : kw + 5])
        assert page.locator(".cell.unset").count() == (8 - tap) * 25
    assert page.inner_text(".formula-line mark") == "padded[n, c, i SH + kh DH, j SW + kw DW]"
    page.get_by_role("button", name="Next →").click()
    page.get_by_role("button", name="Next →").click()
    assert page.locator('[aria-label="result"] tbody tr').count() == 9


def test_into_a_called_function_and_out_again_by_keyboard(server, visit):
    page = visit(server, "source")
    page.locator("#view-source .code").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("button", name="Into ↓").is_enabled()
    page.keyboard.press("ArrowDown")
    assert page.inner_text(".calls strong") == "_image_in"
    assert page.inner_text(".calls button") == "im2col"
    page.keyboard.press("ArrowUp")
    assert page.inner_text(".calls strong") == "im2col"
    assert "_image_in(padded, g)[...] = x" in page.evaluate(LINE)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert "def im2col" in page.evaluate(LINE)
    assert page.get_by_role("button", name="← Back").is_disabled()
    page.keyboard.press("End")
    assert "return cols" in page.evaluate(LINE)
    assert page.evaluate("document.querySelector('#view-source .code').scrollLeft") == 0


def test_the_numbers_and_the_link_are_the_layer_benchs(server, visit):
    page = visit(server)
    page.fill('#view-bench [name="stride-height"]', "2")
    first = page.get_by_label("input, row 0, column 0", exact=True)
    first.fill("7.5")
    settled(page)
    x = values(page, "input")
    output = values(page, "output")
    page.get_by_role("link", name="Source", exact=True).click()
    page.wait_for_selector(READY["source"])
    page.get_by_label("Function").select_option("conv2d")
    until(page, "document.querySelector('.calls strong').textContent === 'conv2d'")
    np.testing.assert_array_equal(values(page, "x"), x)
    page.locator("#view-source .code").focus()
    page.keyboard.press("End")
    np.testing.assert_array_equal(values(page, "result"), output)
    last = page.inner_text(".transport output").split()[-1]
    until(page, f"location.hash.endsWith('function=conv2d&step={last}')")
    address = page.url
    page.goto("about:blank")
    page.goto(address)  # as somebody does who was given the link
    until(page, "document.querySelector('.calls strong')?.textContent === 'conv2d'")
    np.testing.assert_array_equal(values(page, "x"), x)
    np.testing.assert_array_equal(values(page, "result"), output)
    page.get_by_role("link", name="These numbers on the layer bench").click()
    page.wait_for_selector(READY["bench"])
    settled(page)
    np.testing.assert_array_equal(values(page, "output", "#view-bench"), output)
    assert page.input_value('#view-bench [name="stride-height"]') == "2"


def test_from_a_number_of_the_bench_to_the_lines_that_compute_it(server, visit):
    page = visit(server)
    page.check("#backward")
    page.wait_for_selector('table[aria-label="grad_input"] td.cell')
    page.fill('#view-bench [name="stride-height"]', "2")
    settled(page)
    for grid, held, function in (("output", "output", "conv2d"), ("input", "grad_input", "conv2d_grad_input")):
        expected = values(page, held, "#view-bench")
        page.locator(f'#view-bench table[aria-label="{grid}"] td[data-place="1,1"]').hover()
        page.get_by_role("link", name=f"The lines that compute it: {function}", exact=True).click()
        until(page, f"document.querySelector('.calls strong')?.textContent === '{function}'")
        until(page, "document.querySelector('table[aria-label=result]') !== null")
        np.testing.assert_array_equal(values(page, "result"), expected)
        page.get_by_role("link", name="These numbers on the layer bench").click()
        page.wait_for_selector(READY["bench"])
        settled(page)


def test_a_name_tells_its_meaning(server, visit):
    page = visit(server, "source")
    page.get_by_role("button", name="x", exact=True).click()
    told = page.inner_text("#source-explain")
    assert told.startswith("x: the input.")
    assert "W is the columns of the input (width, never weight)" in told
    page.locator("#view-source .code .known", has_text="padded").first.click()
    assert "the image with its padding around it" in page.inner_text("#source-explain")


def test_pointing_at_a_number_marks_what_it_was_made_from(server, visit):
    page = visit(server, "source")
    page.get_by_label("Function").select_option("conv2d")
    until(page, "document.querySelector('.calls strong').textContent === 'conv2d'")
    page.get_by_label("Name whose next change is looked for").select_option("output")
    page.get_by_role("button", name="Next change of").click()
    cell(page, "output", 1, 2).hover()
    page.wait_for_selector("#source-explain .total")
    output = values(page, "output")
    assert float(page.get_attribute("#source-explain .total", "data-value")) == output[1, 2]
    products = page.eval_on_selector_all("#source-explain .term", "all => all.map(one => Number(one.dataset.product))")
    assert sum(products) == output[1, 2]
    assert page.locator('[aria-label="rows"] .mark-input').count() == 9
    column = page.eval_on_selector_all('[aria-label="cols"] .mark-input', "all => all.map(one => one.dataset.place)")
    assert column == [f"{row},{1 * 5 + 2}" for row in range(9)]
    cell(page, "rows", 0, 0).hover()  # set by a line before: it can be gone to
    page.get_by_role("button", name="line 1", exact=False).wait_for()
    page.locator("#source-explain button").click()
    assert "rows = " in page.evaluate(LINE)


def test_another_layer_comes_with_its_function(server, visit):
    page = visit(server, "source")
    page.get_by_label("Function").select_option("max_pool2d")
    until(page, "document.querySelector('.calls strong').textContent === 'max_pool2d'")
    settled(page)
    page.locator("#view-source .code").focus()
    page.keyboard.press("End")
    taps = np.stack([values(page, f"values [{tap}]") for tap in range(4)])
    np.testing.assert_array_equal(values(page, "result 0"), taps.max(axis=0))


def test_a_setting_that_cannot_be_is_said_and_left(server, visit):
    page = visit(server, "source")
    page.click("#view-source summary")
    page.fill('#view-source [name="groups"]', "3")
    page.wait_for_selector("#view-source .problem:not([hidden])")
    assert "must be divisible by groups" in page.inner_text("#view-source .problem:not([hidden])")
    page.fill('#view-source [name="groups"]', "1")
    page.wait_for_selector("#view-source .stale", state="detached")
    assert cell(page, "x", 0, 0).is_visible()


def test_a_link_with_rubbish_in_it_opens_the_plain_view(server, visit):
    page = visit(server, "source")
    for rubbish in ("size=7", "size=[1]", "function=nothing&step=x", "input=[[", "layer=Conv9d&stride=%22a%22"):
        page.goto("about:blank")
        page.goto(f"{server.url}#source?{rubbish}")
        page.wait_for_selector(READY["source"])


def test_the_chain_runs_from_the_layer_to_the_scores(server, visit):
    page = visit(server, "source")
    page.get_by_label("Function").select_option("Sequential.forward")
    until(page, "document.querySelector('.calls strong').textContent === 'Sequential.forward'")
    page.get_by_role("button", name="MaxPool2d", exact=True).click()
    settled(page)
    page.locator("#view-source .code").focus()
    page.keyboard.press("End")
    assert values(page, "result").shape == (1, 2)
    assert nn.Sequential.forward.__doc__.split(".")[0] in page.inner_text("#view-source .code")
    assert numpy_textbook.im2col.__doc__ not in page.inner_text("#view-source .code")
