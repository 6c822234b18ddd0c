"""The one stream of random numbers that layers draw from: initial weights and dropout.

The Mersenne Twister (MT19937), as in torch. Where it stands is part of every checkpoint.
"""

from typing import Any

import numpy as np

generator = np.random.MT19937()
spare: list[float] = []  # normal numbers are drawn in pairs: the second one, until it is asked for


def manual_seed(seed: int) -> None:
    """Start the stream of initial weights at `seed`, any integer of 64 bits; the same
    seed gives torch's weights.
    """
    seed = int(seed)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"manual_seed: the seed must fit into 64 bits, from {-(2**63)} to {2**64 - 1}, got {seed}.")
    state: Any = np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)
    generator.state = state
    spare.clear()


manual_seed(67280421310721)  # where torch starts when no seed is given


def get_state() -> tuple[np.ndarray, int]:
    """Where the stream stands: the twister's 624 words, and how many of them are used up."""
    state = generator.state["state"]
    return state["key"].copy(), int(state["pos"])


def set_state(key: np.ndarray, position: int) -> None:
    """Go on from where `get_state` was."""
    generator.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
    spare.clear()
