"""The server's half: activations in, gradients out, for one client or for several in one step; no I/O, no threads."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from . import chance
from .codec import Encoder, decode
from .errors import RemoteOrderError
from .half import Half, finite, score
from .messages import Backward, Features, Forward, Message, Packed, TailGradient
from .plan import Plan

DIVERGED = float("nan")  # the loss that tells a client so


@dataclass
class Waiting:
    """A message that waits to be served, and when it arrived (monotonic seconds)."""

    message: Forward
    arrived: float


@dataclass
class Session:
    """What the server keeps of one client: where it is, what it waits for, and the last answer, should it ask again.

    `place` is the step within the round (-1: not begun), `samples` how many were trained on in it. The session outlives
    the link.
    """

    client: int
    body: Half | None
    plans: Sequence[Plan]  # by version of the settings
    shapes: Sequence[tuple[int, ...]] = ()  # of what crosses the cut, without the batch
    classes: int = 0
    place: int = -1
    step: int = 0
    samples: int = 0
    waiting: Waiting | None = None
    opened: Waiting | None = None  # U-shaped: features are out, the tail's gradient is not back
    answered: dict[str, tuple[int, Backward | Features]] = field(
        default_factory=dict
    )  # by mode: the last step's answer
    weights: Mapping[str, Tensor] = field(default_factory=dict)  # as last handed in
    reported: float = float("-inf")  # the time of the newest row

    def __post_init__(self) -> None:
        self._encoders: dict[str, Encoder] = {}

    def again(self, message: Forward | TailGradient) -> Message | None:
        """The answer that this message already got: a step counts once."""
        mode = "train" if isinstance(message, Forward) else "tail"
        step, answer = self.answered.get(mode, (-1, None))
        if answer is None or step != message.step:
            return None
        now = time.monotonic()
        return replace(answer, seconds=_stamps(now, now))

    def tensors(self, message: Forward) -> tuple[Tensor, ...]:
        """The activations, decoded and checked: a device that lies about shapes or labels is told so."""
        tensors = tuple(decode(packed) for packed in message.activations)
        expected = [(message.samples, *shape) for shape in self.shapes]
        if message.samples < 1 or [tuple(tensor.shape) for tensor in tensors] != expected:
            raise RemoteOrderError(
                f"step {message.step}: activations of shapes {[tuple(tensor.shape) for tensor in tensors]}; "
                f"this cut carries {expected}"
            )
        self._check_labels(message)
        return tensors

    def _check_labels(self, message: Forward) -> None:
        labels, u_shaped = message.labels, self.plans[0].u_shaped
        if (labels is None) != u_shaped:
            raise RemoteOrderError(
                f"step {message.step}: labels {'stay on' if u_shaped else 'come from'} the client here"
            )
        if labels is not None and (
            labels.dtype != torch.int64 or labels.shape != (message.samples,) or not _within(labels, self.classes)
        ):
            raise RemoteOrderError(
                f"step {message.step}: expected {message.samples} whole labels from 0 to {self.classes - 1}"
            )

    def pack(self, tensors: Sequence[Tensor], version: int, role: str) -> tuple[Packed, ...]:
        """Encode what goes down by the settings that the client used on the way up."""
        plan = self.plans[version]
        text = plan.gradient_codec or plan.codec if role == "gradient" else plan.codec
        if role not in self._encoders or self._encoders[role].text != text:
            self._encoders[role] = Encoder(text)
        return self._encoders[role].encode(tensors, role)

    def close(self, mode: str, message: Forward | TailGradient, answer: Backward | Features) -> Message:
        """Keep an answer, in case the link breaks on it; a Backward ends the step."""
        self.answered[mode] = (message.step, answer)
        if isinstance(answer, Backward):
            self.step, self.place = message.step + 1, self.place + 1
        return answer

    def seed(self, step: int) -> int:
        """The seed of a step's dropout, as on the client."""
        return chance.number(self.plans[0].seed, self.client, step)


def train(group: Sequence[Session]) -> list[tuple[Session, Message]]:
    """One server step on the waiting activations of these clients; with labels here, that is the whole step.

    Whatever it raises, nothing has changed; `culprits` says whose tensors did it.
    """
    begun = time.monotonic()
    asked = [session.waiting for session in group if session.waiting]
    body = _body(group[0])
    batches = [session.tensors(waiting.message) for session, waiting in zip(group, asked, strict=True)]
    inputs = batches[0] if len(group) == 1 else tuple(torch.cat(tensors) for tensors in zip(*batches, strict=True))
    first = asked[0].message
    try:
        _settle(body, max(waiting.message.settings for waiting in asked), group[0].plans)
        outputs = body.forward(inputs, seed=group[0].seed(first.step), over_cut=True)
        if first.labels is None:
            return [(group[0], _open(group[0], outputs, begun))]
        return _finish(group, asked, body, outputs[0], begun)
    except Exception:
        body.forget()
        raise


def culprits(group: Sequence[Session]) -> Sequence[Session]:
    """Those of a group whose waiting activations the body cannot take; all of them if it is not that."""
    return [session for session in group if not _runs(session)] or group


def _runs(session: Session) -> bool:
    try:
        assert session.waiting is not None
        _body(session).forward(session.tensors(session.waiting.message), train=False)
    except Exception:
        return False
    return True


def _open(session: Session, outputs: Sequence[Tensor], begun: float) -> Message:
    """The first half of a U-shaped step: features out."""
    assert session.waiting is not None
    session.opened, session.waiting = session.waiting, None
    message = session.opened.message
    features = session.pack(outputs, message.settings, "activation")
    answer = Features(message.step, features, _stamps(session.opened.arrived, begun))
    return session.close("train", message, answer)


def _finish(
    group: Sequence[Session], asked: Sequence[Waiting], body: Half, logits: Tensor, begun: float
) -> list[tuple[Session, Message]]:
    """Loss, backward and update; each client gets the gradient of its own mean loss, whatever the others' batches."""
    sizes = [waiting.message.samples for waiting in asked]
    labels = torch.cat([waiting.message.labels for waiting in asked if waiting.message.labels is not None])
    loss, correct = body.loss(labels)
    if not math.isfinite(loss):
        return _exclude(group, asked, body, begun)
    shares = [(loss, correct)]
    if len(group) > 1:
        shares = [score(*pair) for pair in zip(logits.split(sizes), labels.split(sizes), strict=True)]
    gradients = body.backward()
    body.update()
    pieces = zip(*(gradient.split(sizes) for gradient in gradients), strict=True)
    answers = []
    for session, waiting, own, share, size in zip(group, asked, pieces, shares, sizes, strict=True):
        scaled = own if len(group) == 1 else [gradient * (sum(sizes) / size) for gradient in own]
        packed = session.pack(scaled, waiting.message.settings, "gradient")
        answers.append((session, _answer(session, packed, share, begun)))
    return answers


def _answer(session: Session, packed: tuple[Packed, ...], share: tuple[float, int], begun: float) -> Message:
    assert session.waiting is not None
    waiting, session.waiting = session.waiting, None
    session.samples += waiting.message.samples
    answer = Backward(waiting.message.step, packed, *share, _stamps(waiting.arrived, begun))
    return session.close("train", waiting.message, answer)


def _exclude(
    group: Sequence[Session], asked: Sequence[Waiting], body: Half, begun: float
) -> list[tuple[Session, Message]]:
    """Whoever diverged is told by its loss; the body is left as it was, and the others go on waiting for their turn."""
    body.forget()
    sick = [session for session, waiting in zip(group, asked, strict=True) if not _sound(session, waiting)] or group
    return [(session, _answer(session, (), (DIVERGED, 0), begun)) for session in sick]


def _sound(session: Session, waiting: Waiting) -> bool:
    """Whether these activations are finite and bring a finite loss on their own."""
    tensors, labels = session.tensors(waiting.message), waiting.message.labels
    assert labels is not None
    return finite(tensors) and math.isfinite(score(_body(session).forward(tensors, train=False)[0], labels)[0])


def finish_tail(session: Session, message: TailGradient, arrived: float) -> Message:
    """The second half of a U-shaped step: the tail's gradient back through the body."""
    begun = time.monotonic()
    if session.opened is None:
        raise RemoteOrderError(f"step {message.step}: a tail's gradient, but no features are out")
    received = [decode(packed) for packed in message.gradients]
    if not finite(received):
        raise RemoteOrderError(f"step {message.step}: the tail's gradient is not finite: lower the learning rate")
    opened, body = session.opened.message, _body(session)
    gradients = body.backward(received)
    body.update()
    session.opened = None
    session.samples += opened.samples
    packed = session.pack(gradients, opened.settings, "gradient")
    answer = Backward(message.step, packed, message.loss, message.correct, _stamps(arrived, begun))
    return session.close("tail", message, answer)


def evaluate(session: Session, message: Forward, arrived: float) -> Message:
    """Held-out activations through the body: features for a tail, otherwise loss and hits."""
    begun = time.monotonic()
    outputs = _body(session).forward(session.tensors(message), train=False)
    if message.labels is None:
        features = session.pack(outputs, message.settings, "evaluation")
        return Features(message.step, features, _stamps(arrived, begun))
    loss, correct = score(outputs[0], message.labels)
    return Backward(message.step, (), loss, correct, _stamps(arrived, begun))


def _within(labels: Tensor, classes: int) -> bool:
    return bool((labels.min() >= 0) & (labels.max() < classes))


def _body(session: Session) -> Half:
    if session.body is None:
        raise RemoteOrderError("activations were sent, but in this run the whole network is on the client")
    return session.body


def _settle(body: Half, version: int, plans: Sequence[Plan]) -> None:
    """Follow the newest settings that a client has used; a rate that did not change is the schedule's to change."""
    if version > body.version:
        rate, before = plans[version].learning_rate, plans[body.version].learning_rate
        body.version = version
        if rate is not None and rate != before:
            body.set_rate(rate)


def _stamps(arrived: float, begun: float) -> dict[str, float]:
    return {"arrived": arrived, "started": begun, "ended": time.monotonic()}
