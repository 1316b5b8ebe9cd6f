"""Data: sets by name, how they are divided among clients, augmented, and dealt out in batches."""

from .augment import Augmentation, augment
from .batches import batch_count, check_batch, epoch_batches
from .dataset import Data, Examples, from_tensors
from .partition import PARTITIONS, partition
from .sources import SOURCES, load_data

__all__ = [
    "PARTITIONS",
    "SOURCES",
    "Augmentation",
    "Data",
    "Examples",
    "augment",
    "batch_count",
    "check_batch",
    "epoch_batches",
    "from_tensors",
    "load_data",
    "partition",
]
