"""What one end says to the other: frozen dataclasses that print as one line and never dump a tensor.

Who may say what, and when, stands in `protocol.order`; how a message becomes bytes stands in `protocol.frame`.
Tensors are `torch.Tensor`s, but nothing here needs to know that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PROTOCOL = "splitlab.1"
Tensor = Any  # a torch.Tensor, without importing torch; `protocol.fields` knows how each annotation below travels


@dataclass(frozen=True, repr=False)
class Packed:
    """One tensor as a codec left it: raw tensors by name, a few numbers, and the shape that it had.

    `codec` is the codec's text (`float8(4, 3, 7)`), so that whoever receives it needs nothing else to decode it.
    """

    codec: str
    shape: tuple[int, ...]
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.codec}[{'x'.join(map(str, self.shape))}]"


@dataclass(frozen=True, repr=False)
class Message:
    """Something said on a link."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f.name}={_brief(getattr(self, f.name))}' for f in fields(self))})"


# ---- said by a client ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Join(Message):
    """The first word on any link. `role` is client, observer or owner; `step` is where a returning client stands."""

    token: str
    role: str = "client"
    client: int = -1
    step: int = 0
    machine: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:  # a token is never shown
        return f"Join(role={self.role!r}, client={self.client}, step={self.step})"


@dataclass(frozen=True, repr=False)
class Forward(Message):
    """Activations of one batch at the cut. `labels` only when the loss is the server's; `settings` is the version used.

    `mode` is train (an answer with gradients follows) or evaluate (nothing is learnt from it).
    """

    step: int
    samples: int
    activations: tuple[Packed, ...]
    labels: Tensor | None = None
    mode: str = "train"
    settings: int = 0


@dataclass(frozen=True, repr=False)
class TailGradient(Message):
    """U-shaped only: the gradients at the tail's cut, with the loss and the hits that the client saw."""

    step: int
    gradients: tuple[Packed, ...]
    loss: float
    correct: int


@dataclass(frozen=True, repr=False)
class Weights(Message):
    """A round is over for this client: its parts' weights (`head.conv1.weight`), and how many samples it trained on."""

    round: int
    samples: int
    weights: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Report(Message):
    """Measured rows `(time, client, epoch, step, name, value, unit)`, batched."""

    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, repr=False)
class Leave(Message):
    """This client is done, or gives up and says why."""

    reason: str = ""


# ---- said by the server ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Welcome(Message):
    """All that a client needs: the plan, its parts as specs with weights, the settings, and the step to resume at."""

    client: int
    plan: str
    head: str
    tail: str = ""
    step: int = 0
    settings: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Features(Message):
    """The body's output: to the tail of a U-shaped split, or for the client to look at. `seconds` is server time."""

    step: int
    features: tuple[Packed, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Backward(Message):
    """The step's answer: gradients at the cut (none when evaluating), loss and hits, and the server's time."""

    step: int
    gradients: tuple[Packed, ...]
    loss: float
    correct: int
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Shared(Message):
    """Start of a round: what the client begins it with (empty: what it has). `last` when there is no further round."""

    round: int
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    last: bool = False


@dataclass(frozen=True, repr=False)
class Settings(Message):
    """Settings that changed while running, by the plan's names; said by the owner to the server, and on to clients."""

    version: int
    values: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Stop(Message):
    """Stop after the step in hand; said by the owner to the server, and on to clients."""

    reason: str = ""


@dataclass(frozen=True, repr=False)
class Failure(Message):
    """Why this link is about to be closed."""

    error: str
    text: str


# ---- said by and to those who watch ----------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Watch(Message):
    """Send rows from this sequence number on, and further ones as they come."""

    after: int = 0


@dataclass(frozen=True, repr=False)
class Rows(Message):
    """Rows of the history, the first of which has the sequence number `first`."""

    first: int
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, repr=False)
class Drop(Message):
    """The owner lets a client go: the others no longer wait for it."""

    client: int
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Collect(Message):
    """The owner asks for one client's whole network."""

    client: int


@dataclass(frozen=True, repr=False)
class Collected(Message):
    """One client's head, body and tail weights, by `head.`, `body.`, `tail.` names."""

    client: int
    weights: Mapping[str, Tensor]


def _brief(value: Any) -> str:
    if hasattr(value, "shape"):
        return f"tensor[{'x'.join(map(str, value.shape))}]"
    if isinstance(value, Mapping) and any(hasattr(item, "shape") for item in value.values()):
        return f"{{{len(value)} tensors}}"
    text = repr(value)
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return f"({len(value)} rows)"
    return text if len(text) <= 60 else f"{text[:50]}…[{len(text)}]"
