"""Train the course's SimpleCNN on MNIST: `python -m minicnn.train`; `--task` trains the course's exercises.

From top to bottom: one epoch, the whole training, what is shown, the command. The network's own work is in models and nn, what
a task is in tasks, the flags in arguments, what they ask for in prepare, the run folder in runs, checkpoints and plots.
"""

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from minicnn.command import by_ctrl_c, say_if_compiling, start
from minicnn.data import DataLoader
from minicnn.kernels.arrays import checkable_values
from minicnn.nn import Module
from minicnn.optim import Adam
from minicnn.saved.run_folder import Metrics, Run
from minicnn.tasks import TASKS
from minicnn.tasks.task import Batches, Criterion
from minicnn.training.prepare import Parts, first_filters, prepare
from minicnn.training.processes import ALONE, Alone
from minicnn.training.settings import make_parser, parse

CountRight = Callable[[np.ndarray, np.ndarray], Any]
Step = tuple[Any, Any, int]  # mean loss, number of right answers, number of images


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


def train_epoch(
    model: Module,
    criterion: Criterion,
    optimizer: Adam,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
    group: Alone = ALONE,
    allow_nan: bool = True,
) -> tuple[float, float]:
    """Learn from each batch once; mean loss and accuracy, measured while the weights change."""
    model.train()
    steps: list[Step] = []
    for images, targets in group.share(batches):
        optimizer.zero_grad()
        outputs = model(images)  # (N, 10) logits, or what else the task's network gives
        loss = criterion(outputs, targets)
        model.backward(criterion.backward())
        group.average(model.parameters(), len(targets))
        optimizer.step()

        steps.append((loss, count_right(outputs, targets), len(targets)))
        if not allow_nan and len(targets) and not np.isfinite(checkable_values(loss)).all():
            raise Diverged(f"the loss of step {len(steps)} is {float(loss)}")
    return averages(steps, group)


def evaluate(
    model: Module,
    criterion: Criterion,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
    group: Alone = ALONE,
) -> tuple[float, float]:
    """Mean loss and accuracy; nothing is learnt."""
    model.eval()
    steps: list[Step] = []
    for images, targets in group.share(batches):
        outputs = model(images)
        steps.append((criterion(outputs, targets), count_right(outputs, targets), len(targets)))
    return averages(steps, group)


def averages(steps: Sequence[Step], group: Alone) -> tuple[float, float]:
    """Mean loss and accuracy over all images.

    Only here do the losses become Python numbers (of 64 bits): float() in each step would make a GPU wait.
    """
    total_loss, right, seen = group.sum(
        [
            sum(float(loss) * size for loss, _, size in steps if size),  # the last batch may be smaller and counts less
            sum(int(right) for _, right, _ in steps),
            sum(size for _, _, size in steps),
        ]
    )
    return total_loss / seen, right / seen


def train(parts: Parts, epochs: int, allow_nan: bool, quiet: bool) -> None:
    """Train until `epochs` epochs are finished; after each, keep everything and say how far it got."""
    task, model, optimizer, train_data, val_data, _, group, run = parts
    criterion = task.criterion()
    run.keep(model, optimizer, first_filters(model))
    if not quiet and not run.history:
        loss, accuracy = evaluate(model, criterion, val_data, task.count_right, group)
        say(f"Before training - Val Loss: {loss:.4f}, Val Acc: {accuracy:.4f}", group)

    for epoch in range(len(run.history) + 1, epochs + 1):
        started = time.perf_counter()
        no_bar = True if quiet or group.rank else None  # None: no bar unless the output is a terminal
        name = f"Epoch {epoch}/{epochs}"
        batches = tqdm(train_data, name, unit=" batches", leave=False, disable=no_bar)
        try:
            learnt = train_epoch(model, criterion, optimizer, batches, task.count_right, group, allow_nan)
            if not allow_nan and not math.isfinite(learnt[0]):
                raise Diverged(f"the mean loss is {learnt[0]}")
            checked = evaluate(model, criterion, val_data, task.count_right, group)
            if not allow_nan and not math.isfinite(checked[0]):  # the last step broke the network
                raise Diverged(f"the mean validation loss is {checked[0]}")
        except Diverged as error:
            raise Diverged(f"Epoch {epoch}: {error}") from None

        metrics = Metrics(epoch, *learnt, *checked, time.perf_counter() - started)
        run.finish_epoch(metrics, model, optimizer, first_filters(model))
        say(
            f"{name} - Train Loss: {metrics.train_loss:.4f}, Train Acc: {metrics.train_accuracy:.4f}"
            f" - Val Loss: {metrics.val_loss:.4f}, Val Acc: {metrics.val_accuracy:.4f}",
            group,
        )


def announce(parts: Parts) -> None:
    """Say what is going to happen."""
    config, done = parts.run.config, len(parts.run.history)
    order = "a new order each epoch" if config["shuffle"] else "the same order each epoch"
    device = f" on {config['device']}" if config["backend"] == "torch" else ""
    processes = f", processes: {config['processes']}" if config["processes"] > 1 else ""
    say(
        f"Data      {config['data'] or 'bundled MNIST'}: {config['train_size']:,} training"
        f" and {config['val_size']:,} validation images\n"
        f"Network   {config['network']}, {config['parameters']:,} parameters,"
        f" initial weights from seed {config['seed']}{f', learnt for {done} epochs' if done else ''}\n"
        f"Training  epochs: {config['epochs']}, batch size: {config['batch_size']}, {order},"
        f" {parts.task.loss}, Adam with learning rate {config['lr']:g}\n"
        f"Backend   {config['backend']}{device}, threads: {config['threads']}{processes}\n"
        f"Run       {parts.run.folder}\n"
    )


def report(run: Run, learnt: str) -> None:
    """Say how well it went, and what the task has to say of it."""
    best = max(run.history, key=lambda metrics: metrics.val_accuracy)
    say(
        f"\nFinal validation accuracy {run.history[-1].val_accuracy:.4f},"
        f" best {best.val_accuracy:.4f} after epoch {best.epoch}\n{learnt}"
    )


def say(text: str, group: Alone = ALONE) -> None:
    if group.rank == 0:
        print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    started = time.perf_counter()
    parser = make_parser()
    args = parse(parser, arguments)
    run = None
    try:
        try:
            parts = prepare(args)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            parser.error(str(error))
        task, model, run, first = parts.task, parts.model, parts.run, parts.group.rank == 0
        quiet = args.quiet or not first
        if not quiet:
            announce(parts)
            say_if_compiling()
        train(parts, args.epochs, args.allow_nan, args.quiet)  # the same in every process: they wait for each other
        parts.group.leave()
        if first and not (quiet and args.no_plots):
            results = task.examine(model.to("numpy"), DataLoader(parts.val_images, args.batch_size))
            if not quiet:
                report(run, task.report(results))
            if not args.no_plots:
                task.draw(run.folder, run.history, first_filters(model), results)
        if not quiet:
            say(f"\n{run.folder} holds {', '.join(run.files())}")
            say(f"Total time {time.perf_counter() - started:.0f} s")
    except KeyboardInterrupt:
        return stop(130, "Stopped.", run)
    except Terminated:
        ask_again(0)
        return stop(143, "Terminated.", run)
    except BrokenPipeError:
        return stop(1, "The output was closed.", run)
    except Diverged as error:
        return stop(1, f"{error}. {CAUSES.format(lr=args.lr)}", run)
    except OSError as error:
        return stop(1, f"{error}.", run)
    except Exception as error:
        if by_ctrl_c(error):
            return stop(130, "Stopped.", run)
        if not Terminated.asked:
            raise
        ask_again(0)
        return stop(143, "Terminated.", run)  # within an import it comes out as another exception

    accuracy = run.history[-1].val_accuracy
    if args.target_accuracy is not None and accuracy < args.target_accuracy:
        return stop(1, f"Accuracy {accuracy:.4f} is below the target {args.target_accuracy}.", run)
    return 0


CAUSES = (
    "Most often the learning rate is too high (it is {lr:g}: try a tenth), or the data hold numbers that are not finite."
    " --allow-nan goes on nevertheless."
)


class Terminated(BaseException):
    """The system asks this process to end (SIGTERM)."""

    asked = False


def terminate(*_: Any) -> None:
    """Ends the training wherever it is. A library's callback may swallow the exception; so it comes again, until it gets through."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # asked a second time from outside, it ends at once
    ask_again(2)
    Terminated.asked = True
    raise Terminated


def ask_again(seconds: float) -> None:
    """Call terminate once more after some seconds, 0: no more."""
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, terminate)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def stop(status: int, reason: str, run: Run | None) -> int:
    """Say why the training ends here and what is left of it."""
    print(f"\n{reason} {run.kept() if run else 'No training had begun.'}", file=sys.stderr)
    return status


def main_then_leave() -> int:
    """After a termination the interpreter does not tidy up: it may not survive that, if a library's import was interrupted."""
    try:
        status = main()
    except Terminated:  # between main's last lines
        status = 143
    if Terminated.asked:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    if "WORLD_SIZE" not in os.environ:  # torchrun has its own way to end its processes
        signal.signal(signal.SIGTERM, terminate)
    start(main_then_leave)
