"""How a field of a message travels: one table, from the annotation in the dataclass to a writer and a reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ..messages import Packed
from .layout import shape, wrong

Tensors = dict[str, Tensor]
Convert = Callable[[Any, str, Tensors], Any]


class Kind(NamedTuple):
    """`write(value, name, tensors)` gives JSON and puts tensors aside; `read(json, name, tensors)` takes them out."""

    write: Convert
    read: Convert


def _is(kind: type, value: Any, name: str) -> Any:
    if type(value) is not kind:  # a bool is no int here
        raise wrong(name, value, f"a {kind.__name__}")
    return value


def _plain(kind: type) -> Kind:
    def same(value: Any, name: str, tensors: Tensors) -> Any:
        return _is(kind, value, name)

    return Kind(same, same)


def _write_int(value: Any, name: str, tensors: Tensors) -> int:
    if type(value) is not int or abs(value) >= 1 << 53:
        raise wrong(name, value, "an int less than 2**53, which JavaScript can hold")
    return value


def _write_float(value: Any, name: str, tensors: Tensors) -> float | int | str:
    """As JavaScript writes it (2.0 is `2`); what JSON cannot say travels as "nan", "inf" or "-inf"."""
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise wrong(name, value, "a number")
    if not math.isfinite(value):
        return str(float(value))
    return int(value) if value == int(value) and abs(value) < 1 << 53 else float(value)


def _read_float(value: Any, name: str, tensors: Tensors) -> float:
    if value in ("nan", "inf", "-inf") or type(value) in (int, float):
        return float(value)
    raise wrong(name, value, "a number")


def _write_numbers(value: Any, name: str, tensors: Tensors) -> dict[str, Any]:
    return {str(key): _write_float(item, f"{name}.{key}", tensors) for key, item in value.items()}


def _read_numbers(value: Any, name: str, tensors: Tensors) -> dict[str, float]:
    return {key: _read_float(item, f"{name}.{key}", tensors) for key, item in _is(dict, value, name).items()}


def _write_json(value: Any, name: str, tensors: Tensors) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(name, value, "a mapping")
    return dict(value)


def _read_json(value: Any, name: str, tensors: Tensors) -> dict[str, Any]:
    _shallow(_is(dict, value, name), name)
    return value


def _shallow(value: Any, name: str, levels: int = 16) -> None:
    if not levels:
        raise wrong(name, value, "values that are not nested more than 16 deep")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shallow(item, name, levels - 1)


def _put(value: Any, name: str, tensors: Tensors) -> None:
    if not isinstance(value, Tensor):
        raise wrong(name, value, "a tensor")
    tensors[name] = value


def _take(name: str, tensors: Tensors) -> Tensor:
    if name not in tensors:
        raise wrong(name, None, "a tensor in the frame")
    return tensors.pop(name)


def _write_optional(value: Any, name: str, tensors: Tensors) -> bool:
    if value is not None:
        _put(value, name, tensors)
    return value is not None


def _read_optional(value: Any, name: str, tensors: Tensors) -> Tensor | None:
    return _take(name, tensors) if _is(bool, value, name) else None


def _write_tensors(value: Any, name: str, tensors: Tensors) -> list[str]:
    for key, item in value.items():
        _put(item, f"{name}.{key}", tensors)
    return list(value)


def _read_tensors(value: Any, name: str, tensors: Tensors) -> dict[str, Tensor]:
    return {_is(str, key, name): _take(f"{name}.{key}", tensors) for key in _is(list, value, name)}


def _write_packed(value: Any, name: str, tensors: Tensors) -> list[dict[str, Any]]:
    return [
        {
            "codec": item.codec,
            "shape": list(item.shape),
            "tensors": _write_tensors(item.tensors, f"{name}.{index}", tensors),
            "numbers": _write_numbers(item.numbers, f"{name}.{index}", tensors),
        }
        for index, item in enumerate(value)
    ]


def _read_packed(value: Any, name: str, tensors: Tensors) -> tuple[Packed, ...]:
    return tuple(_read_one(item, f"{name}.{index}", tensors) for index, item in enumerate(_is(list, value, name)))


def _read_one(value: Any, name: str, tensors: Tensors) -> Packed:
    if not isinstance(value, dict) or list(value) != ["codec", "shape", "tensors", "numbers"]:
        raise wrong(name, value, "codec, shape, tensors and numbers")
    return Packed(
        _is(str, value["codec"], name),
        shape(name, value["shape"]),
        _read_tensors(value["tensors"], name, tensors),
        _read_numbers(value["numbers"], name, tensors),
    )


def _write_cell(value: Any, name: str, tensors: Tensors) -> Any:
    """A row's value: a number, or a setting or state as text, true, false or null; so NaN is an object, not a text."""
    if value is None or isinstance(value, str | bool):
        return value
    number = _write_float(value, name, tensors)
    return {"float": number} if isinstance(number, str) else number


def _read_cell(value: Any, name: str, tensors: Tensors) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    return _read_float(value.get("float") if isinstance(value, dict) else value, name, tensors)


def _rows(time: Convert, cell: Convert, kind: type) -> Convert:
    """A converter of rows `(time, client, epoch, step, name, value, unit)`, from the columns that need converting."""
    whole, text = _write_int, _plain(str).read
    columns = (time, whole, whole, whole, text, cell, text)

    def row(value: Any, name: str, tensors: Tensors) -> Any:
        if not isinstance(value, tuple | list) or len(value) != len(columns):
            raise wrong(name, value, "rows (time, client, epoch, step, name, value, unit)")
        return kind(column(item, name, tensors) for column, item in zip(columns, value, strict=True))

    def rows(value: Any, name: str, tensors: Tensors) -> Any:
        if not isinstance(value, tuple | list):
            raise wrong(name, value, "rows")
        return kind(row(item, name, tensors) for item in value)

    return rows


KINDS: dict[str, Kind] = {
    "int": Kind(_write_int, _write_int),
    "float": Kind(_write_float, _read_float),
    "str": _plain(str),
    "bool": _plain(bool),
    "Tensor | None": Kind(_write_optional, _read_optional),
    "Mapping[str, Tensor]": Kind(_write_tensors, _read_tensors),
    "Mapping[str, float]": Kind(_write_numbers, _read_numbers),
    "Mapping[str, Any]": Kind(_write_json, _read_json),
    "tuple[Packed, ...]": Kind(_write_packed, _read_packed),
    "tuple[tuple[Any, ...], ...]": Kind(_rows(_write_float, _write_cell, list), _rows(_read_float, _read_cell, tuple)),
}
