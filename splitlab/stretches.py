"""A run in stretches between changes of a setting, and what such a change did, in a plain sentence."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from statistics import median

from .history import RUN, Row
from .plan import Plan

SILENT = ("paused", "seed", "threads", "test_samples", "evaluate")  # changes that are not worth a stretch or a word
PACES = 64  # the newest steps tell the pace: the first ones are slower
TRAINED = 1.0  # points of accuracy: more than that within a run is gained by training on
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

    `later` says that training went on from an earlier stretch. `paces` are the newest steps' seconds per sample.
    """

    plan: Plan
    later: bool = False
    samples: float = 0.0
    bytes: float = 0.0
    steps: int = 0
    accuracies: dict[int, float] = field(default_factory=dict)
    paces: deque[float] = field(default_factory=lambda: deque(maxlen=PACES))

    @property
    def bytes_per_sample(self) -> float:
        """Bytes up and down for a sample; 0 before the first."""
        return self.bytes / self.samples if self.samples else 0.0

    @property
    def seconds_per_sample(self) -> float:
        """Seconds of a client's step for a sample, the median of the newest steps; 0 before the first."""
        return median(self.paces) if self.paces else 0.0

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
        self._all = [Stretch(plan)]
        self._at: dict[int, int] = {}  # where each client is
        self._step: dict[int, float] = {}  # seconds of each client's newest step

    def __iter__(self) -> Iterator[Stretch]:
        return iter([stretch for stretch in self._all if stretch.samples])

    @property
    def last(self) -> Stretch:
        """The stretch that began last."""
        return self._all[-1]

    def take(self, rows: Iterable[Row]) -> None:
        """Add rows, in order."""
        for row in rows:
            if row.client == RUN:
                continue
            if row.unit == "setting":
                self._change(row)
            elif row.name in TAKES:
                TAKES[row.name](self, self._all[self._at.get(row.client, 0)], row)

    def _change(self, row: Row) -> None:
        """A client goes on to the next stretch with its settings; the first that does begins it."""
        if row.name in SILENT:
            return
        at = self._at.get(row.client, 0)
        plan = self._all[at].plan.change(**{row.name: row.value})
        later = [index for index in range(at + 1, len(self._all)) if self._all[index].plan == plan]
        if not later:
            self._all.append(Stretch(plan, later=True))
        self._at[row.client] = later[0] if later else len(self._all) - 1

    def _bytes(self, stretch: Stretch, row: Row) -> None:
        stretch.bytes += float(row.value)

    def _seconds(self, stretch: Stretch, row: Row) -> None:
        self._step[row.client] = float(row.value)
        stretch.steps += 1

    def _samples(self, stretch: Stretch, row: Row) -> None:
        stretch.samples += float(row.value)
        if row.client in self._step:
            stretch.paces.append(self._step.pop(row.client) / float(row.value))

    def _accuracy(self, stretch: Stretch, row: Row) -> None:
        stretch.accuracies[row.client] = float(row.value)


TAKES: dict[str, Callable[[Stretches, Stretch, Row], None]] = {
    "bytes_up": Stretches._bytes,
    "bytes_down": Stretches._bytes,
    "step": Stretches._seconds,
    "samples": Stretches._samples,
    "test_accuracy": Stretches._accuracy,
}


def verdict(before: Stretch, after: Stretch) -> str:
    """What the change from one stretch to the next did: `8-bit floats cut traffic to a quarter; accuracy …`."""
    effects = [
        _traffic(before.bytes_per_sample, after.bytes_per_sample),
        _accuracy(before.accuracy, after.accuracy, after.later),
        _time(before.seconds_per_sample, after.seconds_per_sample),
    ]
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


def _accuracy(before: float | None, after: float | None, later: bool) -> str:
    """The difference; where training went on meanwhile, a large one came from that."""
    if before is None or after is None:
        return ""
    points = (after - before) * 100
    if later and points > TRAINED:
        return f"with more training, accuracy went on from {before:.1%} to {after:.1%}"
    change = "unchanged" if abs(points) < 0.05 else f"{points:+.1f}".replace("-", "−")
    return f"accuracy {before:.1%} → {after:.1%} ({change})"


def _time(before: float, after: float) -> str:
    if not before or not after:
        return ""
    if abs(after / before - 1) < 0.1:  # two runs of the same differ that much
        return "time per sample about the same"
    return f"a sample takes {_seconds(after)} instead of {_seconds(before)}"


def _seconds(value: float) -> str:
    size, unit = next(pair for pair in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if value >= pair[0] or pair[1] == "µs")
    return f"{value / size:.3g}\u202f{unit}"  # a thin space that does not break
