"""Data: examples in, batches of arrays out. Read `dataset` first, then `loader`, `mnist`, `idx`."""

from .dataset import Dataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .mnist import MNIST

__all__ = ["MNIST", "DataLoader", "Dataset", "Subset", "TensorDataset", "random_split"]
