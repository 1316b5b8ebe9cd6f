"""Charts of one history that stand still: lines over time, bars for where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..errors import unknown
from ..measure import PARTS
from ..summary import NAMES, Summary, phases
from .colours import COLOURS, DASHES, PART_COLOURS, altair

if TYPE_CHECKING:
    from ..history import History

POINTS = 300  # of each line: more cannot be seen, and make the file large
SMOOTH = 9  # steps over which the loss is averaged
LABEL = 14  # pixels that the label of a change of setting is high


def draw(history: History, what: str) -> Any:
    """The chart of this name, see `CHARTS`; in a notebook it is a picture that needs no network."""
    if what not in CHARTS:
        raise unknown("chart", what, CHARTS)
    alt = altair()
    if alt.renderers.active == "default":  # it would fetch its scripts from elsewhere
        alt.renderers.enable("svg")
    return CHARTS[what](history).properties(width=460)


def traffic(history: History) -> Any:
    """Megabytes of training steps on the wire since the beginning, up and down, over all clients."""
    frame = _bytes(history)
    frame["MB"] = frame.groupby("direction")["value"].cumsum() / 1e6
    lines = _lines(frame, "MB:Q", "MB since the start", "direction", ["up", "down"])
    return _finish(lines, history, "Bytes on the wire")


def rate(history: History) -> Any:
    """Kilobytes that a sample of each training step takes, up and down."""
    frame = _bytes(history)
    samples = _frame(history, ["samples"])[["client", "step", "value"]].rename(columns={"value": "samples"})
    frame = frame.merge(samples, on=["client", "step"])
    frame["kB"] = frame["value"] / frame["samples"] / 1e3
    lines = _lines(frame, "kB:Q", "kB per sample", "direction", ["up", "down"])
    return _finish(lines, history, "Bytes per sample")


def accuracy(history: History) -> Any:
    """Held-out accuracy of every client after every epoch."""
    alt = altair()
    axis = alt.Y("value:Q", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    lines = _lines(_frame(history, ["test_accuracy"]), axis, "held-out accuracy", "client")
    return _finish(lines, history, "Accuracy")


def loss(history: History) -> Any:
    """Training loss of every client, averaged over neighbouring steps."""
    frame = _frame(history, ["loss"])
    frame["loss"] = frame.groupby("client")["value"].transform(lambda one: one.rolling(SMOOTH, 1).mean())
    return _finish(_lines(frame, "loss:Q", "training loss", "client"), history, "Loss")


def memory(history: History) -> Any:
    """The most memory that every client held so far."""
    frame = _frame(history, ["memory"])
    frame["MB"] = frame["value"] / 1e6
    return _finish(_lines(frame, "MB:Q", "MB, the most so far", "client"), history, "Memory of each client")


def steps(history: History) -> Any:
    """Kilobytes of each training step of a client, up and down."""
    frame = _bytes(history)
    frame["kB"] = frame["value"] / 1e3
    return _finish(_lines(frame, "kB:Q", "kB per step", "direction", ["up", "down"]), history, "Bytes per step")


def seconds(history: History) -> Any:
    """Where the time of a sample goes, for each codec that the run used."""
    return bars(phases(history, "as begun"))


def bars(summaries: Iterable[Summary]) -> Any:
    """Where the time of a sample goes, a bar for each summary, its parts in the order in which they happen."""
    alt = altair()
    summaries = list(summaries)
    rows = [
        {"label": summary.label, "part": NAMES[part], "order": PARTS.index(part), "µs": value * 1e6}
        for summary in summaries
        for part, value in summary.seconds_per_sample.items()
    ]
    parts = [part for part in PARTS if any(row["part"] == NAMES[part] for row in rows)]
    used, colours = [NAMES[part] for part in parts], [PART_COLOURS[part] for part in parts]
    legend = alt.Legend(title=None, orient="bottom", columns=3)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            alt.X("µs:Q", title="µs per sample"),
            alt.Y("label:N", title=None, sort=[summary.label for summary in summaries]),
            alt.Color("part:N", scale=alt.Scale(domain=used, range=colours), legend=legend),
            alt.Order("order:Q"),
            tooltip=["label:N", "part:N", alt.Tooltip("µs:Q", format=",.0f")],
        )
    )
    title = "Where the time of a sample goes"
    return chart.properties(title=alt.Title(title, anchor="start"), description=f"Bars: {title}", height=alt.Step(32))


CHARTS: dict[str, Callable[[History], Any]] = {
    "bytes": traffic,
    "bytes_per_sample": rate,
    "bytes_per_step": steps,
    "accuracy": accuracy,
    "loss": loss,
    "memory": memory,
    "time": seconds,
}


def _frame(history: History, names: Iterable[str]) -> Any:
    """The rows of these names in the order of time, with `seconds` since the first row of all."""
    frame = history.to_frame()
    begin = frame["time"].min()
    frame = frame[frame["name"].isin(set(names))].sort_values("time", kind="stable")
    frame = frame.assign(
        seconds=frame["time"] - begin,
        value=frame["value"].astype(float),
        client=frame["client"].astype(str),
    )
    return frame[["seconds", "client", "step", "name", "value"]]


def _bytes(history: History) -> Any:
    frame = _frame(history, ["bytes_up", "bytes_down"])
    return frame.assign(direction=frame["name"].str.removeprefix("bytes_"))


def _lines(frame: Any, y: Any, title: str, group: str, domain: list[str] | None = None) -> Any:
    """A line for each value of the column `group`, told apart by colour and by dashes."""
    alt = altair()
    domain = domain or sorted(frame[group].unique(), key=int)
    legend = alt.Legend(title=None if group == "direction" else group, orient="bottom")
    return (
        alt.Chart(_thin(frame, group))
        .mark_line()
        .encode(
            alt.X("seconds:Q", title="seconds", scale=alt.Scale(zero=True)),
            (alt.Y(y) if isinstance(y, str) else y).title(title),
            alt.Color(f"{group}:N", scale=alt.Scale(domain=domain, range=COLOURS), legend=legend),
            alt.StrokeDash(f"{group}:N", scale=alt.Scale(domain=domain, range=DASHES), legend=legend),
        )
    )


def _thin(frame: Any, group: str) -> Any:
    """At most about `POINTS` rows of each group, evenly spread, the last one always among them; columns in use only."""
    from_end = frame.iloc[::-1].groupby(group).cumcount()
    every = frame.groupby(group)["value"].transform("size") // POINTS + 1
    return frame[from_end.reindex(frame.index) % every == 0].drop(columns=["name", "step"])


def _finish(chart: Any, history: History, title: str) -> Any:
    """The chart with a title, and a mark at each change of a setting; labels stand above the plot, clear of lines."""
    alt = altair()
    marks = _changes(history)
    described = f"Lines over time: {title}" + "".join(f"; {mark['what']} at {mark['seconds']:.1f} s" for mark in marks)
    if marks:
        values = alt.Chart(alt.Data(values=marks)).encode(alt.X("seconds:Q"))
        chart = chart + values.mark_rule(strokeDash=[4, 3], color="#888")
        for align in sorted({mark["align"] for mark in marks}):
            words = values.transform_filter(alt.datum.align == align)
            label = alt.Y("y:Q", scale=None, axis=None)
            chart += words.mark_text(align=align, baseline="bottom", color="#888").encode(label, alt.Text("what:N"))
    heading = alt.Title(title, offset=6 + LABEL * len(marks), anchor="start")
    return chart.properties(title=heading, description=described, height=220)


def _changes(history: History) -> list[dict[str, Any]]:
    """The first row of each change of a setting: when, what, and where its label stands."""
    rows = list(history)
    marks: dict[str, float] = {}
    for row in rows:
        if row.unit == "setting":
            marks.setdefault(f"{row.name} = {row.value}", row.time)
    begin, end = min((row.time for row in rows), default=0.0), max((row.time for row in rows), default=0.0)
    return [
        {
            "seconds": when - begin,
            "what": what,
            "align": "left" if when < (begin + end) / 2 else "right",
            "y": -2 - LABEL * index,
        }
        for index, (what, when) in enumerate(marks.items())
    ]
