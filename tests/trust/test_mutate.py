"""Mutation testing excuses what changes nothing, there alone, and does not call a hunt
without mutants a success.
"""

import pytest

from tests.trust import mutate

LOOPS = "minicnn.kernels.numba_fast"
CHANGES = [  # (excused, mutmut's name, the line before, the line after)
    (
        True,
        f"{LOOPS}.pointwise.x_relu_grad__mutmut_4",
        "parts = max(1, x.size // SHARE)",
        "parts = max(2, x.size // SHARE)",
    ),
    (
        False,
        f"{LOOPS}.pointwise.x_relu_grad__mutmut_5",
        "parts = max(1, x.size // SHARE)",
        "parts = max(0, x.size // SHARE)",
    ),
    (False, f"{LOOPS}.pointwise.x_relu_grad__mutmut_6", "size = x.size", "size = x.size + 1"),
    (False, f"{LOOPS}.operands.patches.x_strips_for__mutmut_7", "RUN = g.KW * C", "RUN = g.KW / C"),
    (
        False,
        "minicnn.optim.optimizer.xǁOptimizerǁ_state__mutmut_8",
        "state[name] = arrays.copied(value, parameter.data, parameter.dtype)",
        "state[name] = arrays.copied(value, parameter.data, None)",
    ),
    (True, "minicnn.geometry.x_f__mutmut_1", "if P > K // 2:", "if P > K / 2:"),
    (False, "minicnn.nn.pooling.x_f__mutmut_1", "if P > K // 2:", "if P > K / 2:"),
    (False, f"{LOOPS}.convolution.x_f__mutmut_2", "f(2 * 3 * LANES, a, b)", "f(2 * 3 * LANES, a, None)"),
    (True, f"{LOOPS}.operands.skipping.x_density__mutmut_2", "count = 0", "count = 1"),
]


@pytest.mark.parametrize(("expected", "mutant", "before", "after"), CHANGES)
def test_a_change_is_excused_where_it_changes_nothing_and_nowhere_else(expected, mutant, before, after):
    assert mutate.excused(mutant, f"-    {before}", f"+    {after}") == expected


def test_a_hunt_without_mutants_fails(monkeypatch):
    monkeypatch.setattr(mutate, "prepare", lambda folder, room: None)
    monkeypatch.setattr(mutate, "mutmut", lambda folder, *words: "")
    with pytest.raises(SystemExit, match="geometry: mutmut found no mutants whose number ends in 77"):
        mutate.main(["geometry", "--ending", "77"])
