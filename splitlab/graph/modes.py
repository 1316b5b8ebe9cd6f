"""Finds what a model does differently in training mode, by reading it twice: fx itself freezes `self.training`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from torch import fx, nn

from ..errors import TraceError
from ..part import ByMode
from .naming import base_name, owner
from .tracing import read

Arguments = tuple[Any, Any]


def by_mode(model: nn.Module, evaluation: fx.Graph) -> tuple[dict[fx.Node, Arguments], tuple[str, ...]]:
    """Arguments of nodes with a `ByMode` wherever a constant depends on the mode; and notes on what else does.

    >>> F.dropout(x, 0.5, training=self.training)  # doctest: +SKIP
    dropout(x, 0.5, training=ByMode(train=True, evaluate=False))
    """
    try:
        _, training = read(model, training=True)
    except TraceError as error:
        return {}, (f"in training mode the model cannot be read, so its evaluation form is what runs: {error}",)
    twins = dict(_keyed(training))
    merged = {
        node: (_merge(node.args, twin.args), _merge(node.kwargs, twin.kwargs))
        for key, node in _keyed(evaluation)
        if (twin := twins.pop(key, None)) is not None
    }
    missing = [base_name(node)[0] for node in evaluation.nodes if node.op.startswith("call") and node not in merged]
    return merged, tuple(_notes([base_name(twin)[0] for twin in twins.values()], missing))


def _keyed(graph: fx.Graph) -> Iterator[tuple[Any, fx.Node]]:
    """Each call with a key that finds its like in another reading: the module it stands in, what it calls, its turn."""
    turns: Counter[Any] = Counter()
    for node in graph.nodes:
        if node.op.startswith("call"):
            key = (owner(node), node.op, node.target)
            turns[key] += 1
            yield (*key, turns[key]), node


def _merge(evaluate: Any, train: Any) -> Any:
    if isinstance(evaluate, tuple | list) and type(evaluate) is type(train) and len(evaluate) == len(train):
        return type(evaluate)(_merge(*pair) for pair in zip(evaluate, train, strict=True))
    if isinstance(evaluate, Mapping) and isinstance(train, Mapping) and evaluate.keys() == train.keys():
        return {key: _merge(evaluate[key], train[key]) for key in evaluate}
    plain = all(isinstance(value, bool | int | float) for value in (evaluate, train))
    return ByMode(train, evaluate) if plain and evaluate != train else evaluate


def _notes(extra: list[str], missing: list[str]) -> Iterator[str]:
    if extra:
        yield f"what the model computes in training mode only is left out: {_some(extra)}"
    if missing:
        yield f"what the model computes in evaluation mode only always runs: {_some(missing)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
