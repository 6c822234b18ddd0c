"""Train the course's SimpleCNN on MNIST: `python -m minicnn.train`; `--task` trains the course's exercises.

From top to bottom: one epoch, the whole training, its parts, what is shown at the end, the command. The network's own work
is in models and nn, what a task is in tasks, the flags in arguments, the run folder in runs and plots.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import minicnn
from minicnn.arguments import make_parser, parse
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.kernels import announce_compilation
from minicnn.nn import Conv2d, Module
from minicnn.optim import Adam
from minicnn.runs import Metrics, Run
from minicnn.tasks import TASKS, Exercises, Task
from minicnn.tasks.task import Batches, Criterion

CountRight = Callable[[np.ndarray, np.ndarray], Any]


def train_epoch(
    model: Module,
    criterion: Criterion,
    optimizer: Adam,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
) -> tuple[float, float]:
    """Learn from each batch once; mean loss and accuracy, measured while the weights change."""
    model.train()
    steps = []
    for images, targets in batches:
        optimizer.zero_grad()
        outputs = model(images)  # (N, 10) logits, or what else the task's network gives
        loss = criterion(outputs, targets)
        model.backward(criterion.backward())
        optimizer.step()

        steps.append((loss, count_right(outputs, targets), len(targets)))
    return averages(steps)


def evaluate(
    model: Module,
    criterion: Criterion,
    batches: Batches,
    count_right: CountRight = TASKS["digits"].count_right,
) -> tuple[float, float]:
    """Mean loss and accuracy; nothing is learnt."""
    model.eval()
    steps = []
    for images, targets in batches:
        outputs = model(images)
        steps.append((criterion(outputs, targets), count_right(outputs, targets), len(targets)))
    return averages(steps)


def averages(steps: Sequence[tuple[Any, Any, int]]) -> tuple[float, float]:
    """Mean loss and accuracy over all images, from each step's (mean loss, number of right answers, number of images).

    Only here do the losses become Python numbers (of 64 bits): float() in each step would make a GPU wait.
    """
    seen = sum(size for _, _, size in steps)
    total_loss = sum(float(loss) * size for loss, _, size in steps)  # the last batch may be smaller and counts less
    return total_loss / seen, sum(int(right) for _, right, _ in steps) / seen


def train(
    args: argparse.Namespace, task: Task, model: Module, train_images: Subset, val_images: Subset, run: Run
) -> None:
    """Train for `args.epochs` epochs; after each, keep the weights and say how far it got."""
    train_data = DataLoader(Exercises(train_images, task), args.batch_size, shuffle=args.shuffle, seed=args.seed)
    val_data = DataLoader(Exercises(val_images, task), args.batch_size)
    criterion = task.criterion()
    optimizer = Adam(model.parameters(), lr=args.lr)
    run.keep_filters(0, first_filters(model))
    if not args.quiet:
        loss, accuracy = evaluate(model, criterion, val_data, task.count_right)
        say(f"Before training - Val Loss: {loss:.4f}, Val Acc: {accuracy:.4f}")

    for epoch in range(1, args.epochs + 1):
        started = time.perf_counter()
        no_bar = True if args.quiet else None  # None: no bar unless the output is a terminal
        name = f"Epoch {epoch}/{args.epochs}"
        batches = tqdm(train_data, name, unit=" batches", leave=False, disable=no_bar)
        train_loss, train_accuracy = train_epoch(model, criterion, optimizer, batches, task.count_right)
        val_loss, val_accuracy = evaluate(model, criterion, val_data, task.count_right)

        seconds = time.perf_counter() - started
        metrics = Metrics(epoch, train_loss, train_accuracy, val_loss, val_accuracy, seconds)
        run.finish_epoch(metrics, model.state_dict())
        run.keep_filters(epoch, first_filters(model))
        say(
            f"{name} - Train Loss: {train_loss:.4f}, Train Acc: {train_accuracy:.4f}"
            f" - Val Loss: {val_loss:.4f}, Val Acc: {val_accuracy:.4f}"
        )


def prepare(args: argparse.Namespace, task: Task) -> tuple[Module, Subset, Subset, Run]:
    """The parts that the flags ask for; what cannot be had is refused, and nothing written."""
    minicnn.set_backend(args.backend)
    if args.threads is not None:
        minicnn.set_num_threads(args.threads)
    minicnn.manual_seed(args.seed)
    model = task.network(vars(args))
    first_convolution(model).needs_input_grad = False  # below it are the pixels, which do not learn
    network = type(model).__name__
    train_images = first_images(args.data, True, args.train_size, network)
    val_images = first_images(args.data, False, args.val_size, network)
    config = {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items()} | {
        "threads": minicnn.get_num_threads(),
        "network": network,
        "parameters": sum(parameter.data.size for parameter in model.parameters()),
    }
    return model, train_images, val_images, Run(args.out, f"{network.lower()}-seed{args.seed}", config)


def first_images(folder: Path | None, train: bool, size: int, network: str) -> Subset:
    """The first `size` images of a data set that the networks can learn."""
    dataset = MNIST(folder, train=train)
    name = folder or "the bundled MNIST"
    if size > len(dataset):
        flag, kind = ("--train-size", "training") if train else ("--val-size", "validation")
        raise ValueError(
            f"{flag} {size}: {name} has {len(dataset)} {kind} images;"
            " ask for at most as many, or name the folder of a larger data set with --data."
        )
    height, width = dataset.images.shape[1:]
    if (height, width) != (28, 28) or dataset.labels.max() > 9:
        raise ValueError(
            f"{network} learns images of 28x28 pixels with labels from 0 to 9;"
            f" {name} has {height}x{width} and labels up to {dataset.labels.max()}."
        )
    return Subset(dataset, range(size))


def first_convolution(model: Module) -> Conv2d:
    """The layer that sees the pixels."""
    return next(module for module in model.modules() if isinstance(module, Conv2d))


def first_filters(model: Module) -> np.ndarray:
    """What it looks for: (16, 1, 5, 5)."""
    return first_convolution(model).weight.data


def announce(run: Run, task: Task) -> None:
    """Say what is going to happen."""
    config = run.config
    order = "a new order each epoch" if config["shuffle"] else "the same order each epoch"
    say(
        f"Data      {config['data'] or 'bundled MNIST'}: {config['train_size']:,} training"
        f" and {config['val_size']:,} validation images\n"
        f"Network   {config['network']}, {config['parameters']:,} parameters,"
        f" initial weights from seed {config['seed']}\n"
        f"Training  epochs: {config['epochs']}, batch size: {config['batch_size']}, {order},"
        f" {task.loss}, Adam with learning rate {config['lr']:g}\n"
        f"Backend   {config['backend']}, threads: {config['threads']}\n"
        f"Run       {run.folder}\n"
    )


def report(run: Run, learnt: str) -> None:
    """Say how well it went, and what the task has to say of it."""
    best = max(run.history, key=lambda metrics: metrics.val_accuracy)
    say(
        f"\nFinal validation accuracy {run.history[-1].val_accuracy:.4f},"
        f" best {best.val_accuracy:.4f} after epoch {best.epoch}\n{learnt}"
    )


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    started = time.perf_counter()
    parser = make_parser()
    args = parse(parser, arguments)
    task, run = TASKS[args.task], None
    try:
        try:
            model, train_images, val_images, run = prepare(args, task)
        except (ImportError, OSError, ValueError) as error:
            parser.error(str(error))
        if not args.quiet:
            announce(run, task)
            announce_compilation(lambda: say("Compiling the kernels for this machine, once: some 15 seconds."))
        train(args, task, model, train_images, val_images, run)
        results = task.examine(model, DataLoader(val_images, args.batch_size))
        if not args.quiet:
            report(run, task.report(results))
        if not args.no_plots:
            task.draw(run.folder, run.history, first_filters(model), results)
        if not args.quiet:
            files = ", ".join(sorted(path.name for path in run.folder.iterdir()))
            say(f"\n{run.folder} holds {files}")
            say(f"Total time {time.perf_counter() - started:.0f} s")
    except KeyboardInterrupt:
        return stop(130, "Stopped.", run)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more
        return stop(1, "The output was closed.", run)
    except OSError as error:
        return stop(1, f"{error}.", run)

    accuracy = run.history[-1].val_accuracy
    if args.target_accuracy is not None and accuracy < args.target_accuracy:
        return stop(1, f"Accuracy {accuracy:.4f} is below the target {args.target_accuracy}.", run)
    return 0


def stop(status: int, reason: str, run: Run | None) -> int:
    """Say why the training ends here and what is left of it."""
    print(f"\n{reason} {run.kept() if run else 'Nothing was written.'}", file=sys.stderr)
    return status


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may not fit a terminal
    sys.exit(main())
