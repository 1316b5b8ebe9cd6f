"""Charts of several runs over time: as specs whose points a page streams in, and as pictures that stand still."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import PlanError, unknown
from ..measure import PARTS
from ..points import Points, records
from .colours import COLOURS, DASHES, PART_COLOURS, altair

if TYPE_CHECKING:
    from ..history import History

RUNS = 8  # as many as there are colours that can be told apart
UP = 2.4  # pixels: bytes up are drawn wide, those down narrow, because colour and dash tell the run
DOWN = 1.2
FRAME = {"width": 460, "height": 200}


@dataclass(frozen=True)
class Chart:
    """One chart: what it is called, the table of `points` that it shows, what the page says below it, its drawing."""

    title: str
    table: str
    note: str
    draw: Callable[[Board], Any]


@dataclass(frozen=True)
class Board:
    """Where a chart is drawn: tables by name, points told apart by the runs' `slot`; with `labels`, a legend."""

    tables: Mapping[str, Any] | None = None
    labels: tuple[str, ...] = ()

    def data(self, table: str) -> Any:
        """The points of a table: streamed in by name, or as they are."""
        alt = altair()
        return alt.NamedData(name=table) if self.tables is None else alt.Data(values=self.tables[table])

    def lines(self, table: str, y: str, **axis: Any) -> Any:
        """A chart of a table's points over time."""
        alt = altair()
        end = alt.Scale(domainMin=0, domainMax=alt.ExprRef("end"), nice=False)
        base = alt.Chart(self.data(table)).encode(alt.X("seconds:Q", title="seconds", scale=end))
        return base.encode(alt.Y(y, **{"title": None, "axis": _si()} | axis), self.colour())

    def colour(self) -> Any:
        """A colour for each run."""
        return self._tell("Color", COLOURS[:RUNS])

    def dash(self) -> Any:
        """A dash for each run, which those who see no colours can tell."""
        return self._tell("StrokeDash", [DASHES[slot % len(DASHES)] for slot in range(RUNS)])

    def opacity(self) -> Any:
        """Runs before the newest stand back."""
        alt = altair()
        return alt.condition("datum.old", alt.value(0.55), alt.value(1))

    def _tell(self, channel: str, shown: list[Any]) -> Any:
        alt, kind = altair(), getattr(altair(), channel)
        if self.labels:
            scale = alt.Scale(domain=list(self.labels), range=shown[: len(self.labels)])
            return kind("run:N", scale=scale, legend=alt.Legend(title=None, orient="bottom"))
        return kind("slot:N", scale=alt.Scale(domain=list(range(RUNS)), range=shown), legend=None)


def _total(board: Board) -> Any:
    return _ways(board, "total")


def _step(board: Board) -> Any:
    return _ways(board, "step_bytes")


def _ways(board: Board, field: str) -> Any:
    alt = altair()
    width = alt.Scale(domain=["up", "down"], range=[UP, DOWN])
    lines = board.lines("wire", f"{field}:Q").mark_line()
    return lines.encode(
        board.dash(), alt.Detail("run:N"), alt.StrokeWidth("way:O", scale=width, legend=None), opacity=board.opacity()
    )


def _time(board: Board) -> Any:
    """Parts of the newest run as areas; of the runs before, their sum as a line."""
    alt = altair()
    scale = alt.Scale(domain=list(PARTS), range=list(PART_COLOURS.values()))
    axis = {"axis": _si()}
    base = board.lines("time", "microseconds:Q", **axis)
    areas = base.transform_filter("datum.part !== 'step' && !datum.old").mark_area(line=False, opacity=0.9)
    legend = alt.Legend(title=None, orient="bottom", columns=4) if board.labels else None
    areas = areas.encode(
        alt.Y("microseconds:Q", stack="zero", title=None, **axis),
        alt.Color("part:N", scale=scale, legend=legend),
        alt.Order("order:Q"),
    )
    before = base.transform_filter("datum.part === 'step' && datum.old").mark_line(strokeWidth=2)
    return alt.layer(areas, before.encode(board.dash())).resolve_scale(color="independent")


def _loss(board: Board) -> Any:
    base = board.lines("loss", "value:Q")
    line = base.mark_line().encode(board.dash(), opacity=board.opacity())
    return _spread(board, base) + line


def _accuracy(board: Board) -> Any:
    alt = altair()
    axis, scale = alt.Axis(format="%", tickCount=5), alt.Scale(zero=False, domainMax=1)
    base = board.lines("accuracy", "value:Q", axis=axis, scale=scale)
    mean, each = base.transform_filter("datum.client === 'mean'"), base.transform_filter("datum.client !== 'mean'")
    clients = each.mark_line(strokeWidth=0.8, opacity=0.55).encode(alt.Detail(["run:N", "client:N"]))
    line = mean.mark_line(point=alt.OverlayMarkDef(size=22), strokeWidth=2.2)
    return _spread(board, mean) + clients + line.encode(board.dash(), opacity=board.opacity())


def _memory(board: Board) -> Any:
    alt = altair()
    lines = board.lines("memory", "value:Q").mark_line(interpolate="step-after", strokeWidth=1.6)
    return lines.encode(board.dash(), alt.Detail(["run:N", "client:N"]), opacity=board.opacity())


def _si() -> Any:
    """An axis with prefixes: 0, 50k, 100k."""
    label = "datum.value === 0 ? '0' : datum.label"
    return altair().Axis(format="~s", tickCount=5, labelExpr=label)


def _spread(board: Board, base: Any) -> Any:
    """From the least to the greatest client."""
    alt = altair()
    return base.mark_area(opacity=0.16).encode(alt.Y("low:Q"), alt.Y2("high:Q"))


LIVE: dict[str, Chart] = {
    "accuracy": Chart("Held-out accuracy", "accuracy", "mean, and each client as a thin line", _accuracy),
    "loss": Chart("Training loss", "loss", "mean, and the spread of clients", _loss),
    "bytes": Chart("Bytes since the start", "wire", "wide: up · narrow: down", _total),
    "step_bytes": Chart("Bytes of a step", "wire", "wide: up · narrow: down", _step),
    "memory": Chart("Memory of each client", "memory", "the most so far, in bytes", _memory),
    "time": Chart(
        "Microseconds of a sample",
        "time",
        "areas: the newest run, from each client's second step on; lines: runs before",
        _time,
    ),
}


def spec(name: str) -> dict[str, Any]:
    """The Vega-Lite spec of a live chart: data by name (a table of `points`, and `marks`), parameters `end`, `soft`."""
    return plain(_marked(LIVE[name].draw(Board()), Board(), 10.0))


def plain(chart: Any) -> dict[str, Any]:
    """An Altair chart as a spec for the page, which has its own look; without the address of its schema."""
    content: dict[str, Any] = chart.to_dict()
    return {name: value for name, value in content.items() if name not in ("$schema", "config")}


def compare(histories: Mapping[str, History], what: str) -> Any:
    """A chart of several runs by their labels: the same as the live one, with a legend, standing still.

    The last is the newest: of its time the parts are shown.
    """
    if what not in LIVE:
        raise unknown("chart", what, LIVE)
    if len(histories) > RUNS:
        raise PlanError(f"{len(histories)} runs: no more than {RUNS} can be told apart in one chart")
    board = Board(_tables(histories), tuple(histories))
    ends = [point["seconds"] for table in board.tables.values() for point in table]  # type: ignore[union-attr]
    chart = _marked(LIVE[what].draw(board), board, max(ends, default=10.0))
    described = f"Lines over time: {LIVE[what].title}; runs: {', '.join(histories)}"
    heading = altair().Title(LIVE[what].title, subtitle=LIVE[what].note, anchor="start", offset=44)
    return chart.properties(title=heading, description=described, **FRAME)


def _tables(histories: Mapping[str, History]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in Points().tables}
    for slot, (label, history) in enumerate(histories.items()):
        points = Points()
        points.take(history)
        for table, found in tables.items():
            found += records(points, table, run=label, slot=slot, old=slot + 1 < len(histories))
    return tables


def _marked(chart: Any, board: Board, end: float) -> Any:
    """The chart with a rule at each change of a setting; the newest run's are named above the plot."""
    alt = altair()
    marks = alt.Chart(board.data("marks")).encode(alt.X("seconds:Q"))
    rules = marks.mark_rule(strokeDash=[4, 3], strokeWidth=1, color="#888").encode(opacity=board.opacity())
    side = "datum.seconds > end / 2"
    words = marks.transform_filter("!datum.old").mark_text(
        align=alt.ExprRef(f"{side} ? 'right' : 'left'"),
        dx=alt.ExprRef(f"{side} ? 2 : -2"),
        y=alt.ExprRef("-4 - 12 * datum.level"),
        baseline="bottom",
        fontSize=10,
        color=alt.ExprRef("soft"),
    )
    return alt.layer(chart, rules, words.encode(alt.Text("what:N"))).add_params(
        alt.param("end", value=end), alt.param("soft", value="#767676")
    )
