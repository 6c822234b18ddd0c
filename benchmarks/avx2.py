"""A training step with AVX2 code only on both sides, as on a student's laptop, measured on
a processor that has longer vectors.

`row` starts a process of its own, because each library looks at the processor once, when it
is loaded. torch, oneDNN, MKL and OpenBLAS have variables for that. Numba has NUMBA_CPU_NAME,
which orders instructions for that processor and still uses AVX-512 where the machine has
it. So the child says, before anything else is imported, that the machine lacks it; then
minicnn's vectors are as short as they are there, too.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from llvmlite import binding

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {
    "NUMBA_CPU_NAME": "haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
ABSENT = "Left out: the step with AVX2 code only, because this processor has no AVX2."


def offered() -> bool:
    return bool(binding.get_host_cpu_features().get("avx2"))


def row(threads: int, repeats: int | None, quick: bool) -> dict[str, Any]:
    """What `measure` says of the step. Raises RuntimeError with what the child said."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "row.json"
        asked = json.dumps({"threads": threads, "repeats": repeats, "quick": quick})
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "benchmarks.avx2", str(answer), asked]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The step with AVX2 code only ended with status {done.returncode}:\n{done.stderr}")
        return json.loads(answer.read_text(encoding="utf-8"))


def mask() -> None:
    """From now on the processor has no AVX-512, for Numba and for minicnn's vectors."""
    features = binding.get_host_cpu_features()
    for name in list(features):
        if name.startswith(("avx512", "avx10")):
            features[name] = False
    binding.get_host_cpu_features = lambda: features


def main(answer: str, asked: str) -> None:
    """The child's part."""
    mask()
    import torch

    from . import machine, work
    from .contenders import contenders
    from .measure import Plan, measure

    asked = json.loads(asked)
    threads = asked["threads"]
    used = torch.backends.cpu.get_cpu_capability()
    if used != "AVX2":
        raise SystemExit(f"torch was asked for AVX2 and uses {used}.")
    everybody = contenders()
    plan = Plan(rounds=asked["repeats"] or Plan.rounds)
    step = work.Step(64, work.STEP_AVX2, name="step, AVX2 only")
    if asked["quick"]:  # the kernels would be compiled for that processor
        everybody = [one for one in everybody if one.name != work.OURS]
        plan = Plan.quick(rounds=1)
    machine.set_threads(threads)
    peak = machine.matrix_product_peak(*((384, 2) if asked["quick"] else ()))
    Path(answer).write_text(json.dumps(measure(step, everybody, threads, peak, plan)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
