"""Where a graph can be cut, what each cut costs, and why some cuts are not legal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from .nodes import Node

FLOAT_BYTES = 4
OPTIMIZER_COPIES = 3  # a weight, its gradient and its momentum
NOTHING_LEFT = "nothing is left for the server after the last operation"
NOTHING_TO_TRAIN = "nothing to train after this cut: the server would hold no parameter"


@dataclass(frozen=True)
class Cut:
    """The cut after the operation `name`: what crosses it, and what stays on either side. All figures per sample.

    `tensors` are the shapes, without the batch, of what crosses upwards as activations and comes back as gradients;
    `values` are their names. `client` is all before the cut, `server` all after it. `reason` says why it is not legal.
    """

    name: str
    index: int
    values: tuple[str, ...]
    tensors: tuple[tuple[int, ...], ...]
    client_macs: int
    server_macs: int
    client_params: int
    server_params: int
    kept_bytes: int
    reason: str = ""

    @property
    def legal(self) -> bool:
        """Whether a network can be cut here."""
        return not self.reason

    @property
    def elements_per_sample(self) -> int:
        """Numbers that cross upwards for one sample; as many gradients come back."""
        return sum(prod(shape) for shape in self.tensors)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of the activations of one sample as float32; the gradients that come back are as large."""
        return FLOAT_BYTES * self.elements_per_sample

    @property
    def client_share(self) -> float:
        """The client's part of all multiply-adds, from 0 to 1."""
        return self.client_macs / max(self.client_macs + self.server_macs, 1)

    def memory(self, batch: int = 1) -> int:
        """Bytes that a client needs to train the head on such a batch.

        Three numbers per parameter (weight, gradient, momentum) and, for each sample, what autograd keeps for the
        backward plus the tensors that cross.
        """
        return OPTIMIZER_COPIES * FLOAT_BYTES * self.client_params + batch * (self.kept_bytes + self.bytes_per_sample)


def cuts_of(nodes: Sequence[Node], input: str, output: str, parameters: Mapping[str, int]) -> tuple[Cut, ...]:
    """One cut after each node, in order."""
    by_name = {node.name: node for node in nodes}
    values = _crossing(nodes, input, output)
    tied = _tied(nodes)
    macs = list(accumulate(node.macs for node in nodes))
    kept = list(accumulate(node.kept_bytes for node in nodes))
    owned = _owned(nodes, parameters)
    written = _written_after(nodes)
    cuts = []
    for index, node in enumerate(nodes):
        crossing = [by_name.get(name) for name in values[index]]
        reason = (
            (NOTHING_LEFT if index == len(nodes) - 1 else "")
            or next(filter(None, (_why_not(value, input) for value in crossing)), "")
            or tied[index]
            or _aliased([value for value in crossing if value], written[index])
            or (NOTHING_TO_TRAIN if owned[index] == owned[-1] else "")
        )
        shapes = tuple(value.shape for value in crossing if value and value.shape is not None)
        sides = (macs[index], macs[-1] - macs[index], owned[index], owned[-1] - owned[index])
        cuts.append(Cut(node.name, index, values[index], shapes, *sides, kept[index], reason))
    return tuple(cuts)


def _crossing(nodes: Sequence[Node], input: str, output: str) -> list[tuple[str, ...]]:
    """For each node, the values known by then that are still read after it, in the order of their making."""
    last_use = {name: index for index, node in enumerate(nodes) for name in node.reads}
    last_use[output] = len(nodes)
    alive, crossing = [input], []
    for index, node in enumerate(nodes):
        alive = [name for name in (*alive, node.name) if last_use.get(name, -1) > index]
        crossing.append(tuple(alive))
    return crossing


def _why_not(value: Node | None, input: str) -> str:
    if value is None:
        return f"the raw input {input!r} itself would leave the client"
    if value.dtype is None:
        return f"{value.name!r} would cross, and what {value.label} gives is no tensor: cut after what picks from it"
    if not value.learned:
        return f"{value.name!r} would cross, and it depends on no parameter: it is the data themselves, or a constant"
    if value.shape is None:
        return f"{value.name!r} would cross, and its first dimension is not the batch"
    if not value.dtype.is_floating_point:
        return f"{value.name!r} would cross, and {value.dtype} carries no gradient"
    return ""


def _owned(nodes: Sequence[Node], parameters: Mapping[str, int]) -> list[int]:
    """How many numbers are parameters of the nodes so far."""
    seen: set[str] = set()
    total, owned = 0, []
    for node in nodes:
        total += sum(parameters.get(name, 0) for name in node.weights if name not in seen)
        seen.update(node.weights)
        owned.append(total)
    return owned


def _tied(nodes: Sequence[Node]) -> list[str]:
    """For each node, why a cut after it would separate two uses of one weight; empty where it would not."""
    uses: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in node.weights:
            uses.setdefault(name, []).append(index)
    reasons = [""] * len(nodes)
    for name, places in uses.items():
        for index in range(places[0], places[-1]):
            users = f"{nodes[places[0]].name!r} and {nodes[places[-1]].name!r}"
            reasons[index] = reasons[index] or f"{users} share the weight {name!r}, and would be separated"
    return reasons


def _written_after(nodes: Sequence[Node]) -> list[frozenset[int]]:
    """For each node, the memory that is changed in place after it."""
    written: list[frozenset[int]] = [frozenset()]
    for node in reversed(nodes[1:]):
        written.append(written[-1] | node.writes)
    return written[::-1]


def _aliased(crossing: Sequence[Node], written: frozenset[int]) -> str:
    """Why two views of the same memory must not cross: what one end does to one of them would not reach the other."""
    seen: dict[int, str] = {}
    for node in crossing:
        for place in node.memory & written:
            if place in seen:
                return f"{seen[place]!r} and {node.name!r} would cross, views of one memory that is changed later"
            seen[place] = node.name
    return ""
