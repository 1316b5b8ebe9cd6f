"""A link slowed to a shape: frames wait on a virtual wire, each way, and arrive when they would on a real one."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import LinkClosed
from .link import Frame, Link, length
from .protocol.wire import wire_size
from .shape import PRESETS, Shape

Item = TypeVar("Item")


class Wire(Generic[Item]):
    """One way of a virtual wire: one frame at a time, then the latency; what was put in first comes out first."""

    def __init__(self, direction: str, chance: random.Random) -> None:
        self.direction, self._chance = direction, chance
        self._free = self._last = float("-inf")  # when the wire is free again, and when the newest frame arrives
        self._items: deque[tuple[float, Item]] = deque()

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, item: Item, size: int, now: float, shape: Shape) -> None:
        """A frame of so many bytes goes on the wire as soon as that is free."""
        self._free = max(now, self._free) + shape.transfer(size, self.direction)
        jitter = self._chance.uniform(0, shape.jitter_ms) if shape.jitter_ms else 0.0
        self._last = max(self._free + (shape.latency_ms + jitter) / 1e3, self._last)
        self._items.append((self._last, item))

    @property
    def due(self) -> float:
        """When the next frame arrives; infinity while there is none."""
        return self._items[0][0] if self._items else float("inf")

    def take(self) -> Item:
        """The next frame, whether it is due or not."""
        return self._items.popleft()[1]

    def hurry(self) -> None:
        """What is on the wire arrives at once."""
        self._items = deque((float("-inf"), item) for _, item in self._items)
        self._free = self._last = float("-inf")


class ShapedLink:
    """A link as slow as its `shape`, which may change at any time; what is on the way keeps its time.

    There is no thread: frames that are due leave within `send`, `receive` and `close`, so whoever uses it must wait in
    `receive`. The real link below is never slowed, so its own signs of life go on. `seed` fixes the jitter.
    """

    def __init__(
        self, link: Link, shape: Shape = PRESETS["none"], seed: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.link, self.shape = link, shape
        self._clock = clock
        self._up: Wire[Frame] = Wire("up", random.Random(f"{seed} up"))
        self._down: Wire[tuple[bytes, int]] = Wire("down", random.Random(f"{seed} down"))
        self._broken: LinkClosed | None = None

    def send(self, frame: Frame) -> int:
        """Put a frame on the wire; returns the bytes that it takes there. Does not block."""
        if not (self.shape or self._up):
            return self.link.send(frame)
        if self._broken and not self._down:
            raise self._broken
        size = wire_size(length(frame), masked=True)
        self._up.put(frame, size, self._clock(), self.shape)
        self._flush()
        return size

    def receive(self, timeout: float | None = None) -> tuple[bytes, int] | None:
        """The next frame once it is due, and the bytes that it took; None after `timeout` seconds without one."""
        if not (self.shape or self._up or self._down or self._broken):
            return self.link.receive(timeout)
        deadline = self._clock() + timeout if timeout is not None else float("inf")
        looked = False
        while True:
            self._flush()
            now = self._clock()
            if self._down.due <= now:
                return self._down.take()
            if self._broken and not self._down:
                raise self._broken
            if looked and now >= deadline:
                return None
            self._listen(max(0.0, min(deadline, self._up.due, self._down.due) - now))
            looked = True

    def hurry(self) -> None:
        """Be slow no more: what is on the way arrives at once."""
        self.shape = Shape()
        self._up.hurry()
        self._down.hurry()
        self._flush()

    def close(self) -> None:
        """Hang up; frames still on the wire arrive first, at once."""
        self._up.hurry()
        self._flush()
        self.link.close()

    def _flush(self) -> None:
        """Hand over what is due by now."""
        while self._up and not self._broken and self._up.due <= self._clock():
            try:
                self.link.send(self._up.take())
            except LinkClosed as error:
                self._broken = error

    def _listen(self, seconds: float) -> None:
        """Wait for the real link; what comes goes on the virtual wire. A broken one still delivers what is on that."""
        if self._broken:
            time.sleep(min(seconds, 0.05))
            return
        try:
            received = self.link.receive(None if seconds == float("inf") else seconds)
        except LinkClosed as error:
            self._broken = error
            return
        if received is not None:
            self._down.put(received, received[1], self._clock(), self.shape)
