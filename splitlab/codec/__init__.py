"""How a tensor becomes bytes: `codec(text)` encodes, `decode` turns back, `Encoder` remembers what was left out.

| codec                | bytes a value | 0 | ±infinity                                 | NaN |
|----------------------|--------------:|---|-------------------------------------------|-----|
| float32, bfloat16    |          4, 2 | 0 | ±infinity                                 | NaN |
| float16              |             2 | 0 | ±65504, as anything beyond                | NaN |
| float8_e4m3fn, _e5m2 |             1 | 0 | ±the tensor's largest finite magnitude    | NaN |
| int8                 |             1 | 0 | ±the tensor's largest finite magnitude    | 0   |
| float8(e, m, bias)   |             1 | 0 | ±the format's largest, as anything beyond | 0   |
| topk(fraction)       |    8·fraction | 0 | ±float32's largest                        | 0   |

Each class says how large its error can be. Whole numbers and booleans travel as they are, as `raw`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..call import parse
from ..errors import CodecError, PlanError, unknown
from ..messages import Packed
from .contract import Codec
from .minifloat import Float8
from .plain import Plain
from .scaled import Scaled
from .topk import TopK

CODECS: dict[str, Callable[..., Codec]] = {
    "float32": lambda: Plain("float32", torch.float32),
    "float16": lambda: Plain("float16", torch.float16),
    "bfloat16": lambda: Plain("bfloat16", torch.bfloat16),
    "float8_e4m3fn": lambda: Scaled("float8_e4m3fn", torch.float8_e4m3fn, 448.0),
    "float8_e5m2": lambda: Scaled("float8_e5m2", torch.float8_e5m2, 57344.0),
    "int8": lambda: Scaled("int8", torch.int8, 127.0),
    "float8": Float8,
    "topk": TopK,
}


@lru_cache(maxsize=64)
def codec(text: str) -> Codec:
    """The codec that a text names, such as `float8_e4m3fn`, `float8(4, 3, 7)` or `topk(0.05)`; raises CodecError.

    >>> codec("float8_e4m3fn").size((64, 3, 32, 32))
    196608
    """
    try:
        call = parse(text)
    except PlanError as error:
        raise CodecError(str(error)) from None
    if call.name not in CODECS:
        raise unknown("codec", call.name, CODECS, CodecError)
    try:
        return CODECS[call.name](*call.args, **call.kwargs)
    except TypeError as error:
        raise CodecError(f"codec {text!r} has the wrong arguments: {error}") from None


def decode(packed: Packed) -> Tensor:
    """The tensor again, as float32 (`raw`: in its own dtype); CodecError for what no codec can have written."""
    if packed.codec != "raw":
        return codec(packed.codec).decode(packed)
    tensor = packed.tensors.get("values")
    if len(packed.tensors) != 1 or tensor is None or tensor.is_floating_point() or tensor.shape != packed.shape:
        raise CodecError(f"{packed!r} is inconsistent: expected one tensor of whole numbers or booleans, of its shape")
    return tensor


class Encoder:
    """Encodes one stream of tensors: what a codec with error feedback leaves out is added to the stream's next tensor.

    One per direction and peer. What is left out is kept per position, and dropped when the shape changes.
    """

    def __init__(self, text: str) -> None:
        self.codec = codec(text)
        self._left: dict[int, Tensor] = {}

    def __repr__(self) -> str:
        return f"Encoder({self.text!r})"

    @property
    def text(self) -> str:
        """The codec's text."""
        return self.codec.text

    def encode(self, tensors: Sequence[Tensor], role: str = "activation") -> tuple[Packed, ...]:
        """Pack all tensors of one step; the role evaluation neither uses nor changes what was left out."""
        if not self.codec.feedback or role == "evaluation":
            return tuple(self.codec.encode(tensor, role) for tensor in tensors)
        return tuple(self._with_feedback(position, tensor, role) for position, tensor in enumerate(tensors))

    def _with_feedback(self, position: int, tensor: Tensor, role: str) -> Packed:
        if not tensor.is_floating_point():
            return self.codec.encode(tensor, role)
        total = tensor.detach().to("cpu", torch.float32).nan_to_num()
        left = self._left.get(position)
        if left is not None and left.shape == total.shape:
            total = (total + left).nan_to_num()
        packed = self.codec.encode(total, role)
        self._left[position] = total - self.codec.decode(packed)
        return packed
