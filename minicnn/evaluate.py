"""How good is a trained network? `python -m minicnn.evaluate RUN`

From top to bottom: count, tabulate, print, the command line. Everything that is printed follows
from one matrix of counts: how often each class (row) was taken for which class (column).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minicnn
from minicnn import table
from minicnn.command import STDOUT, Parser, output_file, same_file, say_if_compiling, start, whole_number, write_csv
from minicnn.data import DataLoader, Dataset
from minicnn.data.opening import ImageDataset, check_readable, open_images
from minicnn.kernels.threads import MOST
from minicnn.tasks import Classifier
from minicnn.tasks.classifier import worst_confusions
from minicnn.trained import Trained


class ClassScore(NamedTuple):
    """One class: a row of the table. None where there is nothing to divide by."""

    name: str
    images: int
    right: int
    precision: float | None  # of the images taken for it, the share that is it
    recall: float | None  # of its images, the share that was found
    f1: float | None  # the harmonic mean of the two


def count_answers(trained: Trained, dataset: Dataset, batch_size: int) -> tuple[np.ndarray, float]:
    """The counts (truth, answer), (K, K), and the mean loss, averaged as in training."""
    task = trained.task
    criterion = task.criterion()
    K = len(task.classes)
    counts = np.zeros((K, K), np.int64)
    total_loss = 0.0
    for images, labels in DataLoader(dataset, batch_size):
        outputs = trained.model(images)
        answers = task.probabilities(outputs).argmax(axis=1)
        np.add.at(counts, (task.truth(labels), answers), 1)
        total_loss += float(criterion(outputs, task.targets(images, labels))) * len(labels)
    return counts, total_loss / len(dataset)


def score(counts: np.ndarray, classes: Sequence[str]) -> list[ClassScore]:
    """Precision, recall and F1 of each class, from the matrix of counts (truth, answer)."""

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    rows = []
    for k, name in enumerate(classes):
        right = int(counts[k, k])
        images = int(counts[k].sum())
        answered = int(counts[:, k].sum())
        row = ClassScore(
            name=name,
            images=images,
            right=right,
            precision=share(right, answered),
            recall=share(right, images),
            f1=share(2 * right, images + answered),
        )
        rows.append(row)
    return rows


# -------------------------------------------------------------------------------- what is shown


def class_table(scores: Sequence[ClassScore]) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    rows: list[tuple[str, ...]] = [("class", "images", "right", "precision", "recall", "F1")]
    for name, images, right, *shares in scores:
        rows.append((name, f"{images:,}", f"{right:,}", *map(share, shares)))
    return "\n".join(table.lines(rows, "<>>>>>"))


def confusion_table(counts: np.ndarray, classes: Sequence[str]) -> str:
    rows = [("truth", *classes)]
    for name, row in zip(classes, counts.tolist(), strict=True):
        rows.append((name, *(str(count or ".") for count in row)))
    head, *body = table.lines(rows, "<" + ">" * len(classes))
    return "\n".join([f"{head}   <- read as", *body])


def compare(trained: Trained, data: Path | None, size: int, accuracy: float) -> str:
    """What metrics.csv says about the same images, if it says anything."""
    used = trained.config.get("data")
    same = data is None or (isinstance(used, str) and same_file(Path(used), data))
    said = trained.last_metrics().get("val_accuracy")
    if not same or trained.config.get("val_size") != size or said is None:
        return ""
    if said == accuracy:
        return ", as its last epoch"
    return f"; its last epoch says {said:.4f}: other weights, other data or another kernel set"


def csv_rows(scores: Sequence[ClassScore], counts: np.ndarray) -> list[Sequence]:
    """A row for each class: the scores, and how often it was read as what."""
    head = [*ClassScore._fields, *(f"read_as_{row.name}" for row in scores)]
    return [head, *([*row, *line] for row, line in zip(scores, counts.tolist(), strict=True))]


# ---------------------------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    try:
        trained = Trained(args.run, Classifier)
        minicnn.set_backend(args.backend or trained.backend(minicnn.get_backend()))
        if args.threads is not None:
            minicnn.set_num_threads(args.threads)
        dataset = test_images(trained, args.data)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    return run(args, trained, dataset)


def run(args: argparse.Namespace, trained: Trained, dataset: ImageDataset) -> int:
    say_if_compiling("stderr")  # the standard output may be a table
    counts, loss = count_answers(trained, dataset, args.batch_size or batch_size_of(trained))
    classes = trained.task.classes
    scores = score(counts, classes)
    if args.csv == STDOUT:
        write_csv(STDOUT, csv_rows(scores, counts))
        return 0
    right = int(np.trace(counts))
    size = len(dataset)
    note = compare(trained, args.data, size, right / size)
    print(
        f"Network    {trained.config['network']} from {trained.folder}\n"
        f"Data       {args.data or own_data(trained) or 'bundled MNIST'}: {size:,} test images\n"
        f"Backend    {minicnn.get_backend()}, threads: {minicnn.get_num_threads()}\n\n"
        f"Accuracy   {right / size:.4f} ({right:,} of {size:,}){note}\n"
        f"Loss       {loss:.4f}\n\n"
        f"{class_table(scores)}\n\n"
        f"{confusion_table(counts, classes)}\n\n"
        f"Most often wrong   {', '.join(worst_confusions(counts, classes)) or 'none'}"
    )
    if args.csv is not None:
        write_csv(args.csv, csv_rows(scores, counts))
        print(f"\nWritten: {args.csv}")
    return 0


def own_data(trained: Trained) -> Path | None:
    """What the run was trained with: None for the bundled digits."""
    used = trained.config.get("data")
    return Path(used) if isinstance(used, str) else None


def test_images(trained: Trained, data: Path | None) -> ImageDataset:
    """The test images of a data set, by default the run's own, if they are such as the
    network can read.
    """
    chosen = data or own_data(trained)
    if data is None and chosen is not None and not chosen.exists():
        raise FileNotFoundError(
            f"{trained.folder} was trained with {chosen}, which is not there: say with --data where its data are now."
        )
    dataset = open_images(chosen, False, trained.dtype)
    name = f"--data {chosen}" if chosen else "the bundled MNIST"
    shape, K = trained.model.input_shape, len(trained.task.classes)
    if trained.config.get("task") != "digits":
        K = 10
    check_readable(dataset, shape, K, f"{trained.config['network']} reads", name)
    return dataset


def batch_size_of(trained: Trained) -> int:
    """The run's own, so that its loss comes out to the last digit."""
    size = trained.config.get("batch_size")
    return size if isinstance(size, int) and size >= 1 else 64


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m minicnn.evaluate",
        usage="%(prog)s RUN [options]",
        description="""Try the network that `python -m minicnn.train` left in RUN on test images:
accuracy, loss, each class, and what is taken for what.""",
        epilog="""examples:
  python -m minicnn.evaluate runs/simplecnn-seed0
  python -m minicnn.evaluate runs/simplecnn-seed0 --data data/mnist --csv classes.csv""",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder of a training")
    add("--data", type=Path, metavar="PATH", help="a data set in any form (default: the run's own test images)")
    add("--backend", metavar="NAME", help="kernel set that does the arithmetic: numba or numpy (default: the run's)")
    add("--threads", type=whole_number(1, MOST), metavar="N", help="CPU threads (default: one for each core)")
    add("--batch-size", type=whole_number(1), metavar="N", help="images per step (default: the run's)")
    add(
        "--csv",
        type=output_file(".csv", dash=True),
        metavar="FILE",
        help="write a row for each class; - prints it and nothing else",
    )
    return parser


if __name__ == "__main__":
    start(main)
