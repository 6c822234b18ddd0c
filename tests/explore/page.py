"""What the browser tests read off a page, and wait for."""

import numpy as np
import pytest

READY = {
    "bench": "#view-bench .stack.output td.cell",
    "source": "#view-source .held td.cell",
    "channels": "#channels-explain .total",
    "matrix": "#matrix-why:not(:empty)",
    "run": "#predicted, #no-classes, #no-run",
    "costs": "#costs-table",
    "train": "#train-state:not(:empty)",
}


def values(page, label, view=""):
    """The numbers of a grid as the page holds them; `view` tells two of one name apart."""
    rows = page.eval_on_selector_all(
        f'{view} table[aria-label="{label}"] tbody tr',
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.dataset.value))",
    )
    return np.array(rows, float)


def shown(page, label):
    """The numbers of a grid as a person reads them."""
    rows = page.eval_on_selector_all(
        f'table[aria-label="{label}"] tbody tr',
        (
            "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => "
            "cell.querySelector('input')?.value ?? cell.textContent))"
        ),
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
