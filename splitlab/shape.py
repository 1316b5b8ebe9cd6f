"""The shape of a link: how fast and how slow to answer it is, so that a loopback link can feel like Wi-Fi or 4G."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from .call import make, parse
from .errors import PlanError, unknown

SLOWEST_MBPS = 0.001  # slower, a device that comes back could not even say who it is before the server loses patience
LONGEST_MS = 5_000.0


@dataclass(frozen=True)
class Shape:
    """Megabits per second up (from client to server) and down, None for as fast as it goes; the rest in milliseconds.

    Every frame takes its size by the speed, then `latency_ms` and up to `jitter_ms` more; frames never overtake.
    """

    up_mbps: float | None = None
    down_mbps: float | None = None
    latency_ms: float = 0.0
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges; raises PlanError."""
        for item in fields(self):
            value, speed = getattr(self, item.name), item.name.endswith("mbps")
            least, most, what = (SLOWEST_MBPS, float("inf"), "Mbit/s") if speed else (0.0, LONGEST_MS, "ms")
            if value is None and speed:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                end = "or more, or None for unlimited" if speed else f"to {most:g}"
                raise PlanError(f"a link's {item.name} is {value!r}: expected {least:g} {end} ({what})")

    def __bool__(self) -> bool:
        """Whether it slows anything."""
        return self != Shape()

    def seconds(self, size: int, direction: str) -> float:
        """How long a frame of so many bytes takes `up` or `down`, until the far end has all of it (jitter: half)."""
        return self.transfer(size, direction) + (self.latency_ms + self.jitter_ms / 2) / 1e3

    def transfer(self, size: int, direction: str) -> float:
        """How long a frame of so many bytes keeps the wire busy."""
        speed = self.up_mbps if direction == "up" else self.down_mbps
        return size * 8 / (speed * 1e6) if speed else 0.0

    def __str__(self) -> str:
        return f"shape({self.up_mbps}, {self.down_mbps}, {self.latency_ms:g}, {self.jitter_ms:g})"


PRESETS: dict[str, Shape] = {
    "none": Shape(),
    "wifi": Shape(100, 100, 3, 2),
    "classroom": Shape(4, 8, 15, 20),
    "4g": Shape(10, 30, 40, 15),
    "rural": Shape(0.8, 6, 60, 20),
    "lora": Shape(0.05, 0.05, 150, 50),
}
ABOUT: dict[str, str] = {
    "none": "as fast as it goes: nothing is slowed",
    "wifi": "office Wi-Fi: 100 Mbit/s both ways, 3 ms",
    "classroom": "crowded classroom: 4 Mbit/s up, 8 down, 15 to 35 ms",
    "4g": "4G phone: 10 Mbit/s up, 30 down, 40 to 55 ms",
    "rural": "rural broadband: 0.8 Mbit/s up, 6 down, 60 to 80 ms",
    "lora": "LoRa-like radio: 50 kbit/s both ways, 150 to 200 ms",
}


@lru_cache(maxsize=64)
def shape_of(text: str) -> Shape:
    """The shape that a text names: a preset (`4g`), or `shape(up_mbps, down_mbps, latency_ms, jitter_ms)`.

    >>> shape_of("shape(10, 50, 20)")
    Shape(up_mbps=10, down_mbps=50, latency_ms=20, jitter_ms=0.0)
    """
    if text in PRESETS:
        return PRESETS[text]
    if not isinstance(text, str) or "(" in text:
        call = parse(text)
        if call.name == "shape":
            return make(Shape, call)
    raise unknown("link", text, (*PRESETS, "shape(up_mbps, down_mbps, latency_ms, jitter_ms)"))
