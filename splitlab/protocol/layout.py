"""One safetensors byte string: header length, JSON header, raw tensors; all is checked before any of it is used."""

from __future__ import annotations

import json
import math
import reprlib
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import FrameError

HEADER_LIMIT = 16 << 20  # bytes: a Welcome carries the specs of its parts, several MB for a large network
ITEM_LIMIT = 1 << 20  # values in one header: what a header of 16 MiB could hold would take 100 times that in memory
SHAPE_LIMIT = 1 << 48  # elements: far from where torch's own arithmetic would overflow
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}

# Received tensors are views on received bytes, and nobody writes into them. torch warns of that once per process: now.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.frombuffer(b"\0", dtype=torch.uint8)


def write(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> list[bytes | memoryview]:
    """One safetensors byte string in pieces: a header, and the tensors' own memory, the widest dtype first, by name."""
    text, ordered = _header(metadata, tensors)
    parts = [tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data for tensor in ordered]
    return [len(text).to_bytes(8, "little") + text, *parts]


def size(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> int:
    """How many bytes `write` would write; the tensors may be on the meta device."""
    text, ordered = _header(metadata, tensors)
    return 8 + len(text) + sum(tensor.nbytes for tensor in ordered)


def _header(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> tuple[bytes, list[Tensor]]:
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    ordered: list[Tensor] = []
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        if tensor.dtype not in _NAMES:
            raise wrong(f"the dtype of {name}", tensor.dtype, " ".join(DTYPES))
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        ordered.append(tensor)
    text = dump(header).encode()
    return text + b" " * (-len(text) % 8), ordered


def read(data: bytes | bytearray | memoryview, limit: int) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors, as views on `data`; FrameError for anything that `write` cannot have written."""
    view = memoryview(data).cast("B")
    if not 8 <= len(view) <= limit:
        raise wrong("a frame's size", len(view), f"8 to {limit} bytes")
    body = 8 + int.from_bytes(view[:8], "little")
    if body % 8 or body > min(len(view), 8 + HEADER_LIMIT):
        raise wrong("a header's length", body - 8, f"a multiple of 8 within the frame, at most {HEADER_LIMIT}")
    header = parse(view[8:body].tobytes())
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise wrong("__metadata__", metadata, "an object of strings")
    return metadata, _tensors(header, view, body)


def dump(value: Any) -> str:
    """Strict JSON in the fewest characters, as JavaScript's `JSON.stringify` writes it."""
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()  # half a surrogate pair is no text
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"this cannot travel as JSON: {error}; expected plain values and finite numbers") from None
    return text


def parse(text: bytes | str) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, no key twice, no NaN, whole numbers that JavaScript can hold."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        if sum(map(raw.count, (b"[", b"{", b","))) > ITEM_LIMIT:
            raise wrong("the size of a JSON text", len(raw), f"at most {ITEM_LIMIT} values")
        value = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise FrameError(f"malformed JSON in a frame: {error}") from None
    if not isinstance(value, dict):
        raise wrong("a JSON text", value, "an object")
    return value


def shape(name: str, value: Any) -> tuple[int, ...]:
    """A tensor's shape from JSON, or FrameError."""
    if not isinstance(value, list) or len(value) > 16 or any(type(size) is not int or size < 0 for size in value):
        raise wrong(f"the shape of {name}", value, "up to 16 sizes, none negative")
    if math.prod(max(size, 1) for size in value) > SHAPE_LIMIT:
        raise wrong(f"the shape of {name}", value, f"at most {SHAPE_LIMIT} elements")
    return tuple(value)


def wrong(what: str, value: object, expected: str) -> FrameError:
    """The error for something that was received, or is to be sent, and is not what it should be."""
    return FrameError(f"{what} is {reprlib.repr(value)}: expected {expected}")


def _tensors(header: dict[str, Any], view: memoryview, body: int) -> dict[str, Tensor]:
    spans, end = {}, 0
    for name, entry in header.items():
        spans[name] = _span(name, entry, end)
        end = spans[name][3]
    if body + end != len(view):
        raise wrong("the size of all tensors", end, f"{len(view) - body} bytes, as many as there are")
    raw = torch.frombuffer(view, dtype=torch.uint8, offset=body) if end else torch.empty(0, dtype=torch.uint8)
    return {name: _view(name, raw, *span) for name, span in spans.items()}


def _span(name: str, entry: Any, start: int) -> tuple[torch.dtype, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or sorted(entry) != ["data_offsets", "dtype", "shape"]:
        raise wrong(f"the entry of {name}", entry, "dtype, shape and data_offsets")
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise wrong(f"the dtype of {name}", entry["dtype"], " ".join(DTYPES))
    sizes = shape(name, entry["shape"])
    end = start + math.prod(sizes) * dtype.itemsize
    if entry["data_offsets"] != [start, end] or start % dtype.itemsize:
        raise wrong(f"the offsets of {name}", entry["data_offsets"], f"{[start, end]}, aligned to {dtype.itemsize}")
    return dtype, sizes, start, end


def _view(name: str, raw: Tensor, dtype: torch.dtype, sizes: tuple[int, ...], start: int, end: int) -> Tensor:
    piece = raw[start:end]
    if dtype == torch.bool and end > start and int(piece.max()) > 1:
        raise wrong(f"the largest value of {name}", int(piece.max()), "0 or 1")
    return piece.view(dtype).view(sizes)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(known := dict(pairs)) != len(pairs):
        raise wrong("the keys of an object", [key for key, _ in pairs], "every key once")
    return known


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= 1 << 53:
        raise wrong("a whole number", text, "less than 2**53")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise wrong("a number", text, "one that a double can hold")
    return value


def _constant(text: str) -> None:
    raise wrong("a number", text, 'strict JSON, in which it is written "nan", "inf" or "-inf"')


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole, parse_float=_finite, parse_constant=_constant)
