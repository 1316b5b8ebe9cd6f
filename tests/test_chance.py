"""Chance: a function of its key, which leaves no trace."""

import numpy as np
import pytest
import torch

from splitlab.chance import draws, number, seeded


def test_a_key_gives_the_same_number_in_every_release():
    assert number(0, 1, 2) == 3_452_018_054_052_297_075
    assert number(np.int64(0), np.int32(1), torch.tensor(2)) == 3_452_018_054_052_297_075
    assert 0 <= number(0) < 2**63


def test_other_keys_give_other_numbers():
    keys = [(0,), (1,), (-1,), (0, 0), (0, 1), (1, 0), ("0",), ("a", 0), (10, 1), (1, 1)]
    assert len({number(*key) for key in keys}) == len(set(keys))


def test_draws_of_one_key_begin_anew_each_time():
    assert draws("test", 1).permutation(5).tolist() == draws("test", 1).permutation(5).tolist()
    assert draws("test", 1).permutation(50).tolist() != draws("test", 2).permutation(50).tolist()


def test_inside_it_is_as_after_manual_seed_and_outside_as_before():
    torch.manual_seed(5)
    expected = torch.rand(3)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"), seeded(5):
        assert torch.equal(torch.rand(3), expected)
        with seeded(6):
            torch.rand(3)
        raise RuntimeError("stop")
    assert torch.equal(torch.get_rng_state(), before)
