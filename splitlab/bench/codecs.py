"""Codecs against copying memory: encode and decode a tensor, next to a copy of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

from ..codec import codec, decode
from .result import Result

VALUES = 4 * 1024 * 1024
THREADS = 1  # a client's device does not have many


def float8(repeat: int) -> Iterator[Result]:
    """The 8-bit codecs on 4 M float32 values, 16.8 MB."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        tensor = torch.randn(64, VALUES // 64)
        target = torch.empty_like(tensor)
        for name in ("float8_e4m3fn", "float8_e5m2", "int8"):
            yield _codec(name, tensor, lambda: target.copy_(tensor), repeat)
    finally:
        torch.set_num_threads(before)


def _codec(name: str, tensor: torch.Tensor, copy: Callable[[], object], repeat: int) -> Result:
    chosen = codec(name)
    ratios, encoding, decoding = [], [], []
    for index in range(repeat + 2):
        copied = seconds(copy)
        packed = chosen.encode(tensor)
        encoded, decoded = seconds(lambda: chosen.encode(tensor)), seconds(partial(decode, packed))
        if index >= 2:
            ratios.append((encoded + decoded) / copied)
            encoding.append(encoded)
            decoding.append(decoded)
    parts = {"encode": min(encoding), "decode": min(decoding)}
    return Result(f"{name}, encode + decode", "copying the float32 tensor", 3.0, tuple(ratios), parts)


def seconds(action: Callable[[], object]) -> float:
    """The least of five times that an action took: the one that was disturbed least."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return min(times)
