"""A split step over loopback between two processes, against the same step in one process with as many threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import models
from ..data import Data, from_tensors, load_data
from .pair import measure
from .result import Result

BATCH = 64
THREADS = 1  # of each process; the two work in turn, so one is busy at a time, as in the one-process step


def resnet_step(repeat: int) -> Iterator[Result]:
    """CIFAR-style ResNet-18, batch 64, cut after the first block; and its bytes on the wire."""
    data = _coloured()
    yield from _step(
        "ResNet-18", models.resnet18(data), "layer1.0.relu2", *data.batch(range(BATCH)), repeat, 1.05, 1.005
    )


def lenet_step(repeat: int) -> Iterator[Result]:
    """LeNet on digits, batch 64, cut after the first pooling: so little to compute that everything else shows."""
    data = load_data("digits")
    yield from _step("lenet", models.lenet(data), "pool1", *data.batch(range(BATCH)), 10 * repeat)


def _step(
    name: str,
    model: nn.Module,
    cut: str,
    inputs: Tensor,
    labels: Tensor,
    repeat: int,
    step_goal: float | None = None,
    wire_goal: float | None = None,
) -> Iterator[Result]:
    measured, graph = measure(model, cut, inputs, labels, repeat, THREADS, whole_step(model, inputs, labels))
    yield Result(f"{name}, split step in sequence", "the one-process step", step_goal, measured.ratios, measured.parts)
    raw = 2 * len(labels) * graph.cut(cut).bytes_per_sample + labels.nbytes
    wire = tuple((row["bytes_up"] + row["bytes_down"]) / raw for row in measured.rows)
    yield Result(
        f"{name}, bytes on the wire", "the raw tensors", wire_goal, wire, note=f"{raw:,} bytes a step, both ways"
    )


def whole_step(model: nn.Module, inputs: Tensor, labels: Tensor) -> Callable[[], None]:
    """A training step as in any tutorial."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def _coloured() -> Data:
    """Digits in the shape of CIFAR: what a step costs does not depend on what is in the picture."""
    digits = load_data("digits")
    examples = digits.train.take(range(BATCH)), digits.test.take(range(BATCH))
    grown = [functional.interpolate(e.inputs.float() / 16, size=(32, 32)).repeat(1, 3, 1, 1) for e in examples]
    return from_tensors(grown[0], examples[0].labels, grown[1], examples[1].labels, name="coloured digits")
