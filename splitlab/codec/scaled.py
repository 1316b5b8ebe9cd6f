"""Codecs of one byte per value with one scale per tensor: float8_e4m3fn, float8_e5m2 and int8.

What was found by measuring (torch 2.13, AVX2): torch casts float32 to float8 with vectors, but e4m3 back one value at a
time, five times slower than the way there. A float8 shifted into place is a float16, though, and that casts fast.
Blocks that stay in the cache save a third; still smaller ones cost more in calls, and make threads meet too often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .contract import Codec

BLOCK = 1 << 18  # values
LARGEST = torch.finfo(torch.float32).max
SCALE_LIMIT = 2.0**100  # tensors of tinier values do not use the whole range: 1 / scale must stay a normal float32


@dataclass(frozen=True)
class Scaled(Codec):
    """The largest value becomes `peak`, the largest of the dtype; all are rounded to nearest, ties to even.

    Encoding multiplies by the float32 `scale`, decoding by the float32 nearest to its reciprocal.
    Error, where a is the largest finite |x|: float8_e4m3fn ≤ 2**-4·|x| + 2**-18·a, float8_e5m2 ≤ 2**-3·|x| + 2**-31·a,
    int8 ≤ a/253, and 2**-100 for tensors of values tinier than that.
    """

    name: str
    dtype: torch.dtype
    peak: float

    def __str__(self) -> str:
        return self.name

    def _tensors(self, count: int) -> dict[str, tuple[torch.dtype, int]]:
        return {"values": (self.dtype, count)}

    def _numbers(self) -> dict[str, tuple[float, float]]:
        return {"scale": (_float32(self.peak / LARGEST), SCALE_LIMIT)}

    def _pack(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
        values, largest = _tame(values, keep_nan=self.dtype != torch.int8)
        scale = _float32(min(self.peak / largest, SCALE_LIMIT)) if largest else 1.0
        packed, scratch = torch.empty(len(values), dtype=self.dtype), torch.empty(min(len(values), BLOCK))
        for target, source in zip(packed.split(BLOCK), values.split(BLOCK), strict=True):
            scaled = torch.mul(source, scale, out=scratch[: len(source)])
            target.copy_(scaled.round_() if self.dtype == torch.int8 else scaled)
        return {"values": packed}, {"scale": scale}

    def _unpack(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float], count: int) -> Tensor:
        values = torch.empty(count)
        for target, source in zip(values.split(BLOCK), tensors["values"].split(BLOCK), strict=True):
            wide, factor = _widen(source)
            target.copy_(wide).mul_(factor / numbers["scale"])
        return values


def _tame(values: Tensor, keep_nan: bool) -> tuple[Tensor, float]:
    """The values, with infinities as large as the largest finite magnitude, and this magnitude (0 if there is none)."""
    if not len(values):
        return values, 0.0
    low, high = torch.aminmax(values)
    largest = max(-low.item(), high.item())
    if math.isfinite(largest):
        return values, largest
    finite = values[values.isfinite()]
    largest = finite.abs().max().item() if len(finite) else 0.0
    tamed = values.clamp(-largest, largest)
    return tamed if keep_nan else tamed.nan_to_num_(0.0), largest


def _widen(codes: Tensor) -> tuple[Tensor, float]:
    """The same numbers in a dtype from which torch casts fast, up to a factor that is a power of two."""
    if codes.dtype == torch.int8:
        return codes, 1.0
    bits = codes.view(torch.int8).to(torch.int16)  # the sign fills the upper byte
    if codes.dtype == torch.float8_e5m2:
        return bits.mul_(256).view(torch.float16), 1.0
    if int((codes.view(torch.uint8) & 127).max()) == 127:  # NaN, which the shift would turn into 480
        return codes, 1.0
    return bits.mul_(128).bitwise_and_(~0x4000).view(torch.float16), 256.0


def _float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()
