"""The codec `topk(fraction)`: only the largest values travel, with their places."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import CodecError
from .contract import Codec

LEAST = 1e-3  # a fraction below this turns few received bytes into a great tensor


@dataclass(frozen=True)
class TopK(Codec):
    """The ceil(fraction·n) values of largest magnitude, exactly, in ascending order of their places; the rest is 0.

    `Encoder` keeps what was not sent, and adds it to the next tensor (error feedback, arXiv 1809.07599).
    """

    fraction: float
    feedback = True

    def __post_init__(self) -> None:
        if not isinstance(self.fraction, float | int) or not LEAST <= self.fraction <= 1:
            raise CodecError(f"topk({self.fraction!r}) is wrong: expected a fraction from {LEAST} to 1")

    def __str__(self) -> str:
        return f"topk({float(self.fraction)!r})"

    def _tensors(self, count: int) -> dict[str, tuple[torch.dtype, int]]:
        kept = min(count, math.ceil(self.fraction * count))
        return {"indices": (torch.int32, kept), "values": (torch.float32, kept)}

    def _pack(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
        values = values.nan_to_num()
        kept = self._tensors(len(values))["indices"][1]
        indices = values.abs().topk(kept, sorted=False).indices.sort().values
        return {"indices": indices.int(), "values": values[indices]}, {}

    def _unpack(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float], count: int) -> Tensor:
        indices = tensors["indices"].long()
        if indices[0] < 0 or indices[-1] >= count or (indices.diff() <= 0).any():
            raise CodecError(f"{self} holds places out of order: expected ascending places below {count}")
        return torch.zeros(count).index_copy_(0, indices, tensors["values"])
