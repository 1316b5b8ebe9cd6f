"""The server of a run: admits links, keeps the order of the talk on each, and passes on what `rounds` decides.

`Server` decides, without I/O: events in, messages out. `serve` carries them between a listener and a server.
"""

from __future__ import annotations

import hmac
import json
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import session as steps
from . import spec
from .codec import codec
from .errors import FrameError, OrderError, PlanError, SplitlabError, unknown
from .history import RUN, History
from .link import Event, Listener
from .messages import (
    Collect,
    Collected,
    Drop,
    Failure,
    Forward,
    Join,
    Leave,
    Message,
    Report,
    Rows,
    Settings,
    Stop,
    TailGradient,
    Watch,
    Weights,
    Welcome,
)
from .plan import LIVE, Plan
from .protocol import Order, frame
from .rounds import Rounds, Shapes
from .session import Session, Waiting
from .split import Split
from .standing import FACTS

PATIENCE_SECONDS = 20.0  # for a client whose link broke
ROWS_AT_ONCE = 2_000
FACTS_LIMIT = 4096  # characters about a client's machine
AGAIN = "client again"  # the role in the token of a client that was started anew: only the owner can make it
CARRY_TENSORS = Forward | TailGradient | Weights
Reply = tuple[int, Message | None]  # to a connection; None: hang up


def token(secret: str, role: str, client: int = -1) -> str:
    """The token of one role (of one client) in the run that has this secret."""
    return hmac.new(secret.encode(), f"{role}/{client}".encode(), "sha256").hexdigest()


@dataclass
class Peer:
    """Who is at the other end of a connection, and where the talk with them stands."""

    role: str
    client: int
    order: Order
    rows: int | None = None  # watching: the next row to send


class Server:
    """Decides what to answer; every method returns the messages that follow from what happened."""

    def __init__(self, plan: Plan, split: Split, shapes: Shapes, classes: int, secret: str, history: History) -> None:
        self.rounds = Rounds(plan, split, shapes, classes, self._tell, self._blame)
        self.plans, self.secret, self.history = self.rounds.plans, secret, history
        self.peers: dict[int, Peer] = {}
        self.orders: dict[int, Order] = {}
        self.lost: dict[int, float] = {}  # clients whose link broke, and since when
        self.over = False  # the owner is done with it
        self._done = False
        self._out: list[Reply] = []

    # ---- events ------------------------------------------------------------------------------------------------------

    def receive(self, connection: int, message: Message, at: float) -> list[Reply]:
        """A message came in at this monotonic time."""
        peer = self.peers.get(connection)
        try:
            if peer is None:
                self._join(connection, message)
            elif not self._said_before(peer, message):
                peer.order.received(message)
                HANDLERS[type(message)](self, connection, message, at)
        except Exception as error:  # a peer's tensors may break any operation: that is its failure, not the others'
            if not isinstance(error, SplitlabError) and not isinstance(message, CARRY_TENSORS):
                raise
            self._fail(connection, error)
        return self._go_on()

    def refuse(self, connection: int, error: SplitlabError) -> list[Reply]:
        """Something came in that is not a message."""
        self._fail(connection, error)
        return self._go_on()

    def closed(self, connection: int, at: float) -> list[Reply]:
        """A connection is gone; its client may come back."""
        peer = self.peers.pop(connection, None)
        if peer and peer.role == "owner":
            self.over = True
        if peer and peer.role == "client":
            self.lost.setdefault(peer.client, at)
        return self._go_on()

    def tick(self, now: float) -> list[Reply]:
        """Time passed: clients that stayed away too long are let go."""
        for client, since in list(self.lost.items()):
            if now - since > PATIENCE_SECONDS:
                self._let_go(client, f"its link was gone for {PATIENCE_SECONDS:.0f} s")
        return self._go_on()

    def _go_on(self) -> list[Reply]:
        self.rounds.advance()
        if self.rounds.over and not self._done:
            self._end()
        for connection, peer in self.peers.items():
            while peer.rows is not None and (rows := self.history.since(peer.rows)[:ROWS_AT_ONCE]):
                self._say(connection, Rows(rows[0].sequence, tuple(tuple(row[1:]) for row in rows)))
                peer.rows = rows[-1].sequence + 1
        out, self._out = self._out, []
        return out

    def _end(self) -> None:
        self._done = True
        if self.rounds.stopping:
            self.rounds.merge()
        left = self.rounds.left
        failed = bool(left) and all(left.values())
        self._write(RUN, "state", "failed" if failed else "stopped" if self.rounds.stopping else "finished")

    # ---- joining -----------------------------------------------------------------------------------------------------

    def _join(self, connection: int, message: Message) -> None:
        if not isinstance(message, Join):
            raise OrderError(f"expected Join as the first word, got {type(message).__name__}")
        roles = (message.role, AGAIN) if message.role == "client" else (message.role,)
        tokens = [token(self.secret, role, message.client).encode() for role in roles]
        fits = [hmac.compare_digest(expected, message.token.encode()) for expected in tokens]
        if not any(fits):
            raise OrderError("the token is wrong, or for another role, client or run: copy the pairing code again")
        if message.role == "client":
            return self._admit(connection, message, again=fits[1] and message.step == 0)
        order = Order("server", message.role)
        order.received(message)
        self.peers[connection] = Peer(message.role, RUN, order)
        self._say(connection, Welcome(RUN, self.plans[-1].to_json(), "", settings=len(self.plans) - 1))

    def _admit(self, connection: int, message: Join, again: bool) -> None:
        client, rounds = message.client, self.rounds
        if again := again and client in rounds.left:
            session = rounds.admit_again(client)
            self.orders.pop(client, None)
        else:
            session = rounds.admit(client, message.step)
        if (old := self._connection(client)) is not None:  # it dialled anew before we noticed that the old link broke
            self._hang_up(old)
        self.lost.pop(client, None)
        order = self.orders.setdefault(client, Order("server", "client", u_shaped=self.plans[0].u_shaped))
        order.resumed()
        order.received(message)
        self.peers[connection] = Peer("client", client, order)
        self._say(connection, self._welcome(session, fresh=message.step == 0, again=again))
        if rounds.stopping:
            self._say(connection, Stop("the run is being stopped"))
        elif len(self.plans) > 1:
            self._say(connection, self._news())
        if not rounds.stopping and (rounds.ending or client in rounds.training):  # it may have missed its turn
            rounds.share(client)
        self._write(client, "joined", str(message.machine.get("host", "")))
        if message.machine and len(facts := json.dumps(dict(message.machine))) <= FACTS_LIMIT:
            self._write(client, "machine", facts, FACTS)

    def _welcome(self, session: Session, fresh: bool, again: bool) -> Welcome:
        plan, split = self.plans[0], self.rounds.split
        known = session.client, plan.to_json()
        if not fresh:  # it has its parts
            return Welcome(*known, "", step=session.step)
        tail, step = spec.dump(split.tail) if split.tail else "", session.step if again else 0
        return Welcome(*known, spec.dump(split.head), tail, step, weights=self.rounds.client_weights)

    def _news(self) -> Settings:
        """All live settings as they are now."""
        return Settings(len(self.plans) - 1, {name: getattr(self.plans[-1], name) for name in LIVE})

    def _said_before(self, peer: Peer, message: Message) -> bool:
        """Weights that are here already, said again over a new link: the answer is on its way."""
        rounds = self.rounds
        return isinstance(message, Weights) and (message.round < rounds.number or peer.client in rounds.finished)

    # ---- what a client says ------------------------------------------------------------------------------------------

    def _forward(self, connection: int, message: Forward, at: float) -> None:
        session = self._session(connection)
        if not 0 <= message.settings < len(self.plans):
            raise OrderError(f"settings version {message.settings} was never said; the newest is {len(self.plans) - 1}")
        if message.mode == "evaluate":
            self._say(connection, steps.evaluate(session, message, at))
        elif answer := session.again(message):
            self._say(connection, answer)
        else:
            session.waiting = Waiting(message, at)
            session.place = max(session.place, 0)

    def _tail_gradient(self, connection: int, message: TailGradient, at: float) -> None:
        session = self._session(connection)
        self._say(connection, session.again(message) or steps.finish_tail(session, message, at))

    def _weights(self, connection: int, message: Weights, at: float) -> None:
        self.rounds.hand_in(self.peers[connection].client, message)

    def _report(self, connection: int, message: Report, at: float) -> None:
        """Rows are in order of time; those said again over a new link are known already."""
        session = self._session(connection)
        rows = [row for row in message.rows if row[0] > session.reported]
        self.history.add((row[0], session.client, *row[2:]) for row in rows)
        session.reported = max([session.reported, *(row[0] for row in rows)])

    def _leave(self, connection: int, message: Leave, at: float) -> None:
        peer = self.peers[connection]
        self._hang_up(connection)
        if peer.role == "client":
            self._let_go(peer.client, message.reason)
        elif peer.role == "owner":
            self.over = True

    # ---- what the owner and observers say ----------------------------------------------------------------------------

    def _settings(self, connection: int, message: Settings, at: float) -> None:
        check_live(message.values)
        self.plans.append(self.plans[-1].change(**message.values))
        if not self.rounds.stopping:
            self._tell_clients(self._news())

    def _stop(self, connection: int, message: Stop, at: float) -> None:
        if not self.rounds.stopping:
            self.rounds.stopping = True
            self._tell_clients(message)

    def _watch(self, connection: int, message: Watch, at: float) -> None:
        self.peers[connection].rows = message.after

    def _drop(self, connection: int, message: Drop, at: float) -> None:
        if not 0 <= message.client < self.plans[0].clients:
            raise OrderError(f"there is no client {message.client} to let go")
        reason = message.reason or "the owner let this client go"
        self._blame(message.client, OrderError(reason))

    def _collect(self, connection: int, message: Collect, at: float) -> None:
        self._say(connection, Collected(message.client, self.rounds.whole(message.client)))

    # ---- saying, letting go ------------------------------------------------------------------------------------------

    def _session(self, connection: int) -> Session:
        return self.rounds.sessions[self.peers[connection].client]

    def _connection(self, client: int) -> int | None:
        return next((number for number, peer in self.peers.items() if peer.client == client >= 0), None)

    def _say(self, connection: int, message: Message) -> None:
        self.peers[connection].order.sent(message)
        self._out.append((connection, message))

    def _tell(self, client: int, message: Message) -> None:
        """Say something to a client if it is there; if it is not, it will ask again."""
        if (connection := self._connection(client)) is not None:
            self._say(connection, message)

    def _tell_clients(self, message: Message) -> None:
        for connection, peer in self.peers.items():
            if peer.role == "client":
                self._say(connection, message)

    def _blame(self, client: int, error: Exception) -> None:
        if (connection := self._connection(client)) is not None:
            self._fail(connection, error)
        self._let_go(client, str(error))

    def _fail(self, connection: int, error: Exception) -> None:
        """Say why, hang up, and do not make the others wait for whoever broke the rules."""
        self._out.append((connection, Failure(type(error).__name__, _text(error))))
        peer = self._hang_up(connection)
        if peer and peer.role == "client":
            self._let_go(peer.client, f"{type(error).__name__}: {error}")
        elif peer and peer.role == "owner":
            self.over = True

    def _hang_up(self, connection: int) -> Peer | None:
        self._out.append((connection, None))
        return self.peers.pop(connection, None)

    def _let_go(self, client: int, reason: str) -> None:
        self.lost.pop(client, None)
        if self.rounds.let_go(client, reason):
            self._write(client, "left", reason)

    def _write(self, client: int, name: str, value: str, unit: str = "state") -> None:
        session = self.rounds.sessions.get(client)
        step = session.step if session else 0
        self.history.add([(time.time(), client, max(0, self.rounds.number), step, name, value, unit)])


HANDLERS: dict[type[Message], Callable[..., None]] = {
    Forward: Server._forward,
    TailGradient: Server._tail_gradient,
    Weights: Server._weights,
    Report: Server._report,
    Leave: Server._leave,
    Settings: Server._settings,
    Stop: Server._stop,
    Watch: Server._watch,
    Drop: Server._drop,
    Collect: Server._collect,
}


def _text(error: Exception) -> str:
    """An error and its notes: torch's own message, and the operation in which it happened."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def check_live(values: Mapping[str, Any]) -> None:
    """Settings that may change while a run goes on, with values that exist; otherwise an error that names them."""
    for name, value in values.items():
        if name not in LIVE:
            raise unknown("live setting", name, LIVE)
        if name in ("codec", "gradient_codec") and value is not None:
            codec(value)
        if name == "learning_rate" and value is None:
            raise PlanError(
                "learning_rate is None: a rate that was set cannot be taken back; set the one that you want"
            )
    Plan().change(**values)


def serve(listener: Listener, server: Server) -> None:
    """Carry events to the server and its replies back, until the owner is done with it."""
    ticked = time.monotonic()
    while not server.over:
        try:
            replies = _handle(server, listener, listener.events.get(timeout=0.2))
        except queue.Empty:
            replies = []
        if time.monotonic() - ticked > 0.2:
            ticked = time.monotonic()
            replies += server.tick(ticked)
        for connection, message in replies:
            listener.send(connection, frame.pieces(message)) if message else listener.drop(connection)
    listener.stop()


def _handle(server: Server, listener: Listener, event: Event) -> list[Reply]:
    if event.frame is None:
        return server.closed(event.connection, event.at)
    try:
        message = frame.decode(event.frame)
    except FrameError as error:
        return server.refuse(event.connection, error)
    replies = server.receive(event.connection, message, event.at)
    if isinstance(message, Join) and event.connection in server.peers:
        listener.admit(event.connection)
    return replies
