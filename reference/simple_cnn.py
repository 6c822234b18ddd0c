"""The course notebook's SimpleCNN in plain PyTorch with autograd: the oracle for minicnn.

    python -m reference.simple_cnn

It shares no code with what it judges: it imports nothing of minicnn and reads the IDX
files by its own few lines.
"""

import argparse
import gzip
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BUNDLED = Path(__file__).resolve().parent.parent / "minicnn" / "data" / "files"
Batches = Iterable[Sequence[Tensor]]  # a DataLoader, or a list of (images, labels)


class SimpleCNN(nn.Module):
    """Two convolutions and two linear layers: 28x28 grey images in, ten logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, padding=2),  # (N, 16, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 16, 14, 14)
            nn.Conv2d(16, 32, kernel_size=5, padding=2),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 32, 7, 7)
        )
        self.linear_block = nn.Sequential(
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_block(torch.flatten(self.cnn(x), start_dim=1))


def read_idx(path: Path) -> np.ndarray:
    """The bytes in an IDX file: two zeros, type 8, rank, sizes as big-endian int32, values."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_images(folder: Path | str | None = None, train: bool = True, size: int | None = None) -> tuple[Tensor, Tensor]:
    """The first `size` images (N, 1, 28, 28), float32 in [0, 1], and labels (N,) of a
    folder.
    """
    kind = "train" if train else "t10k"
    images, labels = (
        read_idx(find_file(Path(folder or BUNDLED), f"{kind}-{name}-ubyte"))[:size]
        for name in ("images-idx3", "labels-idx1")
    )
    return (
        torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1),
        torch.from_numpy(labels.astype(np.int64)),
    )


def find_file(folder: Path, name: str) -> Path:
    """The file of that name, gzipped or not, in `folder` or where torchvision keeps it
    below.
    """
    for place in (folder, folder / "MNIST" / "raw"):
        for path in (place / name, place / f"{name}.gz"):
            if path.is_file():
                return path
    raise FileNotFoundError(f"no {name} or {name}.gz in {folder} or {folder / 'MNIST' / 'raw'}")


class Figures(NamedTuple):
    """What one epoch is judged by."""

    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


def train(
    model: nn.Module,
    train_loader: Batches,
    val_loader: Batches,
    epochs: int = 10,
    lr: float = 1e-3,
    on_step: Callable[[float], None] | None = None,
    on_epoch: Callable[[int, Figures], None] | None = None,
) -> list[Figures]:
    """Train; returns each epoch's figures. on_step gets each loss, on_epoch number and figures.

    Training loss and accuracy are measured while the weights change, as the course does.
    """
    history = []
    device = next(model.parameters()).device
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(1, epochs + 1):
        model.train()
        total_loss, correct, seen = 0.0, 0, 0
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()

            total_loss += loss.item() * len(labels)  # the last batch may be smaller and counts less
            correct += (logits.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
            if on_step is not None:
                on_step(loss.item())
        history.append(Figures(total_loss / seen, correct / seen, *evaluate(model, val_loader)))
        if on_epoch is not None:
            on_epoch(epoch, history[-1])
    return history


def evaluate(model: nn.Module, loader: Batches) -> tuple[float, float]:
    """Mean loss and accuracy over all images of the loader."""
    device = next(model.parameters()).device
    criterion = nn.CrossEntropyLoss()
    total_loss, correct, seen = 0.0, 0, 0
    model.eval()
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            logits = model(images)
            total_loss += criterion(logits, labels).item() * len(labels)
            correct += (logits.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    return total_loss / seen, correct / seen


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reference.simple_cnn",
        description="Train the course's SimpleCNN in plain PyTorch.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training images")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step")
    parser.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate")
    parser.add_argument("--seed", type=int, default=0, help="decides the initial weights")
    parser.add_argument("--data", type=Path, default=BUNDLED, help="folder with the IDX files")
    parser.add_argument("--train-size", type=int, default=5000, help="training images")
    parser.add_argument("--val-size", type=int, default=1000, help="validation images")
    parser.add_argument("--threads", type=int, help="threads; None lets torch decide")
    args = parser.parse_args()

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = SimpleCNN().to("cuda" if torch.cuda.is_available() else "cpu")
    train_loader, val_loader = (
        DataLoader(TensorDataset(*load_images(args.data, is_train, size)), args.batch_size)
        for is_train, size in ((True, args.train_size), (False, args.val_size))
    )

    def print_line(epoch: int, figures: Figures) -> None:
        print(
            f"Epoch {epoch}/{args.epochs}"
            f" - Train Loss: {figures.train_loss:.4f}, Train Acc: {figures.train_accuracy:.4f}"
            f" - Val Loss: {figures.val_loss:.4f}, Val Acc: {figures.val_accuracy:.4f}",
            flush=True,
        )

    train(model, train_loader, val_loader, args.epochs, args.lr, on_epoch=print_line)


if __name__ == "__main__":
    main()
