"""The server of a run: admits links, keeps one session for each client, and lets sharing decide whose turn it is.

`Server` decides, without I/O: events in, messages out. `serve` carries them between a listener and a server.
"""

from __future__ import annotations

import hmac
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import session as steps
from . import spec
from .codec import codec
from .errors import FrameError, OrderError, SplitlabError, unknown
from .half import Half, gather
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
    Shared,
    Stop,
    TailGradient,
    Watch,
    Weights,
    Welcome,
)
from .plan import LIVE, Plan
from .policy.sharing import sharing_of
from .protocol import Order, frame
from .session import Session, Waiting
from .split import Split

PATIENCE_SECONDS = 20.0  # for a client whose link broke
ROWS_AT_ONCE = 2_000
Shapes = Sequence[tuple[int, ...]]  # of what crosses the cut, without the batch
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
        self.plans, self.split, self.secret, self.history = [plan], split, secret, history
        self.shapes, self.classes = shapes, classes
        self.sharing = sharing_of(plan)
        self.sessions: dict[int, Session] = {}
        self.peers: dict[int, Peer] = {}
        self.orders: dict[int, Order] = {}
        self.training: set[int] = set()
        self.finished: dict[int, Mapping[str, Any]] = {}
        self.left: dict[int, str] = {}  # clients that are gone for good, and why
        self.lost: dict[int, float] = {}  # clients whose link broke, and since when
        self.round = -1
        self.merged: Mapping[str, Any] = {}
        self.stopping = self.ending = self.done = self.over = False
        self._shared_body: Half | None = None
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
            self._advance()
        except SplitlabError as error:
            self._fail(connection, error)
        except Exception as error:  # a peer's tensors may break any operation: that is its failure, not the others'
            if not isinstance(message, Forward | TailGradient | Weights):
                raise
            self._fail(connection, error)
        return self._flush()

    def refuse(self, connection: int, error: SplitlabError) -> list[Reply]:
        """Something came in that is not a message."""
        self._fail(connection, error)
        return self._flush()

    def closed(self, connection: int, at: float) -> list[Reply]:
        """A connection is gone; its client may come back."""
        peer = self.peers.pop(connection, None)
        if peer and peer.role == "owner":
            self.over = True
        if peer and peer.role == "client" and peer.client in self.sessions and self._connection(peer.client) is None:
            self.lost.setdefault(peer.client, at)
        return self._flush()

    def tick(self, now: float) -> list[Reply]:
        """Time passed: clients that stayed away too long are let go."""
        for client, since in list(self.lost.items()):
            if now - since > PATIENCE_SECONDS:
                self._drop(client, f"its link was gone for {PATIENCE_SECONDS:.0f} s")
        self._advance()
        return self._flush()

    # ---- joining -----------------------------------------------------------------------------------------------------

    def _join(self, connection: int, message: Message) -> None:
        if not isinstance(message, Join):
            raise OrderError(f"expected Join as the first word, got {type(message).__name__}")
        expected = token(self.secret, message.role, message.client)
        if not hmac.compare_digest(expected.encode(), message.token.encode()):
            raise OrderError("the token is wrong, or for another role, client or run: copy the pairing code again")
        if message.role == "client":
            self._admit(connection, message)
        else:
            order = Order("server", message.role)
            order.received(message)
            self.peers[connection] = Peer(message.role, RUN, order)
            self._say(connection, Welcome(RUN, self.plans[-1].to_json(), "", settings=len(self.plans) - 1))

    def _admit(self, connection: int, message: Join) -> None:
        client, plan = message.client, self.plans[-1]
        if not 0 <= client < plan.clients or client in self.left:
            why = self.left.get(client, f"clients are numbered from 0 to {plan.clients - 1}")
            raise OrderError(f"client {client} has no place in this run: {why}")
        if (old := self._connection(client)) is not None:  # it dialled anew before we noticed that the old link broke
            del self.peers[old]
            self._out.append((old, None))
        self.lost.pop(client, None)
        known = self.sessions.get(client)
        if known and message.step == 0 and known.step > 0:
            raise OrderError(f"client {client} lost its state at step {known.step} and cannot come back into this run")
        if known is None:
            known = self.sessions[client] = self._session(client)
            self.orders[client] = Order("server", "client", u_shaped=plan.u_shaped)
        else:
            self.orders[client].resumed()
            known.waiting = None  # it will be said again
        order = self.orders[client]
        order.received(message)
        self.peers[connection] = Peer("client", client, order)
        fresh = message.step == 0
        self._say(
            connection,
            Welcome(
                client,
                plan.to_json(),
                spec.dump(self.split.head) if fresh else "",
                spec.dump(self.split.tail) if fresh and self.split.tail else "",
                known.step,
                len(self.plans) - 1,
                self._client_weights() if fresh else {},
            ),
        )
        if self.stopping:
            self._say(connection, Stop("the run is being stopped"))
        else:  # what was said while its link was broken
            if len(self.plans) > 1 and not fresh:
                live = {name: getattr(self.plans[-1], name) for name in LIVE}
                self._say(connection, Settings(len(self.plans) - 1, live))
            if self.ending or (client in self.training and (known.place < 0 or known.step == 0)):
                self._share(client)
        self._write(client, "joined", str(message.machine.get("host", "")), "state")

    def _session(self, client: int) -> Session:
        body = None
        if self.split.body is not None:
            body = self._shared_body or self._body()
            self._shared_body = body if self.sharing.one_body else None
        return Session(client, body, self.plans, self.shapes, self.classes)

    def _client_weights(self) -> dict[str, Any]:
        return gather({name: part for name, part in self.split.parts.items() if name != "body"})

    def _body(self) -> Half:
        plan = self.plans[0]
        assert self.split.body is not None
        part = spec.load(spec.dump(self.split.body))
        part.load_state_dict(self.split.body.state_dict())
        return Half(part, plan.server_optimizer or plan.optimizer, plan.lr_schedule, plan.learning_rate)

    def _said_before(self, peer: Peer, message: Message) -> bool:
        """Weights that are here already, said again over a new link: the answer is on its way."""
        return isinstance(message, Weights) and (message.round < self.round or peer.client in self.finished)

    # ---- what a client says ------------------------------------------------------------------------------------------

    def _forward(self, connection: int, message: Forward, at: float) -> None:
        session = self.sessions[self.peers[connection].client]
        if message.settings >= len(self.plans) or message.settings < 0:
            raise OrderError(f"settings version {message.settings} was never said; the newest is {len(self.plans) - 1}")
        if message.mode == "evaluate":
            self._say(connection, steps.evaluate(session, message, at))
        elif answer := session.again(message):
            self._say(connection, answer)
        else:
            session.waiting = Waiting(message, at)
            session.place = max(session.place, 0)

    def _tail_gradient(self, connection: int, message: TailGradient, at: float) -> None:
        session = self.sessions[self.peers[connection].client]
        self._say(connection, session.again(message) or steps.finish_tail(session, message, at))

    def _weights(self, connection: int, message: Weights, at: float) -> None:
        client = self.peers[connection].client
        session = self.sessions[client]
        session.samples = message.samples
        if message.weights:
            session.weights = message.weights
        self.finished[client] = message.weights
        self.training.discard(client)

    def _report(self, connection: int, message: Report, at: float) -> None:
        client = self.peers[connection].client
        self.history.add((row[0], client, *row[2:]) for row in message.rows)

    def _leave(self, connection: int, message: Leave, at: float) -> None:
        peer = self.peers.pop(connection)
        self._out.append((connection, None))
        if peer.role == "client":
            self._drop(peer.client, message.reason)
        elif peer.role == "owner":
            self.over = True

    # ---- what the owner and observers say ----------------------------------------------------------------------------

    def _settings(self, connection: int, message: Settings, at: float) -> None:
        check_live(message.values)
        self.plans.append(self.plans[-1].change(**message.values))
        if not self.stopping:
            self._tell_clients(Settings(len(self.plans) - 1, dict(message.values)))

    def _stop(self, connection: int, message: Stop, at: float) -> None:
        if not self.stopping:
            self.stopping = True
            self._tell_clients(message)

    def _watch(self, connection: int, message: Watch, at: float) -> None:
        self.peers[connection].rows = message.after

    def _drop_asked(self, connection: int, message: Drop, at: float) -> None:
        if (client := self._connection(message.client)) is not None:
            self._say(client, Failure("Drop", message.reason or "the owner let this client go"))
            del self.peers[client]
            self._out.append((client, None))
        self._drop(message.client, message.reason)

    def _collect(self, connection: int, message: Collect, at: float) -> None:
        session = self.sessions.get(message.client)
        if session is None:
            raise OrderError(f"there is no client {message.client} in this run")
        weights = dict(self.merged or session.weights)
        if session.body:
            weights |= {f"body.{name}": value for name, value in session.body.part.state_dict().items()}
        self._say(connection, Collected(message.client, weights))

    # ---- rounds and turns --------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Serve whoever can be served, end the round that has ended, start those whose turn it is."""
        active = [client for client in sorted(self.sessions) if client not in self.left]
        if self.round < 0 and active and len(active) + len(self.left) == self.plans[0].clients:
            self._begin(0)
        while self._serve():
            pass
        if self.round >= 0 and active and not self.ending and not self.stopping:
            if not self.training and all(client in self.finished for client in active):
                self._end_round(active)
            if not self.ending:
                self._start(self.sharing.starters(active, self.finished))
        if not active and not self.done and (self.stopping or len(self.left) == self.plans[0].clients):
            self._end()

    def _end(self) -> None:
        self.done = True
        if self.stopping:
            self._merge()
        failed = bool(self.left) and all(self.left.values())
        self._write(RUN, "state", "failed" if failed else "stopped" if self.stopping else "finished", "state")

    def _begin(self, number: int) -> None:
        self.round, self.finished = number, {}
        for session in self.sessions.values():
            session.place = -1

    def _start(self, clients: tuple[int, ...]) -> None:
        waiting = [client for client in clients if client not in self.training and client not in self.finished]
        if waiting and self.finished and self.sharing.merges:  # a turn within the round
            self.merged = self.sharing.merge(self.finished, self._samples())
        for client in waiting:
            self.training.add(client)
            self._share(client)

    def _end_round(self, active: list[int]) -> None:
        self._merge()
        for body in {id(session.body): session.body for session in self.sessions.values()}.values():
            if body:
                body.end_epoch()
        self.ending = self.round + 1 == self.plans[0].epochs
        if not self.ending:
            return self._begin(self.round + 1)
        for client in active:
            self._share(client)

    def _merge(self) -> None:
        if not self.finished or not self.sharing.merges:
            return
        self.merged = self.sharing.merge(self.finished, self._samples())
        bodies = {client: self.sessions[client].body for client in self.finished}
        own = {client: body.part.state_dict() for client, body in bodies.items() if body}
        if self.sharing.one_body or not own:
            return
        merged = self.sharing.merge(own, self._samples())
        for session in self.sessions.values():
            if session.body:
                session.body.part.load_state_dict(merged)

    def _share(self, client: int) -> None:
        """Tell a client to begin the round, or that there is none any more."""
        if (connection := self._connection(client)) is not None:
            self._say(connection, Shared(self.round + self.ending, self.merged, self.ending))

    def _samples(self) -> dict[int, int]:
        return {client: max(1, self.sessions[client].samples) for client in self.finished}

    def _serve(self) -> bool:
        """One server step, if sharing lets anyone be served now."""
        places = {client: self.sessions[client].place for client in self.training}
        waiting = [client for client in places if self.sessions[client].waiting]
        waiting.sort(key=lambda client: self.sessions[client].waiting.arrived)  # type: ignore[union-attr]
        group = self.sharing.served(places, waiting) if waiting else ()
        if not group:
            return False
        for session, answer in steps.train([self.sessions[client] for client in group]):
            if (connection := self._connection(session.client)) is not None:
                self._say(connection, answer)
        return True

    # ---- saying, letting go ------------------------------------------------------------------------------------------

    def _connection(self, client: int) -> int | None:
        return next((number for number, peer in self.peers.items() if peer.client == client >= 0), None)

    def _say(self, connection: int, message: Message) -> None:
        self.peers[connection].order.sent(message)
        self._out.append((connection, message))

    def _tell_clients(self, message: Message) -> None:
        for connection, peer in self.peers.items():
            if peer.role == "client" and peer.order.state != "stopping":
                self._say(connection, message)

    def _fail(self, connection: int, error: Exception) -> None:
        """Say why, hang up, and do not make the others wait for whoever broke the rules."""
        self._out += [(connection, Failure(type(error).__name__, str(error))), (connection, None)]
        peer = self.peers.pop(connection, None)
        if peer and peer.role == "client":
            self._drop(peer.client, f"{type(error).__name__}: {error}")

    def _drop(self, client: int, reason: str) -> None:
        self.lost.pop(client, None)
        if client in self.left:
            return
        self.left[client] = reason
        self.training.discard(client)
        if session := self.sessions.get(client):
            session.waiting = session.opened = None
        self._write(client, "left", reason, "state")

    def _write(self, client: int, name: str, value: str, unit: str) -> None:
        step = self.sessions[client].step if client in self.sessions else 0
        self.history.add([(time.time(), client, max(0, self.round), step, name, value, unit)])

    def _flush(self) -> list[Reply]:
        for connection, peer in self.peers.items():
            while peer.rows is not None and (rows := self.history.since(peer.rows)[:ROWS_AT_ONCE]):
                self._say(connection, Rows(rows[0].sequence, tuple(tuple(row[1:]) for row in rows)))
                peer.rows = rows[-1].sequence + 1
        out, self._out = self._out, []
        return out


HANDLERS: dict[type[Message], Callable[..., None]] = {
    Forward: Server._forward,
    TailGradient: Server._tail_gradient,
    Weights: Server._weights,
    Report: Server._report,
    Leave: Server._leave,
    Settings: Server._settings,
    Stop: Server._stop,
    Watch: Server._watch,
    Drop: Server._drop_asked,
    Collect: Server._collect,
}


def check_live(values: Mapping[str, Any]) -> None:
    """Settings that may change while a run goes on, with values that exist; otherwise an error that names them."""
    for name, value in values.items():
        if name not in LIVE:
            raise unknown("live setting", name, LIVE)
        if name in ("codec", "gradient_codec") and value is not None:
            codec(value)
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
            if message is None:
                listener.drop(connection)
            else:
                listener.send(connection, frame.encode(message))
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
