"""Times a network on this machine, operation by operation, and what a message costs around it: a short profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .call import parse
from .codec import codec, decode
from .errors import PlanError
from .graph import Graph
from .graph.measuring import tensors_in
from .measure import machine
from .messages import Forward
from .part import Part, Ref, rebuild
from .protocol import frame

SECONDS = 0.6  # that the timed repetitions of a network may take
SLOW_SECONDS = 0.7  # for two samples: a network that takes longer is run just once
REPEATS = 15
VALUES = 1 << 16  # in the tensor on which codecs are timed
CODECS = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int8", "float8(4, 3, 7)", "topk(0.05)")

Line = tuple[float, float]  # seconds however little there is, and seconds for each unit


@dataclass(frozen=True)
class Profile:
    """What a machine takes for a network, in seconds for a batch of `batch`; plain values: a device can send it.

    `forward` and `backward` go by operation; `loss` is what follows the last one. The pairs are a fixed part and one
    for each parameter (`update`) or value (`encode`, `decode`, by codec); `message` is for the frames of one message.
    """

    batch: int
    forward: Mapping[str, float]
    backward: Mapping[str, float]
    loss: float
    update: Line
    data: float
    encode: Mapping[str, Line]
    decode: Mapping[str, Line]
    message: float
    machine: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Profile:
        """Read what `to_dict` wrote."""
        known = {item.name for item in fields(cls)}
        if not known - {"machine"} <= set(values) <= known:
            raise PlanError(f"not a profile: it has {sorted(values)}; expected {sorted(known)}")
        lines = {name: {key: tuple(line) for key, line in values[name].items()} for name in ("encode", "decode")}
        return cls(**{**values, **lines, "update": tuple(values["update"])})


def profile(graph: Graph, batch: int = 32) -> Profile:
    """Time the network on this machine, with one torch thread; computes for up to some three seconds.

    A network that is slow is timed on fewer samples and fewer times, or just once as a whole.
    """
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.random.fork_rng(devices=[]):
            return _profile(graph, batch)
    finally:
        torch.set_num_threads(threads)


def _profile(graph: Graph, batch: int) -> Profile:
    part = graph.split(None).head.train()
    samples = min(batch, 2)
    inputs = _inputs(part, graph, samples)
    whole = [_pass(part, inputs)]  # which also does what is done but once: memory, thread pools, imports
    if sum(whole[0]) < SLOW_SECONDS:
        tried = sum(_pass(part, inputs))
        samples = max(samples, min(batch, int(samples * SECONDS / 2 / tried)))
        inputs = _inputs(part, graph, samples)
        whole, each = _repeated(lambda: _pass(part, inputs)), _repeated(lambda: _each(part, inputs))
    else:
        work = {node.name: 1.0 + node.macs for node in graph.nodes}  # not timed one by one: that would take too long
        each = [(work, work)]
    grown = batch / samples
    forward, backward = ({name: median(one[way][name] for one in each) for name in each[0][way]} for way in (0, 1))
    sums = [median(one[way] for one in whole) for way in range(3)]
    return Profile(
        batch,
        _scaled(forward, sums[0] * grown),
        _scaled(backward, sums[2] * grown),
        sums[1] * grown,
        _update(part),
        _data(graph, batch),
        *_codecs(),
        _message(),
        machine(),
    )


def _inputs(part: Part, graph: Graph, samples: int) -> Tensor:
    """Samples for the network: numbers, or whole numbers where it takes no others (tokens)."""
    inputs = torch.randn(samples, *graph.sample)
    try:
        with torch.no_grad():
            part(inputs[:2])
    except (RuntimeError, TypeError, IndexError):
        return torch.zeros(samples, *graph.sample, dtype=torch.int64)
    return inputs


def _pass(part: Part, inputs: Tensor) -> tuple[float, float, float]:
    """Seconds of forward, loss and backward of the whole network."""
    part.zero_grad(set_to_none=True)
    begun = time.perf_counter()
    outputs = part(inputs)[0]
    forward = time.perf_counter()
    labels = torch.zeros(len(outputs), dtype=torch.int64)
    loss = functional.cross_entropy(outputs, labels)
    loss.item(), int((outputs.argmax(1) == labels).sum())
    scored = time.perf_counter()
    torch.autograd.backward(loss)
    return forward - begun, scored - forward, time.perf_counter() - scored


def _each(part: Part, inputs: Tensor) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of forward and backward of every operation, on its own."""
    values: dict[str, Any] = {part.inputs[0]: inputs}
    forward, backward = {}, {}
    for step in part.operations:
        leaves_ = {name: _leaf(values[name]) for name in step.reads}

        def fill(item: Any, known: Mapping[str, Any] = leaves_) -> Any:
            return known[item.name] if type(item) is Ref else part._constant(item, len(inputs))

        args, kwargs = rebuild(step.args, fill), rebuild(dict(step.kwargs), fill)
        begun = time.perf_counter()
        value = part._call(step, args, kwargs)
        forward[step.name] = time.perf_counter() - begun
        outputs = [item for item in tensors_in(value) if item.requires_grad]
        backward[step.name] = _clocked(
            lambda outputs=outputs: (
                torch.autograd.backward(outputs, [torch.ones_like(item) for item in outputs])  # type: ignore[misc]
                if outputs
                else None
            )
        )
        values[step.name] = value
    return forward, backward


def _leaf(value: Any) -> Any:
    """A value with no history behind it; a copy, since operations may write into it."""
    if isinstance(value, tuple | list):
        return type(value)(_leaf(item) for item in value)
    if not isinstance(value, Tensor):
        return value
    return value.detach().requires_grad_().clone() if value.is_floating_point() else value.detach()


def _scaled(seconds: Mapping[str, float], total: float) -> dict[str, float]:
    """The same shares of another total: timed on its own, every operation carries an overhead that it has not."""
    whole = sum(seconds.values()) or 1.0
    return {name: value / whole * total for name, value in seconds.items()}


def _update(part: Part) -> Line:
    """An optimizer's step: what a small part takes, and what each parameter adds."""
    small = nn.Linear(8, 8)
    numbers = sum(parameter.numel() for parameter in part.parameters() if parameter.requires_grad)
    fixed = _step(list(small.parameters()))
    return fixed, max(0.0, _step([p for p in part.parameters() if p.requires_grad]) - fixed) / max(1, numbers)


def _step(parameters: list[nn.Parameter]) -> float:
    if not parameters:
        return 0.0
    optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=0.9)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return median(_clocked(optimizer.step) for _ in range(3))


def _data(graph: Graph, batch: int) -> float:
    """Picking a batch of images and normalising it."""
    images, order = torch.zeros(batch, *graph.sample, dtype=torch.uint8), torch.randperm(batch)
    return median(_clocked(lambda: (images[order].float() / 255 - 0.5) / 0.5) for _ in range(5))


def _codecs() -> tuple[dict[str, Line], dict[str, Line]]:
    """Encoding and decoding by codec, from a small and a large tensor."""
    encode, unpack = {}, {}
    for text in CODECS:
        ways = []
        for count in (64, VALUES):
            values = torch.randn(count)
            packed = codec(text).encode(values)
            ways.append((_best(lambda: codec(text).encode(values)), _best(lambda: decode(packed))))  # noqa: B023
        encode[parse(text).name], unpack[parse(text).name] = (
            (small, max(0.0, large - small) / VALUES) for small, large in zip(*ways, strict=True)
        )
    return encode, unpack


def _message() -> float:
    """Writing and reading the frame of one small message."""
    said = Forward(0, 2, (codec("float32").encode(torch.zeros(2, 8)),))
    data = frame.encode(said)
    return (_best(lambda: frame.pieces(said)) + _best(lambda: frame.decode(data))) / 2


def _best(work: Callable[[], Any]) -> float:
    work()
    return median(_clocked(work) for _ in range(5))


def _clocked(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _repeated(work: Callable[[], Any]) -> list[Any]:
    """What it gives, again and again, as long as there is time; the first is not counted unless it is the only one."""
    begun, given = time.perf_counter(), [work()]
    while time.perf_counter() - begun < SECONDS and len(given) <= REPEATS:
        given.append(work())
    return given[1:] or given
