"""Turns fx nodes and what they measured into the graph's nodes: named operations with no size left to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..errors import TraceError
from ..part import Batch, Operation, Ref, Weight, leaves, rebuild
from .measuring import Measured, storage, tensors_in
from .naming import base_name, unique_names

SIZES = frozenset(("shape", "ndim", "dtype", "size", "dim", "ndimension", "numel"))  # what is about the shape alone
UNKNOWN = object()


@dataclass(frozen=True, repr=False)
class Node:
    """An operation, with what is known of the value that it gives and what it costs per sample.

    `shape` is one sample's, or None when the value is not a tensor with the batch in front; `dtype` is None when it is
    no tensor at all. `weights` names the parameters and buffers in use; `kept_bytes` is what the backward needs of it.
    """

    operation: Operation
    label: str
    shape: tuple[int, ...] | None
    dtype: torch.dtype | None
    macs: int
    kept_bytes: int
    weights: tuple[str, ...]
    learned: bool  # it depends on a parameter
    memory: frozenset[int]  # where its tensors lie: views of one another share it
    writes: frozenset[int]  # memory that it changes, in place

    @property
    def name(self) -> str:
        """The operation's name, which is the name of the cut after it."""
        return self.operation.name

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the nodes (or the input) that it reads."""
        return self.operation.reads

    def __repr__(self) -> str:
        return f"{self.name}: {self.label} → {'x'.join(map(str, self.shape)) if self.shape is not None else '?'}"


class Reading:
    """What was read and measured, on its way to nodes.

    `nodes` run in their order, from the value `input` to the value `output`. `parameters` says how many numbers each
    parameter has, `constants` holds tensors that are neither parameters nor buffers, and `fixed` is whether a number
    in an operation was a size of the example.
    """

    def __init__(
        self, graph: fx.Graph, twin: nn.Module, runs: tuple[Measured, Measured], by_mode: Mapping[fx.Node, Any]
    ) -> None:
        self._twin, self._runs = twin, runs
        self.parameters = {name: parameter.numel() for name, parameter in twin.named_parameters()}
        self._names = {id(tensor): name for name, tensor in (*twin.named_parameters(), *twin.named_buffers())}
        self._writes = {node: run_writes | self._announced(node) for node, run_writes in runs[0].writes.items()}
        sizes = _sizes(graph, runs)
        steps = _needed(graph, sizes, self._writes)
        source = next(node for node in graph.nodes if node.op == "placeholder")
        self.input, names = unique_names(str(source.target), [base_name(step) for step in steps])
        known = {node: Weight(str(node.target)) for node in graph.nodes if node.op == "get_attr"}
        self._known = known | sizes | {source: Ref(self.input)} | dict(zip(steps, map(Ref, names), strict=True))
        self.input_memory = frozenset(storage(tensor) for tensor in tensors_in(runs[0].values[source]))
        self.nodes = self._nodes(steps, names, by_mode)
        self.output = self._result(graph)
        used = {leaf for step in steps for leaf in step.all_input_nodes if leaf in sizes}
        self.fixed = any(type(leaf) is int for node in used for leaf in leaves(sizes[node]))
        paths = {path for node in self.nodes for path in node.operation.weights}
        found = {path: attrgetter(path)(twin) for path in sorted(paths)}
        self.constants = {path: tensor for path, tensor in found.items() if id(tensor) not in self._names}

    def _nodes(self, steps: list[fx.Node], names: list[str], by_mode: Mapping[fx.Node, Any]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        learned: set[str] = set()
        for step, name in zip(steps, names, strict=True):
            given = rebuild(by_mode.get(step, (step.args, step.kwargs)), self._argument)
            operation = Operation(name, step.op.removeprefix("call_"), step.target, *given)
            weights = self._weights(operation)
            if not learned.isdisjoint(operation.reads) or not self.parameters.keys().isdisjoint(weights):
                learned.add(name)
            nodes.append(self._node(step, operation, weights, name in learned))
        return tuple(nodes)

    def _argument(self, leaf: Any) -> Any:
        return self._known[leaf] if isinstance(leaf, fx.Node) else leaf

    def _node(self, step: fx.Node, operation: Operation, weights: tuple[str, ...], learned: bool) -> Node:
        first, second = self._runs
        value = first.values[step]
        module = self._twin.get_submodule(str(step.target)) if step.op == "call_module" else None
        return Node(
            operation,
            label=type(module).__name__ if module is not None else operation.verb,
            shape=_sample_shape(value, second.values[step], first.samples, second.samples),
            dtype=value.dtype if isinstance(value, Tensor) else None,
            macs=first.macs[step] // first.samples,
            kept_bytes=first.kept[step] // first.samples,
            weights=weights,
            learned=learned,
            memory=frozenset(storage(tensor) for tensor in tensors_in(value)),
            writes=self._writes[step],
        )

    def _weights(self, operation: Operation) -> tuple[str, ...]:
        tensors = [attrgetter(path)(self._twin) for path in operation.weights]
        if operation.kind == "module":
            module = self._twin.get_submodule(str(operation.target))
            tensors += [*module.parameters(), *module.buffers()]
        return tuple(dict.fromkeys(self._names[id(tensor)] for tensor in tensors if id(tensor) in self._names))

    def _announced(self, node: fx.Node) -> frozenset[int]:
        """Memory that the node says it changes, though it did not in evaluation mode (dropout in place)."""
        if node.op == "call_module":
            says = getattr(self._twin.get_submodule(str(node.target)), "inplace", False)
        else:
            says = node.kwargs.get("inplace") or ("dropout" in str(node.target) and node.args[3:4] == (True,))
        value = self._runs[0].values[node.args[0]] if says and isinstance(node.args[0], fx.Node) else None
        return frozenset(storage(tensor) for tensor in tensors_in(value))

    def _result(self, graph: fx.Graph) -> str:
        result: Any = next(node for node in graph.nodes if node.op == "output").args[0]
        if isinstance(result, fx.Node) and isinstance(self._runs[0].values[result], Tensor) and result in self._known:
            name = self._known[result]
            if isinstance(name, Ref) and name.name != self.input:
                return name.name
        raise TraceError(
            f"{type(self._twin).__name__} must return one computed tensor, but returns {result}. "
            "Wrap it in a module whose forward picks the tensor that the loss wants"
        )


def _sizes(graph: fx.Graph, runs: tuple[Measured, Measured]) -> dict[fx.Node, Any]:
    """Numbers that follow from shapes alone, as literals in which the batch is a `Batch`."""
    sizes: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        if node.op.startswith("call") and _is_about_sizes(node, sizes):
            first, second = (run.values[node] for run in runs)
            value = _literal(first, second, runs[0].samples, runs[1].samples)
            if not any(leaf is UNKNOWN for leaf in leaves(value)):
                sizes[node] = value
    return sizes


def _is_about_sizes(node: fx.Node, sizes: Mapping[fx.Node, Any]) -> bool:
    if node.op == "call_method" and node.target in SIZES:
        return True
    if node.target is getattr:
        return node.args[1] in SIZES
    return node.op == "call_function" and bool(node.all_input_nodes) and all(n in sizes for n in node.all_input_nodes)


def _literal(first: Any, second: Any, *samples: int) -> Any:
    """What gives `first` for the first number of samples and `second` for the second; `UNKNOWN` where nothing does."""
    if type(first) is not type(second):
        return UNKNOWN
    if isinstance(first, tuple | list) and len(first) == len(second):
        items = [_literal(*pair, *samples) for pair in zip(first, second, strict=True)]
        return tuple(items) if isinstance(first, tuple) else items
    if isinstance(first, bool | int | float | str | torch.dtype | None) and first == second:
        return first
    if isinstance(first, int) and first % samples[0] == 0 and second == first // samples[0] * samples[1]:
        return Batch(first // samples[0])
    return UNKNOWN


def _needed(graph: fx.Graph, sizes: Mapping[fx.Node, Any], writes: Mapping[fx.Node, frozenset[int]]) -> list[fx.Node]:
    """The calls that somebody reads, that change something, or that are modules, whose state may change."""
    needed: set[fx.Node] = set()
    steps: list[fx.Node] = []
    for node in reversed(graph.nodes):
        wanted = node in needed or node.op == "output" or node.op == "call_module" or bool(writes.get(node))
        if not wanted or node in sizes or node.target is torch._assert:
            continue
        needed.update(node.all_input_nodes)
        if node.op.startswith("call"):
            steps.append(node)
    return steps[::-1]


def _sample_shape(first: Any, second: Any, *samples: int) -> tuple[int, ...] | None:
    if not isinstance(first, Tensor) or first.dim() == 0 or (len(first), len(second)) != samples:
        return None
    return tuple(first.shape[1:]) if first.shape[1:] == second.shape[1:] else None
