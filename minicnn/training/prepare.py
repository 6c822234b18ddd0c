"""From the settings of a training to what it consists of: data, network, device, run folder.

Nothing is learnt yet. What cannot be had is refused before anything is written.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import minicnn
from minicnn.data import DataLoader, Subset
from minicnn.data.opening import check_readable, open_images
from minicnn.kernels import arrays
from minicnn.nn import Conv2d, Module
from minicnn.optim import Adam
from minicnn.saved.checkpoints import Checkpoint
from minicnn.saved.run_folder import Run, SilentRun
from minicnn.saved.weights import load_weights
from minicnn.tasks import TASKS, Task, TaskDataset
from minicnn.training import processes
from minicnn.training.on_device import DeviceLoader
from minicnn.training.settings import Settings

TRAIN_SIZE, VAL_SIZE = 5000, 1000  # the course's


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training consists of."""

    settings: Settings  # the threads and the device are those that were found
    task: Task
    model: Module
    optimizer: Adam
    train_data: DataLoader
    val_data: DataLoader
    val_images: Subset  # with their labels, as NumPy arrays
    processes: processes.Processes
    run: Run

    @property
    def captures(self) -> bool:
        """Whether a step is a CUDA graph: on an NVIDIA GPU, unless it is not wanted."""
        return (self.settings.device or "").startswith("cuda") and not self.settings.no_graph

    @property
    def speaks(self) -> bool:
        """Of several processes the first one alone prints and draws."""
        return self.processes.rank == 0

    @property
    def quiet(self) -> bool:
        """Whether this process prints the line after each epoch at most."""
        return self.settings.quiet or not self.speaks


def prepare(settings: Settings, checkpoint: Checkpoint | None) -> Training:
    """What the settings ask for; with a checkpoint, as it was when that was written.

    Raises ImportError, OSError, RuntimeError or ValueError with a sentence for the user.
    """
    if not settings.no_plots:
        from minicnn import plots  # noqa: F401 - what keeps Matplotlib from starting is said before the training
    settings, device = set_up_computing(settings)

    train_images = first_images(settings, train=True)
    val_images = first_images(settings, train=False)
    settings = replace(settings, train_size=len(train_images), val_size=len(val_images))
    about_data = describe(settings, train_images, val_images)
    task = TASKS[settings.task].for_run(about_data)
    model = task.network(settings.for_json() | about_data)
    if settings.weights is not None and checkpoint is None:
        load_initial_weights(model, settings.weights)
    floats = {name: value for name, value in model.state_dict().items() if value.dtype.kind == "f"}
    model.load_state_dict({name: value.astype(settings.dtype) for name, value in floats.items()}, strict=False)
    model.to(device)
    first_convolution(model).needs_input_grad = False  # below it are the pixels, which do not learn
    optimizer = Adam(model.parameters(), lr=settings.lr)

    train_data = loader(TaskDataset(train_images, task), device, settings, shuffle=settings.shuffle)
    val_data = loader(TaskDataset(val_images, task), device, settings, shuffle=False)

    config = (
        settings.for_json()
        | about_data
        | {
            "device": str(device),
            "processes": processes.started(),
            "network": type(model).__name__,
            "parameters": sum(parameter.size for parameter in model.parameters()),
            "data_sha256": digest(train_images, val_images),
        }
    )
    if checkpoint is not None:
        check_fits(checkpoint, config)
        checkpoint.restore(model, optimizer)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr  # perhaps another one from now on
        train_data.epoch = len(checkpoint.history)
    together = processes.join(device)
    return Training(
        settings=settings,
        task=task,
        model=model,
        optimizer=optimizer,
        train_data=train_data,
        val_data=val_data,
        val_images=val_images,
        processes=together,
        run=open_run(settings, checkpoint, config, together.rank),
    )


def set_up_computing(settings: Settings) -> tuple[Settings, Any]:
    """Backend, threads and random numbers, for the whole process.

    Returns the settings with the threads and the device that were found, and the device itself.
    """
    minicnn.set_backend(settings.backend)
    device = find_device(settings)
    minicnn.set_num_threads(settings.threads or max(1, minicnn.get_num_threads() // processes.on_this_machine()))
    minicnn.manual_seed(settings.seed)
    found = replace(
        settings,
        threads=minicnn.get_num_threads(),
        device=None if device == "numpy" else str(device),
    )
    return found, device


def find_device(settings: Settings) -> Any:
    """Where to compute: "numpy" for the kernel sets on arrays, else a torch device."""
    if settings.backend != "torch":
        if processes.started() > 1:
            raise ValueError(f"several processes need --backend torch, got {settings.backend}.")
        return "numpy"
    from minicnn.kernels.torch_gpu import devices

    devices.allow_tf32(settings.tf32)
    devices.be_deterministic(settings.deterministic)
    device = devices.find_device(settings.device or "auto")
    if device.type == "cuda" and processes.started() > 1:
        device = devices.find_device(f"cuda:{processes.place_on_this_machine()}")  # one for each process
    return device


def load_initial_weights(model: Module, path: Path) -> None:
    """Weights from a file or a run folder in place of those from the seed."""
    try:
        model.load_state_dict(load_weights(path / "model.safetensors" if path.is_dir() else path, model))
    except RuntimeError as error:
        raise ValueError(f"--weights {path} does not fit: {error}") from error


def first_images(settings: Settings, train: bool) -> Subset:
    """The first images of a data set: as many as are asked for, or the course's number
    if there are so many.
    """
    dataset = open_images(settings.data, train, np.dtype(settings.dtype))
    size = settings.train_size if train else settings.val_size
    if size is None:
        size = min(len(dataset), TRAIN_SIZE if train else VAL_SIZE)
    if size > len(dataset):
        flag = "--train-size" if train else "--val-size"
        kind = "training" if train else "validation"
        raise ValueError(
            f"{flag} {size}: {settings.data or 'the bundled MNIST'} has {len(dataset)} {kind} images;"
            " ask for at most as many, or name a larger data set with --data."
        )
    return Subset(dataset, range(size))


def describe(settings: Settings, train_images: Subset, val_images: Subset) -> dict[str, Any]:
    """What the run's configuration says of its images: their shape, and the classes.
    The exercises learn digits alone.
    """
    train: Any = train_images.dataset  # an ImageDataset
    val: Any = val_images.dataset
    name = f"--data {settings.data}"
    if settings.task != "digits":
        for dataset in (train, val):
            check_readable(dataset, (1, 28, 28), 10, f"the task {settings.task} learns", name)
        return {}
    classes = max(train.classes, val.classes, key=len)
    check_readable(val, train.input_shape, len(classes), "what learns from the training images reads", name)
    return {"input_shape": list(train.input_shape), "outputs": len(classes), "classes": list(classes)}


def digest(*subsets: Subset) -> str:
    """SHA-256 of the pixels and labels, by which a training knows its data again."""
    found = hashlib.sha256()
    for subset in subsets:
        dataset: Any = subset.dataset  # an ImageDataset
        found.update(dataset.images[subset.indices].tobytes())
        found.update(dataset.labels[subset.indices].tobytes())
    return found.hexdigest()


def loader(dataset: TaskDataset, device: Any, settings: Settings, shuffle: bool) -> DataLoader:
    """NumPy's images become floats batch by batch, a device gets them all at once."""
    options: dict[str, Any] = {"batch_size": settings.batch_size, "shuffle": shuffle, "seed": settings.seed}
    return DataLoader(dataset, **options) if device == "numpy" else DeviceLoader(dataset, device, **options)


def check_fits(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    """ValueError if network, data or processes are others than when the training began, or
    if it did not learn with Adam: the explorer's view Train can keep such runs.
    """
    optimizer = checkpoint.config.get("optimizer", "Adam")
    if optimizer != "Adam":
        raise ValueError(
            f"{checkpoint.path} was written by a training with {optimizer}, and python -m minicnn.train goes on with"
            " Adam alone; --weights begins a new training with its weights."
        )
    for name, what in (("network", "network"), ("data_sha256", "data"), ("processes", "number of processes")):
        was = checkpoint.config.get(name)
        now = config[name]
        if was != now:
            raise ValueError(f"{checkpoint.path} was written with another {what}: {was}, now it is {now}.")


def open_run(settings: Settings, checkpoint: Checkpoint | None, config: Mapping[str, Any], rank: int) -> Run:
    """A new run folder, or the one that is resumed. The first process alone writes."""
    history = checkpoint.history if checkpoint else []
    if rank:
        return SilentRun(config, history)
    if settings.resume is not None:
        return Run.reopen(settings.resume, config, history)
    return Run(settings.out, f"{config['network'].lower()}-seed{settings.seed}", config)


def first_convolution(model: Module) -> Conv2d:
    """The layer that sees the pixels."""
    return next(module for module in model.modules() if isinstance(module, Conv2d))


def first_filters(model: Module) -> np.ndarray:
    """What it looks for: (16, 1, 5, 5)."""
    return arrays.to_numpy(first_convolution(model).weight.data)
