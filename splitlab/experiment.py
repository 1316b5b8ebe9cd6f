"""What a lab can start: a network with its data, or a recording of what once ran; both are asked the same things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import PlanError
from .history import History
from .plan import Plan
from .replay import Replay
from .shape import shape_of

if TYPE_CHECKING:  # a recording is shown without torch
    from torch import nn

    from .data import Data
    from .graph import Graph
    from .predict import Profile
    from .run import Run

Costs = dict[str, dict[str, Any]]


class Subject(Protocol):
    """What a lab works on."""

    plan: Plan
    fixed: Mapping[str, str]  # settings that cannot be changed in this lab, and why

    @property
    def drawing(self) -> Mapping[str, Any]:
        """The network as plain values: see `graph.drawing`."""

    def costs(self, plan: Plan) -> tuple[Costs, Costs]:
        """What every cut costs with this plan, and every tail behind its cut (none unless U-shaped)."""

    def start(self, plan: Plan) -> Any:
        """Start, and return what is then steered and watched: a `Run` or a `Replay`."""


class Experiment:
    """A network with its data. Raises what `load_data`, `models.load` and `trace` raise."""

    def __init__(self, model: nn.Module | str | None, data: Data | str | None, plan: Plan, on: Any = "kernel") -> None:
        from . import models
        from .data import Data, load_data
        from .graph import trace

        self.data = data if isinstance(data, Data) else load_data(data or plan.data)
        own = model is not None and not isinstance(model, str)
        self.network: nn.Module = model if own else models.load(model or plan.model, self.data, seed=plan.seed)  # type: ignore[assignment,arg-type]
        self.graph: Graph = trace(self.network, self.data.example)
        name = type(model).__name__ if own else model or plan.model
        self.plan = plan.change(model=name, data=self.data.reference or self.data.name)
        given = {"model": own, "data": isinstance(data, Data)}
        self.fixed: Mapping[str, str] = {
            name: f"this lab was given {name} of its own" for name, one in given.items() if one
        }
        self.profile: Profile | None = None
        self._on = on

    @property
    def drawing(self) -> Mapping[str, Any]:
        """The graph as plain values."""
        from .graph.drawing import drawing

        return drawing(self.graph) | {"model": self.plan.model}

    def study(self) -> Profile:
        """Time the network on this machine; takes up to some seconds, and computes."""
        from .predict import profile

        self.profile = profile(self.graph, self.plan.batch_size)
        return self.profile

    def costs(self, plan: Plan) -> tuple[Costs, Costs]:
        """Bytes, and seconds once `study` was done."""
        heads = self._costs(plan, tail=plan.tail)
        return heads, self._costs(plan, cut=plan.cut) if plan.u_shaped and plan.cut else {}

    def _costs(self, plan: Plan, **where: Any) -> Costs:
        from .predict import predict, traffic

        codecs = plan.codec, plan.gradient_codec
        if self.profile is None:
            sizes = traffic(self.graph, *codecs, **where, batch=plan.batch_size)
            return {name: {"up": up, "down": down, "seconds": None} for name, (up, down) in sizes.items()}
        about: dict[str, Any] = {**where, "batch": plan.batch_size, "clients": plan.clients}
        predicted = predict(self.graph, self.profile, shape_of(plan.link), *codecs, **about)
        return {
            name: {"up": one.up_bytes, "down": one.down_bytes, "seconds": one.seconds, "parts": dict(one.parts)}
            for name, one in predicted.items()
        }

    def start(self, plan: Plan) -> Run:
        """A run in real kernels."""
        from .run import start

        return start(self.graph, self.data, plan, on=self._on)


class Recorded:
    """A recording: shown as it was, at any speed, without torch and without kernels."""

    def __init__(self, recording: Path | str | History, speed: float = 1.0) -> None:
        self.history = recording if isinstance(recording, History) else History.read(recording)
        if not {"plan", "drawing"} <= self.history.about.keys():
            raise PlanError(
                "this recording holds rows alone, without its network: record with sl.start(..., record=path), or look "
                "at the rows with sl.widgets.LiveCharts(sl.History.read(path))"
            )
        self.speed = speed
        self.fixed: Mapping[str, str] = {}
        self.plan = Plan().change(**self.history.about["plan"])
        self.drawing: Mapping[str, Any] = self.history.about["drawing"] | {"model": self.plan.model}

    def costs(self, plan: Plan) -> tuple[Costs, Costs]:
        """As they were recorded."""
        return self.history.about.get("costs", {}), {}

    def start(self, plan: Plan) -> Replay:
        """Play it."""
        return Replay(self.history, self.speed)
