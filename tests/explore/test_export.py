"""Walks as static pages: they open from the disk, and hold the same numbers."""

import json
import re

import numpy as np
import pytest

from minicnn import nn, use_backend
from minicnn.explore import __main__ as command
from minicnn.explore import layer_bench
from minicnn.explore.source import export, subjects
from minicnn.explore.source.own import Own
from minicnn.explore.source.walk import Walks

from .page import until, values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "walks"
    assert command.main(["--no-browser", "--export", str(folder)]) == 0
    return folder


def test_a_page_for_each_function_at_most_a_megabyte(folder):
    names = {path.stem for path in folder.iterdir()}
    assert names == {*subjects.SUBJECTS, "index"}
    assert all(path.stat().st_size <= 2**20 for path in folder.iterdir())
    assert set(re.findall(r'href="([^"]+)\.html"', (folder / "index.html").read_text())) == set(subjects.SUBJECTS)


def test_nothing_is_loaded_from_elsewhere(folder):
    for path in folder.iterdir():
        text = path.read_text()
        assert not re.search(r"<(?:link|img|iframe)\b|\bsrc=|@import|\bfetch\(", text), path.name


def test_the_numbers_in_the_page_are_those_that_the_server_gives(folder):
    told = re.search(r'id="told">(.*?)</script>', (folder / "conv2d.html").read_text(), re.DOTALL)[1]
    recording = json.loads(told)["recording"]
    with use_backend("numpy"):
        answer = Walks().answer(layer_bench.start("Conv2d") | {"subject": "conv2d"})
    answer.pop("transposed")
    assert recording == json.loads(export.encode(answer))


def test_pointing_at_a_number_of_a_page_tells_its_origin(folder, browser):
    page = browser.new_context(offline=True).new_page()
    page.goto((folder / "conv2d.html").as_uri())
    page.get_by_label("Name whose next change is looked for").select_option("output")
    page.get_by_role("button", name="Next change of").click()
    page.locator('table[aria-label="output"] td[data-place="1,2"]').hover()
    page.wait_for_selector("#source-explain .total")
    products = page.eval_on_selector_all("#source-explain .term", "all => all.map(one => Number(one.dataset.product))")
    assert sum(products) == values(page, "output")[1, 2]
    assert page.locator('[aria-label="rows"] .mark-input').count() == 9
    page.context.close()


def test_a_page_without_room_for_origins_says_so(monkeypatch):
    walks = Walks()
    with use_backend("numpy"):
        answer = walks.answer(layer_bench.start("Conv2d") | {"subject": "conv2d"}, origins=True)
    whole = export.page("conv2d", answer, walks)
    size = len(whole.encode())
    monkeypatch.setattr(export, "LARGEST", size - 1)
    without = export.page("conv2d", answer, walks)
    assert f"it would have {size:,} bytes, and a page has at most {size - 1:,}." in without
    assert len(without.encode()) < size - 1
    assert '"origins":null' in without
    monkeypatch.setattr(export, "LARGEST", 1000)
    assert export.page("conv2d", answer, walks) is None


@pytest.mark.parametrize(("factor", "right"), [(2, True), (3, False)])
def test_a_page_of_an_own_layer_has_gradcheck_s_verdict(tmp_path, factor, right):
    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x

        def backward(self, grad_output):
            return factor * grad_output

    export.export(tmp_path / "walks", Walks(Own(Twice())))
    text = (tmp_path / "walks" / "Twice.backward.html").read_text()
    assert ("<summary>gradcheck: backward is the derivative of forward." in text) == right
    assert ("<summary>gradcheck: not right." in text) == (not right)
    assert "error / allowed" in text


def test_it_steps_from_the_disk(folder, browser):
    page = browser.new_context(offline=True).new_page()
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.goto((folder / "im2col.html").as_uri())
    page.wait_for_selector(".held td.cell")
    x = values(page, "x")
    page.locator(".code").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    np.testing.assert_array_equal(values(page, "padded"), np.pad(x, 1))
    page.get_by_role("button", name="padded", exact=True).click()
    until(page, "document.querySelector('#source-explain').textContent.includes('the image with its padding')")
    page.context.close()
    assert troubles == []


def test_a_start_is_that_of_the_page(server, visit):
    """The page's first question for each layer is the setting of the exported walk."""
    page = visit(server)
    asked = []
    page.on("request", lambda request: "/api/bench?" in request.url and asked.append(request.post_data_json))
    for layer in ("MaxPool2d", "ConvTranspose2d", "Conv2d"):
        page.get_by_role("button", name=layer, exact=True).click()
        until(page, f"document.querySelector('#bench-line').textContent.startsWith('nn.{layer}(')")
        mine = layer_bench.start(layer)
        assert {name: asked[-1][name] for name in ("layer", "size", "seed", "backward")} == {
            name: mine[name] for name in ("layer", "size", "seed", "backward")
        }
        assert {name: asked[-1]["arguments"][name] for name in mine["arguments"]} == mine["arguments"]


def test_a_folder_that_holds_something_is_left_alone(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(SystemExit):
        command.main(["--export", str(folder)])
    assert "that is not empty. Name a folder that is not there yet." in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
