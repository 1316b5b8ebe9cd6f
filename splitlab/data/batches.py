"""The order of an epoch: which samples make up which batch, as a function of seed, client and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..chance import draws
from ..errors import PlanError


def epoch_batches(indices: np.ndarray, batch_size: int, seed: int, client: int, epoch: int) -> list[Tensor]:
    """The client's samples, shuffled and cut into batches: one int64 tensor of indices each.

    Nothing is dropped: the last batch may be smaller. But a last batch of one sample joins the batch before it, because
    BatchNorm cannot train on a single value per channel.
    """
    order = torch.from_numpy(draws(seed, client, epoch).permutation(np.asarray(indices, dtype=np.int64)))
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def batch_count(samples: int, batch_size: int) -> int:
    """How many batches `epoch_batches` makes of so many samples."""
    full, rest = divmod(samples, batch_size)
    return full + (rest > (1 if full and batch_size > 1 else 0))


def check_batch(size: int, counts: Sequence[int]) -> None:
    """Refuse with `PlanError` a batch that is larger than what some client has; `counts` are samples per client."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise PlanError(f"batch_size={size!r}: expected a whole number, 1 or more")
    least = min(counts)
    if size > least:
        raise PlanError(
            f"a batch of {size} is more than client {list(counts).index(least)} has ({least} samples): "
            f"use batch_size={least} or less, fewer clients, or a partition that is more even"
        )
