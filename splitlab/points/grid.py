"""Figures by time in buckets, whose width doubles with the length of a run: memory stays flat."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable

WIDTH = 0.1  # seconds of a bucket, before any doubling


class Grid:
    """Figures by time, in buckets of one width, which doubles whenever there are more than `budget` of them.

    A figure that comes late is combined into the bucket that it belongs to.
    """

    def __init__(self, budget: int, combine: Callable[[float, float], float] = operator.add) -> None:
        self.budget, self.combine, self.width = budget, combine, WIDTH
        self.buckets: dict[int, dict[Hashable, float]] = {}
        self.ends: dict[int, float] = {}  # seconds of the newest figure in each bucket
        self.changed: set[int] = set()
        self.anew = True

    def put(self, seconds: float, key: Hashable, value: float) -> None:
        """Combine a figure into the bucket of its time."""
        index = int(seconds / self.width)
        self._merge(index, {key: value}, seconds)
        self.changed.add(index)
        while len(self.buckets) > self.budget:
            self._double()

    def _merge(self, index: int, figures: dict[Hashable, float], seconds: float) -> None:
        bucket = self.buckets.setdefault(index, {})
        for key, value in figures.items():
            bucket[key] = self.combine(bucket[key], value) if key in bucket else value
        self.ends[index] = max(self.ends.get(index, 0.0), seconds)

    def _double(self) -> None:
        old, ends, self.buckets, self.ends = self.buckets, self.ends, {}, {}
        self.width *= 2
        for index, figures in old.items():
            self._merge(index // 2, figures, ends[index])
        self.anew = True

    def news(self) -> tuple[bool, list[int]]:
        """Whether all buckets are new, and those that changed since last asked, in the order of time."""
        anew, changed = self.anew, self.buckets if self.anew else self.changed
        indices = sorted(changed)
        self.anew, self.changed = False, set()
        return anew, indices
