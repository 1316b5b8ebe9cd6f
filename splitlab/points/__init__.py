"""The points of live charts, derived from rows as they come: a run of any length stays whole, and memory stays flat."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..history import RUN, Row
from .tables import Accuracy, Loss, Marks, Memory, Table, Time, Wire

NAMED = {"loss": "loss", "memory": "memory", "parts": "time"}  # figures of now, and the table that knows them


class News(NamedTuple):
    """What changed in a table: rows to put in by their first column, their `id`; `anew` when nothing else is left."""

    table: str
    anew: bool
    columns: tuple[str, ...]
    rows: list[list[Any]]


class Points:
    """Fed with a run's rows by `take`; `news()` are the points that changed since, `now()` the newest figures."""

    def __init__(self) -> None:
        wire = Wire()
        self.tables: dict[str, Any] = {
            "wire": wire,
            "time": Time(),
            "loss": Loss(),
            "accuracy": Accuracy(wire),
            "memory": Memory(),
            "marks": Marks(),
        }
        self._readers: dict[str, list[Table]] = defaultdict(list)
        for table in self.tables.values():
            for name in table.reads:
                self._readers[name].append(table)
        self._begin: float | None = None
        self._seconds = 0.0
        self._clients: set[int] = set()

    def take(self, rows: Iterable[Row]) -> None:
        """Rows in the order of the history; those of one client may lag behind those of another."""
        for row in rows:
            if self._begin is None:
                self._begin = row.time
            seconds = max(0.0, row.time - self._begin)
            if row.client == RUN:
                continue
            if row.unit == "setting":
                self.tables["marks"].take(seconds, row, row.value)
                continue
            readers = self._readers.get(row.name)
            if readers and not isinstance(row.value, str) and math.isfinite(row.value):
                self._seconds = max(self._seconds, seconds)
                self._clients.add(row.client)
                for table in readers:
                    table.take(seconds, row, row.value)

    def news(self, whole: bool = False) -> list[News]:
        """What changed in each table since last asked, or everything."""
        found = []
        for name, table in self.tables.items():
            if whole:
                table.renew()
            anew, rows = table.news()
            if rows or whole:
                found.append(News(name, anew or whole, table.columns, rows))
        return found

    def now(self) -> dict[str, Any]:
        """Figures of now: bytes and seconds of a sample, loss, accuracy with its spread, memory, and how far."""
        tables = self.tables
        figures = {"clients": len(self._clients), "seconds_run": round(self._seconds, 3)}
        figures |= {name: tables[table].now() for name, table in NAMED.items()}
        return {**tables["wire"].now(), **tables["accuracy"].now(), **figures}


def records(points: Points, table: str, **more: Any) -> list[dict[str, Any]]:
    """All points of one table as dicts, each with `more`: what a chart that does not move is drawn from."""
    found = next(news for news in points.news(whole=True) if news.table == table)
    return [dict(zip(found.columns, row, strict=True)) | more for row in found.rows]
