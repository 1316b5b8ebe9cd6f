"""The tables that live charts are drawn from: which rows each reads, and what its points are."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from typing import Any, ClassVar

from ..history import Row
from ..measure import PARTS
from .grid import Grid

SMOOTH = 9  # steps over which a client's loss is averaged
NOW = 3  # the newest buckets, which tell the figures of now
LEVELS = 3  # rows of labels above a chart: neighbours do not cover each other
MARKS = 60  # more cannot be read


class Table:
    """Points of one kind; a subclass says which rows it reads and what its points are."""

    reads: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    budget: ClassVar[int] = 400

    def __init__(self) -> None:
        self.grid = Grid(self.budget)

    def take(self, seconds: float, row: Row, value: float) -> None:
        """A row, so many seconds after the run began."""
        raise NotImplementedError

    def news(self) -> tuple[bool, list[list[Any]]]:
        """Whether all points are new, and the points that changed."""
        anew, indices = self.grid.news()
        return anew, [point for index in indices for point in self.points(index)]

    def points(self, index: int) -> Iterable[list[Any]]:
        """The points of a bucket."""
        raise NotImplementedError

    def renew(self) -> None:
        """Count everything as changed."""
        self.grid.anew = True


class Wire(Table):
    """Bytes of training steps over all clients, up and down: since the start, of a step, of a sample."""

    reads = ("bytes_up", "bytes_down", "samples", "step")
    columns = ("id", "seconds", "way", "total", "step_bytes", "sample_bytes")

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def take(self, seconds: float, row: Row, value: float) -> None:
        """Add up what a step took; its seconds too, for the figures of now."""
        self.grid.put(seconds, row.name, value)
        if row.name == "step":
            self.grid.put(seconds, "steps", 1.0)
        elif row.name != "samples":
            self.total += value

    def news(self) -> tuple[bool, list[list[Any]]]:
        """A bucket's points hold the bytes of all before: those after a change change too."""
        anew, indices = self.grid.news()
        first = indices[0] if indices else math.inf
        sums, rows = {"up": 0.0, "down": 0.0}, []
        for index in sorted(self.grid.buckets):
            bucket = self.grid.buckets[index]
            for way in sums:
                size = bucket.get(f"bytes_{way}", 0.0)
                sums[way] += size
                if index >= first and sums[way]:
                    rows.append(self._point(index, way, sums[way], size))
        return anew, rows

    def _point(self, index: int, way: str, total: float, size: float) -> list[Any]:
        steps, samples = (self.grid.buckets[index].get(name, 0.0) for name in ("steps", "samples"))
        seconds, each = round(self.grid.ends[index], 3), _ratio(size, steps)
        return [f"{index}{way}", seconds, way, _short(total), each, _ratio(size, samples)]

    def now(self) -> dict[str, float | None]:
        """Bytes and seconds of a sample, by the newest buckets."""
        sums: dict[Hashable, float] = defaultdict(float)
        newest = [index for index in sorted(self.grid.buckets)[-2 * NOW :] if "samples" in self.grid.buckets[index]]
        for index in newest[-NOW:]:
            for name, value in self.grid.buckets[index].items():
                sums[name] += value
        size = sums["bytes_up"] + sums["bytes_down"]
        bytes_, seconds = (_ratio(value, sums["samples"]) for value in (size, sums["step"]))
        return {"bytes": bytes_, "seconds": seconds, "total": _short(self.total)}


class Time(Table):
    """Microseconds that a sample takes, by part of a step; the part `step` is their sum and what lies between.

    Without each client's first step: it loads what torch needs, takes fifty times as long, and would dwarf the others.
    """

    reads = (*PARTS, "step", "samples")
    columns = ("id", "seconds", "part", "order", "microseconds")
    budget = 150  # of each part: areas are dear to draw

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._warm: set[int] = set()  # clients that have their first step behind them

    def take(self, seconds: float, row: Row, value: float) -> None:
        """Add up; an area needs all its parts at every time, so a part not seen before makes all points new."""
        if row.client not in self._warm:
            if row.name == "samples":  # a step's last row
                self._warm.add(row.client)
            return
        self.grid.put(seconds, row.name, value)
        if row.name != "samples" and row.name not in self.parts:
            self.parts.append(row.name)
            self.grid.anew = True

    def points(self, index: int) -> Iterable[list[Any]]:
        """One for each part in use."""
        bucket, seconds = self.grid.buckets[index], round(self.grid.ends[index], 3)
        samples = bucket.get("samples", 0.0)
        if not samples:
            return
        for part in self.parts:
            order = PARTS.index(part) if part in PARTS else len(PARTS)
            yield [f"{index}{part}", seconds, part, order, _ratio(bucket.get(part, 0.0) * 1e6, samples)]

    def now(self) -> dict[str, float | None]:
        """Microseconds that a sample takes by part, by the newest buckets."""
        newest = [bucket for _, bucket in sorted(self.grid.buckets.items())[-NOW:]]
        samples = sum(bucket.get("samples", 0.0) for bucket in newest)
        return {part: _ratio(1e6 * sum(bucket.get(part, 0.0) for bucket in newest), samples) for part in self.parts}


class Loss(Table):
    """Training loss: the mean over clients of each one's last few steps, with the least and the greatest client."""

    reads = ("loss",)
    columns = ("id", "seconds", "value", "low", "high")

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=SMOOTH))

    def take(self, seconds: float, row: Row, value: float) -> None:
        """Average with the steps before."""
        last = self._last[row.client]
        last.append(value)
        self.grid.put(seconds, (row.client, "sum"), sum(last) / len(last))
        self.grid.put(seconds, (row.client, "count"), 1.0)

    def points(self, index: int) -> Iterable[list[Any]]:
        """One."""
        bucket = self.grid.buckets[index]
        clients = {key[0] for key in bucket if isinstance(key, tuple)}
        means = [bucket[client, "sum"] / bucket[client, "count"] for client in clients]
        figures = (sum(means) / len(means), min(means), max(means))
        yield [str(index), round(self.grid.ends[index], 3), *map(_short, figures)]

    def now(self) -> float | None:
        """The mean over clients."""
        means = [sum(last) / len(last) for last in self._last.values()]
        return _short(sum(means) / len(means)) if means else None


class Memory(Table):
    """The most memory that each client held so far, in bytes."""

    reads = ("memory",)
    columns = ("id", "seconds", "client", "value")
    budget = 100

    def __init__(self) -> None:
        self.grid = Grid(self.budget, max)

    def take(self, seconds: float, row: Row, value: float) -> None:
        """Keep the greatest."""
        if value > 0:
            self.grid.put(seconds, row.client, value)

    def points(self, index: int) -> Iterable[list[Any]]:
        """One for each client."""
        for client, value in self.grid.buckets[index].items():
            yield [f"{index}c{client}", round(self.grid.ends[index], 3), f"{client}", _short(value)]

    def now(self) -> float | None:
        """The most of any client."""
        return max((_short(max(bucket.values())) for bucket in self.grid.buckets.values()), default=None)


class Accuracy(Table):
    """Held-out accuracy of every client after every epoch, and `mean` with the least and the greatest of them."""

    reads = ("test_accuracy",)
    columns = ("id", "seconds", "client", "epoch", "value", "low", "high", "total")
    budget = 2000  # points; then only every second epoch is kept, then every fourth, …

    def __init__(self, wire: Wire) -> None:
        self._wire, self._every = wire, 1
        self._epochs: dict[int, dict[int, tuple[float, float]]] = {}
        self._total: dict[int, float] = {}
        self._last: dict[int, tuple[int, float]] = {}
        self._changed: set[int] = set()
        self._anew = True

    def take(self, seconds: float, row: Row, value: float) -> None:
        """Keep it by epoch and client; `total` are the bytes on the wire until then."""
        self._last[row.client] = (row.epoch, value)
        self._epochs.setdefault(row.epoch, {})[row.client] = (seconds, value)
        self._total[row.epoch] = self._wire.total
        self._changed.add(row.epoch)
        while sum(len(clients) + 1 for clients in self._epochs.values()) > self.budget and len(self._epochs) > 2:
            self._every *= 2
            self._thin()
        if self._every > 1:
            self._thin()

    def _thin(self) -> None:
        """Keep one epoch in `_every`, and the newest."""
        newest = max(self._epochs)
        gone = [epoch for epoch in self._epochs if epoch != newest and (epoch + 1) % self._every]
        for epoch in gone:
            del self._epochs[epoch], self._total[epoch]
        self._anew = self._anew or bool(gone)

    def news(self) -> tuple[bool, list[list[Any]]]:
        """Epochs in which an accuracy came in."""
        anew, changed = self._anew, self._epochs if self._anew else self._changed
        rows = [point for epoch in sorted(changed) if epoch in self._epochs for point in self.points(epoch)]
        self._anew, self._changed = False, set()
        return anew, rows

    def points(self, index: int) -> Iterable[list[Any]]:
        """One for each client, and one for the mean."""
        clients = self._epochs[index]
        total, values = _short(self._total[index]), [value for _, value in clients.values()]
        for client, (seconds, value) in clients.items():
            yield [f"{index}c{client}", round(seconds, 3), f"{client}", index, _short(value), None, None, total]
        latest = round(max(seconds for seconds, _ in clients.values()), 3)
        figures = map(_short, (sum(values) / len(values), min(values), max(values)))
        yield [f"{index}mean", latest, "mean", index, *figures, total]

    def renew(self) -> None:
        """Count everything as changed."""
        self._anew = True

    def now(self) -> dict[str, Any]:
        """The mean over clients of each one's last, how far they lie apart, and the epochs that all are through."""
        values = [value for _, value in self._last.values()]
        if not values:
            return {"accuracy": None, "low": None, "high": None, "epochs": 0}
        epochs = min(epoch for epoch, _ in self._last.values()) + 1
        return {"accuracy": sum(values) / len(values), "low": min(values), "high": max(values), "epochs": epochs}


class Marks(Table):
    """The first step of each change of a setting; clients that follow add nothing."""

    columns = ("id", "seconds", "what", "level")

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], int] = defaultdict(int)
        self._made: dict[str, int] = defaultdict(int)
        self._marks: deque[list[Any]] = deque(maxlen=MARKS)
        self._count, self._sent = 0, 0

    def take(self, seconds: float, row: Row, value: Any) -> None:
        """The nth change that a client sees is the nth of all."""
        self._seen[row.client, row.name] += 1
        if self._seen[row.client, row.name] > self._made[row.name]:
            self._made[row.name] += 1
            self._marks.append([str(self._count), round(seconds, 3), _words(row.name, value), self._count % LEVELS])
            self._count += 1

    def news(self) -> tuple[bool, list[list[Any]]]:
        """Those since last asked; all, where an old one had to go."""
        anew = self._sent == 0 or (self._count > MARKS and self._count > self._sent)
        rows = [mark for mark in self._marks if anew or int(mark[0]) >= self._sent]
        self._sent = self._count
        return anew, rows

    def renew(self) -> None:
        """Count everything as changed."""
        self._sent = 0


def _ratio(sum_: float, count: float) -> float | None:
    return _short(sum_ / count) if count else None


def _short(value: float) -> float:
    """Five figures: nobody sees more, and messages stay small."""
    return float(f"{value:.5g}")


def _words(name: str, value: object) -> str:
    if name == "paused":
        return "paused" if value else "resumed"
    return f"{name} = {'none' if value is None else value}"
