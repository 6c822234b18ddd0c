"""In a language of marks, each text of the page stands between ⟦ and ⟧: what a person could
read outside of them did not come from the files of texts.
"""

import re
import string

import pytest

from minicnn.explore import say

from .page import READY, settled

EVERYTHING = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement, textContent } = walker.currentNode;
    if (!parentElement.closest("script, style, code, pre, noscript, .brand, .shape, .calls")) found.push(textContent);
  }
  for (const name of ["aria-label", "title", "placeholder", "aria-valuetext", "label", "data-column"]) {
    for (const element of document.querySelectorAll(`body [${name}]`)) found.push(element.getAttribute(name));
  }
  return found;
}"""
KEPT = {"page.lang", "page.other", "number.thousand"}  # what the page computes with
# Names, which are the same in every language: of torch, of files and sets, of letters.
NAMES_SAID = """
Conv2d ConvTranspose2d CrossEntropyLoss Flatten Linear MaxPool2d ReLU Sequential SimpleCNN DH DW KH
KW OH OW PH PW SH SW kh kw adam sgd relu linear conv2d im2col col2im exp bias ceil_mode circular
dilation dtype end_dim float32 float64 forward backward grad_bias grad_input grad_output grad_weight
groups in_channels in_features kernel_size out_channels out_features output_padding output_size
padding padding_mode reflect replicate return_indices same start_dim stride valid weight zeros True
False numba numpy torch cnn linear_block run conv2d_grad_input conv2d_grad_weight conv_transpose2d
cross_entropy cross_entropy_grad relu_grad linear_grad_input linear_grad_weight max_pool2d
max_pool2d_grad across cols down padded self input output softmax sigmoid rows tap HP WP flatten lr eps sqrt momentum
"""
NAMES = set(NAMES_SAID.split())
# What a person does in each view: where to point and what to click, in order.
ACTIONS = {
    "bench": [
        "#backward",
        ".stack.output td.cell",
        ".stack.weight input",
        'button[data-option="MaxPool2d"]',
        ".stack.output td.cell",
    ],
    "source": [".transport button:nth-child(2)", ".transport button:nth-child(2)", ".held h3 button", ".held td.cell"],
    "channels": [".channel-row td.cell", ".sum-row td.cell"],
    "matrix": [".dense td.cell", ".stack.output td.cell", ".stack.gradient td.cell", 'button[data-option="T"]'],
    "run": [".class-bars button:nth-child(2)", "#confusion .right button", ".layer .map", "dialog button"],
    "costs": ["#measure"],
    "train": ['button:has-text("One step")', ".train-layer"],
}


def marked(language, original=say.texts):
    def mark(text):
        pieces = []
        for words, name, _, _ in string.Formatter().parse(text):
            pieces += [part if part.startswith("`") else f"⟦{part}⟧" for part in re.split("(`[^`]*`)", words) if part]
            pieces += [f"{{{name}}}"] if name else []
        return "".join(pieces)

    return {key: text if key in KEPT else mark(text) for key, text in original(language).items()}


@pytest.fixture
def in_marks(monkeypatch):
    monkeypatch.setattr(say, "texts", marked)


def unmarked(page):
    """The words that came from elsewhere."""
    words = set()
    for text in page.evaluate(EVERYTHING):
        words |= set(re.findall(r"[^\W\d]\w+", re.sub(r"⟦[^⟧]*⟧", " ", text)))
    return {word for word in words - NAMES if not re.search(r"^x\d+$|[β²ᵗ]", word)}


def test_marks(in_marks):
    assert say.say("view.refused", kind="ValueError") == "⟦This layer cannot be. minicnn says ⟧ValueError⟦: ⟧"
    assert marked("en")["page.foot"].startswith("⟦Served on this machine by ⟧`python -m minicnn.explore`⟦; ")


@pytest.mark.parametrize("view", READY)
def test_every_word_comes_from_the_texts(run_server, visit, in_marks, view):
    page = visit(run_server, view)
    settled(page)
    assert unmarked(page) == set()
    for selector in ACTIONS[view]:
        page.locator(f"#view-{view} {selector}").first.click()
        settled(page)
        assert unmarked(page) == set(), selector


def test_without_a_run_too(server, visit, in_marks):
    assert unmarked(visit(server, "run")) == set()


def test_a_word_from_elsewhere_is_found(server, visit, in_marks):
    page = visit(server)
    page.evaluate("document.querySelector('.legend').append('stray')")
    page.evaluate("document.querySelector('.legend').title = 'also stray'")
    assert unmarked(page) == {"stray", "also"}
