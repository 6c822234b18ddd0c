"""`python -m benchmarks gpu`: how fast minicnn is beside torch on one NVIDIA GPU.

A step of minicnn is one CUDA graph (`minicnn.training.captured`). Beside it torch, in the same
process: the notebook's loop, its best settings (channels_last, fused Adam), and torch.compile
with CUDA graphs of its own. TF32 is off for everybody. Results are compared before anything is
timed; a burst of calls is timed from an idle GPU to an idle GPU, all take turns in rounds, and
a ratio is the median of the ratios within each round.

Not yet run on a GPU. `--device cpu` runs everything once without one: the same code but for the
capture and torch's compiler, and figures that mean nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from minicnn import table
from minicnn.command import new_file
from minicnn.data import TensorDataset
from minicnn.kernels.arrays import to_numpy
from minicnn.kernels.torch_gpu.devices import allow_tf32
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from minicnn.tasks import TASKS, TaskDataset
from minicnn.train import answer, learn_from, train_epoch
from minicnn.training.captured import Captured, CapturedSteps, CudaGraphs
from minicnn.training.on_device import DeviceLoader
from minicnn.training.processes import ONE_PROCESS
from reference import simple_cnn as reference

from . import machine
from .agreement import Disagreement, Results, demand
from .measure import middle
from .report import ms
from .work import COMPILED, EAGER, TUNED, Epoch, Inference, Network, Step

OURS = "minicnn"
LIMITS: dict[str, dict[str, float]] = {  # times what the other takes
    "step, batch 64": {EAGER: 0.25, COMPILED: 1.0},
    "step, batch 1024": {EAGER: 0.8},
    "inference, 1 image": {EAGER: 0.3},
}
EPOCH_SECONDS = 0.4  # of 60,000 images in batches of 64, on an H100
NO_GPU = (
    "torch finds no NVIDIA GPU here, so nothing is measured. `python -m benchmarks gpu --device cpu` runs everything"
    " once on the CPU; its figures mean nothing."
)
Run = Callable[[], Any]
Work = Step | Inference | Epoch


class OneByOne:
    """In place of a CUDA graph on the CPU: the function itself."""

    def launch(self, function: Callable[[], None]) -> None:
        function()

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        return function


def images_of(work: Work, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels on the device; of an epoch the bundled ones, again and again."""
    if isinstance(work, Epoch):
        images, labels = Step(min(work.train_size, 5000)).data()
        times = -(-work.train_size // len(labels))
        images = np.concatenate([images] * times)[: work.train_size]
        labels = np.concatenate([labels] * times)[: work.train_size]
    else:
        images, labels = work.data()
    return torch.tensor(images, device=device), torch.tensor(labels, device=device)


# ----------------------------------------------------------------------------- the contenders


class Torch:
    def __init__(self, name: str, device: str):
        self.name = name
        self.device = device
        self.tuned = name == TUNED
        self.compiled = name == COMPILED

    def model(self, work: Network) -> Any:
        model = reference.SimpleCNN()
        model.load_state_dict({name: torch.tensor(value) for name, value in work.weights().items()})
        layout = torch.channels_last if self.tuned else torch.contiguous_format
        model = model.to(device=self.device, memory_format=layout)
        if not self.compiled:
            return model
        if self.device == "cpu":
            return torch.compile(model, backend="eager")
        return torch.compile(model, mode="reduce-overhead")

    def begin(self) -> None:
        if self.compiled:  # its graphs write each step's results where the last step's were
            torch.compiler.cudagraph_mark_step_begin()

    def stepper(self, work: Network) -> tuple[Any, Callable]:
        """The model, and one step: (images, labels) -> (loss, logits)."""
        model = self.model(work)
        criterion = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=work.lr, fused=self.tuned or None)

        def step(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.begin()
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            return loss, logits

        return model, step

    def step(self, work: Step) -> tuple[Run, Callable[[], Results]]:
        images, labels = images_of(work, self.device)
        model, step = self.stepper(work)
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            last["loss"], _ = step(images, labels)

        def results() -> Results:
            named = [(name.removeprefix("_orig_mod."), p) for name, p in model.named_parameters()]
            grads = {f"gradient of {name}": p.grad for name, p in named}
            weights = {f"updated {name}": p.data.clone() for name, p in named}
            return {name: value.numpy(force=True) for name, value in {**last, **grads, **weights}.items()}

        return run, results

    def inference(self, work: Inference) -> tuple[Run, Callable[[], Results]]:
        images, _ = images_of(work, self.device)
        model = self.model(work).eval()
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            self.begin()
            with torch.no_grad():
                last["logits"] = model(images)

        return run, lambda: {"logits": last["logits"].numpy(force=True)}

    def epoch(self, work: Epoch) -> tuple[Run, Callable[[], Results]]:
        """The images lie on the device; only the notebook's loop asks for each step's loss."""
        images, labels = images_of(work, self.device)
        _, step = self.stepper(work)
        last: dict[str, float] = {}

        def run() -> None:
            total: Any = 0.0
            for x, y in zip(images.split(work.N), labels.split(work.N), strict=True):
                loss, logits = step(x, y)
                right = (logits.argmax(1) == y).sum()
                found = torch.stack([loss.detach() * len(y), right.to(loss.dtype)])
                total = total + (np.array(found.tolist()) if self.name == EAGER else found)
            loss, right = (float(value) / len(labels) for value in total)
            last.update({"train loss": loss, "train accuracy": right})

        return run, lambda: {name: np.array(value) for name, value in last.items()}


class Minicnn:
    name = OURS

    def __init__(self, device: str):
        self.device = device
        self.graphs = OneByOne() if device == "cpu" else CudaGraphs()

    def captured(self, work: Network) -> tuple[Any, CapturedSteps]:
        model = SimpleCNN()
        model.load_state_dict(work.weights())
        model.cnn[0].needs_input_grad = False  # as minicnn.train does
        model.to(torch.device(self.device))
        parts = (model, CrossEntropyLoss(), TASKS["digits"].count_right)
        optimizer = Adam(model.parameters(), lr=work.lr)
        steps = (partial(learn_from, *parts), partial(answer, *parts))
        return model, CapturedSteps(*steps, optimizer, ONE_PROCESS, self.graphs)

    def step(self, work: Step) -> tuple[Run, Callable[[], Results]]:
        images, labels = images_of(work, self.device)
        model, captured = self.captured(work)
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            last["loss"], _ = captured.learn(images, labels)

        def results() -> Results:
            grads = {f"gradient of {name}": p.grad for name, p in model.named_parameters()}
            weights = {f"updated {name}": p.data.clone() for name, p in model.named_parameters()}
            return {name: to_numpy(value) for name, value in {**last, **grads, **weights}.items()}

        return run, results

    def inference(self, work: Inference) -> tuple[Run, Callable[[], Results]]:
        images, _ = images_of(work, self.device)
        model, _ = self.captured(work)
        model.eval()
        forward = Captured(lambda x: (model(x),), self.graphs)
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            (last["logits"],) = forward(images)

        return run, lambda: {"logits": to_numpy(last["logits"])}

    def epoch(self, work: Epoch) -> tuple[Run, Callable[[], Results]]:
        model, captured = self.captured(work)
        images, labels = (to_numpy(tensor) for tensor in images_of(work, self.device))
        data = TaskDataset(TensorDataset(images, labels), TASKS["digits"])
        loader = DeviceLoader(data, self.device, batch_size=work.N)
        last: dict[str, float] = {}

        def run() -> None:
            found: Any = train_epoch(model, None, None, loader, captured=captured)  # type: ignore[arg-type]
            last.update(zip(("train loss", "train accuracy"), found, strict=True))

        return run, lambda: {name: np.array(value) for name, value in last.items()}


# -------------------------------------------------------------------------------- the measuring


def seconds(run: Run, calls: int, device: str) -> float:
    """Of one call in a burst, from an idle device to an idle device."""
    wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
    wait()
    started = time.perf_counter()
    for _ in range(calls):
        run()
    wait()
    return (time.perf_counter() - started) / calls


def measure(name: str, work: Work, contenders: Sequence[Torch | Minicnn], device: str, quick: bool) -> dict[str, Any]:
    """One row. Disagreement if a contender's first result is not torch's."""
    runs: dict[str, Run] = {}
    expected: Results = {}
    for contender in contenders:
        run, results = getattr(contender, work.kind)(work)
        run()
        found = results()
        expected = expected or found
        demand(work, contender.name, found, EAGER, expected)
        runs[contender.name] = run
    warm, rounds = (1, 1) if quick else (4, 5 if work.kind == "epoch" else 15)
    calls = {}
    for who, run in runs.items():
        took = min(seconds(run, 1, device) for _ in range(warm))
        calls[who] = 1 if quick else max(1, min(200, int(0.05 / took)))
    found_seconds = [{who: seconds(run, calls[who], device) for who, run in runs.items()} for _ in range(rounds)]
    times = {who: middle([taken[who] for taken in found_seconds]) for who in runs}
    ratios = {who: middle([taken[OURS] / taken[who] for taken in found_seconds]) for who in runs}
    judged = [] if quick else bars(name, times, ratios)
    return {"work": name, "what": work.title, "seconds": times, "ratios": ratios, "bars": judged}


def bars(name: str, times: dict[str, Any], ratios: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised beside what was measured."""
    if name == "epoch, 60,000 images":
        return [{"against": "on an H100, seconds", "found": times[OURS][0], "limit": EPOCH_SECONDS}]
    return [
        {"against": f"/ {who}", "found": ratios[who][0], "limit": limit} for who, limit in LIMITS.get(name, {}).items()
    ]


def works(quick: bool) -> dict[str, Work]:
    small, large, size = (8, 16, 40) if quick else (64, 1024, 60_000)
    return {
        f"step, batch {small}": Step(small),
        f"step, batch {large}": Step(large),
        "inference, 1 image": Inference(1),
        f"epoch, {size:,} images": Epoch(small, train_size=size, val_size=0),
    }


def about_device(device: str) -> dict[str, str]:
    """Name, driver, clock and libraries, as text."""
    if device == "cpu":
        return {"device": "CPU, a dry run"}
    query = ["nvidia-smi", "--query-gpu=driver_version,clocks.sm,clocks.max.sm", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        driver, clock, most = answer.splitlines()[0].split(", ")
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        driver, clock, most = "unknown", "unknown", "unknown"
    return {
        "device": torch.cuda.get_device_name(device),
        "driver": driver,
        "clock": f"{clock} of at most {most}",
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
    }


# ----------------------------------------------------------------------------------- the report

HEAD = ("work, ms", EAGER, TUNED, COMPILED, OURS, f"/ {EAGER}", f"/ {COMPILED}", "limits")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    times = [ms(1e3 * row["seconds"][who][0]) for who in (EAGER, TUNED, COMPILED, OURS)]
    ratios = [f"{row['ratios'][who][0]:.2f}" for who in (EAGER, COMPILED)]
    limits = [
        f"{bar['against']} {bar['found']:.2f}, at most {bar['limit']}"
        + ("" if bar["found"] <= bar["limit"] else ": OVER THE LIMIT")
        for bar in row["bars"]
    ]
    return (row["work"], *times, *ratios, "; ".join(limits))


def text(document: dict[str, Any]) -> str:
    """The table as Markdown, below what was measured where."""
    versions = ", ".join(f"{name} {number}" for name, number in document["machine"]["versions"].items())
    gpu = ", ".join(f"{name} {value}" for name, value in document["gpu"].items())
    started = document["machine"]["started"][:10]
    rows = table.markdown([HEAD, *map(cells, document["results"])], "<>>>>>><")
    return f"`python -m benchmarks gpu` on {started}: {gpu};\n{versions}.\n\n" + "\n".join(rows) + "\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a dry run (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="does it run? its figures mean nothing")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write everything, for benchmarks.results")
    args = parser.parse_args(arguments)
    if args.device == "cuda" and not torch.cuda.is_available():
        print(NO_GPU)
        return 0
    quick = args.quick or args.device == "cpu"
    allow_tf32(False)
    contenders = [*(Torch(name, args.device) for name in (EAGER, TUNED, COMPILED)), Minicnn(args.device)]
    document: dict[str, Any] = {
        "kind": "gpu",
        "quick": quick,
        "machine": machine.describe(torch.get_num_threads(), ["gpu", *arguments]),
        "results": [],
    }
    status = 0
    for name, work in works(quick).items():
        try:
            document["results"].append(measure(name, work, contenders, args.device, quick))
            print("  ".join(cells(document["results"][-1])), flush=True)
        except Disagreement as error:
            print(error, file=sys.stderr)
            status = 1
    document["gpu"] = about_device(args.device)  # now: its clock under load
    print(f"\n{text(document)}" + ("\nA quick run: its figures mean nothing." if quick else ""))
    if args.json and not status:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return status
