"""The table of cuts, as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Graph
    from .cuts import Cut

COLUMNS: dict[str, Callable[[Cut], str]] = {
    "cut after": lambda cut: cut.name,
    "sends": lambda cut: " + ".join("x".join(map(str, shape)) or "1" for shape in cut.tensors),
    "up and down": lambda cut: f"{si(cut.bytes_per_sample)}B",
    "client MACs": lambda cut: si(cut.client_macs),
    "share": lambda cut: f"{cut.client_share:.0%}",
    "server MACs": lambda cut: si(cut.server_macs),
    "client params": lambda cut: si(cut.client_params),
    "server params": lambda cut: si(cut.server_params),
    "memory": lambda cut: f"{si(cut.memory(1))}B",
}
PREFIXES = ("", "k", "M", "G", "T")
MANY = 60  # rows that a screen bears


def si(number: float) -> str:
    """A number in three figures with its SI prefix: 11.5 M."""
    power = 0
    while abs(number) >= 999.5 and power < len(PREFIXES) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {PREFIXES[power]}"


def text(graph: Graph) -> str:
    """The table for a terminal."""
    cuts, footer = _chosen(graph)
    rows = [list(COLUMNS), *_rows(cuts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_align, row, widths, range(len(row)))).rstrip() for row in rows]
    return "\n".join([_title(graph), *lines, *footer])


def html(graph: Graph) -> str:
    """The table for a notebook."""
    cuts, footer = _chosen(graph)
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in _rows(cuts))
    notes = "".join(f"<div>{escape(line)}</div>" for line in footer)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div><div><b>{escape(_title(graph))}</b></div>{table}{notes}</div>"


def _title(graph: Graph) -> str:
    total = sum(graph.parameters.values())
    macs = sum(node.macs for node in graph.nodes)
    what = f"{type(graph.model).__name__} on {'x'.join(map(str, graph.sample)) or 1}"
    return f"{what}: {len(graph.nodes)} operations, {si(macs)}MACs, {si(total)} parameters"


def _chosen(graph: Graph) -> tuple[Sequence[Cut], list[str]]:
    """The cuts to show, and lines that say what is not shown."""
    cuts, footer = graph.legal, ["per sample, float32; memory: training the head on one sample"]
    if len(cuts) > MANY:
        cuts = tuple(cut for cut in cuts if len(cut.tensors) == 1)
        footer.append(f"not shown: {len(graph.legal) - len(cuts)} cuts that send several tensors, see graph.legal")
    if hidden := len(graph.cuts) - len(graph.legal):
        what = "1 cut that is" if hidden == 1 else f"{hidden} cuts that are"
        footer.append(f"not shown: {what} not legal, graph.cut(name).reason says why")
    return cuts, footer + list(graph.notes)


def _rows(cuts: Sequence[Cut]) -> list[list[str]]:
    return [[cell(cut) for cell in COLUMNS.values()] for cut in cuts]


def _align(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)
