"""Writes a graph as plain JSON for whoever draws it: nodes in plain words, cuts with their costs, and nested blocks."""

from __future__ import annotations

from math import prod
from typing import Any

from . import Graph
from .blocks import blocks_of
from .cuts import FLOAT_BYTES, Cut
from .kinds import kind_of
from .nodes import Node

__all__ = ["drawing"]


def drawing(graph: Graph) -> dict[str, Any]:
    """The graph as a dict that JSON can hold: what the cut picker draws, and what recordings keep.

    Keys: `model` (its class), `input` (name, shape, bytes), `output`, `nodes` in the order in which they run, `cuts`
    one after each node, `default_cut` (None where no cut is legal), `blocks` (see `blocks_of`). Shapes are one
    sample's, bytes are float32's; a value that is no tensor of samples has shape and bytes None.
    """
    return {
        "model": type(graph.model).__name__,
        "input": {"name": graph.input, "shape": list(graph.sample), "bytes": FLOAT_BYTES * prod(graph.sample)},
        "output": graph.output,
        "nodes": [_node(graph, node) for node in graph.nodes],
        "cuts": [_cut(cut) for cut in graph.cuts],
        "default_cut": graph.default_cut if graph.legal else None,
        "blocks": blocks_of(graph),
    }


def _node(graph: Graph, node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "label": node.label,
        "kind": kind_of(graph, node),
        "shape": None if node.shape is None else list(node.shape),
        "params": sum(graph.parameters.get(weight, 0) for weight in node.weights),
        "macs": node.macs,
        "reads": list(node.reads),
        "bytes": None if node.shape is None else FLOAT_BYTES * prod(node.shape),
    }


def _cut(cut: Cut) -> dict[str, Any]:
    return {
        "name": cut.name,
        "legal": cut.legal,
        "reason": cut.reason,
        "values": list(cut.values),
        "shapes": [list(shape) for shape in cut.tensors],
        "client_macs": cut.client_macs,
        "server_macs": cut.server_macs,
        "client_params": cut.client_params,
        "server_params": cut.server_params,
        "client_share": round(cut.client_share, 6),
        "kept_bytes": cut.kept_bytes,
    }
