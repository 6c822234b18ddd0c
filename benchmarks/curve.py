"""`python -m benchmarks curve`: minicnn and the notebook's torch code learn side by
side; do they follow the same curve?

Both start from the same seed, hence from the same weights, and see the same batches. In
float64 rounding is so small that the losses must agree for a hundred steps. In float32
they agree for ten; then rounding, which training magnifies, leads each to weights of
its own, and only how well they do in the end can be compared.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import minicnn
from minicnn import kernels
from minicnn.command import new_file, whole_number
from minicnn.kernels.threads import cores
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from minicnn.train import evaluate, train_epoch
from reference import simple_cnn as reference

from . import machine, report
from .ours import loaders

REFERENCE = "reference"
DTYPES = ("float64", "float32")
LR, BATCH = 1e-3, 64
FLOAT64_EPOCHS = 2  # 158 steps: a hundred are judged
TOO_LITTLE = "takes 10 epochs and 5 seeds"
STEPS_SHOWN = {*range(1, 11), 20, 50, 100, 200, 500, 1000, 2000, 5000}


class Curve(NamedTuple):
    """What one training leaves: its first weights, the loss of each step, the figures
    of each epoch.
    """

    weights: dict[str, np.ndarray]
    losses: list[float]
    epochs: list[reference.Figures]


class Plan(NamedTuple):
    """How much is trained."""

    epochs: int
    seeds: int
    train_size: int
    val_size: int

    def epochs_in(self, dtype: str) -> int:
        return min(self.epochs, FLOAT64_EPOCHS) if dtype == "float64" else self.epochs


# ----------------------------------------------------------------------------- training


def follow_reference(plan: Plan, seed: int, dtype: str) -> Curve:
    """The notebook's code. In float64 it starts from the float32 weights and images,
    converted.
    """
    torch.manual_seed(seed)
    model = reference.SimpleCNN().to(getattr(torch, dtype))
    weights = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    parts = []
    for train, size in ((True, plan.train_size), (False, plan.val_size)):
        images, labels = reference.load_images(train=train, size=size)
        images = images.to(getattr(torch, dtype))
        parts.append(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), BATCH))
    losses: list[float] = []
    return Curve(weights, losses, reference.train(model, *parts, plan.epochs_in(dtype), lr=LR, on_step=losses.append))


def follow_minicnn(plan: Plan, seed: int, dtype: str, backend: str) -> Curve:
    """minicnn.train's own functions, with a loss that takes notes."""
    with minicnn.use_backend(backend):
        minicnn.manual_seed(seed)
        model = SimpleCNN()
        weights = {name: value.astype(dtype) for name, value in model.state_dict().items()}
        model.load_state_dict(weights)
        model.cnn[0].needs_input_grad = False
        train_data, val_data = loaders(plan.train_size, plan.val_size, BATCH, dtype)
        criterion, optimizer, epochs = NotingLoss(), Adam(model.parameters(), lr=LR), []
        for _ in range(plan.epochs_in(dtype)):
            learnt = train_epoch(model, criterion, optimizer, train_data)
            epochs.append(reference.Figures(*learnt, *evaluate(model, CrossEntropyLoss(), val_data)))
    return Curve(weights, criterion.losses, epochs)


class NotingLoss(CrossEntropyLoss):
    """Keeps each loss."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def forward(self, input, target):
        loss = super().forward(input, target)
        self.losses.append(float(loss))
        return loss


def deviation(found: Sequence[float], expected: Sequence[float]) -> np.ndarray:
    """|found - expected| / |expected|, element by element; infinite for NaN and infinity."""
    a, b = np.float64(found), np.float64(expected)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.abs(a - b) / np.abs(b), nan=np.inf)


# ------------------------------------------------------------------------------- claims


class Claim(NamedTuple):
    """What should hold, how far it is from that, and whether it does: None when too
    little was trained to say.
    """

    what: str
    backend: str
    value: float
    bar: float
    holds: bool | None
    note: str

    def __str__(self) -> str:
        verdict = {True: "HOLDS", False: "DOES NOT HOLD", None: "not judged"}[self.holds]
        return f"{self.what:58}{self.backend:8}{self.value:>10.2g} <= {self.bar:<8g}{verdict:14}{self.note}"


def judge(found: dict[str, dict[str, list[Curve]]]) -> Iterator[Claim]:
    """found[dtype][name] holds a curve for each seed; name is the reference or a backend."""
    for dtype, curves in found.items():
        expected = curves[REFERENCE]
        for backend in [name for name in curves if name != REFERENCE]:
            pairs = list(zip(curves[backend], expected, strict=True))
            differing = sum(
                list(a.weights) != list(b.weights)
                or any(a.weights[k].tobytes() != b.weights[k].tobytes() for k in a.weights)
                for a, b in pairs
            )
            text = f"{dtype}: seeds whose first weights differ in a bit"
            yield Claim(text, backend, differing, 0, differing == 0, f"{len(pairs)} seeds")
            steps, bar = (100, 1e-9) if dtype == "float64" else (10, 1e-5)
            worst = max(deviation(a.losses[:steps], b.losses[:steps]).max() for a, b in pairs)
            seen = min(steps, len(expected[0].losses))
            text = f"{dtype}: losses of the first {steps} steps, largest deviation"
            note = f"{len(pairs)} seeds" if seen == steps else f"only {seen} steps were trained"
            yield Claim(text, backend, worst, bar, False if not worst <= bar else seen == steps or None, note)
            if dtype == "float32":
                points = [100 * (a.epochs[-1].val_accuracy - b.epochs[-1].val_accuracy) for a, b in pairs]
                value = float(np.mean(np.abs(points)))
                enough = len(pairs) >= 5 and len(expected[0].epochs) >= 10
                note = f"{' '.join(f'{p:+.1f}' for p in points)}; mean {np.mean(points):+.2f}"
                text = "float32: points between final accuracies, on average"
                yield Claim(text, backend, value, 0.5, value <= 0.5 if enough else None, note if enough else TOO_LITTLE)


# ------------------------------------------------------------------------------ showing


def steps_table(curves: dict[str, list[Curve]], seed: int) -> Iterator[str]:
    """The first steps and some later ones: each loss, and how far it is from the
    reference's.
    """
    others = [name for name in curves if name != REFERENCE]
    yield f"\n{'step':>5}{REFERENCE + ' loss':>22}" + "".join(
        f"{name + ' loss':>20}{'deviation':>11}" for name in others
    )
    expected = curves[REFERENCE][seed].losses
    away = {name: deviation(curves[name][seed].losses, expected) for name in others}
    for step in range(1, len(expected) + 1):
        if step in STEPS_SHOWN or step == len(expected):
            cells = (f"{curves[n][seed].losses[step - 1]:>20.14f}{away[n][step - 1]:>11.1e}" for n in others)
            yield f"{step:>5}{expected[step - 1]:>22.14f}{''.join(cells)}"


def epochs_table(curves: dict[str, list[Curve]], seed: int, epochs: Sequence[int]) -> Iterator[str]:
    """A line for each epoch and contender."""
    columns = f"{'train loss':>16}{'deviation':>11}{'accuracy':>10}{'val loss':>16}{'deviation':>11}{'accuracy':>10}"
    yield f"\n{'epoch':>5}  {'':12}{columns}"
    for e in epochs:
        right = curves[REFERENCE][seed].epochs[e]
        for name in curves:
            it = curves[name][seed].epochs[e]
            away = [deviation([getattr(it, k)], [getattr(right, k)])[0] for k in ("train_loss", "val_loss")]
            first, second = ("", "") if name == REFERENCE else (f"{value:.1e}" for value in away)
            number = e + 1 if name == REFERENCE else ""
            yield (
                f"{number:>5}  {name:12}{it.train_loss:>16.10f}{first:>11}{it.train_accuracy:>10.4f}"
                f"{it.val_loss:>16.10f}{second:>11}{it.val_accuracy:>10.4f}"
            )


COLOURS = {REFERENCE: "#8a8a8a", "numpy": "#d95f02", "numba": "#1f6fb4", "torch": "#2e7d32"}


def draw(path: Path, found: dict[str, dict[str, list[Curve]]], title: str) -> None:
    """The losses on each other, the accuracies on each other, and the deviations on a
    logarithmic axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    figure.suptitle(title, fontsize=9)
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.15])
    loss, accuracy, away = (figure.add_subplot(grid[place]) for place in ((0, 0), (1, 0), (slice(None), 1)))
    styles = {"numpy": (0, (6, 3)), "numba": (0, (2, 2)), "torch": (0, (1, 3))}  # so that none hides the others

    def style(name: str) -> dict[str, Any]:
        wide = 4.5 if name == REFERENCE else 1.6
        return {"color": COLOURS[name], "linewidth": wide, "linestyle": styles.get(name, "-")}

    dtype = list(found)[-1]
    for name, curves in found[dtype].items():
        steps = np.arange(1, len(curves[0].losses) + 1)
        loss.plot(steps, curves[0].losses, label=name, **style(name))
        values = np.array([[e.val_accuracy for e in curve.epochs] for curve in curves])
        epochs = np.arange(1, values.shape[1] + 1)
        accuracy.plot(epochs, values.T, **style(name) | {"alpha": 0.6}, marker="o", markersize=3)
    loss.set(title=f"Loss of each step, {dtype}, seed 0", xlabel="step", yscale="log")
    count = len(found[dtype][REFERENCE])
    accuracy.set(title=f"Validation accuracy, {dtype}, {count} seed{'s' * (count > 1)}", xlabel="epoch")
    accuracy.xaxis.get_major_locator().set_params(integer=True)
    loss.legend(frameon=False)

    for dtype, curves in found.items():
        for name in [name for name in curves if name != REFERENCE]:
            for seed, curve in enumerate(curves[name]):
                worst = np.maximum.accumulate(deviation(curve.losses, curves[REFERENCE][seed].losses))
                values = np.where(worst > 0, worst, np.nan)  # equal in every bit: a logarithmic axis has no zero
                label = name if dtype == list(found)[-1] and seed == 0 else None
                thin = {"linewidth": 1.6 if seed == 0 else 0.6, "alpha": 0.9 if seed == 0 else 0.6}
                away.plot(np.arange(1, len(values) + 1), values, color=COLOURS[name], label=label, **thin)
        steps, bar = (100, 1e-9) if dtype == "float64" else (10, 1e-5)
        away.plot([1, steps], [bar, bar], color="#b3261e", linewidth=2)
        away.annotate(
            f"{dtype}: at most {bar:g} for {steps} steps", (1, bar), xytext=(2, 4), textcoords="offset points"
        )
    away.set(
        xscale="log", yscale="log", xlabel="step", title="Loss: |minicnn - reference| / reference, the largest so far"
    )
    away.legend(frameon=False, loc="lower right")
    for axes in (loss, accuracy, away):
        axes.grid(color="#e6e6e6", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def say(text: str) -> None:
    print(text, flush=True)


# --------------------------------------------------------------------- the command line


def main(arguments: Sequence[str]) -> int:
    """Status 1 if something that should hold does not."""
    args = make_parser().parse_args(arguments)
    plan = Plan(args.epochs, args.seeds, args.train_size, args.val_size)
    about = machine.describe(args.threads, ["curve", *arguments])
    say(f"{report.header(about)}\nPlan      {plan.epochs} epochs, {plan.seeds} seeds, batches of {BATCH} images")
    machine.set_threads(args.threads)
    found: dict[str, dict[str, list[Curve]]] = {}
    for dtype in DTYPES if args.dtype is None else [args.dtype]:
        epochs = plan.epochs_in(dtype)
        say(report.section(f"{dtype}", f"Epochs: {epochs}. Seed 0 step by step, then the end of each seed."))
        curves = found[dtype] = {name: [] for name in (REFERENCE, *args.backends)}
        for seed in range(plan.seeds):
            started = time.perf_counter()
            curves[REFERENCE].append(follow_reference(plan, seed, dtype))
            for backend in args.backends:
                curves[backend].append(follow_minicnn(plan, seed, dtype, backend))
            lines = [*steps_table(curves, 0), *epochs_table(curves, 0, range(epochs))] if seed == 0 else []
            if seed:
                lines = [f"\nSeed {seed}, after {time.perf_counter() - started:.0f} s"]
                lines += epochs_table(curves, seed, [epochs - 1])
            say("\n".join(lines))

    claims = list(judge(found))
    say(report.section("the same curve?", "Deviations are relative, the largest over all seeds."))
    say("\n".join(map(str, claims)))
    if args.json:
        args.json.write_text(json.dumps(document(about, plan, found, claims), indent=1) + "\n", encoding="utf-8")
    if args.plot:
        draw(
            args.plot,
            found,
            f"{about['cpu']}, {about['threads']} threads, torch {about['versions']['torch']}\n{about['command']}",
        )
    return int(any(claim.holds is False for claim in claims))


def document(about: dict, plan: Plan, found: dict[str, dict[str, list[Curve]]], claims: list[Claim]) -> dict[str, Any]:
    """Everything but the weights; a loss that is no number would be no JSON either, so
    it is null.
    """

    def number(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    curves = [
        {
            "dtype": dtype,
            "name": name,
            "seed": seed,
            "losses": [number(value) for value in curve.losses],
            "epochs": [{key: number(value) for key, value in e._asdict().items()} for e in curve.epochs],
        }
        for dtype, named in found.items()
        for name, several in named.items()
        for seed, curve in enumerate(several)
    ]
    judged = [claim._asdict() | {"value": number(claim.value)} for claim in claims]
    return {"machine": about, "plan": plan._asdict(), "claims": judged, "curves": curves}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks curve",
        description="Train minicnn and reference/ from the same seeds and compare, step by step and in the end.",
    )
    number = {"type": whole_number(1), "metavar": "N"}
    parser.add_argument("--epochs", default=10, help="passes over the images; float64 does two (10)", **number)
    parser.add_argument("--seeds", default=5, help="the seeds 0 to N - 1 (5)", **number)
    parser.add_argument("--dtype", choices=DTYPES, help="one precision alone (both)")
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=list(kernels.SETS),
        default=list(kernels.SETS),
        help="kernel sets (all)",
    )
    parser.add_argument("--train-size", default=5000, help="the first N training images (5000)", **number)
    parser.add_argument("--val-size", default=1000, help="the first N test images (1000)", **number)
    parser.add_argument("--threads", default=cores(), **number)
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write every loss, figure and verdict")
    parser.add_argument(
        "--plot", type=new_file, metavar="FILE", help="draw the curves on each other, and the deviations"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
