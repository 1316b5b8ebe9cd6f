"""Chance that can be repeated: every draw is a function of a seed and of what it is for, on any machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
import torch

LOCK = threading.RLock()  # torch has one generator per process, and clients may be threads of one


def number(*key: int | str) -> int:
    """A 63-bit seed for this key (`number(seed, client, epoch)`), the same in every process and on every platform."""
    text = repr([part if isinstance(part, str) else int(part) for part in key])  # NumPy's integers look different
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def draws(*key: int | str) -> np.random.RandomState:
    """A NumPy generator of its own for this key. A RandomState, because NumPy promises never to change its stream."""
    return np.random.RandomState(np.random.PCG64(number(*key)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch draws on the CPU as after `torch.manual_seed(seed)`; afterwards its state is as it was before."""
    with LOCK:
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed every accelerator as well
        try:
            yield
        finally:
            torch.set_rng_state(before)
