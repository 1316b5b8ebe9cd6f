"""A model divided at its cuts: head, body and tail, and how they become one model again."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from torch import nn

from .errors import CutError
from .part import Part

__all__ = ["Part", "Split", "divide"]

if TYPE_CHECKING:
    from .graph import Graph, Node


@dataclass(frozen=True)
class Split:
    """The parts of a network, each with its own copy of the weights under the model's own names.

    `body` is None when nothing was cut off, `tail` is None unless the split is U-shaped.
    """

    head: Part
    body: Part | None = None
    tail: Part | None = None
    model: nn.Module | None = field(default=None, repr=False)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by name, in the order in which they run."""
        named = {"head": self.head, "body": self.body, "tail": self.tail}
        return {name: part for name, part in named.items() if part is not None}

    def join(self) -> nn.Module:
        """A copy of the original module with the weights that the parts have now.

        What no part uses (a classifier for training only) keeps the original's weights.
        """
        if self.model is None:
            raise CutError("these parts were not split from a model, so there is no model to join them to")
        joined = copy.deepcopy(self.model)
        for part in self.parts.values():
            joined.load_state_dict(part.state_dict(), strict=False)
        return joined


def divide(graph: Graph, cut: str | None, tail: str | None = None) -> Split:
    """The graph's model as head, body and tail; raises `CutError` for cuts that are not legal or out of order."""
    names = [name for name in (cut, tail) if name is not None]
    places = [_legal_place(graph, name) for name in names]
    if tail is not None and cut is None:
        raise CutError(f"a tail needs a cut before it: choose one of {', '.join(c.name for c in graph.legal[:8])} …")
    if places != sorted(set(places)):
        raise CutError(f"the tail's cut {tail!r} must come after the cut {cut!r}, with something between them")
    bounds = [0, *(place + 1 for place in places), len(graph.nodes)]
    borders = [(graph.input,), *(graph.cuts[place].values for place in places), (graph.output,)]
    spans = zip(pairwise(bounds), pairwise(borders), strict=True)
    parts = [_part(graph, graph.nodes[start:stop], *border) for (start, stop), border in spans]
    named = dict(zip(("head", "body", "tail"), parts, strict=False))
    return Split(model=graph.model, **named)


def _legal_place(graph: Graph, name: str) -> int:
    cut = graph.cut(name)
    if not cut.legal:
        raise CutError(f"the cut {name!r} is not legal: {cut.reason}")
    return cut.index


def _part(graph: Graph, nodes: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str]) -> Part:
    memo: dict[int, object] = {}  # one for the whole part, so that what shares a weight goes on sharing it

    def copied(path: str) -> Any:
        return copy.deepcopy(graph.constants[path] if path in graph.constants else attrgetter(path)(graph.model), memo)

    operations = [node.operation for node in nodes]
    calls = dict.fromkeys(str(step.target) for step in operations if step.kind == "module")
    weights = dict.fromkeys(path for step in operations for path in step.weights)
    saved = graph.model.state_dict()
    part = Part(
        operations,
        inputs,
        outputs,
        modules={path: copied(path) for path in calls},
        weights={path: copied(path) for path in weights if path in saved},
        constants={path: copied(path) for path in weights if path not in saved},
        clones=[name for name in inputs if any(graph.storages(name) & node.writes for node in nodes)],
        sizes=[graph.shape(name) for name in inputs] if graph.fixed else None,
    )
    part.training = graph.model.training
    return part
