"""How a message becomes bytes: one safetensors byte string, which the safetensors library itself can open.

    8 bytes   the header's length, little-endian
    header    {"__metadata__": {"message": "Forward", "fields": "<JSON>"}, "<tensor>": {dtype, shape, data_offsets}}
    data      the tensors, raw and aligned, the widest dtype first

`layout` knows the bytes, `fields` knows how each field travels. The same message always gives the same bytes.
"""

from __future__ import annotations

from dataclasses import fields

from torch import Tensor

from ..errors import FrameError, unknown
from ..messages import Message
from . import layout
from .fields import KINDS

LIMIT = 1 << 30  # bytes: the weights of the largest network that a class will share, with room to spare
MESSAGES = {kind.__name__: kind for kind in Message.__subclasses__()}


def encode(message: Message) -> bytes:
    """The frame of a message; tensors are copied once. Raises FrameError for a field that is not what it should be."""
    return b"".join(pieces(message))


def pieces(message: Message) -> list[bytes | memoryview]:
    """The same bytes, not joined and not copied: whoever sends them must not write into the message's tensors."""
    return layout.write(*_layout(message))


def size(message: Message) -> int:
    """How many bytes the frame of a message takes; its tensors may be on the meta device, where they take no memory."""
    return layout.size(*_layout(message))


def _layout(message: Message) -> tuple[dict[str, str], dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    stubs = {
        item.name: KINDS[str(item.type)].write(getattr(message, item.name), item.name, tensors)
        for item in fields(message)
    }
    return {"message": type(message).__name__, "fields": layout.dump(stubs)}, tensors


def decode(data: bytes | bytearray | memoryview, limit: int = LIMIT) -> Message:
    """The message of a frame. Its tensors are views on `data`: keep `data` unchanged, and never write into them.

    Raises FrameError for anything but a frame, whatever the bytes, before it allocates more than the header takes.
    """
    metadata, tensors = layout.read(data, limit)
    if sorted(metadata) != ["fields", "message"]:
        raise FrameError(f"__metadata__ has {sorted(metadata)[:5]}: expected message and fields")
    if metadata["message"] not in MESSAGES:
        raise unknown("message", metadata["message"][:50], MESSAGES, FrameError)
    kind = MESSAGES[metadata["message"]]
    stubs, expected = layout.parse(metadata["fields"]), [item.name for item in fields(kind)]
    if list(stubs) != expected:
        raise FrameError(f"{kind.__name__} has the fields {list(stubs)[:20]}: expected {expected}")
    values = {item.name: KINDS[str(item.type)].read(stubs[item.name], item.name, tensors) for item in fields(kind)}
    if tensors:
        raise FrameError(f"{kind.__name__} carries tensors that no field names: {sorted(tensors)[:5]}")
    return kind(**values)
