"""The history of a run: rows of measurements in a ring, pulled by sequence number and kept as JSON lines."""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from .errors import PlanError

NOT_FINITE = ("nan", "inf", "-inf")  # JSON knows no such numbers: they stand there as text
RUN = -1  # the client number of rows that concern the run as a whole


class Row(NamedTuple):
    """One measurement. `time` is seconds since the epoch by the clock of whoever measured; `step` counts per client."""

    sequence: int
    time: float
    client: int
    epoch: int
    step: int
    name: str
    value: float | str
    unit: str


class History:
    """The newest `capacity` rows, every row also on disk where a `path` is given. Safe to use from several threads.

    `about` says what the rows were measured on (plan, graph, machine, …) and is the first line of the file; a file
    without it can be read, but not replayed with its plan.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        capacity: int = 500_000,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.about: dict[str, Any] = dict(about or {})
        self._rows: deque[Row] = deque(maxlen=capacity)
        self._next = 0
        self._lock = threading.Lock()
        self.path = Path(path) if path else None
        try:
            self._file: IO[str] | None = self.path.open("w", encoding="utf-8") if self.path else None
        except OSError as error:
            raise PlanError(
                f"cannot record into {path}: {error.strerror}; name a file in a folder that exists"
            ) from None
        if self._file and self.about:
            self._file.write(_header(self.about))
            self._file.flush()

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows without their sequence numbers: `(time, client, epoch, step, name, value, unit)`."""
        with self._lock:
            new = [Row(self._next + index, *row) for index, row in enumerate(rows)]
            self._next += len(new)
            self._rows.extend(new)
            if self._file:
                self._file.writelines(_line(row) for row in new)
                self._file.flush()

    def since(self, sequence: int) -> list[Row]:
        """All rows from this sequence number on that are still in the ring."""
        with self._lock:
            count = max(0, self._next - sequence)
            return list(islice(reversed(self._rows), count))[::-1]  # from the end: the ring may be long, the news few

    def select(self, name: str, client: int | None = None) -> list[Row]:
        """The rows of one name, of one client or of all."""
        return [row for row in self if row.name == name and client in (None, row.client)]

    def close(self) -> None:
        """Close the file; rows stay."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = None

    def save(self, path: Path | str) -> None:
        """Write all rows as JSON lines."""
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(self.lines())

    def lines(self) -> Iterator[str]:
        """The lines of its file: what it is about, and every row that is still in the ring."""
        yield _header(self.about)
        yield from map(_line, self)

    @classmethod
    def read(cls, path: Path | str) -> History:
        """Read a recorded run; what cannot be read is refused by its line."""
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")  # not splitlines: a text may hold other breaks
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(f"cannot read {path}: {error}; expected the file of a recorded run") from None
        about = _about(lines[0])
        history = cls(about=about)
        for number, line in enumerate(lines, 1):
            if not line or (number == 1 and about is not None):
                continue
            try:
                row = Row(*_list(json.loads(line)))
                value = float(row.value) if row.value in NOT_FINITE else row.value
            except (ValueError, TypeError) as error:
                raise PlanError(f"{path}, line {number}: not a row of a history ({error})") from None
            history.add([row._replace(value=value)[1:]])
        return history

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame (needs `splitlab[lab]`)."""
        import pandas

        return pandas.DataFrame(list(self), columns=list(Row._fields))

    def chart(self, what: str = "bytes") -> Any:
        """An Altair chart of bytes, time, loss, accuracy, … (needs `splitlab[lab]`); see `splitlab.charts.CHARTS`."""
        from . import charts

        return charts.draw(self, what)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.since(0))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        names = sorted({row.name for row in self})
        return f"History({len(self)} rows: {', '.join(names)})"


def _line(row: Row) -> str:
    if not isinstance(row.value, str) and not math.isfinite(row.value):
        row = row._replace(value=str(row.value))
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _header(about: Mapping[str, Any]) -> str:
    return json.dumps(about, ensure_ascii=False) + "\n" if about else ""


def _about(line: str) -> dict[str, Any] | None:
    """What the first line says about the run; None where it is a row already."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value
