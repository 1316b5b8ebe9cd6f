"""Codecs that only change a tensor's dtype: float32, float16, bfloat16; and raw, which changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .contract import Codec

ALIGNMENT = 64  # bytes, of whatever PyTorch allocates


@dataclass(frozen=True)
class Plain(Codec):
    """The values in another dtype, rounded to nearest, ties to even.

    float32 is exact, and shares memory with the tensor where it can.
    Error: float16 ≤ 2**-11·|x| + 2**-25, bfloat16 ≤ 2**-8·|x| + 2**-134.
    """

    name: str
    dtype: torch.dtype

    def __str__(self) -> str:
        return self.name

    def _tensors(self, count: int) -> dict[str, tuple[torch.dtype, int]]:
        return {"values": (self.dtype, count)}

    def _pack(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
        packed = values.to(self.dtype)
        if self.dtype == torch.float16:  # a value beyond 65504 would become infinite, and end the training
            packed.clamp_(-65504, 65504)
        return {"values": packed}, {}

    def _unpack(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float], count: int) -> Tensor:
        values = tensors["values"].float()
        # Matrix products round otherwise where memory is not aligned as PyTorch's own: the copy keeps split = unsplit.
        return values if values.data_ptr() % ALIGNMENT == 0 else values.clone()
