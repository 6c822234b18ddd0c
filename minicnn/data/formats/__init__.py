"""The forms in which data sets come, one file each: `reads(path, part)` gives what it
found, or None for another form.

A reader goes by what a file holds; names only tell which part it is. It gives the
numbers as they are stored: `open_dataset` checks them, brings them to bytes and says
what it did.
"""

from . import cifar, folders, hdf5, idx_files, matlab, npz, parquet, tables
from .found import Found

READERS = (idx_files, cifar, npz, parquet, hdf5, matlab, tables, folders)  # the special before the general

__all__ = ["READERS", "Found"]
