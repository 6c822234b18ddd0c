"""The page speaks English and Portuguese, whole."""

import json
import re
from importlib import resources

import pytest

from minicnn import messages
from minicnn.explore import say
from minicnn.explore import server as served

from .conftest import Asker, serve, stop

STATIC = resources.files("minicnn.explore").joinpath("static")


@pytest.mark.parametrize("room", say.ROOMS)
def test_no_text_is_missing_in_any_language(room):
    assert messages.missing(room) == []


def test_no_key_stands_in_two_rooms():
    keys = [key for room in say.ROOMS for key in messages.texts(room, "en")]
    assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", None),
        ("pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", "pt"),
        ("de, en;q=0.2, pt;q=0.6", "pt"),
        ("en-GB", "en"),
        ("pt;q=0", None),
        ("pt;q=none", "pt"),
        ("fr, *", None),
    ],
)
def test_the_language_that_the_browser_wants_most(accepted, language):
    assert say.best(accepted) == language


@pytest.mark.parametrize("fixed", [None, "en", "pt"])
def test_the_address_then_the_command_line_then_the_browser_choose_the_language(fixed):
    server, thread = serve(language=fixed)
    asker = Asker(server)
    try:
        for asked in ("", "en", "pt-BR", "xx"):
            for accepted in ("en-US,pt;q=0.5", "pt-BR,pt;q=0.9", "de"):
                by_address = {"en": "en", "pt-BR": "pt"}.get(asked)
                by_browser = {"e": "en", "p": "pt"}.get(accepted[0])
                expected = by_address or fixed or by_browser or "en"
                with say.speaking(expected):
                    lang, no_run = say.say("page.lang"), say.say("server.no_run")
                _, _, content = asker.raw("GET", f"/?lang={asked}", headers={"Accept-Language": accepted})
                assert f'<html lang="{lang}">' in content.decode()
                _, _, content = asker.raw("GET", f"/api/run?lang={asked}", headers={"Accept-Language": accepted})
                assert json.loads(content)["how"] == no_run
    finally:
        stop(server, thread)


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_the_page_comes_filled_in_and_with_its_texts(language):
    with say.speaking(language):
        page = say.fill(served.static_files()["/index.html"][1].decode())
    assert "{{" not in page
    told = re.search(r'id="texts">(.*?)</script>', page)[1]
    assert json.loads(told) == say.texts(language)


def test_the_switch_leads_to_the_same_view_in_the_other_language(server, visit):
    page = visit(server, "matrix", locale="pt-BR")
    assert page.inner_text("h1:visible") == say.texts("pt")["matrix.title"]
    page.click("#language")
    page.wait_for_selector(":lang(en) #matrix-why:not(:empty)")
    assert page.inner_text("h1:visible") == say.texts("en")["matrix.title"]
    assert page.url.endswith("?lang=en#matrix")
