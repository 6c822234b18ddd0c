#!/usr/bin/env bash
# Guess: NUMBA_CPU_NAME=nocona (2004, SSE3) makes code for that processor, as -march=nocona does
# in a C compiler; so a benchmark "as on an older machine" needs that variable alone.
# Seen (numba 0.68.1, on a processor with AVX2): the name chooses the scheduling, and the vector
# instructions stay those of the machine that compiles, 256 bits and more. With
# NUMBA_CPU_FEATURES set as well, empty or not, they follow it.
set -euo pipefail
grep -q avx2 /proc/cpuinfo || { echo "this processor has no AVX2, so nothing can be seen here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet numba==0.68.1 numpy==2.3.5
cat > "$folder/vectors.py" <<'PYTHON'
import re

import numpy as np
from numba import njit


@njit(fastmath=True)
def dot(x, y):
    total = np.float32(0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total


dot(np.ones(64, np.float32), np.ones(64, np.float32))
assembly = "".join(dot.inspect_asm().values())
print(len(re.findall(r"%[yz]mm\d", assembly)))
PYTHON
own=$("$folder/venv/bin/python" "$folder/vectors.py")
named=$(NUMBA_CPU_NAME=nocona "$folder/venv/bin/python" "$folder/vectors.py")
both=$(NUMBA_CPU_NAME=nocona NUMBA_CPU_FEATURES= "$folder/venv/bin/python" "$folder/vectors.py")
echo "registers of 256 bits and more in a dot product's code: $own as the machine is,"
echo "$named with NUMBA_CPU_NAME=nocona, $both with NUMBA_CPU_FEATURES= besides"
[ "$own" -gt 0 ] && [ "$named" -gt 0 ] || { echo "the name now chooses the features too" >&2; exit 1; }
[ "$both" -eq 0 ] || { echo "NUMBA_CPU_FEATURES is no longer followed" >&2; exit 1; }
