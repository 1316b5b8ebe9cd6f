"""Makes a part from plain data that nobody vouches for: every name, size and reference is checked first."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SpecError, unknown
from ..part import Operation, Part, Ref, Weight, leaves
from .allowed import FUNCTIONS, METHODS, VISION, fits, function
from .arguments import DTYPES, decode
from .modules import build

OPERATIONS = 20_000
ELEMENTS = 1_000_000_000  # numbers that all weights together may have
NAME_LENGTH = 300
FIELDS = {"splitlab", "inputs", "outputs", "operations", "modules", "weights", "constants", "frozen", "clones", "sizes"}


def part_from(data: Any) -> Part:
    """The part that plain data describes, with zeros for weights; `SpecError` that says what is wrong."""
    _check(isinstance(data, dict) and set(data) == FIELDS, f"a spec is an object of {', '.join(sorted(FIELDS))}")
    _check(data["splitlab"] == 1, f"this spec is of version {data['splitlab']!r}, and only version 1 is known")
    inputs, outputs = _names(data["inputs"], "inputs"), _names(data["outputs"], "outputs")
    _check(len(inputs) > 0 < len(outputs), "a part has at least one input and one output")
    modules = _modules(data["modules"])
    weights = {_name(path): _weight(item) for path, item in _object(data["weights"], "weights").items()}
    _check_size(modules, weights)
    constants = {_name(path): _constant(item) for path, item in _object(data["constants"], "constants").items()}
    operations = _operations(data["operations"], inputs, modules, {*weights, *constants})
    made = {*inputs, *(step.name for step in operations)}
    _check(made.issuperset(outputs), f"no operation gives the outputs {sorted(set(outputs) - made)}")
    clones = _names(data["clones"], "clones")
    _check(set(inputs).issuperset(clones), "only inputs can be cloned")
    part = Part(operations, inputs, outputs, modules, weights, constants, clones, _sizes(data["sizes"], len(inputs)))
    _check_weights(part, weights | constants)
    _freeze(part, _names(data["frozen"], "frozen"))
    # torch.zeros, since zeros_like on the meta device imports sympy: half a second in every new kernel
    return part._apply(lambda tensor: torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor)


def _operations(data: Any, inputs: list[str], modules: Mapping[str, nn.Module], weights: set[str]) -> list[Operation]:
    _check(isinstance(data, list) and len(data) <= OPERATIONS, f"operations are a list of at most {OPERATIONS}")
    known, steps = set(inputs), []
    for item in data:
        _check(isinstance(item, dict) and {"name", "kind", "target", "args"} <= set(item), "an operation lacks a key")
        name = _name(item["name"])
        _check(name not in known, f"the name {name!r} is given twice")
        try:
            step = _operation(name, item, modules)
            missing = [ref for ref in step.reads if ref not in known] + [w for w in step.weights if w not in weights]
            _check(not missing, f"it reads {missing}, which nothing before it gives")
            _check(bool(step.reads or step.weights), "it reads no value and no weight")
        except SpecError as error:
            raise SpecError(f"operation {name!r}: {error}") from None
        known.add(name)
        steps.append(step)
    return steps


def _operation(name: str, item: Mapping[str, Any], modules: Mapping[str, nn.Module]) -> Operation:
    kind, target = item["kind"], item["target"]
    args = decode(item["args"])
    _check(isinstance(args, list), "args is a list")
    kwargs = {key: decode(value) for key, value in _object(item.get("kwargs", {}), "kwargs").items()}
    _check(set(item) <= {"name", "kind", "target", "args", "kwargs"}, f"it has the unknown keys {sorted(item)}")
    _check(isinstance(target, str), "its target is a name")
    step = Operation(name, kind, _target(kind, target, modules), tuple(args), kwargs)
    if kind == "method":
        _check(bool(args) and isinstance(args[0], Ref | Weight), "a method is called on a value")
    else:
        callee: Any = modules[target].forward if kind == "module" else step.target
        _check(fits(callee, step), f"{step.verb} cannot be called with these arguments")
    return step


def _target(kind: Any, target: str, modules: Mapping[str, nn.Module]) -> Any:
    if kind == "function":
        found = function(target)
        if found is None:
            raise unknown("function", target, [*VISION, *FUNCTIONS], SpecError)
        return found
    known: Any = {"module": modules, "method": METHODS}.get(kind) if isinstance(kind, str) else None
    _check(known is not None, f"its kind is {kind!r}, expected module, method or function")
    if target not in known:
        raise unknown(kind, target, known, SpecError)
    return target


def _modules(data: Any) -> dict[str, nn.Module]:
    modules = {}
    for path, item in _object(data, "modules").items():
        try:
            _check(isinstance(item, dict) and set(item) == {"type", "arguments"}, "it has a type and arguments")
            arguments = {key: decode(value) for key, value in _object(item["arguments"], "arguments").items()}
            literal = not any(isinstance(leaf, Ref | Weight) for leaf in leaves(arguments))
            _check(literal and isinstance(item["type"], str), "it is not made from literals")
            modules[_name(path)] = build(item["type"], arguments)
        except SpecError as error:
            raise SpecError(f"module {path!r}: {error}") from None
    return modules


def _weight(data: Any) -> Tensor:
    """A parameter or buffer on the meta device."""
    _check(isinstance(data, dict) and {"kind", "shape", "dtype"} <= set(data), "a weight has kind, shape and dtype")
    shape, dtype = data["shape"], DTYPES.get(data["dtype"]) if isinstance(data["dtype"], str) else None
    _check(dtype is not None, f"there is no dtype {data['dtype']!r}")
    _check(data["kind"] in ("parameter", "buffer"), f"there is no kind of weight {data['kind']!r}")
    elements = math.prod(_size(shape))
    _check(elements <= ELEMENTS, f"a weight of shape {shape} has more than {ELEMENTS:,} numbers")
    tensor = torch.empty(shape, dtype=dtype, device="meta")
    if data["kind"] == "buffer":
        return tensor
    _check(tensor.is_floating_point(), "a parameter has a floating-point dtype")
    return nn.Parameter(tensor)


def _constant(data: Any) -> Tensor:
    empty = _weight(data)
    try:
        raw = bytearray(base64.b64decode(data["data"], validate=True))
    except (KeyError, TypeError, ValueError):
        raise SpecError("a constant has its data in base64") from None
    _check(len(raw) == empty.numel() * empty.element_size(), f"a constant of {empty.shape} has {len(raw)} bytes")
    flat = torch.frombuffer(raw, dtype=empty.dtype) if raw else torch.empty(0, dtype=empty.dtype)
    return flat.reshape(empty.shape)


def _check_size(modules: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Whether there is room for all weights; nothing has memory yet."""
    held = [tensor for module in modules.values() for tensor in itertools.chain(module.parameters(), module.buffers())]
    elements = sum(tensor.numel() for tensor in (*held, *weights.values()))
    _check(elements <= ELEMENTS, f"the weights have {elements:,} numbers, and at most {ELEMENTS:,} are allowed")


def _check_weights(part: Part, weights: Mapping[str, Tensor]) -> None:
    """Whether a weight that a module has, too, is the same in both."""
    held = dict(itertools.chain(part.named_parameters(), part.named_buffers()))
    for path, tensor in weights.items():
        _check(path in held and held[path].shape == tensor.shape, f"the weight {path!r} contradicts a module")


def _freeze(part: Part, paths: list[str]) -> None:
    parameters = dict(part.named_parameters())
    for path in paths:
        _check(path in parameters, f"there is no parameter {path!r} to freeze")
        parameters[path].requires_grad_(False)


def _sizes(data: Any, inputs: int) -> list[tuple[int, ...]] | None:
    if data is None:
        return None
    _check(isinstance(data, list) and len(data) == inputs, "sizes has one shape for each input")
    return [_size(shape) for shape in data]


def _size(data: Any) -> tuple[int, ...]:
    whole = isinstance(data, list) and all(type(size) is int and 0 <= size <= ELEMENTS for size in data)
    _check(whole and len(data) <= 16, f"{str(data)[:80]} is not a shape")
    return tuple(data)


def _names(data: Any, what: str) -> list[str]:
    _check(isinstance(data, list) and len(data) <= OPERATIONS, f"{what} is a list of names")
    names = [_name(name) for name in data]
    _check(len(set(names)) == len(names), f"{what} names something twice")
    return names


def _name(data: Any) -> str:
    proper = isinstance(data, str) and len(data) <= NAME_LENGTH and data.isprintable() and all(data.split("."))
    _check(proper, f"{str(data)[:80]!r} is not a name")
    return str(data)


def _object(data: Any, what: str) -> dict[str, Any]:
    _check(isinstance(data, dict), f"{what} is an object")
    return dict(data)


def _check(truth: bool, message: str) -> None:
    if not truth:
        raise SpecError(message)
