"""The server's step for 32 clients at once, against its step for one, per sample."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from .. import models
from ..codec import Encoder
from ..data import load_data
from ..graph import trace
from ..half import Half
from ..messages import Forward
from ..plan import Plan
from ..session import Session, Waiting, train
from .result import Result

CLIENTS, BATCH = 32, 16
THREADS = 2


def pooled(repeat: int) -> Iterator[Result]:
    """LeNet on digits, cut after the first pooling, 16 samples from each client: decode, body, encode."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        plan = Plan(sharing="pooled", clients=CLIENTS, batch_size=BATCH)
        many, one = _sessions(plan, CLIENTS), _sessions(plan, 1)
        ratios = []
        for index in range(repeat + 2):
            single = [_seconds(one) for _ in range(CLIENTS)]
            together = _seconds(many)
            if index >= 2:
                ratios.append(together / sum(single))
        yield Result(f"pooled, server step with {CLIENTS} clients, per sample", "that with 1", 0.6, tuple(ratios))
    finally:
        torch.set_num_threads(before)


def _sessions(plan: Plan, clients: int) -> list[Session]:
    data = load_data("digits")
    graph = trace(models.lenet(data), data.example)
    split = graph.split("pool1")
    assert split.body is not None
    body = Half(split.body, plan.optimizer)
    shapes = [graph.shape(name) for name in split.body.inputs]
    return [Session(client, body, [plan], shapes, len(data.classes)) for client in range(clients)]


def _seconds(sessions: list[Session]) -> float:
    for session in sessions:
        activations = [torch.rand(BATCH, *shape) for shape in session.shapes]
        packed = Encoder("float32").encode(activations)
        labels = torch.arange(BATCH) % session.classes
        session.waiting = Waiting(Forward(session.step, BATCH, packed, labels), time.monotonic())
    begin = time.perf_counter()
    train(sessions)
    return time.perf_counter() - begin
