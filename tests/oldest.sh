#!/usr/bin/env bash
# The oldest Python with the oldest versions that pyproject.toml allows, and the light core alone: it trains an epoch, and the
# tests that need no torch pass (the others say that they skip).
#     tests/oldest.sh [python3.10]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3.10}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$python" -m venv "$scratch/venv"
bin="$scratch/venv/bin"
"$bin/python" -m pip install --quiet --constraint tests/oldest.txt --editable '.[download]' pytest hypothesis
"$bin/python" -m pip list --format=freeze
"$bin/python" -W error -m minicnn.train --epochs 1 --out "$scratch/run" --target-accuracy 0.85
"$bin/python" -m pytest -q --hypothesis-profile=dev -m "not mutants and not tour" --doctest-ignore-import-errors "${@:2}"
