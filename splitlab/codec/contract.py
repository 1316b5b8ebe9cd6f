"""What every codec does: turn one float32 tensor into a few flat tensors and numbers, and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import CodecError
from ..messages import Packed

TYPICAL = 0.0123456789012345678  # a number as long as most are when they are written out
ELEMENT_LIMIT = 1 << 28  # a decoded tensor takes 1 GiB at most, however few bytes describe it


class Codec(ABC):
    """One way to write a tensor. A new one is a frozen dataclass with these five methods, and a line in the table."""

    feedback: ClassVar[bool] = False  # whether what is left out shall be added to the next tensor: see Encoder

    @abstractmethod
    def __str__(self) -> str:
        """The name, with arguments, by which plans and packed tensors call this codec."""

    @abstractmethod
    def _tensors(self, count: int) -> dict[str, tuple[torch.dtype, int]]:
        """Names, dtypes and lengths of the flat tensors that `count` values become: always the same."""

    def _numbers(self) -> dict[str, tuple[float, float]]:
        """Names of the numbers that go with them, and the least and the largest that each can be."""
        return {}

    @abstractmethod
    def _pack(self, values: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Flat contiguous float32 values as such tensors and numbers; the values are not written to."""

    @abstractmethod
    def _unpack(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float], count: int) -> Tensor:
        """The `count` float32 values again, at least one; tensors and numbers have been checked."""

    @property
    def text(self) -> str:
        """The canonical text: `codec(text)` gives this codec again."""
        return str(self)

    def size(self, shape: Sequence[int]) -> int:
        """How many bytes the tensors take, exactly, that a float tensor of this shape becomes."""
        return sum(dtype.itemsize * length for dtype, length in self._tensors(math.prod(shape)).values())

    def blank(self, shape: Sequence[int]) -> Packed:
        """What `encode` would make of a float tensor of this shape, but for its values: to weigh a message by.

        The tensors are on the meta device, where they take no memory.
        """
        tensors = self._tensors(math.prod(shape)).items()
        empty = {name: torch.empty(length, dtype=dtype, device="meta") for name, (dtype, length) in tensors}
        return Packed(self.text, tuple(shape), empty, dict.fromkeys(self._numbers(), TYPICAL))

    def encode(self, tensor: Tensor, role: str = "activation") -> Packed:
        """Pack a float tensor of any shape, dtype, stride and device; float64 loses what float32 cannot hold.

        `role` is activation, gradient, weight or evaluation. Tensors of whole numbers or booleans travel as they are.
        """
        if not tensor.is_floating_point():
            return Packed("raw", tuple(tensor.shape), {"values": tensor.detach().cpu()})
        values = tensor.detach().to("cpu", torch.float32).reshape(-1)
        return Packed(self.text, tuple(tensor.shape), *self._pack(values))

    def decode(self, packed: Packed) -> Tensor:
        """The float32 tensor again; CodecError for what `encode` cannot have written, whoever sent it."""
        count = math.prod(packed.shape)
        self._check(packed, count)
        if not count:
            return torch.empty(packed.shape)
        return self._unpack(packed.tensors, packed.numbers, count).view(packed.shape)

    def _check(self, packed: Packed, count: int) -> None:
        if min(packed.shape, default=0) < 0 or count > ELEMENT_LIMIT:
            raise CodecError(f"{packed!r} cannot be decoded: expected sizes ≥ 0, at most {ELEMENT_LIMIT} elements")
        tensors = {name: (dtype, (length,)) for name, (dtype, length) in self._tensors(count).items()}
        got = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in packed.tensors.items()}
        if got != tensors:
            raise CodecError(f"{packed!r} holds {got}: expected {tensors}")
        limits = self._numbers()
        if set(packed.numbers) != set(limits):
            raise CodecError(f"{packed!r} has the numbers {sorted(packed.numbers)}: expected {sorted(limits)}")
        for name, (least, most) in limits.items():
            if not least <= packed.numbers[name] <= most:
                raise CodecError(f"{packed!r} has {name} {packed.numbers[name]}: expected {least} to {most}")
