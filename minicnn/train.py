"""Train the course's SimpleCNN on MNIST: `python -m minicnn.train`.

From top to bottom: one epoch, the whole training, what is said and shown, the command.

Elsewhere: the networks in `models` and `nn`; what --task chooses from in `tasks`; weights and
run folder in `saved`; settings, preparation and how a training is stopped in `training`.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from minicnn.command import say_if_compiling, start
from minicnn.data import DataLoader
from minicnn.kernels.arrays import checkable_values, numbers
from minicnn.nn import Module
from minicnn.optim import Adam
from minicnn.saved.run_folder import Metrics, best_of
from minicnn.tasks import TASKS
from minicnn.tasks.task import Batches, Criterion
from minicnn.training.ending import Diverged, and_leave, ending, listen
from minicnn.training.prepare import Training, first_filters, prepare
from minicnn.training.processes import ONE_PROCESS, Processes
from minicnn.training.settings import make_parser, read_flags

if TYPE_CHECKING:
    from minicnn.training.captured import CapturedSteps

CountRight = Callable[[np.ndarray, np.ndarray], Any]
Step = tuple[Any, Any, int]  # mean loss, number of right answers, number of images


def train_epoch(
    model: Module,
    criterion: Criterion,
    optimizer: Adam,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
    *,
    processes: Processes = ONE_PROCESS,
    allow_nan: bool = False,
    captured: "CapturedSteps | None" = None,
) -> tuple[float, float]:
    """Learn from each batch once. Returns mean loss and accuracy, as they were on the way.

    Raises Diverged at the first loss that is not finite (on a GPU the caller looks after the
    epoch), unless `allow_nan`. `captured` are the same steps as CUDA graphs.
    """
    model.train()
    steps: list[Step] = []
    for images, targets in processes.share(batches):  # with one process: the batches as they are
        if captured is not None:
            loss, right = captured.learn(images, targets)
        else:
            optimizer.zero_grad()
            loss, right = learn_from(model, criterion, count_right, images, targets)
            processes.average(model.parameters(), len(targets))  # with one process: nothing
            optimizer.step()
        steps.append((loss, right, len(targets)))
        # A share of a batch may be empty; of a GPU tensor checkable_values gives no values.
        if not allow_nan and len(targets) and not np.isfinite(checkable_values(loss)).all():
            raise Diverged(f"the loss of step {len(steps)} is {float(loss)}")
    return averages(steps, processes)


def learn_from(
    model: Module, criterion: Criterion, count_right: CountRight, images: Any, targets: Any
) -> tuple[Any, Any]:
    """Forward and backward. Mean loss and number of right answers, as numbers or tensors."""
    outputs = model(images)  # (N, 10) logits, or what else the task's network gives
    loss = criterion(outputs, targets)
    model.backward(criterion.backward())
    return loss, count_right(outputs, targets)


def answer(model: Module, criterion: Criterion, count_right: CountRight, images: Any, targets: Any) -> tuple[Any, Any]:
    """The same figures from forward alone."""
    outputs = model(images)
    return criterion(outputs, targets), count_right(outputs, targets)


def evaluate(
    model: Module,
    criterion: Criterion,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
    *,
    processes: Processes = ONE_PROCESS,
    captured: "CapturedSteps | None" = None,
) -> tuple[float, float]:
    """Mean loss and accuracy; nothing is learnt."""
    model.eval()
    check = captured.check if captured is not None else partial(answer, model, criterion, count_right)
    steps: list[Step] = [(*check(images, targets), len(targets)) for images, targets in processes.share(batches)]
    return averages(steps, processes)


def averages(steps: Sequence[Step], processes: Processes) -> tuple[float, float]:
    """Mean loss and accuracy over all images.

    The losses become Python numbers (of 64 bits) only here, and all at once: float() in each
    step would make a GPU wait.
    """
    sizes = [size for _, _, size in steps]
    losses, rights = numbers([loss for loss, _, _ in steps], [right for _, right, _ in steps])
    sums = [
        sum(loss * size for loss, size in zip(losses, sizes, strict=True) if size),  # the last batch may be smaller
        sum(rights),
        sum(sizes),
    ]
    total_loss, right, seen = processes.sum(sums)  # with one process: the same numbers
    return total_loss / seen, right / seen


# --------------------------------------------------------------------------- the whole training

CAUSES = (
    "Most often the learning rate is too high (it is {lr:g}: try a tenth), or the data hold numbers"
    " that are not finite. --allow-nan goes on nevertheless."
)


def train(training: Training) -> None:
    """Train until all epochs are finished. After each, keep everything and say so."""
    model = training.model
    run = training.run
    epochs = training.settings.epochs
    criterion = training.task.criterion()
    run.keep(model, training.optimizer, first_filters(model))
    if not training.settings.quiet and not run.history:
        loss, accuracy = validate(training, criterion, None)
        say(training, f"Before training - Val Loss: {loss:.4f}, Val Acc: {accuracy:.4f}")

    captured = capture(training, criterion)
    for epoch in range(len(run.history) + 1, epochs + 1):
        started = time.perf_counter()
        name = f"Epoch {epoch}/{epochs}"
        try:
            learnt, checked = learn_and_validate(training, criterion, name, captured)
        except Diverged as error:
            raise Diverged(f"Epoch {epoch}: {error}. {CAUSES.format(lr=training.settings.lr)}") from None
        metrics = Metrics(epoch, *learnt, *checked, time.perf_counter() - started)
        run.finish_epoch(metrics, model, training.optimizer, first_filters(model))
        say(
            training,
            f"{name} - Train Loss: {metrics.train_loss:.4f}, Train Acc: {metrics.train_accuracy:.4f}"
            f" - Val Loss: {metrics.val_loss:.4f}, Val Acc: {metrics.val_accuracy:.4f}",
        )


def capture(training: Training, criterion: Criterion) -> "CapturedSteps | None":
    """The training's steps as CUDA graphs, on an NVIDIA GPU; elsewhere there are none."""
    if not training.captures:
        return None
    from minicnn.training.captured import CapturedSteps, CudaGraphs

    parts = (training.model, criterion, training.task.count_right)
    steps = (partial(learn_from, *parts), partial(answer, *parts))
    return CapturedSteps(*steps, training.optimizer, training.processes, CudaGraphs())


def learn_and_validate(
    training: Training, criterion: Criterion, name: str, captured: "CapturedSteps | None"
) -> tuple[tuple[float, float], tuple[float, float]]:
    """One epoch: mean loss and accuracy on the way, and then on the validation images."""
    allow_nan = training.settings.allow_nan
    no_bar = True if training.quiet else None  # None: no bar unless the output is a terminal
    learnt = train_epoch(
        training.model,
        criterion,
        training.optimizer,
        tqdm(training.train_data, name, unit=" batches", leave=False, disable=no_bar),
        training.task.count_right,
        processes=training.processes,
        allow_nan=allow_nan,
        captured=captured,
    )
    if not allow_nan and not math.isfinite(learnt[0]):  # on a GPU the steps were not looked at
        raise Diverged(f"the mean loss is {learnt[0]}")
    checked = validate(training, criterion, captured)
    if not allow_nan and not math.isfinite(checked[0]):  # the last step broke the network
        raise Diverged(f"the mean validation loss is {checked[0]}")
    return learnt, checked


def validate(training: Training, criterion: Criterion, captured: "CapturedSteps | None") -> tuple[float, float]:
    """Mean loss and accuracy on the validation images."""
    return evaluate(
        training.model,
        criterion,
        training.val_data,
        training.task.count_right,
        processes=training.processes,
        captured=captured,
    )


# ----------------------------------------------------------------------- what is said and shown


def announce(training: Training) -> None:
    """Say what is going to happen."""
    settings = training.settings
    config = training.run.config
    done = len(training.run.history)
    begun = f"the weights in {settings.weights}" if settings.weights else f"initial weights from seed {settings.seed}"
    learnt = f", learnt for {done} epochs" if done else ""
    order = "a new order each epoch" if settings.shuffle else "the same order each epoch"
    device = f" on {settings.device}" if settings.device else ""
    processes = f", processes: {training.processes.size}" if training.processes.size > 1 else ""
    say(
        training,
        f"Data      {settings.data or 'bundled MNIST'}: {settings.train_size:,} training"
        f" and {settings.val_size:,} validation images\n"
        f"Network   {config['network']}, {config['parameters']:,} parameters,"
        f" {begun}{learnt}\n"
        f"Training  epochs: {settings.epochs}, batch size: {settings.batch_size}, {order},"
        f" {training.task.loss}, Adam with learning rate {settings.lr:g}\n"
        f"Backend   {settings.backend}{device}, threads: {settings.threads}{processes}\n"
        f"Run       {training.run.folder}\n",
    )


def show(training: Training) -> None:
    """Let the network answer the validation images: say how well it went, and draw it."""
    settings = training.settings
    run = training.run
    task = training.task
    results = task.examine(training.model.to("numpy"), DataLoader(training.val_images, settings.batch_size))
    if not settings.quiet:
        say(training, f"\n{final_accuracy(run.history, settings.best)}\n{task.report(results)}")
    if not settings.no_plots:
        task.draw(run.folder, run.history, first_filters(training.model), results)
    if not settings.quiet:
        say(training, f"\n{run.folder} holds {', '.join(run.files())}")


def final_accuracy(history: Sequence[Metrics], best_is_kept: bool) -> str:
    """The last and the best accuracy, and whose weights are kept."""
    last = history[-1]
    best = best_of(history)
    text = f"Final validation accuracy {last.val_accuracy:.4f}, best {best.val_accuracy:.4f} after epoch {best.epoch}"
    if best_is_kept:
        return f"{text}, whose weights are in best.safetensors"
    if best is not last:
        return f"{text}; kept are the weights of epoch {last.epoch} (--best keeps the best ones too)"
    return text


def say(training: Training, text: str) -> None:
    # speaks: the first process; quiet: --quiet, or another process
    if training.speaks:
        print(text, flush=True)


# ---------------------------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    started = time.perf_counter()
    with ending() as end:  # Ctrl-C, a full disk or a NaN becomes a sentence and an exit status
        training = prepare_or_refuse(arguments)
        settings = training.settings
        end.run = training.run
        if not training.quiet:
            announce(training)
            say_if_compiling()
        train(training)  # the same in every process: they wait for each other
        training.processes.leave()
        if training.speaks and not (settings.quiet and settings.no_plots):
            show(training)
        if not training.quiet:
            say(training, f"Total time {time.perf_counter() - started:.0f} s")

        accuracy = training.run.history[-1].val_accuracy
        if settings.target_accuracy is not None and accuracy < settings.target_accuracy:
            end.stop(1, f"Accuracy {accuracy:.4f} is below the target {settings.target_accuracy}.")
    return end.status


def prepare_or_refuse(arguments: Sequence[str] | None) -> Training:
    """The training that the command line asks for; what cannot be had ends the program."""
    parser = make_parser()
    try:
        return prepare(*read_flags(parser, arguments))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    if "WORLD_SIZE" not in os.environ:  # torchrun has its own way to end its processes
        listen()
    start(and_leave(main))
