"""A network so thin that the wire dominates, against a bare TCP exchange of the same tensors with the same compute."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .pair import measure
from .result import Result
from .steps import BATCH, THREADS

SHAPE = (BATCH, 64, 32, 32)  # of what crosses: 16.8 MB each way
BUFFER = 4 * 1024 * 1024


def thin(repeat: int) -> Iterator[Result]:
    """Conv3x3(3→64)+BN+ReLU, cut, AvgPool4+Linear, on 64x3x32x32."""
    model = network()
    inputs, labels = torch.randn(BATCH, 3, 32, 32), torch.arange(BATCH) % 10
    bare = Bare(inputs)
    try:
        measured, _ = measure(model, "relu", inputs, labels, max(10, repeat), THREADS, bare.step)
    finally:
        bare.close()
    yield Result("thin, split step in sequence", "bare TCP", 1.3, measured.ratios, measured.parts)


def network() -> nn.Sequential:
    """Both halves."""
    layers = {
        "conv": nn.Conv2d(3, 64, 3, padding=1),
        "bn": nn.BatchNorm2d(64),
        "relu": nn.ReLU(),
        "pool": nn.AvgPool2d(4),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(64 * 8 * 8, 10),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


class Bare:
    """A client that trains the head over a plain socket: no messages, no checks, one preallocated buffer each way."""

    def __init__(self, inputs: Tensor) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        code = f"from splitlab.bench.thin import serve; from splitlab.memory import keep; keep(); serve({port})"
        self.process = subprocess.Popen([sys.executable, "-c", code])
        self.socket = tuned(listening.accept()[0])
        listening.close()
        self.inputs, self.head = inputs, network()[:3].train()
        self.optimizer = torch.optim.SGD(self.head.parameters(), lr=0.05, momentum=0.9)
        self.gradient = torch.empty(SHAPE)

    def step(self) -> None:
        """Head forward, tensor there, gradient back, head backward, update."""
        self.optimizer.zero_grad(set_to_none=True)
        activation = self.head(self.inputs)
        self.socket.sendall(view(activation.detach()))
        receive(self.socket, self.gradient)
        activation.backward(self.gradient)
        self.optimizer.step()

    def close(self) -> None:
        """Hang up; the other process ends."""
        self.socket.close()
        self.process.wait(10)


def serve(port: int) -> None:
    """The other process: body forward, loss, backward, update, between two exchanges."""
    torch.set_num_threads(THREADS)
    link = tuned(socket.create_connection(("127.0.0.1", port)))
    body = network()[3:].train()
    optimizer = torch.optim.SGD(body.parameters(), lr=0.05, momentum=0.9)
    buffer, labels = torch.empty(SHAPE), torch.arange(BATCH) % 10
    while receive(link, buffer):
        optimizer.zero_grad(set_to_none=True)
        activation = buffer.detach().requires_grad_()
        functional.cross_entropy(body(activation), labels).backward()
        optimizer.step()
        assert activation.grad is not None
        link.sendall(view(activation.grad))


def tuned(link: socket.socket) -> socket.socket:
    """No delay, and room for much in flight."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        link.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return link


def view(tensor: Tensor) -> memoryview:
    """A tensor's memory."""
    return memoryview(tensor.numpy().data).cast("B")


def receive(link: socket.socket, tensor: Tensor) -> bool:
    """Fill a tensor; False when the other end hung up."""
    memory = view(tensor)
    while memory:
        count = link.recv_into(memory)
        if not count:
            return False
        memory = memory[count:]
    return True
