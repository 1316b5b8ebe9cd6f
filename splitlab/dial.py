"""Carries a client's talk over a link: dials, sends, waits, and dials again when the link breaks."""

from __future__ import annotations

import time
from contextlib import suppress

from .client import Client
from .errors import HungUp, LinkClosed, RunError
from .link import Link, connect
from .messages import Failure, Forward, Join, Leave, Message, Shared, TailGradient, Weights, Welcome
from .protocol import Order, frame
from .shape import shape_of
from .shaped import ShapedLink

STRICT = (Join, Forward, TailGradient)  # whoever says these waits for the answer, and for nothing else
PATIENCE_SECONDS = 15.0  # for a server that does not answer the telephone
TRIES = 20  # of saying one thing: a link that breaks on it again and again will not carry it
LOOK_SECONDS = 0.2  # how often a wait looks whether it was cancelled


def converse(client: Client, url: str) -> None:
    """Be this client until the run is over. An error here, or the server's word for one there, is raised."""
    line = Line(client, url)
    talk = client.talk()
    try:
        message = next(talk)
        while True:
            message = talk.send(line.exchange(message))
    except StopIteration:
        pass
    except BaseException as error:
        line.farewell(f"{type(error).__name__}: {error}")
        raise
    finally:
        talk.close()
        line.link.close()


class Line:
    """A link that is dialled anew when it breaks; whatever may not have arrived is said again, in order."""

    def __init__(self, client: Client, url: str) -> None:
        self.client, self.url = client, url
        self.order = Order("client", "client")
        self.link = self._slowed(connect(url))
        self._unsure: list[Message] = []  # said since the last answer
        self._welcomed = False
        self._handed_in = -1  # the last round whose weights were said

    def exchange(self, message: Message | None) -> Message | None:
        """Say something; returns the answer to what is answered, and what comes next if nothing is said."""
        to_say = [message] if message is not None else []
        self._unsure += to_say
        broken = False
        for _ in range(TRIES):
            try:
                if broken:
                    self._redial()
                    to_say = self._unsure
                self._shape()
                for item in to_say:
                    self._send(item)
                return self._hear(message)
            except (HungUp, RunError) as error:
                if isinstance(message, Leave):  # the server has let it go, now or before the link broke
                    return None
                if isinstance(error, RunError):
                    raise
                raise RunError(f"the server hung up on client {self.client.number}: {error}") from None
            except LinkClosed:
                broken = True
        raise RunError(f"the link broke {TRIES} times on {message!r}: use smaller batches, or another network")

    def farewell(self, reason: str) -> None:
        """Tell the server what happened last and why this client gives up, if it still listens."""
        with suppress(Exception):  # the reason is raised here in any case
            for message in (*self.client.unreported(), Leave(reason)):
                self._send(message)

    def _slowed(self, link: Link) -> ShapedLink:
        return ShapedLink(link, shape_of(self.client.plan.link), seed=f"client {self.client.number}")

    def _shape(self) -> None:
        """The link is as slow as the plan says by now; whoever stops waits for no slow link."""
        if self.client.stopping:
            self.link.hurry()
        else:
            self.link.shape = shape_of(self.client.plan.link)

    def _send(self, message: Message) -> None:
        meter = self.client.meter
        data = frame.pieces(message)
        meter.mark("encode")
        if not isinstance(message, Leave):  # which may have to be said again, and that at any time
            self.order.sent(message)
        if isinstance(message, Weights):
            self._handed_in = message.round
        meter.count("up", self.link.send(data))

    def _hear(self, message: Message | None) -> Message | None:
        """What is answered waits for its answer; settings and stops on the way are passed on at once."""
        while (heard := self._next(self._waits(message))) is not None:
            aside = self.client.hear(heard)
            if self.client.stopping:
                self._shape()
            if message is None:
                return heard
            if isinstance(message, STRICT):
                answer = not aside and not isinstance(heard, Shared)
            else:
                answer = isinstance(message, Weights) and isinstance(heard, Shared)
            if answer:
                self._unsure.clear()
                return heard
        return None

    def _waits(self, message: Message | None) -> bool:
        """Whether there is something to wait for; after Leave it is that the server hangs up."""
        if isinstance(message, Weights):
            return not self.client.stopping
        return message is None or isinstance(message, (*STRICT, Leave))

    def _next(self, wait: bool) -> Message | None:
        """The next message; None if there is none and it is not waited for."""
        while True:
            if self.client.cancelled:
                raise RunError(f"client {self.client.number} was cancelled")
            if (received := self.link.receive(LOOK_SECONDS if wait else 0)) is None:
                if wait:
                    continue
                return None
            if (message := self._open(*received)) is not None:
                return message

    def _open(self, data: bytes, size: int) -> Message | None:
        """The message of a frame; None if it is known already."""
        meter = self.client.meter
        at = meter.clock()
        meter.count("down", size)
        message = frame.decode(data)
        if isinstance(message, Failure):
            raise RunError(f"the server refused client {self.client.number}: {message.error}: {message.text}")
        if isinstance(message, Shared) and not message.last and message.round <= self._handed_in:
            return None  # said again to a client that has gone on since
        self.order.received(message)
        if isinstance(message, Welcome) and not self._welcomed:  # only now is it known which talk this will be
            self._welcomed, self.order.u_shaped = True, bool(message.tail)
        if seconds := getattr(message, "seconds", None):
            meter.waited(at, seconds)
        return message

    def _redial(self) -> None:
        """Dial again; the talk goes on where it broke off."""
        client = self.client
        self.link = self._dial()
        self.order.resumed()
        if self._welcomed:
            self._send(Join(client.token, "client", client.number, client.step))
            self._next(wait=True)  # Welcome again; the order allows nothing else

    def _dial(self) -> ShapedLink:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._slowed(connect(self.url))
            except LinkClosed:
                if self.client.cancelled or time.monotonic() > deadline:
                    raise RunError(f"the server at {self.url} has not answered for {PATIENCE_SECONDS:.0f} s") from None
                time.sleep(LOOK_SECONDS)
