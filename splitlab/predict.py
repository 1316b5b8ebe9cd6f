"""Foretells what a step costs at every cut: exact bytes, and time from a short profile of a machine and a link's shape.

Every operation of the network is timed once, forward and backward; prefix sums then give head, body and tail of any
cut. What a cut adds (codecs, messages, the wire) is added to that. Waiting for others is a simple bound: see `_wait`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import torch

from .call import parse
from .codec import codec
from .errors import PlanError
from .graph import Graph
from .measure import PARTS
from .messages import Backward, Features, Forward, Message, Packed, TailGradient
from .profiling import Profile, profile
from .protocol import frame
from .protocol.wire import wire_size
from .shape import PRESETS, Shape

__all__ = ["Prediction", "Profile", "predict", "profile", "traffic"]

# Of a loopback WebSocket between two processes here: how long a frame takes however small it is, and its speed.
HOP_SECONDS = {"up": 0.00025, "queue": 0.00025, "down": 0.0004}
COLD = 2.5  # how much longer small things take within a step than again and again: caches hold something else by then
LOOPBACK_BYTES_PER_SECOND = 1.2e9
DIGITS = 0.1234567890123456  # a number as long as most are when they are written out
STAMPS = dict.fromkeys(("arrived", "started", "ended"), 12345.678901234)
STEP = 100


@dataclass(frozen=True)
class Prediction:
    """What one sample costs in training: bytes on the wire, and seconds in all and by part (see `measure.PARTS`)."""

    up_bytes: float
    down_bytes: float
    seconds: float
    parts: Mapping[str, float]

    def error(self, measured_seconds: float) -> float:
        """How far off it was, as a share of what was measured: 0.1 is 10 % too slow, -0.1 is 10 % too fast."""
        return self.seconds / measured_seconds - 1 if measured_seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


# ---- bytes ----------------------------------------------------------------------------------------------------------


def traffic(
    graph: Graph,
    up: str = "float32",
    down: str | None = None,
    cut: str | None = None,
    tail: str | None = None,
    batch: int = 32,
) -> dict[str, tuple[float, float]]:
    """Bytes on the wire for each sample of a batch, up and down, by cut: headers and all.

    By head cut, where `tail` says where a U-shaped split ends; by tail cut, if `cut` is given. Only cuts that can be.
    """
    found = {}
    for name, head, end in _splits(graph, cut, tail):
        sizes = _sizes(graph, head, end, up, down or up, batch)
        found[name] = sizes[0] / batch, sizes[1] / batch
    return found


def _splits(graph: Graph, cut: str | None, tail: str | None) -> list[tuple[str, int, int | None]]:
    """The name by which each split goes, and the places of its cuts; what leaves no body or tail is not one."""
    places = {item.name: item.index for item in graph.legal}
    if cut is not None:
        first = graph.cut(cut).index
        return [(name, first, place) for name, place in places.items() if place > first]
    end = graph.cut(tail).index if tail is not None else None
    return [(name, place, end) for name, place in places.items() if end is None or place < end]


def _sizes(graph: Graph, head: int, tail: int | None, up: str, down: str, batch: int) -> tuple[int, int]:
    """Bytes of a step's messages, up and down."""
    first = graph.cuts[head].tensors
    labels = torch.empty(batch, dtype=torch.int64, device="meta")
    if tail is None:
        said: list[Message] = [Forward(STEP, batch, _blank(first, up, batch), labels)]
        heard: list[Message] = [Backward(STEP, _blank(first, down, batch), DIGITS, 10, STAMPS)]
    else:
        last = graph.cuts[tail].tensors
        said = [
            Forward(STEP, batch, _blank(first, up, batch)),
            TailGradient(STEP, _blank(last, down, batch), DIGITS, 10),
        ]
        heard = [
            Features(STEP, _blank(last, up, batch), STAMPS),
            Backward(STEP, _blank(first, down, batch), DIGITS, 10, STAMPS),
        ]
    return sum(wire_size(frame.size(m), masked=True) for m in said), sum(
        wire_size(frame.size(m), masked=False) for m in heard
    )


def _blank(shapes: Sequence[tuple[int, ...]], text: str, batch: int) -> tuple[Packed, ...]:
    return tuple(codec(text).blank((batch, *shape)) for shape in shapes)


# ---- time ------------------------------------------------------------------------------------------------------------


def predict(
    graph: Graph,
    profile: Profile,
    shape: Shape = PRESETS["none"],
    up: str = "float32",
    down: str | None = None,
    *,
    server: Profile | None = None,
    cut: str | None = None,
    tail: str | None = None,
    batch: int = 32,
    clients: int = 1,
) -> dict[str, Prediction]:
    """What a sample costs at every cut, keyed as in `traffic`; `profile` is the client's machine, and the server's too
    unless `server` says other.

    With several clients it is the time of one client's step while the others take theirs, on one machine.
    """
    down, far = down or up, server or profile
    near_sums, far_sums = _Sums(graph, profile, batch), _Sums(graph, far, batch)
    found = {}
    for name, head, end in _splits(graph, cut, tail):
        sizes = _sizes(graph, head, end, up, down, batch)
        parts = _parts(graph, (near_sums, far_sums), (head, end), sizes, (up, down), shape)
        parts["queue"] += _wait(parts, clients, far.machine.get("cores", os.cpu_count() or 1), server is not None)
        seconds = {part: parts[part] / batch for part in PARTS if parts.get(part)}
        found[name] = Prediction(sizes[0] / batch, sizes[1] / batch, sum(seconds.values()), seconds)
    return found


class _Sums:
    """Prefix sums over the operations: seconds of a batch up to and with each of them, and parameters."""

    def __init__(self, graph: Graph, profile: Profile, batch: int) -> None:
        missing = [node.name for node in graph.nodes if node.name not in profile.forward]
        if missing:
            raise PlanError(f"this profile is of another network: it has no {missing[0]!r}; take it again")
        self.profile, self.batch, self.grown = profile, batch, batch / profile.batch
        self.forward, self.backward = (
            [0.0, *accumulate(seconds[node.name] * self.grown for node in graph.nodes)]
            for seconds in (profile.forward, profile.backward)
        )
        self.numbers = [0, *(item.client_params for item in graph.cuts)]

    def both(self, first: int, last: int) -> float:
        """Seconds of the operations from one place to another, forward and backward."""
        return self.forward[last] - self.forward[first] + self.backward[last] - self.backward[first]

    def update(self, first: int, last: int) -> float:
        """Seconds of an optimizer's step on their parameters."""
        fixed, each = self.profile.update
        numbers = self.numbers[last] - self.numbers[first]
        return fixed + each * numbers if numbers else 0.0

    def code(self, way: str, text: str, values: int) -> float:
        """Seconds to encode or decode so many values, and the message around them."""
        fixed, each = getattr(self.profile, way).get(parse(text).name, (0.0, 0.0))
        return COLD * (self.profile.message + fixed) + each * values


def _parts(
    graph: Graph,
    sums: tuple[_Sums, _Sums],
    places: tuple[int, int | None],
    sizes: tuple[int, int],
    codecs: tuple[str, str],
    shape: Shape,
) -> dict[str, float]:
    """Seconds of a step of one client alone, by part."""
    (near, far), (up, down), batch = sums, codecs, sums[0].batch
    head, tail, end = places[0] + 1, None if places[1] is None else places[1] + 1, len(graph.nodes)
    values = graph.cuts[places[0]].elements_per_sample * batch
    ways = 1 if tail is None else 2  # messages each way
    wire = {way: _carry(size, ways, way, shape) for way, size in zip(("up", "down"), sizes, strict=True)}
    parts = {
        "data": COLD * near.profile.data * near.grown,
        "client_forward": near.forward[head],
        "encode": near.code("encode", up, values),
        "up": wire["up"],
        "queue": ways * HOP_SECONDS["queue"],
        "server": far.code("decode", up, values)
        + far.both(head, tail or end)
        + far.update(head, tail or end)
        + far.code("encode", down, values),
        "down": wire["down"],
        "decode": near.code("decode", down, values),
        "client_backward": near.backward[head],
        "update": near.update(0, head),
    }
    if tail is None:
        parts["server"] += far.profile.loss * far.grown
        return parts
    later = graph.cuts[tail - 1].elements_per_sample * batch
    parts["server"] += far.code("encode", up, later) + far.code("decode", down, later)
    parts["decode"] += near.code("decode", up, later)
    parts["encode"] += near.code("encode", down, later)
    parts["client_tail"] = near.both(tail, end) + near.profile.loss * near.grown
    parts["update"] += near.update(tail, end)
    return parts


def _carry(size: int, messages: int, way: str, shape: Shape) -> float:
    """Seconds of so many messages, of so many bytes together, on their way."""
    slow = shape.seconds(size, way) + (messages - 1) * shape.seconds(0, way)
    return slow + messages * HOP_SECONDS[way] + size / LOOPBACK_BYTES_PER_SECOND


def _wait(parts: Mapping[str, float], clients: int, cores: int, apart: bool) -> float:
    """How much longer a step takes among several clients: the server takes them in turn, and cores are shared.

    While all are busy, nobody's step is shorter than everyone's server time, nor than everyone's work by the cores
    of the machine on which they run together (not where the clients are devices `apart`).
    """
    alone, server = sum(parts.values()), parts["server"]
    work = sum(parts.get(part, 0.0) for part in PARTS if part not in ("up", "queue", "down"))
    return max(0.0, clients * server - alone, 0.0 if apart else clients * work / max(1, cores) - alone)
