"""A page in Portuguese follows its page in English: neither can change alone."""

import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "reference/notebook_for_minicnn.md")
NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w])")


def english_of(page):
    """Without the tables that a command writes into it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"<!-- from .*?<!-- to here -->\n", "", text, flags=re.DOTALL)


def portuguese_of(page):
    return (ROOT / page.replace(".md", ".pt.md")).read_text(encoding="utf-8")


def blocks(text):
    """The language of each block of code, and its lines."""
    return re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)


def uncommented(language, code):
    """The code without comments, which have a language of their own."""
    if language != "python":
        return [line.partition("  #")[0].rstrip() for line in code.splitlines()]
    comments = [t.string for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type == tokenize.COMMENT]
    for comment in comments:
        code = code.replace(comment, "")
    return [line.rstrip() for line in code.splitlines()]


def prose(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def structure(text):
    """The levels of the headings, the rows and columns of the tables, in order."""
    found = []
    for line in prose(text).splitlines():
        if line.startswith(("#", "|")):
            found.append(line.split(" ")[0] if line.startswith("#") else f"{line.count('|')} bars")
    return found


def links(text):
    """Where the links lead, in order; to the other language's page where there is one."""
    found = re.findall(r"\]\(([^)#\s]+)\)", prose(text))
    return [
        link.replace(".pt.", ".") for link in found if not re.fullmatch(r"(?:README|notebook_\w+)(?:\.pt)?\.md", link)
    ]


def spans(text):
    """The words in code font, which are the same in every language."""
    return Counter(" ".join(span.split()).replace(".pt.", ".") for span in re.findall(r"`([^`]+)`", prose(text)))


def numbers(text):
    """The digits of each number: 1,000 and 0.5 are 1.000 and 0,5 in Portuguese."""
    text = re.sub(r"`[^`]+`|\]\([^)]*\)", "", prose(text))
    return Counter(re.sub("[.,]", "", number) for number in NUMBER.findall(text))


@pytest.mark.parametrize("page", PAGES)
def test_headings_tables_and_links_are_the_same(page):
    english, portuguese = english_of(page), portuguese_of(page)
    assert structure(portuguese) == structure(english)
    assert links(portuguese) == links(english)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_is_the_same(page):
    english, portuguese = blocks(english_of(page)), blocks(portuguese_of(page))
    assert [uncommented(*block) for block in portuguese] == [uncommented(*block) for block in english]


@pytest.mark.parametrize("page", PAGES)
def test_the_words_in_code_font_are_the_same(page):
    english, portuguese = spans(english_of(page)), spans(portuguese_of(page))
    assert set(english) == set(portuguese), f"{set(english) ^ set(portuguese)}"


@pytest.mark.parametrize("page", PAGES)
def test_the_numbers_are_the_same(page):
    english, portuguese = numbers(english_of(page)), numbers(portuguese_of(page))
    assert portuguese == english, f"{(portuguese - english) + (english - portuguese)}"


def test_a_change_of_one_page_alone_is_found():
    english = "# A\n\nIt has 1,000 `rows` of 0.5.\n\n```\nrun  # it\n```\n"
    portuguese = "# B\n\nTem 1.000 `rows` de 0,5.\n\n```\nrun  # isso\n```\n"
    assert structure(english) == structure(portuguese)
    assert spans(english) == spans(portuguese)
    assert numbers(english) == numbers(portuguese)
    assert uncommented(*blocks(english)[0]) == uncommented(*blocks(portuguese)[0])
    assert structure(f"{english}## C\n") != structure(portuguese)
    assert numbers(english.replace("0.5", "0.6")) != numbers(portuguese)
    assert uncommented("", "run --fast  # it") != uncommented("", "run  # it")
