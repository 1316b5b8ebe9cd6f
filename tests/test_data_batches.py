"""Batches: the order of an epoch depends on seed, client and epoch, and on nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splitlab.data import batch_count, check_batch, epoch_batches
from splitlab.errors import PlanError


@given(st.integers(1, 200), st.integers(1, 50))
def test_an_epoch_shows_every_sample_once(samples, size):
    indices = np.arange(samples) * 3
    batches = epoch_batches(indices, size, seed=1, client=2, epoch=3)
    assert sorted(torch.cat(batches).tolist()) == indices.tolist()
    assert len(batches) == batch_count(samples, size)
    assert all(batch.dtype == torch.int64 for batch in batches)


@given(st.integers(2, 200), st.integers(2, 50))
def test_no_batch_is_a_single_sample(samples, size):
    assert min(len(batch) for batch in epoch_batches(np.arange(samples), size, 0, 0, 0)) > 1


def test_batches_of_one_are_given_to_those_who_ask_for_them():
    assert [len(batch) for batch in epoch_batches(np.arange(3), 1, 0, 0, 0)] == [1, 1, 1]


def test_an_order_is_the_same_in_every_release():
    assert [batch.tolist() for batch in epoch_batches(np.arange(7), 3, 0, 1, 2)] == [[3, 5, 4], [6, 2, 1, 0]]


def test_seed_client_and_epoch_each_change_the_order():
    orders = [torch.cat(epoch_batches(np.arange(50), 8, *key)) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    assert len({tuple(order.tolist()) for order in orders}) == 4


def test_a_batch_larger_than_a_clients_share_is_refused_with_numbers():
    check_batch(20, [40, 20])
    with pytest.raises(PlanError, match=r"a batch of 21 .* client 1 has \(20 samples\): use batch_size=20"):
        check_batch(21, [40, 20])
    for size in (0, -1, 2.5, True):
        with pytest.raises(PlanError, match="whole number"):
            check_batch(size, [40])
