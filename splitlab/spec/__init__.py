"""A part as text: a list of operations from an allow-list, so that no device ever runs code that it was sent.

Reading a text looks names up in tables and checks every size before memory is taken; it imports and evaluates nothing.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from ..errors import SpecError
from ..part import Part
from .reading import part_from
from .writing import data_of

__all__ = ["dump", "load", "read", "save"]
TEXT_BYTES = 4 << 20
KEY = "splitlab"  # of the text in a safetensors file's metadata


def dump(part: Part) -> str:
    """The part as JSON, without its weights; `SpecError` naming the operation that is not on the list."""
    text = json.dumps(data_of(part), separators=(",", ":"), allow_nan=False)
    if len(text) > TEXT_BYTES:
        raise SpecError(f"the spec has {len(text)} characters, and at most {TEXT_BYTES} may travel: cut earlier")
    return text


def load(text: str) -> Part:
    """The part that a text describes, with zeros for weights (`load_state_dict` brings them); else `SpecError`."""
    if not isinstance(text, str) or len(text) > TEXT_BYTES:
        raise SpecError(f"a spec is a text of at most {TEXT_BYTES} characters")
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"this is no spec: {error}") from None
    return part_from(data)


def save(part: Part) -> bytes:
    """Spec and weights in one safetensors file: the text is its metadata, and any safetensors reader can open it."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in part.state_dict().items()}
    return safetensors.torch.save(tensors, {KEY: dump(part)})


def read(blob: bytes) -> Part:
    """The part that `save` wrote, weights and all; `SpecError` for anything else."""
    part = load(_text_in(blob))
    try:
        part.load_state_dict(safetensors.torch.load(blob))
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise SpecError(f"the weights are not those of the part: {error}") from None
    return part


def _text_in(blob: bytes) -> str:
    try:
        (size,) = struct.unpack_from("<Q", blob)
        if size > 2 * TEXT_BYTES:
            raise SpecError(f"the header has {size} bytes, and at most {2 * TEXT_BYTES} are read")
        return str(json.loads(blob[8 : 8 + size])["__metadata__"][KEY])
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpecError(f"this is no safetensors file with a spec in it: {error!r}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise SpecError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise SpecError(f"{name} is not JSON")
