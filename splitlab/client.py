"""The client's half: head, tail, data and labels; reads as the algorithm, message in and message out, without I/O."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from torch import Tensor

from . import chance, spec
from .codec import Encoder, decode
from .errors import RunError
from .half import Half, gather, scatter, score
from .measure import Meter, machine
from .messages import (
    Backward,
    Features,
    Forward,
    Join,
    Leave,
    Message,
    Packed,
    Report,
    Settings,
    Shared,
    Stop,
    TailGradient,
    Weights,
    Welcome,
)
from .plan import LIVE, Plan
from .policy.sharing import sharing_of
from .share import Share

Talk = Generator[Message | None, Message | None, None]
REPORT_SECONDS = 0.2  # rows are reported no oftener than this


class Client:
    """One client of a run. `talk()` yields what to say and is sent what was answered; see `dial.converse`.

    Whoever carries the messages calls `hear` for settings and stops, which may come at any time, and books bytes and
    laps on `meter`.
    """

    def __init__(self, number: int, token: str, load: Callable[[Plan], Share], meter: Meter | None = None) -> None:
        self.number, self.token, self.meter = number, token, meter or Meter()
        self.plan = Plan()  # until the server's own is known
        self.step = self.epoch = 0  # training steps done, and the epoch that they are in
        self.stopping = False
        self.cancelled = False  # whoever carries the messages gives up
        self._load = load
        self._version, self._news = 0, Settings(0, {})
        self._rows: list[tuple[Any, ...]] = []
        self._reported = self.meter.clock()
        self._time = time.time()

    # ---- the algorithm -----------------------------------------------------------------------------------------------

    def talk(self) -> Talk:
        """Join; in every round train on all own data and hand in the weights; leave."""
        yield from self._begin()
        shared = yield from self._wait()
        self._catch_up(shared.round if shared else 0)
        while shared and not self.stopping:
            scatter(shared.weights, self._parts)
            if shared.round > 0 and self.sharing.evaluates_merged:
                yield from self._evaluate(shared.round - 1)
            if shared.last:
                break
            self.epoch = shared.round
            samples = yield from self._train()
            if not self.sharing.evaluates_merged:
                yield from self._evaluate(self.epoch)
            shared = yield from self._hand_in(shared.round, samples)
        yield from self._report()
        yield Leave()

    def _begin(self) -> Talk:
        welcome = yield Join(self.token, "client", self.number, machine=machine())
        assert isinstance(welcome, Welcome)
        self.plan = plan = Plan.from_json(welcome.plan)
        self._version, self.step = welcome.settings, welcome.step
        self.share: Share = self._load(plan)
        self.sharing = sharing_of(plan)
        self.halves = {
            name: Half(spec.load(text), plan.optimizer, plan.lr_schedule, plan.learning_rate)
            for name, text in (("head", welcome.head), ("tail", welcome.tail))
            if text
        }
        self._parts = {name: half.part for name, half in self.halves.items()}
        scatter(welcome.weights, self._parts)
        self._set_codecs()

    def _catch_up(self, rounds: int) -> None:
        """Whoever was started anew in a later round learns at the rate of that round."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would have the optimizer go first
            for half in self.halves.values():
                for _ in range(rounds):
                    half.end_epoch()

    def _train(self) -> Generator[Message | None, Message | None, int]:
        samples = 0
        yield from self._between_steps()
        for inputs, labels in self.share.batches(self.epoch):
            if self.stopping:
                break
            self.meter.mark("data")
            yield from self._step(inputs, labels)
            samples += len(labels)
            self.step += 1
            yield from self._between_steps()
        for half in self.halves.values():
            half.end_epoch()
        self.meter.purpose = "control"
        return samples

    def _between_steps(self) -> Talk:
        """Report what is due, take settings over, hold while paused; the next step's time begins after that."""
        self._apply_news()
        while self.plan.paused or self.meter.clock() - self._reported > REPORT_SECONDS:
            yield from self._report()
            if self._apply_news():  # which came while it reported
                continue
            if not self.plan.paused or self.stopping:
                break
            yield None
            self._apply_news()
        self.meter.purpose = "bytes"
        self.meter.start()

    def _step(self, inputs: Tensor, labels: Tensor) -> Talk:
        plan, meter, head = self.plan, self.meter, self.halves["head"]
        activations = head.forward((inputs,), seed=chance.number(plan.seed, self.number, self.step))
        meter.mark("client_forward")
        if plan.baseline:
            loss, correct = head.loss(labels)
            gradients: tuple[Tensor, ...] = ()
            meter.mark("client_forward")
        elif plan.u_shaped:
            packed = self._activations.encode(activations, "activation")
            features = yield Forward(self.step, len(labels), packed, settings=self._version)
            assert isinstance(features, Features)
            gradients, loss, correct = self._tail(_tensors(features.features), labels)
            packed = self._gradients.encode(gradients, "gradient")
            answer = yield TailGradient(self.step, packed, loss, correct)
            assert isinstance(answer, Backward)
            gradients = _tensors(answer.gradients)
            meter.mark("decode")
        else:
            packed = self._activations.encode(activations, "activation")
            answer = yield Forward(self.step, len(labels), packed, labels, settings=self._version)
            assert isinstance(answer, Backward)
            gradients, loss, correct = _tensors(answer.gradients), answer.loss, answer.correct
            meter.mark("decode")
        self._check(loss)
        head.backward(gradients)
        meter.mark("client_backward")
        for half in self.halves.values():
            half.update()
        meter.mark("update")
        self._write(
            meter.finish()
            | {"loss": (loss, ""), "accuracy": (correct / len(labels), ""), "samples": (float(len(labels)), "")}
        )

    def _tail(self, features: Sequence[Tensor], labels: Tensor) -> tuple[tuple[Tensor, ...], float, int]:
        tail = self.halves["tail"]
        self.meter.mark("decode")
        tail.forward(features, seed=chance.number(self.plan.seed, self.number, self.step), over_cut=True)
        loss, correct = tail.loss(labels)
        self._check(loss)
        gradients = tail.backward()
        self.meter.mark("client_tail")
        return gradients, loss, correct

    def _evaluate(self, epoch: int) -> Talk:
        """Held-out loss and accuracy of this client's network, over the same cut and codec."""
        if not self.plan.evaluate or self.stopping:
            return
        self._apply_news()
        self.meter.purpose, self.epoch = "evaluation", epoch
        begin, total, right, seen = self.meter.clock(), 0.0, 0, 0
        for number, (inputs, labels) in enumerate(self.share.held_out()):
            if self.stopping:
                return
            outputs = self.halves["head"].forward((inputs,), train=False)
            if self.plan.baseline:
                loss, correct = score(outputs[0], labels)
            else:
                packed = self._activations.encode(outputs, "evaluation")
                known = None if self.plan.u_shaped else labels
                answer = yield Forward(number, len(labels), packed, known, "evaluate", self._version)
                if isinstance(answer, Features):
                    features = _tensors(answer.features)
                    loss, correct = score(self.halves["tail"].forward(features, train=False)[0], labels)
                else:
                    assert isinstance(answer, Backward)
                    loss, correct = answer.loss, answer.correct
            total, right, seen = total + loss * len(labels), right + correct, seen + len(labels)
        self._write(
            {
                "test_loss": (total / seen, ""),
                "test_accuracy": (right / seen, ""),
                "evaluation": (self.meter.clock() - begin, "s"),
            }
            | self.meter.spent("evaluation")
        )
        self.meter.purpose = "control"

    def _hand_in(self, round_: int, samples: int) -> Generator[Message | None, Message | None, Shared | None]:
        yield from self._report()
        self.meter.purpose = "weights"
        carried = self.sharing.merges or self.stopping or round_ + 1 == self.plan.epochs
        answer = yield Weights(round_, samples, gather(self._parts) if carried else {})
        self._write(self.meter.spent("weights"))
        self.meter.purpose = "control"
        return answer if isinstance(answer, Shared) else None

    def _wait(self) -> Generator[Message | None, Message | None, Shared | None]:
        """The start of the first round; None when there will be none."""
        message = None
        while not isinstance(message, Shared) and not self.stopping:
            message = yield None
        return message if isinstance(message, Shared) else None

    # ---- settings, weights, rows -------------------------------------------------------------------------------------

    def hear(self, message: Message) -> bool:
        """Take in what the server may say at any time; False if this is not such a message."""
        if isinstance(message, Settings):
            self._news = message
        elif isinstance(message, Stop):
            self.stopping = True
        else:
            return False
        return True

    def _apply_news(self) -> bool:
        """Settings take effect between steps, and a row names the first step of each; whether there were any."""
        self._version = max(self._version, self._news.version)
        values = {
            name: value
            for name, value in self._news.values.items()
            if name in LIVE and value != getattr(self.plan, name)
        }
        if not values:
            return False
        self.plan = self.plan.change(**values)
        self._write({name: (value, "setting") for name, value in values.items()})
        if "learning_rate" in values:
            for half in self.halves.values():
                half.set_rate(values["learning_rate"])
        if {"codec", "gradient_codec"} & set(values):
            self._set_codecs()
        return True

    def _set_codecs(self) -> None:
        self._activations = Encoder(self.plan.codec)
        self._gradients = Encoder(self.plan.gradient_codec or self.plan.codec)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            self._write({"loss": (loss, "")})
            raise RunError(
                f"client {self.number}: the loss is {loss} at epoch {self.epoch}, step {self.step}: training diverged. "
                "Lower the learning rate, or use a codec with a wider range."
            )

    def _write(self, values: Mapping[str, tuple[float | str, str]]) -> None:
        self._time = max(self._time + 1e-6, time.time())  # rows are in order of time: it tells the server what is new
        for name, (value, unit) in values.items():
            self._rows.append((self._time, self.number, self.epoch, self.step, name, value, unit))

    def unreported(self) -> tuple[Report, ...]:
        """The rows that were not reported yet, if there are any; they count as reported now."""
        rows, self._rows = tuple(self._rows), []
        return (Report(rows),) if rows else ()

    def _report(self) -> Talk:
        self._reported = self.meter.clock()
        self.meter.purpose = "control"
        self._write(self.meter.spent("control"))
        yield from self.unreported()


def _tensors(packed: Sequence[Packed]) -> tuple[Tensor, ...]:
    return tuple(decode(item) for item in packed)
