"""The server's half: activations in, gradients out, for one client or for several in one step; no I/O, no threads."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import chance
from .codec import Encoder, decode
from .errors import RemoteOrderError
from .half import Half, score
from .messages import Backward, Features, Forward, Message, Packed, TailGradient
from .plan import Plan


@dataclass
class Waiting:
    """A message that waits to be served, and when it arrived (monotonic seconds)."""

    message: Forward
    arrived: float


@dataclass
class Session:
    """What the server keeps of one client: where it is, what it waits for, and the last answer, should it ask again.

    `place` is the step within the round (-1: not begun). The session outlives the link.
    """

    client: int
    body: Half | None
    plans: Sequence[Plan]  # by version of the settings
    shapes: Sequence[tuple[int, ...]] = ()  # of what crosses the cut, without the batch
    classes: int = 0
    place: int = -1
    step: int = 0
    waiting: Waiting | None = None
    opened: Waiting | None = None  # U-shaped: features are out, the tail's gradient is not back
    answered: dict[str, tuple[int, Message]] = field(default_factory=dict)  # by mode: the last step and its answer
    weights: Mapping[str, Tensor] = field(default_factory=dict)  # as last handed in
    samples: int = 0

    def __post_init__(self) -> None:
        self._encoders: dict[str, Encoder] = {}

    def again(self, message: Forward | TailGradient) -> Message | None:
        """The answer that this message already got: a step counts once."""
        mode = message.mode if isinstance(message, Forward) else "tail"
        step, answer = self.answered.get(mode, (-1, None))
        return answer if step == message.step and mode != "evaluate" else None

    def remember(self, mode: str, step: int, answer: Message) -> Message:
        """Keep an answer for the case that the link breaks on it."""
        self.answered[mode] = (step, answer)
        return answer

    def tensors(self, message: Forward) -> tuple[Tensor, ...]:
        """The activations, decoded and checked: a device that lies about shapes or labels is told so."""
        tensors = tuple(decode(packed) for packed in message.activations)
        expected = [(message.samples, *shape) for shape in self.shapes]
        if [tuple(tensor.shape) for tensor in tensors] != expected:
            raise RemoteOrderError(
                f"step {message.step}: activations of shapes {[tuple(tensor.shape) for tensor in tensors]}; "
                f"this cut carries {expected}"
            )
        labels = message.labels
        if labels is not None and (
            labels.dtype != torch.int64 or labels.shape != (message.samples,) or not _within(labels, self.classes)
        ):
            raise RemoteOrderError(
                f"step {message.step}: expected {message.samples} whole labels from 0 to {self.classes - 1}"
            )
        return tensors

    def pack(self, tensors: Sequence[Tensor], version: int, role: str) -> tuple[Packed, ...]:
        """Encode what goes down by the settings that the client used on the way up."""
        plan = self.plans[version]
        text = plan.codec if role == "activation" else plan.gradient_codec or plan.codec
        if role not in self._encoders or self._encoders[role].text != text:
            self._encoders[role] = Encoder(text)
        return self._encoders[role].encode(tensors, role)

    def seed(self, step: int) -> int:
        """The seed of a step's dropout, as on the client."""
        return chance.number(self.plans[0].seed, self.client, step)


def _within(labels: Tensor, classes: int) -> bool:
    return not len(labels) or bool((labels.min() >= 0) & (labels.max() < classes))


def train(group: Sequence[Session]) -> list[tuple[Session, Message]]:
    """One server step on the waiting activations of these clients; with labels here, that is the whole step."""
    begun = time.monotonic()
    asked = [_taken(session) for session in group]
    body = _body(group[0])
    batches = [session.tensors(waiting.message) for session, waiting in zip(group, asked, strict=True)]
    inputs = batches[0] if len(group) == 1 else tuple(torch.cat(tensors) for tensors in zip(*batches, strict=True))
    first = asked[0].message
    version = max(waiting.message.settings for waiting in asked)
    _settle(body, version, group[0].plans[version])
    outputs = body.forward(inputs, seed=group[0].seed(first.step), over_cut=True)
    if first.labels is None:
        (session,) = group
        session.opened = asked[0]
        features = session.pack(outputs, first.settings, "activation")
        answer: Message = Features(first.step, features, _stamps(asked[0].arrived, begun))
        return [(session, session.remember("train", first.step, answer))]
    return _finish(group, asked, body, outputs[0], begun)


def _finish(
    group: Sequence[Session], asked: Sequence[Waiting], body: Half, logits: Tensor, begun: float
) -> list[tuple[Session, Message]]:
    """Loss, backward and update; each client gets the gradient of its own mean loss, whatever the others' batches."""
    sizes = [waiting.message.samples for waiting in asked]
    labels = torch.cat([waiting.message.labels for waiting in asked])
    loss, correct = body.loss(labels)
    shares = [(loss, correct)]
    if len(group) > 1:
        shares = [score(*pair) for pair in zip(logits.split(sizes), labels.split(sizes), strict=True)]
    gradients: tuple[Tensor, ...] = ()
    if math.isfinite(loss):
        gradients = body.backward()
        body.update()
    else:  # whoever diverged is told by its loss, and the body is left as it was
        body.forget()
    pieces = zip(*(gradient.split(sizes) for gradient in gradients), strict=True) if gradients else [()] * len(group)
    answers = []
    for session, waiting, own, (mine, right), size in zip(group, asked, pieces, shares, sizes, strict=True):
        scaled = own if len(group) == 1 else [gradient * (sum(sizes) / size) for gradient in own]
        message = waiting.message
        packed = session.pack(scaled, message.settings, "gradient")
        answer = Backward(message.step, packed, mine, right, _stamps(waiting.arrived, begun))
        answers.append((session, session.remember("train", message.step, answer)))
        session.step, session.place = message.step + 1, session.place + 1
    return answers


def finish_tail(session: Session, message: TailGradient, arrived: float) -> Message:
    """The second half of a U-shaped step: the tail's gradient back through the body."""
    begun = time.monotonic()
    if session.opened is None:
        raise RemoteOrderError(f"step {message.step}: a tail's gradient, but no features are out")
    opened, session.opened = session.opened.message, None
    body = _body(session)
    gradients = body.backward([decode(packed) for packed in message.gradients])
    body.update()
    packed = session.pack(gradients, opened.settings, "gradient")
    session.step, session.place = message.step + 1, session.place + 1
    answer = Backward(message.step, packed, message.loss, message.correct, _stamps(arrived, begun))
    return session.remember("tail", message.step, answer)


def evaluate(session: Session, message: Forward, arrived: float) -> Message:
    """Held-out activations through the body: features for a tail, otherwise loss and hits."""
    begun = time.monotonic()
    outputs = _body(session).forward(session.tensors(message), train=False)
    if message.labels is None:
        features = session.pack(outputs, message.settings, "activation")
        return Features(message.step, features, _stamps(arrived, begun))
    loss, correct = score(outputs[0], message.labels)
    return Backward(message.step, (), loss, correct, _stamps(arrived, begun))


def _taken(session: Session) -> Waiting:
    assert session.waiting is not None
    waiting, session.waiting = session.waiting, None
    return waiting


def _body(session: Session) -> Half:
    if session.body is None:
        raise RemoteOrderError("activations were sent, but in this run the whole network is on the client")
    return session.body


def _settle(body: Half, version: int, plan: Plan) -> None:
    """Follow the newest settings that a client has used; only once, so that a learning-rate schedule can go on."""
    if version > body.version:
        body.version = version
        if plan.learning_rate is not None:
            body.set_rate(plan.learning_rate)


def _stamps(arrived: float, begun: float) -> dict[str, float]:
    return {"arrived": arrived, "started": begun, "ended": time.monotonic()}
