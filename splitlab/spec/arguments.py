"""An operation's arguments as JSON, and back: literals as they are, everything else as a dict with one key.

`{"value": name}` is what another operation gave, `{"weight": path}` a weight of the part, `{"batch": n}` n times the
number of samples, `{"train": a, "evaluate": b}` a constant by mode; `tuple`, `slice`, `dtype`, `float` (inf, -inf, nan)
and `ellipsis` are what JSON lacks.
"""

from __future__ import annotations

import math
from types import EllipsisType
from typing import Any

import torch

from ..errors import SpecError
from ..part import Batch, ByMode, Ref, Weight

_DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool"
DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in _DTYPES.split()}
NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
DEPTH = 16
WORDS = frozenset(("value", "weight", "batch", "tuple", "slice", "dtype", "float", "ellipsis"))


def encode(argument: Any) -> Any:
    """The argument as JSON; `SpecError` for what is neither a literal nor one of ours."""
    match argument:
        case None | bool() | str():
            return argument
        case int() | float():
            return argument if math.isfinite(argument) else {"float": str(argument)}
        case list():
            return [encode(item) for item in argument]
        case tuple():
            return {"tuple": [encode(item) for item in argument]}
        case slice():
            return {"slice": [encode(item) for item in (argument.start, argument.stop, argument.step)]}
        case Ref():
            return {"value": argument.name}
        case Weight():
            return {"weight": argument.path}
        case Batch():
            return {"batch": argument.times}
        case ByMode():
            return {"train": encode(argument.train), "evaluate": encode(argument.evaluate)}
        case torch.dtype():
            return {"dtype": str(argument).removeprefix("torch.")}
        case EllipsisType():
            return {"ellipsis": True}
    raise SpecError(f"an argument of type {type(argument).__name__} cannot travel, only literals can")


def decode(data: Any, depth: int = 0) -> Any:
    """The argument from JSON; `SpecError` for anything that `encode` does not write."""
    if depth > DEPTH:
        raise SpecError(f"arguments are nested more than {DEPTH} deep")
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list):
        return [decode(item, depth + 1) for item in data]
    if isinstance(data, dict) and data.keys() == {"train", "evaluate"}:
        return ByMode(*(decode(data[mode], depth + 1) for mode in ("train", "evaluate")))
    if not isinstance(data, dict) or len(data) != 1 or not data.keys() <= WORDS:
        raise SpecError(f"{_brief(data)} is not an argument: expected a literal, or one of {', '.join(sorted(WORDS))}")
    ((word, inner),) = data.items()
    match word, inner:
        case "value", str():
            return Ref(inner)
        case "weight", str():
            return Weight(inner)
        case "batch", int() if not isinstance(inner, bool) and inner > 0:
            return Batch(inner)
        case "tuple", list():
            return tuple(decode(item, depth + 1) for item in inner)
        case "slice", [_, _, _]:
            return slice(*(decode(item, depth + 1) for item in inner))
        case "dtype", str() if inner in DTYPES:
            return DTYPES[inner]
        case "float", str() if inner in NOT_FINITE:
            return NOT_FINITE[inner]
        case "ellipsis", True:
            return ...
    raise SpecError(f"{_brief(data)} is not an argument")


def _brief(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 80 else f"{text[:80]}…"
