"""Train the course's SimpleCNN on MNIST: `python -m minicnn.train`.

From top to bottom: one epoch, the whole training, its parts, what is shown at the end, the command
line. The network's own work is in models and nn, the run folder's in runs and plots.
"""

import argparse
import io
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import minicnn
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.kernels import announce_compilation
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss, Module
from minicnn.optim import Adam
from minicnn.runs import Metrics, Run

Batches = Iterable[tuple[np.ndarray, ...]]  # each an (images, labels)


def train_epoch(model: Module, criterion: CrossEntropyLoss, optimizer: Adam, batches: Batches) -> tuple[float, float]:
    """Learn from each batch once; mean loss and accuracy, measured while the weights change."""
    model.train()
    total_loss, right, seen = 0.0, 0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        logits = model(images)  # (N, 10)
        loss = criterion(logits, labels)
        model.backward(criterion.backward())
        optimizer.step()

        total_loss += float(loss) * len(labels)  # the last batch may be smaller and counts less
        right += count_right(logits, labels)
        seen += len(labels)
    return total_loss / seen, right / seen


def evaluate(model: Module, criterion: CrossEntropyLoss, batches: Batches) -> tuple[float, float]:
    """Mean loss and accuracy; nothing is learnt."""
    model.eval()
    total_loss, right, seen = 0.0, 0, 0
    for images, labels in batches:
        logits = model(images)
        total_loss += float(criterion(logits, labels)) * len(labels)
        right += count_right(logits, labels)
        seen += len(labels)
    return total_loss / seen, right / seen


def count_right(logits: np.ndarray, labels: np.ndarray) -> int:
    """The class with the largest logit is the answer."""
    return int((logits.argmax(axis=1) == labels).sum())


def train(args: argparse.Namespace, model: Module, train_data: DataLoader, val_data: DataLoader, run: Run) -> None:
    """Train for `args.epochs` epochs; after each, keep the weights and say how far it got."""
    criterion = CrossEntropyLoss()
    optimizer = Adam(model.parameters(), lr=args.lr)
    if not args.quiet:
        loss, accuracy = evaluate(model, criterion, val_data)
        say(f"Before training - Val Loss: {loss:.4f}, Val Acc: {accuracy:.4f}")

    for epoch in range(1, args.epochs + 1):
        started = time.perf_counter()
        no_bar = True if args.quiet else None  # None: no bar unless the output is a terminal
        name = f"Epoch {epoch}/{args.epochs}"
        batches = tqdm(train_data, name, unit=" batches", leave=False, disable=no_bar)
        train_loss, train_accuracy = train_epoch(model, criterion, optimizer, batches)
        val_loss, val_accuracy = evaluate(model, criterion, val_data)

        seconds = time.perf_counter() - started
        metrics = Metrics(epoch, train_loss, train_accuracy, val_loss, val_accuracy, seconds)
        run.finish_epoch(metrics, model.state_dict())
        say(
            f"{name} - Train Loss: {train_loss:.4f}, Train Acc: {train_accuracy:.4f}"
            f" - Val Loss: {val_loss:.4f}, Val Acc: {val_accuracy:.4f}"
        )


def prepare(args: argparse.Namespace) -> tuple[SimpleCNN, DataLoader, DataLoader, Run]:
    """The parts that the flags ask for; what cannot be had is refused, and nothing written."""
    minicnn.set_backend(args.backend)
    if args.threads is not None:
        minicnn.set_num_threads(args.threads)
    train_images = first_images(args.data, True, args.train_size)
    val_images = first_images(args.data, False, args.val_size)
    minicnn.manual_seed(args.seed)
    model = SimpleCNN()
    model.cnn[0].needs_input_grad = False  # below it are the pixels, which do not learn
    config = {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items()} | {
        "threads": minicnn.get_num_threads(),
        "network": type(model).__name__,
        "parameters": sum(parameter.data.size for parameter in model.parameters()),
    }
    return (
        model,
        DataLoader(train_images, args.batch_size, shuffle=args.shuffle, seed=args.seed),
        DataLoader(val_images, args.batch_size),
        Run(args.out, f"simplecnn-seed{args.seed}", config),
    )


def first_images(folder: Path | None, train: bool, size: int) -> Subset:
    """The first `size` images of a data set that SimpleCNN can learn."""
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
            f"SimpleCNN learns images of 28x28 pixels with labels from 0 to 9;"
            f" {name} has {height}x{width} and labels up to {dataset.labels.max()}."
        )
    return Subset(dataset, range(size))


def announce(run: Run) -> None:
    """Say what is going to happen."""
    config = run.config
    order = "a new order each epoch" if config["shuffle"] else "the same order each epoch"
    say(
        f"Data      {config['data'] or 'bundled MNIST'}: {config['train_size']:,} training"
        f" and {config['val_size']:,} validation images\n"
        f"Network   {config['network']}, {config['parameters']:,} parameters,"
        f" initial weights from seed {config['seed']}\n"
        f"Training  epochs: {config['epochs']}, batch size: {config['batch_size']}, {order},"
        f" cross-entropy, Adam with learning rate {config['lr']:g}\n"
        f"Backend   {config['backend']}, threads: {config['threads']}\n"
        f"Run       {run.folder}\n"
    )


def predict(model: Module, batches: Batches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 1, 28, 28), labels (N,) and the class probabilities (N, 10) the network gives."""
    model.eval()
    images, labels, logits = (
        np.concatenate(parts) for parts in zip(*((x, y, model(x)) for x, y in batches), strict=True)
    )
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return images, labels, odds / odds.sum(axis=1, keepdims=True)


def report(run: Run, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Say what was learnt and what was not, on the validation images."""
    predictions = probabilities.argmax(axis=1)
    best = max(run.history, key=lambda metrics: metrics.val_accuracy)
    say(
        f"\nFinal validation accuracy {run.history[-1].val_accuracy:.4f},"
        f" best {best.val_accuracy:.4f} after epoch {best.epoch}\n"
        f"The first images   {' '.join(map(str, labels[:20]))}\n"
        f"are read as        {' '.join(map(str, predictions[:20]))}"
    )
    wrong = predictions != labels
    confused = Counter(zip(labels[wrong], predictions[wrong], strict=True)).most_common(3)
    pairs = (f"{truth} read as {answer} ({times}x)" for (truth, answer), times in confused)
    say(f"Most often wrong   {', '.join(pairs) or 'none'}")


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    started = time.perf_counter()
    parser = make_parser()
    args = parser.parse_args(arguments)
    run = None
    try:
        try:
            model, train_data, val_data, run = prepare(args)
        except (ImportError, OSError, ValueError) as error:
            parser.error(str(error))
        if not args.quiet:
            announce(run)
            announce_compilation(lambda: say("Compiling the kernels for this machine, once: some 15 seconds."))
        train(args, model, train_data, val_data, run)
        images, labels, probabilities = predict(model, val_data)
        if not args.quiet:
            report(run, labels, probabilities)
        if not args.no_plots:
            from minicnn import plots  # only now: Matplotlib takes its time to import

            weight = model.state_dict()["cnn.0.weight"]
            plots.draw_run(run.folder, run.history, weight, images, labels, probabilities)
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


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.train",
        usage="%(prog)s [options]",
        description="Train the course's SimpleCNN on handwritten digits and show what it learnt.",
        epilog="""examples:
  python -m minicnn.train                                   the course's training
  python -m minicnn.train --epochs 1 --train-size 1000      a quick look
  python -m minicnn.train --data data/mnist --train-size 60000 --val-size 10000 --shuffle""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    count = checked("N", int, lambda n: n >= 1, "a whole number of at least 1")
    seed = checked("N", int, lambda n: n >= 0, "a whole number of at least 0")
    threads = checked("N", int, lambda n: 1 <= n <= 1024, "a whole number from 1 to 1024")
    rate = checked("RATE", float, lambda x: 0 < x < math.inf, "a finite number above 0")
    share = checked("SHARE", float, lambda x: 0 <= x <= 1, "a share from 0 to 1, such as 0.95")
    folder = {"type": Path, "metavar": "DIR"}

    def add(flag: str, help: str, **settings: Any) -> None:
        default = "" if settings.get("default") is None else " (default: %(default)s)"
        parser.add_argument(flag, help=help + default, **settings)

    add("--epochs", "passes over the training images", default=10, **count)
    add("--batch-size", "images per step", default=64, **count)
    add("--lr", "learning rate of Adam", default=1e-3, **rate)
    add("--seed", "decides the initial weights and the shuffling", default=0, **seed)
    add(
        "--backend",
        "kernel set that does the arithmetic: numba or numpy",
        default=minicnn.get_backend(),
        metavar="NAME",
    )
    add("--threads", "CPU threads (default: as many as the backend takes)", **threads)
    add("--data", "folder with MNIST's IDX files (default: the bundled subset)", **folder)
    add("--train-size", "learn from the first N training images", default=5000, **count)
    add("--val-size", "validate on the first N test images", default=1000, **count)
    add("--shuffle", "draw a new order of the training images each epoch", action="store_true")
    add("--out", "run folder, new or empty (default: a new one in runs/)", **folder)
    add("--no-plots", "draw no pictures", action="store_true")
    add("--quiet", "print the line after each epoch and nothing else", action="store_true")
    add("--target-accuracy", "exit with status 1 if the final validation accuracy is lower", **share)
    return parser


def checked(metavar: str, convert: Callable, fits: Callable[[Any], bool], expected: str) -> dict[str, Any]:
    """What argparse wants to know of a value: its name, and how to read it or refuse it clearly."""

    def parse(text: str) -> Any:
        try:
            if fits(value := convert(text)):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return {"type": parse, "metavar": metavar}


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may not fit a terminal
    sys.exit(main())
