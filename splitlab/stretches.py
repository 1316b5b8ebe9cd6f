"""A run in stretches between changes of a setting, and what such a change did, in a plain sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from .history import RUN, Row
from .plan import Plan

SILENT = ("paused", "seed", "threads", "test_samples", "evaluate")  # changes that are not worth a stretch or a word
ALIKE = 0.03  # relative change below which two figures count as the same
FRACTIONS = {1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter", 1 / 5: "a fifth", 1 / 8: "an eighth"}
CODECS = {
    "float32": "32-bit floats",
    "float16": "16-bit floats",
    "bfloat16": "16-bit floats",
    "float8": "8-bit floats",
    "int8": "8-bit integers",
    "topk": "sending only the largest values",
}


@dataclass
class Stretch:
    """What came of one set of settings: bytes on the wire and step time of training, over all clients.

    `seconds` are summed over clients, so that `seconds_per_sample` is what one client needs for one of its samples.
    """

    plan: Plan
    samples: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    accuracies: dict[int, float] = field(default_factory=dict)

    @property
    def bytes_per_sample(self) -> float:
        """Bytes up and down for a sample; 0 before the first."""
        return self.bytes / self.samples if self.samples else 0.0

    @property
    def seconds_per_sample(self) -> float:
        """Seconds of a client's step for a sample; 0 before the first."""
        return self.seconds / self.samples if self.samples else 0.0

    @property
    def accuracy(self) -> float | None:
        """Held-out accuracy (0 to 1), the mean over clients; None before the first epoch ends."""
        return sum(self.accuracies.values()) / len(self.accuracies) if self.accuracies else None

    @property
    def label(self) -> str:
        """What tells it apart, in a few words."""
        plan = self.plan
        where = plan.baseline or " and ".join(name for name in (plan.cut, plan.tail) if name) or "default cut"
        return " · ".join([plan.model, where, plan.codec] + ([plan.link] if plan.link != "none" else []))


class Stretches:
    """The stretches of one run, added up row by row; every client's rows count to the settings that it had then."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._now: dict[int, Stretch] = {}
        self._all: dict[Plan, Stretch] = {plan: Stretch(plan)}

    def __iter__(self) -> Any:
        return iter([stretch for stretch in self._all.values() if stretch.samples])

    @property
    def last(self) -> Stretch:
        """The stretch that began last."""
        return list(self._all.values())[-1]

    def take(self, rows: Iterable[Row]) -> None:
        """Add rows, in order."""
        for row in rows:
            if row.client == RUN:
                continue
            if row.unit == "setting":
                self._change(row)
            elif row.name in TAKES:
                stretch = self._now.get(row.client) or self._all[self._plan]
                TAKES[row.name](stretch, row)

    def _change(self, row: Row) -> None:
        if row.name in SILENT:
            return
        before = self._now.get(row.client) or self._all[self._plan]
        plan = before.plan.change(**{row.name: row.value})
        self._now[row.client] = self._all.setdefault(plan, Stretch(plan))


def _bytes(stretch: Stretch, row: Row) -> None:
    stretch.bytes += float(row.value)


def _samples(stretch: Stretch, row: Row) -> None:
    stretch.samples += float(row.value)


def _step(stretch: Stretch, row: Row) -> None:
    stretch.seconds += float(row.value)
    stretch.steps += 1


def _accuracy(stretch: Stretch, row: Row) -> None:
    stretch.accuracies[row.client] = float(row.value)


TAKES: dict[str, Callable[[Stretch, Row], None]] = {
    "bytes_up": _bytes,
    "bytes_down": _bytes,
    "samples": _samples,
    "step": _step,
    "test_accuracy": _accuracy,
}


def verdict(before: Stretch, after: Stretch) -> str:
    """What the change from one stretch to the next did: `8-bit floats cut traffic to a quarter; accuracy …`."""
    effects = [_traffic(before.bytes_per_sample, after.bytes_per_sample)]
    if before.accuracy is not None and after.accuracy is not None:
        points = (after.accuracy - before.accuracy) * 100
        change = "unchanged" if abs(points) < 0.05 else f"{points:+.1f}".replace("-", "−")
        effects.append(f"accuracy {before.accuracy:.1%} → {after.accuracy:.1%} ({change})")
    effects.append(_time(before.seconds_per_sample, after.seconds_per_sample))
    text = f"{_cause(before.plan, after.plan)} {'; '.join(effect for effect in effects if effect)}."
    return text[0].upper() + text[1:]


def _cause(before: Plan, after: Plan) -> str:
    old, new = asdict(before), asdict(after)
    changed = [name for name in new if new[name] != old[name] and name not in SILENT]
    if changed == ["codec"]:
        return CODECS.get(after.codec.partition("_")[0].partition("(")[0], after.codec)
    if changed == ["link"]:
        return f"the {after.link} link instead of {'none' if before.link == 'none' else before.link}"
    if changed == ["cut"]:
        return f"cutting after {after.cut} instead of {before.cut}"
    if changed == ["tail"]:
        return "keeping the labels on the client" if after.tail else "sending the labels to the server"
    if not changed:
        return "the same settings again"
    return "changing " + " and ".join(name.replace("_", " ") for name in changed)


def _traffic(before: float, after: float) -> str:
    if not before or not after:
        return "left nothing to send" if before else "sent what was not sent before" if after else "sent nothing"
    ratio = after / before
    if abs(ratio - 1) < ALIKE:
        return "left traffic as it was"
    for fraction, word in FRACTIONS.items():
        if abs(ratio / fraction - 1) < 2 * ALIKE:
            return f"cut traffic to {word}"
    return f"cut traffic to {ratio:.0%}" if ratio < 1 else f"raised traffic {ratio:.2g}-fold"


def _time(before: float, after: float) -> str:
    if not before or not after:
        return ""
    if abs(after / before - 1) < 0.1:  # two runs of the same differ that much
        return "time per sample about the same"
    return f"a sample takes {_seconds(after)} instead of {_seconds(before)}"


def _seconds(value: float) -> str:
    size, unit = next(pair for pair in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if value >= pair[0] or pair[1] == "µs")
    return f"{value / size:.3g} {unit}"
