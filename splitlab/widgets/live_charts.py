"""Live charts of runs: rows in, points out to the page, which draws what Altair described once."""

from __future__ import annotations

import gzip
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from traitlets import List

from .. import charts
from ..errors import SplitlabError, unknown
from ..history import History, Row
from ..measure import PARTS
from ..plan import Plan
from ..points import Points
from ..pump import Pump
from ..summary import NAMES
from .bundle import Bundled

HERTZ = 12.0  # of a widget that follows runs by itself
ROWS = 5000  # raw rows that wait for a student's chart: more than that is not shown either
ROW_COLUMNS = ("id", "seconds", *Row._fields)
PIECE = 400_000  # bytes of a file in one message: a Jupyter server drops what comes faster than 1 MB/s
PIECE_SECONDS = 0.5
RESERVED = {"points", "rows"}


class LiveCharts(Bundled, bundle="live_charts"):
    """Six charts of one run or several, the newest in front. In a notebook: `LiveCharts(run)`, or `follow(run)` later.

    `LiveCharts(history)` shows what was recorded. Within a lab nothing is followed: the lab's pump calls `add` when a
    run starts, then `take` and `pump`; `wake` is called, from any thread, when there is something for `pump` to do.
    """

    charts: Any = List().tag(sync=True)  # {"name", "title", "note", "table", "spec", "own"}
    runs: Any = List().tag(sync=True)  # {"key", "label", "slot", "old"}, the newest last
    parts: Any = List().tag(sync=True)  # {"part", "name", "colour"}
    wake: Callable[[], object]

    def __init__(self, *runs: Any) -> None:
        self._traces: dict[int, _Trace] = {}
        self._next = 0
        self._asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._files: deque[tuple[dict[str, Any], bytes]] = deque()
        self._file_due = 0.0
        self._seen = self._whole = self._raw = False
        self._follower: Pump | None = None
        self.wake = lambda: None
        parts = [{"part": part, "name": NAMES[part], "colour": charts.PART_COLOURS[part]} for part in PARTS]
        super().__init__()
        self.parts = parts
        self.charts = [_built_in(name) for name in charts.LIVE]
        self.on_msg(self._hear)
        for run in runs:
            self.follow(run)

    # ---- what is shown -----------------------------------------------------------------------------------------------

    def add(self, label: str = "", plan: Plan | None = None, history: History | None = None) -> int:
        """A run begins; returns its key. `history` is what its rows are exported from (without: those taken).

        The oldest run goes where there are more than can be told apart.
        """
        key, self._next = self._next, self._next + 1
        while len(self._traces) >= charts.RUNS:
            self._forget(next(iter(self._traces)))
        used = {trace.slot for trace in self._traces.values()}
        slot = next(slot for slot in range(charts.RUNS) if slot not in used)
        label = self._unique(label or (_label(plan) if plan else "run"))
        self._traces[key] = _Trace(label, slot, history)
        self._show_runs()
        return key

    def take(self, key: int, rows: Iterable[Row]) -> None:
        """Rows of a run, in order; those of a run that was removed are let go."""
        if trace := self._traces.get(key):
            trace.take(list(rows), self._raw)

    def remove(self, key: int) -> None:
        """Take a run out of all charts."""
        self._forget(key)
        self._show_runs()

    def clear(self) -> None:
        """Take all runs out."""
        self._traces.clear()
        self._show_runs()

    def own(self, name: str, chart: Any) -> LiveCharts:
        """Add an Altair chart of one's own, or replace it; with None, take it out.

        Its data are `alt.NamedData("points")`, every point with its `table`, or one of the tables of `splitlab.points`
        (wire, time, loss, accuracy, memory, marks), or "rows", the newest rows as they were measured. Every point has
        `seconds`, `run` (the label), `slot` and `old`.
        """
        if name in charts.LIVE:
            raise SplitlabError(f"there is a chart called {name!r} already: choose another name")
        others = [one for one in self.charts if one["name"] != name]
        if chart is None:
            self.charts = others
            return self
        spec = charts.plain(chart)
        known = {*Points().tables, *RESERVED}
        for data in _data_names(spec):
            if data not in known and data not in spec.get("datasets", {}):
                raise unknown("data of a live chart", data, known)
        self._raw = self._raw or "rows" in _data_names(spec)
        self.charts = [*others, {"name": name, "title": name, "note": "", "table": "", "spec": spec, "own": True}]
        return self

    def chart(self, what: str = "accuracy") -> Any:
        """An Altair chart of the same runs that stands still; see `splitlab.charts.LIVE`."""
        return charts.compare({trace.label: trace.history for trace in self._traces.values()}, what)

    # ---- following by itself -----------------------------------------------------------------------------------------

    def follow(self, run: Any, label: str = "") -> LiveCharts:
        """Show a run, a replay or a history; a thread starts when somebody looks, and ends with the run."""
        history = run if isinstance(run, History) else run.history
        plan = getattr(run, "plan", None) or _plan(history)
        self._traces[self.add(label, plan, history)].source = run
        self.wake = self._wake
        if self._seen:
            self.wake()
        return self

    def close(self) -> None:
        """End following, and the widget."""
        if self._follower:
            self._follower.close()
        super().close()

    def _wake(self) -> None:
        if self._follower is None:  # not before somebody looks
            self._follower = Pump(self.pump, self._failed, HERTZ)
        self._follower.do(self.pump)

    def _failed(self, error: Exception) -> None:
        self.send({"type": "problem", "text": f"{type(error).__name__}: {error}"})

    # ---- called by whoever pumps -------------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Answer what the page asked for, and tell it what is new; returns whether there is more to come."""
        while not self._asked.empty():
            self._answer(self._asked.get())
        going_on = [trace.pull(self._raw) for trace in list(self._traces.values())]
        if self._seen:
            self._tell()
        self._send_piece()
        return any(going_on) or bool(self._files)

    def _tell(self) -> None:
        whole, self._whole = self._whole, False
        news: list[dict[str, Any]] = []
        for key, trace in self._traces.items():
            news += [{"run": key} | found for found in trace.news(whole)]
        if news:
            now = {key: self._traces[key].points.now() for key in {found["run"] for found in news}}
            self.send({"type": "points", "news": news, "now": now})

    def _send_piece(self) -> None:
        """A file goes in pieces, and not faster than a Jupyter server lets them through."""
        if self._files and time.monotonic() >= self._file_due:
            message, piece = self._files.popleft()
            self.send(message, [piece] if piece else None)
            self._file_due = time.monotonic() + PIECE_SECONDS

    # ---- what the page asks for --------------------------------------------------------------------------------------

    def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
        """Only keep it: callbacks run in other threads, or wait for a cell."""
        if isinstance(content, dict):
            self._asked.put(content)
            self.wake()

    def _answer(self, message: dict[str, Any]) -> None:
        kind, run = message.get("type"), message.get("run")
        if kind == "hello":
            self._seen = self._whole = True
        elif kind == "remove" and isinstance(run, int):
            self.remove(run)
        elif kind == "export":
            threading.Thread(target=self._write, args=(message,), name="splitlab export", daemon=True).start()

    def _write(self, message: dict[str, Any]) -> None:
        """Write a file in a thread of its own, because it may take seconds; the pump sends it."""
        answer: dict[str, Any] = {"view": message.get("view")}
        asked, what = message.get("runs"), message.get("what")
        keys = [key for key in asked if key in self._traces] if isinstance(asked, list) else list(self._traces)
        try:
            if what not in charts.FILES:
                raise unknown("kind of file", what, charts.FILES)
            if not keys:
                raise SplitlabError("there is nothing to save yet: start a run, or show one")
            file = charts.FILES[what]
            packed = gzip.compress(file.write({self._traces[key].label: self._traces[key].history for key in keys}))
        except Exception as error:
            self._files.append((answer | {"type": "problem", "text": str(error)}, b""))
        else:
            answer |= {"type": "file", "name": file.name, "mime": file.mime, "pieces": math.ceil(len(packed) / PIECE)}
            pieces = [packed[begin : begin + PIECE] for begin in range(0, len(packed), PIECE)]
            self._files.extend((answer | {"piece": number}, piece) for number, piece in enumerate(pieces))
        self.wake()

    # ------------------------------------------------------------------------------------------------------------------

    def _forget(self, key: int) -> None:
        self._traces.pop(key, None)

    def _show_runs(self) -> None:
        newest = max(self._traces, default=None)
        self.runs = [
            {"key": key, "label": trace.label, "slot": trace.slot, "old": key != newest}
            for key, trace in self._traces.items()
        ]

    def _unique(self, label: str) -> str:
        labels = {trace.label for trace in self._traces.values()}
        names = [label, *(f"{label} ({number})" for number in range(2, len(labels) + 3))]
        return next(name for name in names if name not in labels)


class _Trace:
    """One run that is shown: its points, and the rows that they came from."""

    def __init__(self, label: str, slot: int, history: History | None) -> None:
        self.label, self.slot, self.points = label, slot, Points()
        self.history = History() if history is None else history
        self.source: Any = None  # a run, a replay or a history to follow
        self._keep = history is None
        self._next = 0
        self._begin: float | None = None
        self._raw: deque[list[Any]] = deque(maxlen=ROWS)  # those not told yet
        self._recent: deque[list[Any]] = deque(maxlen=ROWS)

    def take(self, rows: list[Row], raw: bool) -> None:
        """Rows, in order."""
        self.points.take(rows)
        if self._keep:
            self.history.add(row[1:] for row in rows)
        if raw:
            told = [self._told(row) for row in rows]
            self._raw.extend(told)
            self._recent.extend(told)

    def _told(self, row: Row) -> list[Any]:
        if self._begin is None:
            self._begin = row.time
        value = row.value if isinstance(row.value, str) or math.isfinite(row.value) else str(row.value)
        return [str(row.sequence), round(max(0.0, row.time - self._begin), 3), *row._replace(value=value)]

    def pull(self, raw: bool) -> bool:
        """Take what is new in what is followed; returns whether there may be more."""
        if self.source is None:
            return False
        ended = isinstance(self.source, History) or self.source.ended  # asked before the rows: none is missed
        history = self.source if isinstance(self.source, History) else self.source.history
        if rows := history.since(self._next):
            self._next = rows[-1].sequence + 1
            self.take(rows, raw)
        return not ended

    def news(self, whole: bool) -> list[dict[str, Any]]:
        """What the page is told."""
        found = [news._asdict() for news in self.points.news(whole)]
        rows = list(self._recent if whole else self._raw)
        self._raw.clear()
        if rows:
            found.append({"table": "rows", "anew": whole, "columns": ROW_COLUMNS, "rows": rows})
        return found


def _built_in(name: str) -> dict[str, Any]:
    chart = charts.LIVE[name]
    return {"name": name, "title": chart.title, "note": chart.note, "table": chart.table, "spec": charts.spec(name)}


def _label(plan: Plan) -> str:
    where = plan.baseline or " and ".join(cut for cut in (plan.cut, plan.tail) if cut) or "default cut"
    return f"{plan.model}, {where}, {plan.codec}"


def _plan(history: History) -> Plan | None:
    return Plan().change(**history.about["plan"]) if "plan" in history.about else None


def _data_names(spec: Any) -> set[str]:
    """The names of data that a spec refers to."""
    if isinstance(spec, list):
        return set().union(*map(_data_names, spec))
    if not isinstance(spec, dict):
        return set()
    data = spec.get("data")
    own = {data["name"]} if isinstance(data, dict) and isinstance(data.get("name"), str) else set()
    return own.union(*map(_data_names, spec.values()))
