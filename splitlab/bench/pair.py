"""A real server in a kernel and a real client here, over loopback, one step of which alternates with a reference."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from .. import memory
from ..client import Client
from ..dial import converse
from ..graph import Graph, trace
from ..measure import PARTS
from ..places import Kernel
from ..places.work import save_split
from ..plan import Plan
from ..server import token

WARM = 2  # steps that are not counted: allocators and thread pools come to rest


class Alternating:
    """Batches for a client; before each one the reference step is run and timed, on the same thread."""

    def __init__(self, inputs: Tensor, labels: Tensor, steps: int, reference: Callable[[], None]) -> None:
        self.inputs, self.labels, self.steps, self.reference = inputs, labels, steps, reference
        self.seconds: list[float] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The same batch again and again."""
        for _ in range(self.steps):
            begin = time.perf_counter()
            self.reference()
            self.seconds.append(time.perf_counter() - begin)
            yield self.inputs, self.labels


class Measured:
    """What came out: for each counted step the seconds of the split step and of the reference, and its rows."""

    def __init__(self, rows: list[dict[str, float]], reference: list[float]) -> None:
        self.rows, self.reference = rows[WARM:], reference[WARM:]
        self.split = [row["step"] - row["data"] for row in self.rows]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Split by reference, pair by pair."""
        return tuple(mine / other for mine, other in zip(self.split, self.reference, strict=True))

    @property
    def parts(self) -> dict[str, float]:
        """Median seconds of each part of a step, without the batch itself (the reference ran there)."""
        named = [part for part in PARTS if part != "data" and any(row.get(part) for row in self.rows)]
        return {part: median(row.get(part, 0.0) for row in self.rows) for part in named}


def measure(
    model: nn.Module, cut: str, inputs: Tensor, labels: Tensor, steps: int, threads: int, reference: Callable[[], None]
) -> tuple[Measured, Graph]:
    """Train with a server kernel, in turn with the reference."""
    memory.keep()
    plan = Plan(clients=1, epochs=1, cut=cut, batch_size=len(labels), threads=threads, sharing="none", evaluate=False)
    graph, secret = trace(model, inputs), secrets.token_hex(16)
    share = Alternating(inputs, labels, steps + WARM, reference)
    client = Recording(0, token(secret, "client", 0), lambda _: share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        split = graph.split(cut)
        save_split(split, folder)
        shapes = [list(graph.shape(value)) for value in split.body.inputs] if split.body else []
        classes = graph.shape(graph.output)[-1]
        values = {"folder": name, "secret": secret, "classes": classes, "shapes": shapes}
        job = Kernel().launch("server", lambda: values)
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(threads)
            converse(client, job.about()["url"])
        finally:
            torch.set_num_threads(before)
            job.cancel()
    rows = [row for row in client.steps.values() if "step" in row]
    return Measured(rows, share.seconds), graph


class Recording(Client):
    """A client that keeps its rows."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.steps: dict[int, dict[str, float]] = defaultdict(dict)

    def _write(self, values: object) -> None:
        super()._write(values)  # type: ignore[arg-type]
        for _, _, _, step, name, value, _ in self._rows:
            if isinstance(value, float):
                self.steps[step][name] = value
