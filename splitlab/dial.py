"""Carries a client's talk over a link: dials, sends, waits, and dials again when the link breaks."""

from __future__ import annotations

import time
from contextlib import suppress

from .client import Client
from .errors import LinkClosed, RunError
from .link import Link, connect
from .messages import Failure, Forward, Join, Leave, Message, Shared, TailGradient, Weights, Welcome
from .protocol import Order, frame

STRICT = (Join, Forward, TailGradient)  # whoever says these waits for the answer, and for nothing else
PATIENCE_SECONDS = 15.0  # for a server that does not answer the telephone


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
    """A link that is dialled anew when it breaks; whatever was not answered is said again."""

    def __init__(self, client: Client, url: str) -> None:
        self.client, self.url = client, url
        self.order = Order("client", "client")
        self.link: Link = connect(url)
        self.broken = False

    def exchange(self, message: Message | None) -> Message | None:
        """Say something; returns the answer to what is answered, and what comes next if nothing is said."""
        while True:
            try:
                if self.broken:
                    self._redial()
                if message is not None:
                    self._send(message)
                if self._is_answered(message):
                    return self._receive(anything=not isinstance(message, STRICT))
                return self._catch_up()
            except LinkClosed:
                if isinstance(message, Leave):
                    return None
                if isinstance(message, Join):
                    raise
                self.broken = True

    def _is_answered(self, message: Message | None) -> bool:
        if isinstance(message, Weights):
            return not self.client.stopping
        return message is None or isinstance(message, STRICT)

    def farewell(self, reason: str) -> None:
        """Tell the server why this client gives up, if it still listens."""
        with suppress(Exception):  # the reason is raised here in any case
            self._send(Leave(reason))

    def _send(self, message: Message) -> None:
        meter = self.client.meter
        data = frame.encode(message)
        meter.mark("encode")
        self.order.sent(message)
        meter.count("up", self.link.send(data))

    def _receive(self, anything: bool = False) -> Message | None:
        """The next message that is an answer; settings and stops on the way are passed on at once."""
        while True:
            message = self._next(None)
            assert message is not None
            aside = self.client.hear(message) or isinstance(message, Shared)
            if anything or not aside:
                return message

    def _catch_up(self) -> None:
        """Take in what came while nothing was waited for."""
        while (message := self._next(0)) is not None:
            self.client.hear(message)

    def _next(self, timeout: float | None) -> Message | None:
        received = self.link.receive(timeout)
        if received is None:
            return None
        data, size = received
        meter = self.client.meter
        at = meter.clock()
        meter.count("down", size)
        message = frame.decode(data)
        if isinstance(message, Failure):
            raise RunError(f"the server refused client {self.client.number}: {message.error}: {message.text}")
        self.order.received(message)
        if isinstance(message, Welcome) and message.head:  # only now is it known which talk this will be
            self.order.u_shaped = bool(message.tail)
        if seconds := getattr(message, "seconds", None):
            meter.waited(at, seconds)
        return message

    def _redial(self) -> None:
        """Dial again; the talk goes on where it broke off, and whatever was not answered is said again."""
        client = self.client
        self.link = self._dial()
        self.order.resumed()
        self._send(Join(client.token, "client", client.number, client.step))
        self._receive()
        self.broken = False

    def _dial(self) -> Link:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return connect(self.url)
            except LinkClosed:
                if self.client.cancelled or time.monotonic() > deadline:
                    raise RunError(f"the server at {self.url} has not answered for {PATIENCE_SECONDS:.0f} s") from None
                time.sleep(0.2)
