"""The codec `float8(exponent, mantissa, bias)`: the 8-bit float of asynchronous split learning (arXiv 2107.09786)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..errors import CodecError
from .contract import Codec

BIAS_LIMIT = 64  # keeps every value, and every step of the rounding, within float32's normal numbers


@dataclass(frozen=True)
class Float8(Codec):
    """One sign bit, `exponent` bits, `mantissa` bits, subnormals, and no code wasted on infinity or NaN.

    With a `bias` nothing is scaled: what is out of range saturates (the paper searches the bias). Without one, each
    tensor gets the largest bias within ±64 that still covers its largest finite value, sent as a number.
    Error within the range: ≤ 2**-(mantissa+1)·|x| + 2**-(bias+mantissa).
    """

    exponent: int
    mantissa: int
    bias: int | None = None

    def __post_init__(self) -> None:
        whole = all(type(bits) is int for bits in (self.exponent, self.mantissa))
        if not whole or self.exponent + self.mantissa != 7 or not 2 <= self.exponent <= 5:
            raise CodecError(f"{self} is no 8-bit float: expected 2 to 5 exponent bits, and 7 with the mantissa's")
        if self.bias is not None and (type(self.bias) is not int or abs(self.bias) > BIAS_LIMIT):
            raise CodecError(f"the bias of {self} is wrong: expected a whole number within ±{BIAS_LIMIT}, or none")

    def __str__(self) -> str:
        return f"float8({self.exponent}, {self.mantissa}{'' if self.bias is None else f', {self.bias}'})"

    def _tensors(self, count: int) -> dict[str, tuple[torch.dtype, int]]:
        return {"codes": (torch.uint8, count)}

    def _numbers(self) -> dict[str, tuple[float, float]]:
        return {"bias": (-BIAS_LIMIT, BIAS_LIMIT)} if self.bias is None else {}

    def _peak(self, bias: int) -> float:
        """The largest value: all bits set but the sign."""
        return (2 - 2.0**-self.mantissa) * 2.0 ** ((1 << self.exponent) - 1 - bias)

    def _pack(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
        values = values.nan_to_num(0.0, math.inf, -math.inf)
        bias = self._best(values) if self.bias is None else self.bias
        codes = self._codes(values.clamp_(-self._peak(bias), self._peak(bias)), bias)
        return {"codes": codes}, {"bias": float(bias)} if self.bias is None else {}

    def _unpack(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float], count: int) -> Tensor:
        bias = numbers["bias"] if self.bias is None else self.bias
        if bias != int(bias):
            raise CodecError(f"{self} has the bias {bias}: expected a whole number")
        return _table(self.mantissa, int(bias)).index_select(0, tensors["codes"].int())

    def _best(self, values: Tensor) -> int:
        finite = values[values.isfinite()]
        absmax = finite.abs().max().item() if len(finite) else 0.0
        bias = (1 << self.exponent) - math.frexp(absmax)[1]
        return max(-BIAS_LIMIT, min(BIAS_LIMIT, bias if absmax <= self._peak(bias) else bias - 1))

    def _codes(self, values: Tensor, bias: int) -> Tensor:
        """Round at the bit that each value's exponent, or the subnormals', leaves; then count from the code of zero."""
        low = 1 - bias  # the exponent of the least normal number, and of all subnormals
        power = (values.view(torch.int32) & 0x7F800000).clamp_(min=(low + 127) << 23).view(torch.float32)
        magic = power * (1.5 * 2.0 ** (23 - self.mantissa))
        sign = values.signbit().byte() << 7
        rounded = values.add(magic).sub_(magic).abs_()
        normal = (rounded.view(torch.int32) >> (23 - self.mantissa)) - ((low + 126) << self.mantissa)
        tiny = (rounded * 2.0 ** (self.mantissa - low)).int()
        return torch.where(rounded < 2.0**low, tiny, normal).byte() | sign


@lru_cache(maxsize=64)
def _table(mantissa: int, bias: int) -> Tensor:
    codes = torch.arange(128)
    exponent, fraction = codes >> mantissa, (codes & ((1 << mantissa) - 1)) * 2.0**-mantissa
    values = torch.where(exponent > 0, 1 + fraction, fraction) * 2.0 ** (exponent.clamp(min=1) - bias).double()
    return torch.cat((values, -values)).float()
