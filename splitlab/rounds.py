"""Rounds and turns: which client trains, who is served now, when a round ends, and what is merged then; no links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import session as steps
from . import spec
from .errors import OrderError, RemoteOrderError
from .half import Half, finite, gather
from .messages import Message, Shared, Weights
from .plan import Plan
from .policy.sharing import sharing_of
from .session import Session
from .split import Split

Shapes = Sequence[tuple[int, ...]]  # of what crosses the cut, without the batch


class Rounds:
    """Where a run stands. `advance` says what follows to clients through `say`, and through `fail` whose fault it is.

    A round is one epoch of every client; in a turn-based sharing the clients go through it one after the other.
    """

    def __init__(
        self,
        plan: Plan,
        split: Split,
        shapes: Shapes,
        classes: int,
        say: Callable[[int, Message], None],
        fail: Callable[[int, Exception], None],
    ) -> None:
        self.plans, self.split, self.shapes, self.classes = [plan], split, shapes, classes
        self.sharing = sharing_of(plan)
        self.sessions: dict[int, Session] = {}
        self.left: dict[int, str] = {}  # clients that are gone, and why
        self.late: set[int] = set()  # clients that came back with nothing, and begin with the next round
        self.training: set[int] = set()
        self.finished: dict[int, Mapping[str, Any]] = {}  # this round's weights, in the order in which they came
        self.number = -1
        self.merged: Mapping[str, Any] = {}
        self.stopping = self.ending = False
        self._say, self._fail = say, fail
        self._shared_body: Half | None = None

    # ---- clients come and go -----------------------------------------------------------------------------------------

    def admit(self, client: int, step: int) -> Session:
        """The session of a client that comes, or comes back at this step; `OrderError` if there is no place for it."""
        if not 0 <= client < self.plans[0].clients or client in self.left:
            why = self.left.get(client, f"clients are numbered from 0 to {self.plans[0].clients - 1}")
            raise OrderError(f"client {client} has no place in this run: {why or 'it left'}")
        known = self.sessions.get(client)
        if known is None:
            known = self.sessions[client] = self._session(client)
        elif step == 0 and (known.step > 1 or self.number > 0):  # within the first step nothing is lost yet
            raise OrderError(f"client {client} lost its state at step {known.step} and cannot come back into this run")
        elif known.body and step not in (known.step, known.step - 1):  # the last answer may not have arrived
            raise OrderError(f"client {client} comes back at step {step}, but was last seen at step {known.step}")
        known.waiting = None  # it will be said again
        return known

    def admit_again(self, client: int) -> Session:
        """A client that was let go comes back with nothing: it gets the merged weights at the start of the next round.

        `OrderError` where clients keep what is their own, which is lost then.
        """
        if client not in self.left or not self.sharing.merges or self.ending:
            raise OrderError(f"client {client} cannot come back into this run: {self.left.get(client, 'it is there')}")
        del self.left[client]
        before = self.sessions.get(client) or self._session(client)
        after = self.sessions[client] = Session(client, before.body, self.plans, self.shapes, self.classes)
        after.step, after.samples, after.weights = before.step, before.samples, before.weights
        if self.number >= 0:
            self.late.add(client)
        return after

    def _session(self, client: int) -> Session:
        body = None
        if self.split.body is not None:
            body = self._shared_body or self._body()
            self._shared_body = body if self.sharing.one_body else None
        return Session(client, body, self.plans, self.shapes, self.classes)

    def _body(self) -> Half:
        plan = self.plans[0]
        assert self.split.body is not None
        part = spec.load(spec.dump(self.split.body))
        part.load_state_dict(self.split.body.state_dict())
        return Half(part, plan.server_optimizer or plan.optimizer, plan.lr_schedule, plan.learning_rate)

    @property
    def client_weights(self) -> dict[str, Any]:
        """What a client begins with: the weights of head and tail, and how those that it hands in must look."""
        return gather({name: part for name, part in self.split.parts.items() if name != "body"})

    def hand_in(self, client: int, message: Weights) -> None:
        """A client is through with the round; weights that others could not go on with are refused."""
        session = self.sessions[client]
        if message.round != self.number or client not in self.training:
            raise RemoteOrderError(f"weights of round {message.round}, but client {client} is not in that round")
        self._check(session, message)
        session.samples = message.samples
        session.weights = message.weights or session.weights
        self.finished[client] = message.weights
        self.training.discard(client)

    def _check(self, session: Session, message: Weights) -> None:
        if (message.weights or self.sharing.merges) and _looks(message.weights) != _looks(self.client_weights):
            raise RemoteOrderError(f"{message!r}: expected the weights of {', '.join(self.client_weights)}")
        if message.samples < 0 or (session.body is not None and message.samples != session.samples):
            raise RemoteOrderError(f"{message!r}: this client trained on {session.samples} samples in this round")
        body = session.body.part.state_dict().values() if session.body and not self.sharing.one_body else ()
        if not finite(message.weights.values()) or not finite(body):
            raise RemoteOrderError(
                f"client {session.client}'s weights are not finite at the end of epoch {self.number}: training "
                "diverged. Lower the learning rate, or use a codec with a wider range."
            )

    def let_go(self, client: int, reason: str) -> bool:
        """Nobody waits for this client any more; False if nobody did."""
        if client in self.left:
            return False
        self.left[client] = reason
        self.training.discard(client)
        self.late.discard(client)
        if session := self.sessions.get(client):
            if session.opened and session.body:
                session.body.forget()
            session.waiting = session.opened = None
        return True

    # ---- rounds and turns --------------------------------------------------------------------------------------------

    @property
    def active(self) -> list[int]:
        """Clients that are in the run now."""
        return [client for client in sorted(self.sessions) if client not in self.left and client not in self.late]

    @property
    def over(self) -> bool:
        """Whether there is nobody left, and nobody to come."""
        return not (self.active or self.late) and (self.stopping or len(self.left) == self.plans[0].clients)

    def advance(self) -> None:
        """Serve whoever can be served, end the round that has ended, start those whose turn it is."""
        if self.number < 0 and self.active and len(self.active) + len(self.left) == self.plans[0].clients:
            self._begin(0)
        while self._serve():
            pass
        if self.number < 0 or self.ending or self.stopping:
            return
        there = self.active or self.late
        if there and not self.training and all(client in self.finished for client in self.active):
            self._end_round()
        if not self.ending:
            self._start(self.sharing.starters(self.active, self.finished))

    def share(self, client: int) -> None:
        """Tell a client to begin the round, or that there is none any more."""
        self._say(client, Shared(self.number + self.ending, self.merged, self.ending))

    def _serve(self) -> bool:
        """One server step, if sharing lets anyone be served now."""
        places = {client: self.sessions[client].place for client in self.training}
        arrived = {client: waiting.arrived for client in places if (waiting := self.sessions[client].waiting)}
        group = self.sharing.served(places, sorted(arrived, key=arrived.__getitem__)) if arrived else ()
        sessions = [self.sessions[client] for client in group]
        try:
            answers = steps.train(sessions) if sessions else []
        except Exception as error:  # a client's tensors may break any operation: that is its failure, not the others'
            for session in steps.culprits(sessions):
                self._fail(session.client, error)
            return True
        for session, answer in answers:
            self._say(session.client, answer)
        return bool(group)

    def _begin(self, number: int) -> None:
        self.number, self.finished = number, {}
        for session in self.sessions.values():
            session.place, session.samples = -1, 0

    def _start(self, clients: tuple[int, ...]) -> None:
        waiting = [client for client in clients if client not in self.training and client not in self.finished]
        if waiting and self.finished and self.sharing.merges:  # a turn within the round
            self.merged = self.sharing.merge(self.finished, self._samples)
        for client in waiting:
            self.training.add(client)
            self.share(client)

    def _end_round(self) -> None:
        self.merge()
        self.late.clear()
        for body in {id(session.body): session.body for session in self.sessions.values()}.values():
            if body:
                body.end_epoch()
        self.ending = self.number + 1 == self.plans[0].epochs
        if not self.ending:
            return self._begin(self.number + 1)
        for client in self.active:
            self.share(client)

    # ---- weights -----------------------------------------------------------------------------------------------------

    def merge(self) -> None:
        """Merge what was handed in, and bodies likewise where each client has its own."""
        finished = {client: weights for client, weights in self.finished.items() if weights}
        if not finished or not self.sharing.merges:
            return
        self.merged = self.sharing.merge(finished, self._samples)
        bodies = {client: body.part.state_dict() for client in finished if (body := self.sessions[client].body)}
        if self.sharing.one_body or not bodies:
            return
        merged = self.sharing.merge(bodies, self._samples)
        for session in self.sessions.values():
            if session.body:
                session.body.part.load_state_dict(merged)

    @property
    def _samples(self) -> dict[int, int]:
        return {client: max(1, self.sessions[client].samples) for client in self.finished}

    def whole(self, client: int) -> dict[str, Any]:
        """A client's whole network, by `head.`, `body.` and `tail.` names, as far as the server knows it."""
        session = self.sessions.get(client)
        if session is None:
            raise OrderError(f"there is no client {client} in this run")
        body = {"body": session.body.part} if session.body else {}
        copies = {name: tensor.clone() for name, tensor in gather(body).items()}  # it may train on before they are sent
        return {**(self.merged or session.weights), **copies}


def _looks(weights: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in weights.items()}
