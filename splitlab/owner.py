"""The owner's end of a link to the server: steers a run, follows its history, and collects what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from torch import Tensor

from .errors import RunError
from .link import connect
from .messages import Collect, Collected, Failure, Join, Leave, Message, Rows, Watch
from .protocol import Order, frame


class Owner:
    """A link with the role of owner; rows arrive from `hear` from the first one on."""

    def __init__(self, url: str, token: str) -> None:
        self.order = Order("client", "owner")
        self.link = connect(url)
        self.say(Join(token, "owner"))
        self.wait_for("Welcome")
        self.say(Watch(0))

    def say(self, message: Message) -> None:
        """Send a message."""
        self.order.sent(message)
        self.link.send(frame.pieces(message))

    def hear(self, timeout: float | None = None) -> Message | None:
        """The next message; None after `timeout` seconds. A refusal is raised as `RunError`."""
        received = self.link.receive(timeout)
        if received is None:
            return None
        message = frame.decode(received[0])
        self.order.received(message)
        if isinstance(message, Failure):
            raise RunError(f"the server refused: {message.error}: {message.text}")
        return message

    def wait_for(self, name: str) -> tuple[Message, list[Rows]]:
        """The next message of this name, and the rows that came before it."""
        rows: list[Rows] = []
        while True:
            message = self.hear()
            assert message is not None
            if type(message).__name__ == name:
                return message, rows
            if isinstance(message, Rows):
                rows.append(message)

    def collect(self, client: int) -> tuple[Mapping[str, Tensor], list[Rows]]:
        """A client's whole network as weights by name, and rows that came meanwhile."""
        self.say(Collect(client))
        message, rows = self.wait_for("Collected")
        assert isinstance(message, Collected)
        return message.weights, rows

    def close(self) -> None:
        """Leave: the server ends."""
        with suppress(Exception):  # it is gone already
            self.say(Leave())
        self.link.close()
