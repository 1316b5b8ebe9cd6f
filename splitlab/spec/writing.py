"""Writes a part down as plain data."""

from __future__ import annotations

import base64
from typing import Any

import torch
from torch import Tensor

from ..errors import SpecError
from ..part import Operation, Part
from .allowed import METHODS, name_of
from .arguments import encode
from .modules import describe

REMEDY = "use an operation of torch.nn that is on the list (splitlab.spec.allowed)"


def data_of(part: Part) -> dict[str, Any]:
    """Everything about a part but its weights; `SpecError` naming the operation that cannot travel."""
    parameters, buffers = dict(part.named_parameters()), dict(part.named_buffers())
    paths = dict.fromkeys(path for step in part.operations for path in step.weights)
    weights = {path: parameters.get(path, buffers.get(path)) for path in paths if path not in part.constants}
    return {
        "splitlab": 1,
        "inputs": list(part.inputs),
        "outputs": list(part.outputs),
        "operations": [_operation(step) for step in part.operations],
        "modules": _modules(part),
        "weights": {path: _weight(tensor) for path, tensor in weights.items() if tensor is not None},
        "constants": {path: _constant(buffers[path]) for path in part.constants},
        "frozen": [path for path, parameter in parameters.items() if not parameter.requires_grad],
        "clones": list(part.clones),
        "sizes": None if part.sizes is None else [list(size) for size in part.sizes],
    }


def _operation(step: Operation) -> dict[str, Any]:
    try:
        data = {"name": step.name, "kind": step.kind, "target": _target(step), "args": [encode(a) for a in step.args]}
        return data | ({"kwargs": {key: encode(value) for key, value in step.kwargs.items()}} if step.kwargs else {})
    except SpecError as error:
        raise SpecError(f"operation {step.name!r} cannot travel to another machine: {error}. {REMEDY}") from None


def _target(step: Operation) -> str:
    if isinstance(step.target, str):
        if step.kind == "method" and step.target not in METHODS:
            raise SpecError(f"the method {step.target!r} is not on the list of methods")
        return step.target
    name = name_of(step)
    if name is None:
        place = getattr(step.target, "__module__", "?")
        raise SpecError(f"{place}.{step.verb} is not on the list of functions")
    return name


def _modules(part: Part) -> dict[str, Any]:
    found = {}
    for path in dict.fromkeys(str(step.target) for step in part.operations if step.kind == "module"):
        try:
            name, arguments = describe(part.module(path))
            found[path] = {"type": name, "arguments": {word: encode(value) for word, value in arguments.items()}}
        except SpecError as error:
            raise SpecError(f"module {path!r} cannot travel to another machine: {error}. {REMEDY}") from None
    return found


def _weight(tensor: Tensor) -> dict[str, Any]:
    kind = "parameter" if isinstance(tensor, torch.nn.Parameter) else "buffer"
    return {"kind": kind, "shape": list(tensor.shape), "dtype": encode(tensor.dtype)["dtype"]}


def _constant(tensor: Tensor) -> dict[str, Any]:
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return _weight(tensor) | {"data": base64.b64encode(raw).decode()}
