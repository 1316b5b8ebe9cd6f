"""What a model computes, where it can be cut, and what each cut costs."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor, nn

from ..errors import CutError, PlanError, unknown
from ..split import Split, divide
from .cuts import Cut, cuts_of
from .measuring import measure
from .modes import by_mode
from .nodes import Node, Reading
from .table import html, text
from .tracing import read

__all__ = ["Cut", "Graph", "Node", "trace"]
EARLY = 1 / 3


def trace(model: nn.Module, example: Tensor) -> Graph:
    """Read a model with torch.fx and measure it on samples like the example's, of shape (batch, …).

    It is read in evaluation mode; a constant that depends on the mode keeps doing so, and what else differs stands in
    `Graph.notes`. Neither the model nor the random state is changed. Raises `TraceError`, naming the line of the code.
    """
    if not isinstance(model, nn.Module):
        raise PlanError(f"a model is a torch.nn.Module, but this is a {type(model).__name__}")
    if not isinstance(example, Tensor) or example.dim() == 0 or len(example) == 0:
        raise PlanError("an example is a tensor of samples, batch first: data.example, or torch.zeros(1, 3, 32, 32)")
    twin, graph = read(model, training=False)
    merged, notes = by_mode(model, graph)
    return Graph(model, tuple(example.shape[1:]), Reading(graph, twin, measure(graph, twin, example), merged), notes)


class Graph:
    """A traced model: `nodes` in the order in which they run, and `cuts`, one after each of them.

    Its repr is the table of cuts and what each costs. `split` divides the model; the model itself is never changed.
    """

    def __init__(self, model: nn.Module, sample: tuple[int, ...], reading: Reading, notes: tuple[str, ...]) -> None:
        self.model, self.sample, self.notes = model, sample, notes
        self.input, self.output, self.nodes = reading.input, reading.output, reading.nodes
        self.constants, self.fixed, self.parameters = reading.constants, reading.fixed, reading.parameters
        self._shapes = {self.input: sample} | {node.name: node.shape or () for node in self.nodes}
        self._storages = {self.input: reading.input_memory} | {node.name: node.memory for node in self.nodes}

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Every cut in the order of the nodes, those that are not legal included."""
        return cuts_of(self.nodes, self.input, self.output, self.parameters)

    @cached_property
    def legal(self) -> tuple[Cut, ...]:
        """The cuts that are legal."""
        return tuple(cut for cut in self.cuts if cut.legal)

    @cached_property
    def _by_name(self) -> dict[str, Cut]:
        return {cut.name: cut for cut in self.cuts}

    def cut(self, name: str) -> Cut:
        """The cut of this name, legal or not; `CutError` with the nearest names for one that does not exist."""
        if name not in self._by_name:
            raise unknown("cut", name, (cut.name for cut in self.legal), CutError)
        return self._by_name[name]

    def shape(self, value: str) -> tuple[int, ...]:
        """The shape of one sample of a value."""
        return self._shapes[value]

    def storages(self, value: str) -> frozenset[int]:
        """Where a value lies: values that share a storage are views of one another, and change together."""
        return self._storages[value]

    @property
    def default_cut(self) -> str:
        """The cut that sends the least of those with at most a third of the multiply-adds on the client.

        Of equals, the least work for the client, then the last (after the activation, not before it). Where every
        legal cut is deeper, the one with the least work for the client.
        """
        if not self.legal:
            raise CutError(f"{type(self.model).__name__} has no legal cut: {self.cuts[0].reason}")
        early = [cut for cut in self.legal if cut.client_share <= EARLY]
        least = min(cut.client_macs for cut in self.legal)
        choice = early or [cut for cut in self.legal if cut.client_macs == least]
        return min(choice, key=lambda cut: (cut.elements_per_sample, cut.client_macs, -cut.index)).name

    def split(self, cut: str | None, tail: str | None = None) -> Split:
        """Head and body, or head, body and tail, with copies of the model's weights; `CutError` when not legal.

        Without a cut the head is the whole network and there is no body: what the baselines train.
        """
        return divide(self, cut, tail)

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)
