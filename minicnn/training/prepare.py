"""From the flags of `python -m minicnn.train` to its parts: data, network, device, run folder. Nothing is learnt yet.

What cannot be had is refused before anything is written.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minicnn
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.data.dataset import Held
from minicnn.data.mnist import check_digits
from minicnn.kernels import arrays
from minicnn.nn import Conv2d, Module
from minicnn.optim import Adam
from minicnn.saved import checkpoints
from minicnn.saved.run_folder import Bystander, Run
from minicnn.tasks import TASKS, Exercises, Task
from minicnn.training import processes


class Parts(NamedTuple):
    """What a training consists of."""

    task: Task
    model: Module
    optimizer: Adam
    train_data: DataLoader
    val_data: DataLoader
    val_images: Subset
    group: processes.Alone
    run: Run


def prepare(args: argparse.Namespace) -> Parts:
    """The parts that the flags ask for."""
    if not args.no_plots:
        from minicnn import plots  # noqa: F401 - what keeps Matplotlib from starting is said before the training
    task = TASKS[args.task]
    minicnn.set_backend(args.backend)
    device = find_device(args)
    minicnn.set_num_threads(args.threads or max(1, minicnn.get_num_threads() // processes.local()[1]))
    minicnn.manual_seed(args.seed)
    model = task.network(vars(args))
    model.load_state_dict({name: value.astype(args.dtype) for name, value in model.state_dict().items()})
    model.to(device)
    first_convolution(model).needs_input_grad = False  # below it are the pixels, which do not learn
    optimizer = Adam(model.parameters(), lr=args.lr)

    network = type(model).__name__
    images = [first_images(args, train, network) for train in (True, False)]
    config = {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items() if name != "checkpoint"} | {
        "threads": minicnn.get_num_threads(),
        "device": str(device),
        "processes": processes.started(),
        "network": network,
        "parameters": sum(parameter.size for parameter in model.parameters()),
        "data_sha256": digest(images),
    }
    train_data, val_data = (on_device(Exercises(subset, task), device) for subset in images)
    loaders = (
        DataLoader(train_data, args.batch_size, shuffle=args.shuffle, seed=args.seed),
        DataLoader(val_data, args.batch_size),
    )
    if args.checkpoint is not None:
        fits(args.checkpoint, config)
        args.checkpoint.restore(model, optimizer)
        loaders[0].epoch = len(args.checkpoint.history)
    group = processes.join(device)
    run = open_run(args, config, group.rank, f"{network.lower()}-seed{args.seed}")
    return Parts(task, model, optimizer, *loaders, images[1], group, run)


def find_device(args: argparse.Namespace) -> Any:
    """Where to compute: "numpy" for the kernel sets on arrays, else a torch device."""
    if args.backend != "torch":
        for flag, given in (("--device", args.device), ("--tf32", args.tf32)):
            if given:
                raise ValueError(f"{flag} needs --backend torch; the backend {args.backend} computes on the CPU.")
        if processes.started() > 1:
            raise ValueError(f"several processes need --backend torch, got {args.backend}.")
        return "numpy"
    from minicnn.kernels.torch_gpu import devices

    devices.allow_tf32(args.tf32)
    device = devices.find_device(args.device or "auto")
    if device.type == "cuda" and processes.started() > 1:
        device = devices.find_device(f"cuda:{processes.local()[0]}")  # one for each process
    return device


def first_images(args: argparse.Namespace, train: bool, network: str) -> Subset:
    """The first images of a data set that the networks can learn."""
    dataset = MNIST(args.data, train=train, dtype=args.dtype)
    name, size = args.data or "the bundled MNIST", args.train_size if train else args.val_size
    if size > len(dataset):
        flag, kind = ("--train-size", "training") if train else ("--val-size", "validation")
        raise ValueError(
            f"{flag} {size}: {name} has {len(dataset)} {kind} images;"
            " ask for at most as many, or name the folder of a larger data set with --data."
        )
    check_digits(dataset, str(name), f"{network} learns")
    return Subset(dataset, range(size))


def digest(images: list[Subset]) -> str:
    """SHA-256 of the pixels and labels that are used: by it a training knows its data again, wherever they lie."""
    found = hashlib.sha256()
    for subset in images:
        used = slice(len(subset))
        found.update(subset.dataset.images[used].tobytes() + subset.dataset.labels[used].tobytes())  # type: ignore[attr-defined]
    return found.hexdigest()


def on_device(exercises: Exercises, device: Any) -> Any:
    """The images moved to a torch device once; NumPy's stay bytes, and become floats batch by batch."""
    if device == "numpy":
        return exercises
    images, labels = exercises.digits.batch(range(len(exercises)))
    return Exercises(Held(*(arrays.moved(column, device) for column in (images, labels))), exercises.task)


def fits(checkpoint: checkpoints.Checkpoint, config: dict[str, Any]) -> None:
    """ValueError if the training would not go on as it began. (The flags agree already, see `arguments`.)"""
    for name, what in (("network", "network"), ("data_sha256", "data"), ("processes", "number of processes")):
        was, now = checkpoint.config.get(name), config[name]
        if was != now:
            raise ValueError(f"{checkpoint.path} was written with another {what}: {was}, now it is {now}.")


def open_run(args: argparse.Namespace, config: dict[str, Any], rank: int, name: str) -> Run:
    history = args.checkpoint.history if args.checkpoint else []
    if rank:
        return Bystander(config, history)
    return Run.reopen(args.resume, config, history) if args.checkpoint else Run(args.out, name, config)


def first_convolution(model: Module) -> Conv2d:
    """The layer that sees the pixels."""
    return next(module for module in model.modules() if isinstance(module, Conv2d))


def first_filters(model: Module) -> np.ndarray:
    """What it looks for: (16, 1, 5, 5)."""
    return arrays.to_numpy(first_convolution(model).weight.data)
