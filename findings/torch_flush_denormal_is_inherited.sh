#!/usr/bin/env bash
# Guess: torch.set_flush_denormal(True) holds for the calling thread, so a thread that is started
# later begins with denormal numbers kept, as one that was there before.
# Seen (torch 2.13.0, numpy 2.3.5, Linux on x86-64): a new thread inherits the mode of the thread that
# starts it; a pool whose threads were started before keeps denormals. So NumPy's results depend on
# when a pool was started.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch


def kept():
    """Whether NumPy keeps a denormal number in this thread."""
    return bool((np.full(64, 1e-39, np.float32) * np.float32(1)).max() > 0)


early = ThreadPoolExecutor(1)
before = early.submit(kept).result()
assert torch.set_flush_denormal(True), "this processor cannot flush"
seen = {
    "a pool started before, before": before,
    "the calling thread": kept(),
    "a pool started before": early.submit(kept).result(),
    "a thread started after": ThreadPoolExecutor(1).submit(kept).result(),
}
for who, keeps in seen.items():
    print(f"{who}: denormal numbers are {'kept' if keeps else 'flushed'}")
assert list(seen.values()) == [True, False, True, False], "the behaviour has changed"
PYTHON
