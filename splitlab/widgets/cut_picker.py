"""The cut picker: a network's graph on which one clicks to choose where it is cut, with the cost of each cut beside."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import traitlets as t

from ..errors import CutError, unknown
from .bundle import Bundled

if TYPE_CHECKING:
    from ..graph import Graph

Drawing = Mapping[str, Any]
Costs = dict[str, dict[str, Any]]
FLOAT_BYTES = 4
CHOICES = ("cut", "tail", "u_shaped")  # what a person chooses; each may change what else can be chosen


class PickError(CutError, t.TraitError):
    """A cut that cannot be chosen; a TraitError too, so that traitlets puts back what was chosen before."""


class CutPicker(Bundled, bundle="cut_picker"):
    """A network's graph to choose cuts on: `picker.cut` and `picker.tail` are their names, None for none.

    It takes a Graph, or the drawing of one from a recording (then torch is not imported). The tail counts only while
    `u_shaped`. Setting a cut that cannot be chosen raises `CutError` with the reason. Alone it works out costs itself;
    once somebody asked `on_event`, it only tells, and waits for `refresh` with costs.
    """

    graph = t.Dict(help="the drawing: see splitlab.graph.drawing").tag(sync=True)
    cut = t.Unicode(None, allow_none=True, help="the network is cut after this operation").tag(sync=True)
    tail = t.Unicode(None, allow_none=True, help="the tail begins after this operation").tag(sync=True)
    u_shaped = t.Bool(False, help="whether the last part is on the client, too").tag(sync=True)
    codec = t.Unicode("float32", help="how activations travel").tag(sync=True)
    gradient_codec = t.Unicode(None, allow_none=True, help="how gradients travel; None: as activations").tag(sync=True)
    costs = t.Dict(help="for each cut: up, down (bytes per sample), seconds (per sample or None), parts").tag(sync=True)
    tail_costs = t.Dict(help="the same for each tail after the chosen cut; empty unless U-shaped").tag(sync=True)
    tails = t.Dict(help="for each operation: why no tail can begin after it, or an empty text").tag(sync=True)
    crossing = t.Dict(help="for each cut, the bytes of one sample's activations in the codec").tag(sync=True)
    locked = t.Bool(False, help="whether a run goes on, during which nothing can be chosen").tag(sync=True)
    measured = t.Dict(help="cut, tail, seconds (per sample), error (of the prediction), or empty").tag(sync=True)
    notice = t.Unicode("", help="what changed without being asked for").tag(sync=True)
    selected = t.Unicode("", help="the operation that is looked at").tag(sync=True)

    def __init__(
        self,
        graph: Graph | Drawing,
        cut: str | None = None,
        tail: str | None = None,
        u_shaped: bool = False,
        codec: str = "float32",
        gradient_codec: str | None = None,
        costs: Costs | None = None,
        **traits: Any,
    ) -> None:
        drawn = drawing_of(graph)
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._given = costs is not None  # costs that came from outside are not ours to work out again
        self._quiet: set[int] = set()  # threads that write traits for us: what they change is no choice of a person's
        cut = cut or drawn["default_cut"]
        u_shaped = u_shaped or tail is not None
        settings = {"u_shaped": u_shaped, "codec": codec, "gradient_codec": gradient_codec, "costs": costs or {}}
        super().__init__(graph=drawn, cut=cut, **settings, **traits)
        self.tail = tail or (default_tail(drawn, cut) if u_shaped else None)
        self.refresh(costs=costs)
        self.observe(self._chosen, list(CHOICES))
        self.observe(self._recoded, ["codec", "gradient_codec"])
        self.observe(self._looked, "selected")

    def show(self, graph: Graph | Drawing) -> None:
        """Show another network; a cut that it does not have, or that is not legal there, becomes the default one.

        `notice` says so.
        """
        drawn = drawing_of(graph)
        kept, why = kept_cut(drawn, self.cut)
        with self._quietly():
            self.cut = self.tail = None
            self.graph, self._given = drawn, False
            self.cut, self.notice = kept, why
            self.measured, self.selected = {}, ""
        self.refresh()

    def choose(self, cut: str | None, tail: str | None = None) -> None:
        """Set both cuts at once, U-shaped where there is a tail; `CutError` and no change if they cannot be chosen."""
        if cut is not None and (why := reason(self.graph, cut)):
            raise PickError(f"the cut {cut!r} is not legal: {why}")
        if tail is not None and (why := tail_reason(self.graph, cut, tail)):
            raise PickError(f"the tail cannot begin after {tail!r}: {why}")
        with self._quietly():
            self.tail, self.cut = None, cut
            self.u_shaped, self.tail = tail is not None, tail
        self._chosen(None)

    def refresh(
        self, costs: Costs | None = None, tail_costs: Costs | None = None, measured: Mapping[str, Any] | None = None
    ) -> None:
        """Bring tails and costs up to date; called by whoever may write traits. What is not given is worked out.

        A tail that the cut no longer allows becomes the default one, and `notice` says so.
        """
        with self._quietly():
            self._settle_tail()
            self._given = self._given or costs is not None
            self.crossing = sizes(self.graph, self.codec) if self._sizeable else {}
            if costs is not None or not self._given:
                self.costs = self._worked_out("cut") if costs is None else costs
            if tail_costs is not None or not (self._given and self.u_shaped and self.tail_costs):
                self.tail_costs = self._worked_out("tail") if tail_costs is None else tail_costs
            if measured is not None:
                self.measured = dict(measured)

    def on_event(self, callback: Callable[[dict[str, Any]], None]) -> None:
        """Call back with what a person chose: {"type": "cut", "cut": …, "tail": …, "u_shaped": …} or "select"."""
        self._listeners.append(callback)

    # ---- rules ---------------------------------------------------------------------------------------------------

    @t.validate("cut")
    def _check_cut(self, proposal: dict[str, Any]) -> str | None:
        name: str | None = proposal["value"]
        if name is not None:
            why = reason(self.graph, name)
            if why:
                raise PickError(f"the cut {name!r} is not legal: {why}")
        return name

    @t.validate("tail")
    def _check_tail(self, proposal: dict[str, Any]) -> str | None:
        name: str | None = proposal["value"]
        if name is not None:
            why = tail_reason(self.graph, self.cut, name)
            if why:
                raise PickError(f"the tail cannot begin after {name!r}: {why}")
        return name

    def _chosen(self, change: Any) -> None:
        if self._silent:
            return
        self.notice = ""
        if not self._listeners:
            return self.refresh()
        with self._quietly():
            self._settle_tail()
        self._tell({"type": "cut", "cut": self.cut, "tail": self.tail, "u_shaped": self.u_shaped})

    def _recoded(self, change: Any) -> None:
        if not self._silent and not self._listeners:
            self.refresh()

    def _looked(self, change: Any) -> None:
        if not self._silent:
            self._tell({"type": "select", "name": change["new"]})

    def _tell(self, event: dict[str, Any]) -> None:
        for callback in self._listeners:
            callback(event)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """While we write traits ourselves: sent together, and no event."""
        thread, outermost = threading.get_ident(), not self._silent
        self._quiet.add(thread)
        try:
            with self.hold_sync():
                yield
        finally:
            if outermost:
                self._quiet.discard(thread)

    @property
    def _silent(self) -> bool:
        return threading.get_ident() in self._quiet

    def _settle_tail(self) -> None:
        self.tails = tails(self.graph, self.cut) if self.cut else {}
        if not self.u_shaped or self.cut is None:
            return
        why = self.tails.get(self.tail or "", "")
        if self.tail is not None and not why:
            return
        before, self.tail = self.tail, default_tail(self.graph, self.cut)
        if before is not None:
            self.notice = f"The tail cannot begin after {before}: {why}. It begins after {self.tail} now."

    @property
    def _sizeable(self) -> bool:
        """Whether we may work out sizes: a recording shall not need torch, which codecs do."""
        return not self._given or "torch" in sys.modules or {self.codec, self.gradient_codec} <= {"float32", None}

    def _worked_out(self, what: str) -> Costs:
        """Bytes of every cut (with this tail), or of every tail (after this cut); no times."""
        if not self._sizeable or (what == "tail" and not (self.u_shaped and self.cut)):
            return {}
        fixed = {"cut": self.cut} if what == "tail" else {"tail": self.tail if self.u_shaped else None}
        return traffic(self.graph, self.codec, self.gradient_codec, **fixed)


def drawing_of(graph: Graph | Drawing) -> dict[str, Any]:
    """The drawing of a graph, or the drawing itself."""
    if isinstance(graph, Mapping):
        return dict(graph)
    from ..graph.drawing import drawing

    return drawing(graph)


def reason(drawing: Drawing, name: str) -> str:
    """Why a network cannot be cut here, empty if it can; `CutError` with the nearest name for one that is not there."""
    for cut in drawing["cuts"]:
        if cut["name"] == name:
            return str(cut["reason"])
    legal = [cut["name"] for cut in drawing["cuts"] if cut["legal"]]
    raise PickError(str(unknown("cut", name, legal)))


def tail_reason(drawing: Drawing, cut: str | None, name: str) -> str:
    """Why the tail of a network cut after `cut` cannot begin after `name`, empty if it can; raises as `reason` does."""
    reason(drawing, name)
    return tails(drawing, cut)[name] if cut else "a tail needs a cut before it"


def tails(drawing: Drawing, cut: str | None) -> dict[str, str]:
    """For each operation, why the tail of a network cut after `cut` cannot begin after it; empty where it can."""
    names = [one["name"] for one in drawing["cuts"]]
    place = names.index(cut) if cut in names else -1
    late = f"the tail must begin after the first cut, {cut}, with something between them"
    return {one["name"]: late if index <= place else one["reason"] for index, one in enumerate(drawing["cuts"])}


def traffic(
    drawing: Drawing, up: str, down: str | None = None, *, cut: str | None = None, tail: str | None = None
) -> Costs:
    """Bytes per sample, up and down, of each cut (before this tail), or of each tail after this cut.

    Tensors alone, without the headers that `predict.traffic` counts: it needs no more than a drawing. Activations
    travel as `up`, gradients as `down` (None: the same); at a tail they go the other way.
    """
    activations, gradients = sizes(drawing, up), sizes(drawing, down or up)
    place = {one["name"]: index for index, one in enumerate(drawing["cuts"])}
    found: Costs = {}
    for name in (one["name"] for one in drawing["cuts"] if one["legal"]):
        head, end = (cut, name) if cut else (name, tail)
        if end is None:
            found[name] = _cost(activations[head], gradients[head])
        elif place[head] < place[end]:
            found[name] = _cost(activations[head] + gradients[end], gradients[head] + activations[end])
    return found


def _cost(up: int, down: int) -> dict[str, Any]:
    return {"up": up, "down": down, "seconds": None, "parts": {}}


def sizes(drawing: Drawing, codec: str) -> dict[str, int]:
    """For each cut, how many bytes of one sample cross it in a codec."""
    size = _size_in(codec)
    return {one["name"]: sum(size(shape) for shape in one["shapes"]) for one in drawing["cuts"]}


def _size_in(text: str) -> Callable[[Sequence[int]], int]:
    if text == "float32":  # which needs no torch
        return lambda shape: FLOAT_BYTES * prod(shape)
    from ..codec import codec

    return codec(text).size


def default_tail(drawing: Drawing, cut: str | None) -> str | None:
    """The last tail that the cut allows: the least that keeps labels on the client. None where there is none."""
    possible = [name for name, why in tails(drawing, cut).items() if not why]
    return possible[-1] if possible else None


def kept_cut(drawing: Drawing, cut: str | None) -> tuple[str | None, str]:
    """The cut, if the network has it and it is legal, else the default one and a sentence that says so."""
    default: str | None = drawing["default_cut"]
    if cut is None:
        return default, ""
    try:
        why = reason(drawing, cut)
        told = f"this network cannot be cut after {cut} ({why})" if why else ""
    except CutError:
        told = f"{cut} is not in this network"
    return (default, f"{told}: the cut is after {default} now.") if told else (cut, "")
