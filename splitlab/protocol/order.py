"""The order of the talk: who may say what, when. Everything that decides it lives here, most of it in two tables.

1. TALK says what may be said on a link, by the role that its Join named; STEP says what may be said about one step.
   A message about a step must be allowed by both. `diagram()` draws them.
2. Steps are numbered 0, 1, 2 …, and so are evaluated batches, on their own; numbers may be skipped. At most `window`
   are open at a time, that is asked and not answered yet, and never of both kinds: so an answer needs only a number.
3. Weights end a round once no step is open. After a Stop the steps in hand are brought to their end; what the client
   said before it heard the Stop may cross it on the way.
4. A link may break anywhere. Whoever returns says Join on a new link, the server says Welcome, and the talk goes on in
   the state in which it was left: `resumed()` tells an order that outlived its link. Open steps are forgotten then.
5. What was not answered is repeated, by the client: Forward or TailGradient of a step, and Weights. A step that was
   answered gets the same answer again. The server may repeat Shared, which the client may have missed.
6. Whoever was welcomed may Leave at any time, and the server may say Failure at any time; either closes the link.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from ..errors import LocalOrderError, OrderError, RemoteOrderError, unknown
from ..messages import Forward, Join, Message, Shared, Welcome

Side = Literal["client", "server"]  # the client's side is also that of the observer and the owner


class Rule(NamedTuple):
    """In this state, this side may say any of these words, and the next state follows."""

    state: str
    side: Side
    words: str
    next: str


RUNNING = ("waiting", "training", "handed_in", "finished", "stopping")
ENTER = (
    Rule("new", "client", "Join", "joining"),
    Rule("new", "server", "Failure", "closed"),
    Rule("joining", "server", "Failure", "closed"),
)
WATCH = (
    *ENTER,
    Rule("joining", "server", "Welcome", "watching"),
    Rule("watching", "client", "Watch", "watching"),
    Rule("watching", "server", "Rows Settings Stop", "watching"),
    Rule("watching", "client", "Leave", "closed"),
    Rule("watching", "server", "Failure", "closed"),
)
OWN = (
    *WATCH,
    Rule("watching", "client", "Settings Stop Drop Collect", "watching"),
    Rule("watching", "server", "Collected", "watching"),
)
TRAIN = (
    *ENTER,
    Rule("joining", "server", "Welcome", "waiting"),
    *(Rule(state, "server", "Shared", "training") for state in ("waiting", "training", "handed_in")),
    *(Rule(state, "server", "Shared/last", "finished") for state in ("waiting", "handed_in", "finished")),
    Rule("training", "client", "Forward Forward/evaluate TailGradient", "training"),
    Rule("training", "server", "Features Backward", "training"),
    Rule("training", "client", "Weights", "handed_in"),
    Rule("handed_in", "client", "Weights", "handed_in"),
    Rule("finished", "client", "Forward/evaluate", "finished"),
    Rule("finished", "server", "Features Backward", "finished"),
    Rule("stopping", "client", "Forward Forward/evaluate TailGradient Weights", "stopping"),
    Rule("stopping", "server", "Features Backward", "stopping"),
    Rule("stopping", "server", "Shared/last", "finished"),
    *(Rule(state, "server", "Stop", "stopping") for state in RUNNING),
    *(Rule(state, "server", "Settings", state) for state in RUNNING),
    *(Rule(state, "client", "Report", state) for state in RUNNING),
    *(Rule(state, "client", "Leave", "closed") for state in RUNNING),
    *(Rule(state, "server", "Failure", "closed") for state in RUNNING),
)
TALK = {"client": TRAIN, "observer": WATCH, "owner": OWN}

STEP = {
    "plain": (
        Rule("unasked", "client", "Forward", "asked"),
        Rule("asked", "server", "Backward", "answered"),
        Rule("answered", "client", "Forward", "asked"),
        Rule("unseen", "client", "Forward/evaluate", "shown"),
        Rule("shown", "server", "Backward", "unseen"),
    ),
    "u_shaped": (
        Rule("unasked", "client", "Forward", "asked"),
        Rule("asked", "server", "Features", "featured"),
        Rule("featured", "client", "TailGradient", "returned"),
        Rule("returned", "server", "Backward", "answered"),
        Rule("answered", "client", "Forward", "asked"),
        Rule("answered", "client", "TailGradient", "returned"),
        Rule("unseen", "client", "Forward/evaluate", "shown"),
        Rule("shown", "server", "Features", "unseen"),
    ),
}
ABOUT_A_STEP = {word for rules in STEP.values() for rule in rules for word in rule.words.split()}
NOT_OPEN = ("unasked", "answered", "unseen")


class Order:
    """Watches one link from one side: tell it each message just before it is sent, and when it was received.

    `u_shaped` may be set once it is known, before the first step.
    """

    def __init__(self, side: Side, role: str = "client", u_shaped: bool = False, window: int = 1) -> None:
        if role not in TALK:
            raise unknown("role", role, TALK, OrderError)
        self.side, self.role, self.u_shaped, self.window = side, role, u_shaped, window
        self.state = "new"
        self._left = ""  # the state in which the former link broke
        self._open: dict[int, str] = {}
        self._next = 0  # one more than the last training step that was asked for

    def __repr__(self) -> str:
        steps = "".join(f", step {step} {state}" for step, state in self._open.items())
        return f"Order({self.side}, {self.role}: {self.state}{steps})"

    def sent(self, message: Message) -> None:
        """This side says it; LocalOrderError if it must not, and nothing has changed then."""
        self._say(self.side, message, LocalOrderError)

    def received(self, message: Message) -> None:
        """The other side said it; RemoteOrderError if it must not, and nothing has changed then."""
        self._say("server" if self.side == "client" else "client", message, RemoteOrderError)

    def resumed(self) -> None:
        """The link broke, and the talk will go on over a new one, which begins with Join (rules 4 and 5)."""
        if self.state == "closed":
            raise LocalOrderError(f"{self!r} cannot go on: its link was closed by Leave or Failure; take a new Order")
        if self.state not in ("new", "joining"):
            self._left = self.state
        self.state = "new"
        self._open.clear()

    def allowed(self, side: Side) -> tuple[str, ...]:
        """The words that this side may say now; those about a step, about some step."""
        words = (word for rule in TALK[self.role] if rule[:2] == (self.state, side) for word in rule.words.split())
        steps = {0, self._next, *self._open}
        return tuple(sorted(word for word in words if any(self._turn(side, word, step) is not None for step in steps)))

    def _say(self, side: Side, message: Message, error: type[OrderError]) -> None:
        word, step = _word(message), getattr(message, "step", 0)
        rule, turn = _find(TALK[self.role], self.state, side, word), self._turn(side, word, step)
        if rule is None or turn is None or (isinstance(message, Join) and message.role != self.role):
            about = f"step {step} is {self._at(word, step)}" if word in ABOUT_A_STEP else f"the link is {self.state}"
            may = ", ".join(self.allowed(side)) or "nothing"
            raise error(
                f"the {side} of this {self.role}'s link said {message!r} while {about}: it may say {may}; {self}"
            )
        self.state = rule.next
        if isinstance(message, Welcome):
            self.state, self._next = self._left or rule.next, max(self._next, message.step)
        if word in ABOUT_A_STEP:
            self._move(step, turn)

    def _turn(self, side: Side, word: str, step: int) -> str | None:
        """The state of the step after this word about it, or None if it must not be said. Other words leave it be."""
        if word not in ABOUT_A_STEP:
            return None if word == "Weights" and self._open else ""
        rule = _find(STEP["u_shaped" if self.u_shaped else "plain"], self._at(word, step), side, word)
        if rule is None or (rule.state in NOT_OPEN and not self._room(rule.next)):
            return None
        return rule.next

    def _at(self, word: str, step: int) -> str:
        if step < 0:
            return "no step"
        if step in self._open:
            return self._open[step]
        return "unseen" if word == "Forward/evaluate" else "answered" if step < self._next else "unasked"

    def _room(self, state: str) -> bool:
        return len(self._open) < self.window and all(
            (state == "shown") == (at == "shown") for at in self._open.values()
        )

    def _move(self, step: int, state: str) -> None:
        if state in NOT_OPEN:
            self._open.pop(step, None)
            return
        self._open[step] = state
        if state != "shown":
            self._next = max(self._next, step + 1)


def diagram(role: str = "client", u_shaped: bool = False) -> str:
    """The tables as the text of a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> new", *_edges(TALK[role])]
    if role == "client":
        lines += [
            "    state one_step {",
            *("    " + line for line in _edges(STEP["u_shaped" if u_shaped else "plain"])),
            "    }",
        ]
    return "\n".join([*lines, "    closed --> [*]"])


def _edges(rules: Iterable[Rule]) -> list[str]:
    said: dict[tuple[str, str], dict[str, list[str]]] = {}
    for rule in rules:
        said.setdefault((rule.state, rule.next), {}).setdefault(rule.side, []).extend(rule.words.split())
    return [
        f"    {state} --> {after} : " + " · ".join(f"{side} {', '.join(words)}" for side, words in sides.items())
        for (state, after), sides in said.items()
    ]


def _word(message: Message) -> str:
    name = type(message).__name__
    if isinstance(message, Forward) and message.mode != "train":
        return f"{name}/{message.mode}"
    return f"{name}/last" if isinstance(message, Shared) and message.last else name


def _find(rules: Iterable[Rule], state: str, side: Side, word: str) -> Rule | None:
    return next((rule for rule in rules if rule[:2] == (state, side) and word in rule.words.split()), None)
