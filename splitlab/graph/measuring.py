"""Runs what was read, twice and without arithmetic, to learn the shape of every value and the cost of every node."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from ..errors import TraceError

SAMPLES = (13, 29)  # two sizes that no layer has: what scales with them is the batch
REAL_SAMPLES = (2, 3)


@dataclass
class Measured:
    """What one run with so many samples showed, by node."""

    samples: int
    values: dict[fx.Node, Any] = field(default_factory=dict)
    macs: dict[fx.Node, int] = field(default_factory=dict)
    kept: dict[fx.Node, int] = field(default_factory=dict)  # bytes that the backward needs and no node kept before
    writes: dict[fx.Node, frozenset[int]] = field(default_factory=dict)  # storages that it wrote to, in place


def measure(graph: fx.Graph, twin: nn.Module, example: Tensor) -> tuple[Measured, Measured]:
    """The graph run with two batch sizes: on the meta device, or with real tensors where that is not possible.

    Raises `TraceError` when the model cannot take a batch of another size, or an example of this shape.
    """
    try:
        empty = (torch.empty((n, *example.shape[1:]), dtype=example.dtype, device="meta") for n in SAMPLES)
        with _on_meta(twin):
            return _runs(graph, twin, *empty)
    except Exception:  # an operation that has no meta kernel, or looks at values, or really does not work
        rows = (torch.arange(n, device=example.device) % len(example) for n in REAL_SAMPLES)
        with torch.random.fork_rng(devices=[]):
            return _runs(graph, twin, *(example[row] for row in rows))


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors inside a value: one for a tensor, several for what an LSTM gives, none for a number."""
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in tensors_in(item)]
    return [value] if isinstance(value, Tensor) else []


def storage(tensor: Tensor) -> int:
    """The identity of the memory behind a tensor: equal for views of one another, while any of them is alive."""
    return tensor.untyped_storage()._cdata


class _Meter:
    """Counts multiply-adds and the bytes that autograd keeps: `read()` says how many since it was read last."""

    def __init__(self, twin: nn.Module) -> None:
        self._counter = FlopCounterMode(display=False)
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)
        self._known = {storage(tensor) for tensor in itertools.chain(twin.parameters(), twin.buffers())}
        self._alive: list[Any] = []  # or the identity of its memory could be given to another
        self._flops = self._bytes = 0

    def __enter__(self) -> _Meter:
        self._counter.__enter__()
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)
        self._counter.__exit__(*error)

    def read(self) -> tuple[int, int]:
        flops, kept = self._counter.get_total_flops() - self._flops, self._bytes
        self._flops, self._bytes = self._flops + flops, 0
        return flops // 2, kept

    def _keep(self, tensor: Tensor) -> Tensor:
        if storage(tensor) not in self._known:
            self._known.add(storage(tensor))
            self._bytes += tensor.untyped_storage().nbytes()
            self._alive.append(tensor.untyped_storage())
        return tensor


def _runs(graph: fx.Graph, twin: nn.Module, first: Tensor, second: Tensor) -> tuple[Measured, Measured]:
    """Both runs in the twin's own mode; with gradients, since what is kept for the backward is counted, too."""
    with torch.enable_grad():
        with _Meter(twin) as meter:
            measured = _run(graph, twin, first, meter)
        return measured, _run(graph, twin, second)


def _run(graph: fx.Graph, twin: nn.Module, inputs: Tensor, meter: _Meter | None = None) -> Measured:
    measured = Measured(len(inputs))
    for node in graph.nodes:
        if node.op == "output":
            continue
        _step(node, twin, inputs, measured)
        if meter:
            measured.macs[node], measured.kept[node] = meter.read()
    return measured


def _step(node: fx.Node, twin: nn.Module, inputs: Tensor, measured: Measured) -> None:
    values = measured.values
    read = [tensor for source in node.all_input_nodes for tensor in tensors_in(values[source])]
    versions = [tensor._version for tensor in read]
    try:
        values[node] = inputs if node.op == "placeholder" else _compute(node, twin, values, inputs.device)
    except Exception as error:
        raise TraceError(
            f"{node.target} fails on a batch of {len(inputs)} samples of shape {tuple(inputs.shape[1:])}: {error}. "
            "Check the example's shape; if the model works with one batch size only, write `x.shape[0]` for it"
        ) from error
    written = zip(read, versions, strict=True)
    measured.writes[node] = frozenset(storage(tensor) for tensor, version in written if tensor._version != version)


def _compute(node: fx.Node, twin: nn.Module, values: dict[fx.Node, Any], device: torch.device) -> Any:
    args: Any = fx.map_arg(node.args, values.__getitem__)
    kwargs: Any = fx.map_arg(node.kwargs, values.__getitem__)
    if node.op == "call_module":
        module = twin.get_submodule(str(node.target))
        if device.type == "meta" and isinstance(module, _BatchNorm) and args[0].shape[1] == module.num_features:
            module._check_input_dim(args[0])
            return _Normalised.apply(args[0], module.weight)
        return module(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    if node.op == "get_attr":
        value = attrgetter(str(node.target))(twin)
        return value.to(device) if isinstance(value, Tensor) and value.device != device else value
    return node.target(*args, **kwargs)  # type: ignore[operator]


class _Normalised(torch.autograd.Function):
    """Batch norm on the meta device, where PyTorch's own takes 5 ms: of the same shape, and it keeps its input, too."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor | None) -> Tensor:
        context.save_for_backward(inputs)
        return torch.empty_like(inputs)


@contextmanager
def _on_meta(twin: nn.Module) -> Iterator[None]:
    """The twin with all its weights on the meta device, and as it was afterwards."""
    metas: dict[int, Tensor] = {}
    places = [
        (module, name, tensor)
        for module in twin.modules()
        for name, tensor in (*module._parameters.items(), *module._buffers.items())
        if tensor is not None
    ]
    for module, name, tensor in places:
        if id(tensor) not in metas:
            empty = torch.empty_like(tensor, device="meta")
            metas[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if _is_parameter(tensor) else empty
        setattr(module, name, metas[id(tensor)])  # setattr, since an RNN keeps a list of its weights
    try:
        yield
    finally:
        for module, name, tensor in places:
            setattr(module, name, tensor)


def _is_parameter(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter)
