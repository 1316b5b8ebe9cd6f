"""Groups a graph's nodes into the model's own blocks, nested, so that a large network can be drawn folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from . import Graph
from .nodes import Node

SMALLEST = 4  # operations: less is not worth folding
ALL_OPEN = 30  # rows that a person takes in at once: a network of so many operations starts unfolded
CHAIN_OPEN = 48  # the same for a plain list of layers such as VGG's
TOO_MANY = 34  # rows, from which on blocks that repeat are stacked
REPEATS = 3  # blocks alike in a row, after the first, from which on they are stacked


@dataclass
class Block:
    """A stretch of nodes, `first` to `last`, that is a module of the model; `blocks` are those inside it."""

    name: str
    kind: str
    first: int
    last: int
    pattern: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)
    open: bool = False
    repeats: int = 0

    @property
    def size(self) -> int:
        """How many operations it has."""
        return self.last - self.first + 1

    @property
    def container(self) -> bool:
        """Whether it is mostly made of other blocks."""
        return 2 * sum(block.size for block in self.blocks) > self.size

    def to_dict(self) -> dict[str, Any]:
        """The block as JSON can hold it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "first": self.first,
            "last": self.last,
            "open": self.open,
            "repeats": self.repeats,
            "blocks": [block.to_dict() for block in self.blocks],
        }


def blocks_of(graph: Graph) -> list[dict[str, Any]]:
    """The graph's blocks, nested: name, kind, first and last node, whether it starts open, and blocks inside.

    `repeats` is not 0 for a stack: so many blocks in a row like the one before it. A module that runs twice is two
    blocks of the same name.
    """
    paths = [owner(node).split(".") if owner(node) else [] for node in graph.nodes]
    blocks = _inside(graph, paths, 0, len(paths), 0)
    _open(blocks, len(paths))
    return [block.to_dict() for block in blocks]


def owner(node: Node) -> str:
    """Path of the module in whose forward a node runs, empty for the model itself."""
    if node.operation.kind == "module":
        return str(node.operation.target).rpartition(".")[0]
    names = node.name.split(".")  # the owner, the verb, and perhaps a number
    return ".".join(names[: -2 if names[-1].isdigit() else -1])


def _inside(graph: Graph, paths: Sequence[Sequence[str]], start: int, stop: int, depth: int) -> list[Block]:
    """The blocks among the nodes from start to stop, whose paths agree in their first `depth` names."""
    found = []
    for (name, first), last in _stretches(paths, start, stop, depth):
        if name and last - first + 1 >= SMALLEST:
            found.append(_block(graph, paths, first, last, depth + 1))
    return found


def _stretches(
    paths: Sequence[Sequence[str]], start: int, stop: int, depth: int
) -> Iterator[tuple[tuple[str, int], int]]:
    place = start
    for name, members in groupby(paths[start:stop], key=lambda path: path[depth] if len(path) > depth else ""):
        count = len(list(members))
        yield (name, place), place + count - 1
        place += count


def _block(graph: Graph, paths: Sequence[Sequence[str]], first: int, last: int, depth: int) -> Block:
    inner = _inside(graph, paths, first, last + 1, depth)
    name = ".".join(paths[first][:depth])
    kind = type(graph.model.get_submodule(name)).__name__
    pattern = tuple(node.label for node in graph.nodes[first : last + 1])
    parts = [part for part in inner if part.blocks or part.kind != "Sequential"]  # a branch is no block of its own
    block = Block(name, kind, first, last, pattern, parts)
    if not block.container:
        block.blocks = []  # a few parts of one block: what is inside is better seen at once
    return block


def _open(blocks: list[Block], nodes: int) -> None:
    """Decide which blocks start open, and stack repeats where there would be too many rows."""
    if nodes <= ALL_OPEN:
        return _open_all(blocks)
    for block in blocks:
        _open_containers(block)
    chains = [block for block in blocks if not block.blocks and block.kind == "Sequential"]
    if chains and _rows(blocks, nodes) + sum(block.size - 1 for block in chains) <= CHAIN_OPEN:
        for block in chains:
            block.open = True
    if _rows(blocks, nodes) > TOO_MANY:
        _stack(blocks)


def _open_all(blocks: Sequence[Block]) -> None:
    for block in blocks:
        block.open = True
        _open_all(block.blocks)


def _open_containers(block: Block) -> None:
    block.open = bool(block.blocks)
    for inner in block.blocks:
        _open_containers(inner)


def _rows(blocks: Sequence[Block], nodes: int) -> int:
    """How many rows so many nodes take, with these blocks among them."""
    hidden = sum(block.size - (_rows(block.blocks, block.size) if block.open else 1) for block in blocks)
    return nodes - hidden


def _stack(blocks: list[Block]) -> None:
    for block in blocks:
        _stack(block.blocks)
    stacked: list[Block] = []
    for _, alike in groupby(blocks, key=lambda block: (block.kind, block.pattern)):
        run = list(alike)
        stacked += [run[0], _stack_of(run[1:])] if _together(run) and len(run) > REPEATS else run
    blocks[:] = stacked


def _together(run: Sequence[Block]) -> bool:
    return all(after.first == before.last + 1 for before, after in pairwise(run))


def _stack_of(run: list[Block]) -> Block:
    first, last = run[0], run[-1]
    name = f"{first.name} … {last.name}"
    return Block(name, first.kind, first.first, last.last, (), run, repeats=len(run))
