"""The view Train in a real browser."""

import numpy as np
import pytest

from minicnn import messages
from minicnn.explore.train_view import trainer as trainers

from .conftest import Asker, serve, stop
from .page import settled, until

FACTS = "(document.querySelector('.run-facts')?.textContent ?? '')"
STATE = "document.querySelector('#train-state').dataset.state"


@pytest.fixture
def served():
    """A server of its own for each test: the training is one for all who ask."""
    server, thread = serve()
    yield Asker(server)
    stop(server, thread)


def small(page, images=120):
    """A training that this test does not wait for."""
    page.locator('input[name="images"]').fill(str(images))
    page.locator('select[name="backend"]').select_option("numpy")
    page.locator('input[name="batch_size"]').first.fill("30")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def learner(served, run=0):
    return served.server.trainer.learners[run]


def test_a_step_an_epoch_start_pause_and_start_again(served, visit):
    page = visit(served, "train")
    small(page)
    press(page, "One step")
    until(page, f"{FACTS}.includes('Epoch 1, step 1 of 4; 30 images seen')")
    press(page, "One step")
    until(page, f"{FACTS}.includes('step 2 of 4')")
    press(page, "One epoch")
    until(page, f"{FACTS}.includes('step 4 of 4; 120 images seen') && {STATE} === 'paused'")
    row = learner(served).history[0]
    assert f"Validation: {100 * row.val_accuracy:.3g} % right" in page.inner_text(".run-facts")
    press(page, "Start")
    until(page, f"{STATE} === 'running' && {FACTS}.includes('Epoch 3')")
    assert page.get_by_role("button", name="Start", exact=True).is_disabled()
    press(page, "Pause")
    until(page, f"{STATE} === 'paused'")
    steps = learner(served).steps
    page.wait_for_timeout(300)
    assert learner(served).steps == steps
    press(page, "Start again")
    until(page, f"{STATE} === 'running' && {FACTS}.includes('Epoch 1')")
    press(page, "Pause")


def test_what_it_shows_is_what_the_server_holds(served, visit):
    page = visit(served, "train")
    small(page)
    press(page, "One epoch")
    until(page, f"{FACTS}.includes('step 4 of 4') && {STATE} === 'paused'")
    settled(page)
    look = served.ok("/api/train/look", {"digit": 0, "parameter": "cnn.0.weight", "place": [0, 0, 2, 2]})
    (run,) = look["learners"]
    cells = page.eval_on_selector_all(
        ".train-run table:not(.terms) tbody td", "all => all.map(one => Number(one.dataset.value))"
    )
    sizes = [[row[name] for name in ("weight", "gradient", "update", "ratio")] for row in run["sizes"]]
    dead = [[row["dead"], row["units"]] for row in run["dead"]]
    np.testing.assert_array_equal(cells, [*np.ravel(sizes), *np.ravel(dead)])
    terms = page.eval_on_selector_all("table.terms td[data-value]", "all => all.map(one => Number(one.dataset.value))")
    names = ("grad", "m", "v", "m_hat", "v_hat", "step", "result")
    assert terms == [run["update"][name] for name in names]
    assert page.locator('[aria-label="Filters of the first layer"] canvas').count() == 16
    assert page.locator(".train-layer").count() == len(run["activations"]) == 10
    points = page.locator(".figure svg.chart").first.locator("polyline.train").get_attribute("points").split()
    assert len(points) == len(run["curve"]["x"]) == 4
    page.get_by_label("filter 7: follow its middle weight").click()
    until(page, "document.querySelector('.run-parts code').textContent === 'cnn.0.weight[7, 0, 2, 2]'")
    page.get_by_label("weight to follow").select_option("linear_block.0.bias")
    until(page, "document.querySelector('.run-parts code').textContent === 'linear_block.0.bias[64]'")
    page.get_by_label("validation image", exact=True).fill("3")
    until(page, "document.querySelector('.train-digit canvas').getAttribute('aria-label').endsWith('a 0')")


def test_two_runs_another_rate_and_a_run_folder(served, visit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = visit(served, "train")
    small(page)
    page.get_by_label("a second run beside it").check()
    page.locator('input[name="batch_size"]').nth(1).fill("30")
    press(page, "One epoch")
    until(page, f"document.querySelectorAll('.train-run').length === 2 && {STATE} === 'paused'")
    assert [one.text_content() for one in page.locator(".train-run > h3").all()] == [
        "Run A: Adam, learning rate 0.001, batches of 30",
        "Run B: SGD, learning rate 0.001, batches of 30",
    ]
    second = page.locator(".train-run").nth(1)
    second.get_by_label("learning rate from now on").fill("0.5")
    second.get_by_role("button", name="Change").click()
    until(page, "document.querySelectorAll('.train-run > h3')[1].textContent.includes('learning rate 0.5')")
    assert [learner(served, run).lr for run in (0, 1)] == [0.001, 0.5]
    page.get_by_role("button", name="Keep as a run folder").first.click()
    page.wait_for_selector(".train-run code >> text=python -m minicnn.explore --run")
    assert (tmp_path / "runs" / "simplecnn-seed0" / "model.safetensors").is_file()


def test_an_experiment_sets_the_form_and_its_hint_is_said(served, visit):
    page = visit(served, "train")
    page.get_by_text("Experiments to try").click()
    assert page.locator(".experiments li").count() == 8
    page.get_by_role("button", name="Try it: All weights zero").click()
    page.wait_for_selector('[data-hint="no_gradient"]', timeout=120_000)
    press(page, "Pause")
    assert page.locator('select[name="weights"]').first.input_value() == "zeros"
    assert "No gradient reaches cnn.0.weight." in page.inner_text(".hints")


def test_a_second_tab_shows_the_same_training_and_may_pause_it(served, visit):
    first, second = visit(served, "train"), visit(served, "train")
    small(first)
    press(first, "Start")
    until(second, f"{STATE} === 'running'")
    assert second.locator('input[name="images"]').input_value() == "120"
    press(second, "Pause")
    until(first, f"{STATE} === 'paused'")
    second.close()
    press(first, "One step")
    until(first, f"{STATE} === 'paused'")


def test_after_a_lid_was_closed_and_after_a_refusal_the_page_is_usable(served, browser):
    page = browser.new_context().new_page()  # a refused request is an error in the browser's console
    try:
        page.goto(f"{served.url}#train")
        page.wait_for_selector("#train-state:not(:empty)")
        small(page)
        press(page, "Start")
        until(page, f"{STATE} === 'running'")
        page.route("**/api/**", lambda route: route.abort())
        page.wait_for_selector("#view-train .problem:visible")
        assert "The server does not answer" in page.inner_text("#view-train .problem")
        page.unroute("**/api/**")
        page.wait_for_selector("#view-train .problem", state="hidden")
        press(page, "Pause")
        until(page, f"{STATE} === 'paused'")
        page.get_by_label("learning rate from now on").fill("fast")
        page.get_by_label("learning rate from now on").press("Enter")
        page.wait_for_selector("#view-train .problem:visible")
        assert "such as 1.5" in page.inner_text("#view-train .problem")
        page.get_by_label("learning rate from now on").fill("1e-4")
        page.get_by_label("learning rate from now on").press("Enter")
        page.wait_for_selector("#view-train .problem", state="hidden")
        assert learner(served).lr == 1e-4
    finally:
        page.context.close()


def test_a_step_that_raises_is_said_and_start_again_works(served, visit, monkeypatch, capsys):
    page = visit(served, "train")
    small(page)
    press(page, "One step")
    until(page, f"{FACTS}.includes('step 1 of 4')")

    def fail():
        raise MemoryError("planted")

    monkeypatch.setattr(learner(served).optimizer, "step", fail)
    press(page, "One step")
    until(page, "document.querySelector('.train-run').textContent.includes('a step failed with MemoryError: planted')")
    press(page, "Start again")
    until(page, f"{FACTS}.includes('Epoch 2')")
    press(page, "Pause")
    assert "planted" in capsys.readouterr().err


def test_a_page_that_nobody_looks_at_asks_nothing(served, visit, monkeypatch):
    page = visit(served, "train")
    small(page)
    press(page, "Start")
    until(page, f"{STATE} === 'running'")
    page.get_by_role("link", name="As a matrix").click()
    page.wait_for_selector("#matrix-why:not(:empty)")
    monkeypatch.setattr(trainers, "PATIENCE", -1.0)
    while served.server.trainer.running:
        page.wait_for_timeout(20)
    page.get_by_role("link", name="Train", exact=True).click()
    until(page, f"{STATE} === 'nobody'")
    assert "no page had looked" in page.inner_text("#train-state")


def test_it_is_worked_by_keyboard_and_each_control_has_a_name(served, visit):
    page = visit(served, "train")
    small(page)
    page.get_by_role("button", name="One epoch").focus()
    page.keyboard.press("Enter")
    until(page, f"{FACTS}.includes('step 4 of 4') && {STATE} === 'paused'")
    settled(page)
    nameless = page.eval_on_selector_all(
        "#view-train :is(input, select, button)",
        "all => all.filter(one => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim()))"
        ".map(one => one.outerHTML)",
    )
    assert nameless == []
    page.get_by_label("filter 2: follow its middle weight").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.run-parts code').textContent === 'cnn.0.weight[2, 0, 2, 2]'")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "filter 2: follow its middle weight"


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_on_a_phone_nothing_is_wider_than_the_page(served, visit, language):
    locale = {"en": "en-US", "pt": "pt-BR"}[language]
    page = visit(served, "train", width=390, height=844, locale=locale)
    words = messages.texts("minicnn.explore.texts.train", language)
    page.get_by_text(words["train.second"]).click()
    small(page)
    press(page, words["train.epoch"])
    until(page, f"document.querySelectorAll('.terms').length === 2 && {STATE} === 'paused'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
