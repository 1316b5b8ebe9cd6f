"""A client's share of the data: its own training batches, epoch by epoch, and the held-out examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from .chance import number
from .data import Data, augment, epoch_batches, partition
from .plan import Plan

TEST_BATCH = 128  # no result depends on it


class Share:
    """What one client sees: `batches(epoch)` is a function of plan, client and epoch, on any machine."""

    def __init__(self, data: Data, plan: Plan, client: int) -> None:
        self.data, self.plan, self.client = data, plan, client
        self.indices = parts(data, plan)[client]
        self._augment = augment(plan.augment) if plan.augment else None

    def __len__(self) -> int:
        return len(self.indices)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (N, ...) and labels (N,) of every batch of an epoch, shuffled and augmented by seed."""
        plan = self.plan
        batches = epoch_batches(self.indices, plan.batch_size, plan.seed, self.client, epoch)
        for index, chosen in enumerate(batches):
            inputs, labels = self.data.batch(chosen)
            if self._augment:
                inputs = self._augment(inputs, number("augment", plan.seed, self.client, epoch, index))
            yield inputs, labels

    def held_out(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The test examples, the same for every client."""
        total = min(len(self.data.test), self.plan.test_samples or len(self.data.test))
        for begin in range(0, total, TEST_BATCH):
            yield self.data.batch(np.arange(begin, min(begin + TEST_BATCH, total)), "test")


def parts(data: Data, plan: Plan) -> tuple[np.ndarray, ...]:
    """The indices of every client's training examples."""
    return partition(plan.partition, data.train.labels.numpy(), plan.clients, plan.seed, users=data.users)
