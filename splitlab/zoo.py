"""Tries tracing, cutting and sending on every classification network of torchvision, and tabulates what works."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from . import spec
from .errors import SplitlabError
from .graph import trace
from .vision import torchvision

PIXELS = 64
OTHER_PIXELS = {"inception_v3": 299, "maxvit_t": 224, "vit_h_14": 56}  # what the smallest samples that they take have
SETTINGS: dict[str, dict[str, Any]] = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}


@dataclass(frozen=True)
class Row:
    """One network: whether it can be traced, and if not, why; how much of it there is; whether it survives a spec."""

    model: str
    traced: bool = False
    nodes: int = 0
    cuts: int = 0
    parameters: int = 0
    spec: bool = False
    seconds: float = 0.0
    why_not: str = ""


class Table(tuple[Row, ...]):
    """Rows that print as a Markdown table."""

    def __repr__(self) -> str:
        lines = ["| " + " | ".join(field.name.replace("_", " ") for field in fields(Row)) + " |"]
        lines.append("|" + "---|" * len(fields(Row)))
        return "\n".join(lines + [f"| {' | '.join(map(_cell, astuple(row)))} |" for row in self])


def zoo(names: Iterable[str] | None = None, done: Callable[[Row], None] = lambda row: None) -> Table:
    """A row for each network of these names, by default all of torchvision's; `done` hears of each as it is ready.

    `cuts` are the legal ones, `seconds` the time to trace it and cost all cuts. `spec` means that the whole network,
    written as a spec and read again, gives exactly the outputs of the original on random samples of few pixels.
    """
    models = torchvision().models
    rows = []
    for name in models.list_models(module=models) if names is None else names:
        rows.append(row_of(name, _build(name)))
        done(rows[-1])
        gc.collect()  # networks are large, and fx leaves cycles
    return Table(rows)


def row_of(name: str, model: nn.Module) -> Row:
    """The row of one network of torchvision."""
    row = Row(name, parameters=sum(parameter.numel() for parameter in model.parameters()))
    samples = torch.rand(2, 3, _pixels(name), _pixels(name), generator=torch.Generator().manual_seed(0))
    begun = time.perf_counter()
    try:
        graph = trace(model, samples)
        cuts = len(graph.legal)
        row = replace(row, traced=True, nodes=len(graph.nodes), cuts=cuts, seconds=time.perf_counter() - begun)
        part = spec.read(spec.save(graph.split(None).head)).eval()
    except SplitlabError as error:
        return replace(row, why_not=str(error))
    with torch.no_grad():
        same = torch.equal(model.eval()(samples), part(samples)[0])
    return replace(row, spec=same, why_not="" if same else "outputs differ")


def _build(name: str) -> nn.Module:
    settings = dict(SETTINGS.get(name, {}))
    if name.startswith("vit"):
        settings["image_size"] = _pixels(name)
    model: nn.Module = torchvision().models.get_model(name, weights=None, **settings)
    return model


def _pixels(name: str) -> int:
    return OTHER_PIXELS.get(name, PIXELS)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
