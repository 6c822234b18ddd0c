#!/usr/bin/env bash
# Guess: whether conv2d multiplies the zeros of its padding by an infinite weight (0 * inf is NaN) is
# a matter of the dtype or the device.
# Seen (torch 2.13.0, CPU, x86-64 with oneDNN): in float64 always NaN; in float32 it depends on the
# size: NaN for one image with one channel, 0 for two images with two channels and for larger ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import torch

seen = {}
for shape in [(1, 1, 5, 5), (2, 2, 5, 5), (16, 8, 9, 9)]:
    for dtype in (torch.float32, torch.float64):
        weight = torch.zeros(shape[1], shape[1], 3, 3, dtype=dtype)
        weight[0, 0, 0, 0] = float("inf")  # at the corner of the output it lies on the padding
        output = torch.nn.functional.conv2d(torch.ones(shape, dtype=dtype), weight, padding=1)
        seen[shape, str(dtype)] = bool(output[0, 0, 0, 0].isnan())
        print(shape, dtype, "corner:", output[0, 0, 0, 0].item())
assert all(nan for (_, dtype), nan in seen.items() if "64" in dtype), "float64 has changed"
assert [nan for (_, dtype), nan in seen.items() if "32" in dtype] == [True, False, False], "float32 has changed"
PYTHON
