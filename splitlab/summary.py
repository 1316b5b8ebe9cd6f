"""What a run came to: accuracy, bytes and time per sample, computed from the rows of its history and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from .history import RUN, Row
from .measure import PARTS

MEGA = 1_000_000
NAMES = {
    "data": "load the batch",
    "client_forward": "client forward",
    "encode": "encode",
    "up": "on the way up",
    "queue": "wait for a turn",
    "server": "server",
    "down": "on the way down",
    "decode": "decode",
    "client_tail": "client tail",
    "client_backward": "client backward",
    "update": "client update",
}


@dataclass
class Summary:
    """Figures of a run, or of a stretch of one. Bytes are on the wire, over all clients; times are means per sample.

    `accuracy` is the mean over clients on held-out data (0 to 1), `accuracies` that of each client. A run whose codec
    changed has a summary of its own for each of its `phases`.
    """

    label: str = ""
    accuracy: float | None = None
    accuracies: dict[int, float] = field(default_factory=dict)
    loss: float | None = None
    samples: int = 0
    steps: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    other_bytes: dict[str, int] = field(default_factory=dict)
    seconds_per_sample: dict[str, float] = field(default_factory=dict)
    step_seconds_per_sample: float = 0.0
    phases: tuple[Summary, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row], label: str = "") -> Summary:
        """Add up the rows."""
        sums: dict[str, float] = defaultdict(float)
        last: dict[str, dict[int, float]] = defaultdict(dict)
        steps = 0
        for row in rows:
            if row.client == RUN or isinstance(row.value, str):
                continue
            sums[row.name] += row.value
            last[row.name][row.client] = row.value
            steps += row.name == "step"
        samples = int(sums["samples"])
        accuracies = last["test_accuracy"]
        names = [f"{purpose}_{way}" for purpose in ("evaluation", "weights", "control") for way in ("up", "down")]
        return cls(
            label,
            sum(accuracies.values()) / len(accuracies) if accuracies else None,
            dict(accuracies),
            sum(last["loss"].values()) / len(last["loss"]) if last["loss"] else None,
            samples,
            steps,
            int(sums["bytes_up"]),
            int(sums["bytes_down"]),
            {name: int(sums[name]) for name in names if sums[name]},
            {part: sums[part] / samples for part in PARTS if samples and sums[part]},
            sums["step"] / samples if samples else 0.0,
        )

    @property
    def bytes_per_sample(self) -> float:
        """Bytes on the wire in training steps, up and down, for each sample; 0 before the first."""
        return (self.bytes_up + self.bytes_down) / self.samples if self.samples else 0.0

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values."""
        return asdict(self)

    def __repr__(self) -> str:
        return str(Table([*self.phases, self]))

    def _repr_html_(self) -> str:
        return Table([*self.phases, self])._repr_html_()


def phases(rows: Iterable[Row], codec: str) -> list[Summary]:
    """A summary for each codec that a run used, in order; `codec` is what it began with."""
    now: dict[int, str] = {}
    stretches: dict[str, list[Row]] = {codec: []}
    for row in rows:
        if row.name == "codec" and row.unit == "setting":
            now[row.client] = str(row.value)
        stretches.setdefault(now.get(row.client, codec), []).append(row)
    return [Summary.of(stretch, label) for label, stretch in stretches.items()]


class Table:
    """Summaries side by side, as text and in a notebook."""

    def __init__(self, summaries: Iterable[Summary]) -> None:
        self.summaries = list(summaries)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells as text; the first row is the head."""
        columns = self.summaries
        rows = [
            ("", *(summary.label for summary in columns)),
            ("held-out accuracy", *(_percent(summary.accuracy) for summary in columns)),
            ("samples trained on", *(f"{summary.samples:,}" for summary in columns)),
            ("MB up, in training steps", *(f"{summary.bytes_up / MEGA:.2f}" for summary in columns)),
            ("MB down, in training steps", *(f"{summary.bytes_down / MEGA:.2f}" for summary in columns)),
            ("bytes per sample, up + down", *(f"{summary.bytes_per_sample:,.0f}" for summary in columns)),
            ("MB for weights, evaluation, control", *(f"{sum(s.other_bytes.values()) / MEGA:.2f}" for s in columns)),
            ("µs per sample, of which", *(f"{summary.step_seconds_per_sample * 1e6:,.0f}" for summary in columns)),
        ]
        for part, name in NAMES.items():
            if any(part in summary.seconds_per_sample for summary in columns):
                rows.append((f"   {name}", *(_micro(summary.seconds_per_sample.get(part)) for summary in columns)))
        return rows

    def __str__(self) -> str:
        rows = self.rows
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        head, *body = (
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
        )
        return "\n".join([head, "─" * (sum(widths) + 2 * len(widths) - 2), *body])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = (_html(row, "th" if index == 0 else "td") for index, row in enumerate(self.rows))
        return f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"


def _html(row: tuple[str, ...], tag: str) -> str:
    name = escape(row[0]).replace("   ", "&emsp;")
    figures = "".join(f"<{tag} style='text-align:right'>{escape(cell)}</{tag}>" for cell in row[1:])
    return f"<tr><{tag} style='text-align:left'>{name}</{tag}>{figures}</tr>"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _micro(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e6:,.0f}"
