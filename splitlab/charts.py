"""Charts of a history, drawn by Altair: every figure in them is a row of the history, or a sum of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PlanError, unknown
from .measure import PARTS

if TYPE_CHECKING:
    from .history import History

# Okabe and Ito's colours: told apart by colour-blind readers, and on light and dark grounds.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C6BB1", "#B8A600", "#7F7F7F", "#A65628"]
POINTS = 300  # of each line: more cannot be seen, and make the file large
WIDTH, HEIGHT = 460, 240


def draw(history: History, what: str) -> Any:
    """The chart of this name; see `CHARTS`."""
    if what not in CHARTS:
        raise unknown("chart", what, CHARTS)
    return CHARTS[what](history)


def page(history: History, path: Path | str, title: str, note: str = "") -> None:
    """All charts in one HTML file that opens without a network; `note` is preformatted text above them."""
    alt = _altair()
    charts = alt.vconcat(
        alt.hconcat(traffic(history), rate(history)).resolve_scale(color="independent"),
        alt.hconcat(accuracy(history), loss(history)).resolve_scale(color="independent"),
        seconds(history),
    ).resolve_scale(color="independent")
    chart = charts.properties(
        title=alt.Title(title, subtitle=note.splitlines(), subtitleFont="monospace", anchor="start")
    )
    chart.save(str(path), inline=True, embed_options={"renderer": "svg"})


def traffic(history: History) -> Any:
    """Bytes on the wire since the beginning, up and down, over all clients."""
    alt = _altair()
    frame = _frame(history, ["bytes_up", "bytes_down"])
    frame["direction"] = frame["name"].map({"bytes_up": "up", "bytes_down": "down"})
    frame["megabytes"] = frame.groupby("direction")["value"].cumsum() / 1e6
    frame = _thin(frame, ["direction"])
    lines = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after")
        .encode(_time(), alt.Y("megabytes:Q", title="MB since the start"), _colour("direction", ["up", "down"]))
    )
    return _finish(lines, history, "Communication volume")


def rate(history: History) -> Any:
    """Bytes of each training step, up and down."""
    alt = _altair()
    frame = _frame(history, ["bytes_up", "bytes_down"])
    samples = _frame(history, ["samples"])[["client", "step", "value"]].rename(columns={"value": "samples"})
    frame = frame.merge(samples, on=["client", "step"])
    frame["kilobytes"] = frame["value"] / frame["samples"] / 1e3
    frame["direction"] = frame["name"].map({"bytes_up": "up", "bytes_down": "down"})
    points = (
        alt.Chart(_thin(frame, ["direction", "client"]))
        .mark_line(interpolate="step-after")
        .encode(
            _time(),
            alt.Y("kilobytes:Q", title="kB per sample"),
            _colour("direction", ["up", "down"]),
            alt.Detail("client:N"),
        )
    )
    return _finish(points, history, "Bytes per sample")


def accuracy(history: History) -> Any:
    """Held-out accuracy of every client after every epoch."""
    alt = _altair()
    frame = _frame(history, ["test_accuracy"])
    lines = (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            _time(),
            alt.Y("value:Q", title="held-out accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
            _colour("client"),
        )
    )
    return _finish(lines, history, "Accuracy")


def loss(history: History) -> Any:
    """Training loss of every client, averaged over neighbouring steps."""
    alt = _altair()
    frame = _frame(history, ["loss"])
    frame["smooth"] = frame.groupby("client")["value"].transform(lambda one: one.rolling(9, 1).mean())
    lines = (
        alt.Chart(_thin(frame, ["client"]))
        .mark_line()
        .encode(_time(), alt.Y("smooth:Q", title="training loss"), _colour("client"))
    )
    return _finish(lines, history, "Loss")


def seconds(history: History) -> Any:
    """Time per sample by part, for each client and codec."""
    alt = _altair()
    codecs: dict[int, str] = {}
    sums: dict[tuple[str, str], float] = {}
    samples: dict[str, float] = {}
    for row in history:
        if row.name == "codec":
            codecs[row.client] = str(row.value)
        label = codecs.get(row.client, "as begun")
        if row.name in PARTS:
            sums[label, row.name] = sums.get((label, row.name), 0.0) + float(row.value)
        elif row.name == "samples":
            samples[label] = samples.get(label, 0.0) + float(row.value)
    rows = [
        {"codec": label, "part": part.replace("_", " "), "order": PARTS.index(part), "µs": value / samples[label] * 1e6}
        for (label, part), value in sums.items()
    ]
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            alt.X("µs:Q", title="µs per sample"),
            alt.Y("codec:N", title=None),
            _colour(
                "part",
                [
                    part.replace("_", " ")
                    for part in PARTS
                    if any(row["part"] == part.replace("_", " ") for row in rows)
                ],
            ),
            alt.Order("order:Q"),
            alt.Tooltip(["part:N", alt.Tooltip("µs:Q", format=",.1f")]),
        )
    )
    return bars.properties(title="Where the time of a sample goes", width=2 * WIDTH + 60, height=alt.Step(28))


CHARTS: dict[str, Callable[[History], Any]] = {
    "bytes": traffic,
    "bytes_per_sample": rate,
    "accuracy": accuracy,
    "loss": loss,
    "time": seconds,
}


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise PlanError("charts need Altair: pip install 'splitlab[lab]'") from None
    altair.data_transformers.disable_max_rows()
    return altair


def _frame(history: History, names: Iterable[str]) -> Any:
    """The rows of these names, with `seconds` since the first row of all."""
    wanted = set(names)
    frame = history.to_frame()
    begin = frame["time"].min() if len(frame) else 0.0
    frame = frame[frame["name"].isin(wanted)].copy()
    frame["seconds"] = frame["time"] - begin
    frame["value"] = frame["value"].astype(float)
    frame["client"] = frame["client"].astype(str)
    return frame[["seconds", "client", "epoch", "step", "name", "value"]]


def _thin(frame: Any, keys: list[str]) -> Any:
    """At most `POINTS` rows of each group, evenly spread, the last one always among them."""

    def spread(group: Any) -> Any:
        every = max(1, len(group) // POINTS)
        return group.iloc[::-1].iloc[::every].iloc[::-1]

    import pandas

    groups = [spread(group) for _, group in frame.groupby(keys)]
    return pandas.concat(groups) if groups else frame


def _time() -> Any:
    alt = _altair()
    return alt.X("seconds:Q", title="seconds")


def _colour(field: str, domain: list[str] | None = None) -> Any:
    alt = _altair()
    scale = alt.Scale(domain=domain, range=COLOURS) if domain else alt.Scale(range=COLOURS)
    return alt.Color(f"{field}:N", scale=scale, title=field)


def _finish(chart: Any, history: History, title: str) -> Any:
    """Marks where a setting changed, and the chart's title."""
    alt = _altair()
    marks: dict[str, float] = {}
    begin = next(iter(history)).time if len(history) else 0.0
    for row in history:
        if row.unit == "setting":
            marks.setdefault(f"{row.name} = {row.value}", row.time - begin)
    if marks:
        values = alt.Data(values=[{"seconds": when, "what": what} for what, when in marks.items()])
        rule = alt.Chart(values).mark_rule(strokeDash=[4, 3], color="#888").encode(alt.X("seconds:Q"))
        words = (
            alt.Chart(values)
            .mark_text(align="left", baseline="top", dx=4, color="#888")
            .encode(alt.X("seconds:Q"), alt.YValue(2), alt.Text("what:N"))
        )
        chart = chart + rule + words
    return chart.properties(title=title, width=WIDTH, height=HEIGHT)
