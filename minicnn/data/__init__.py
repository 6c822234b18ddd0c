"""Data: examples in, batches of arrays out. Read `dataset` first, then `loader`,
`mnist`, `idx`, `opening`.
"""

from .dataset import Dataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .mnist import MNIST
from .opening import ImageDataset, open_dataset

__all__ = [
    "MNIST",
    "DataLoader",
    "Dataset",
    "ImageDataset",
    "Subset",
    "TensorDataset",
    "open_dataset",
    "random_split",
]
