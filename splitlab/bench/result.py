"""A benchmark's result: ratios to a limit, their spread, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Result:
    """Ratios of what was measured to its `limit`, one for each repetition; the median counts against the `goal`.

    Without a goal it is measured for comparison only. `parts` is the profile: seconds of each part of a step (median).
    """

    name: str
    limit: str
    goal: float | None
    ratios: tuple[float, ...]
    parts: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def reached(self) -> bool:
        """Whether the goal, if there is one, was reached."""
        return self.goal is None or self.ratio <= self.goal

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values."""
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}

    def __str__(self) -> str:
        verdict = f"; goal {self.goal:g}, {'reached' if self.reached else 'missed'}" if self.goal else ""
        lines = [
            f"{self.name}: {self.ratio:.4g} x {self.limit} "
            f"({min(self.ratios):.4g} to {max(self.ratios):.4g} of {len(self.ratios)}{verdict})"
        ]
        total = sum(self.parts.values())
        lines += [f"    {part:<16}{value * 1e3:10.3f} ms {value / total:6.1%}" for part, value in self.parts.items()]
        return "\n".join([*lines, *([f"    {self.note}"] if self.note else [])])
