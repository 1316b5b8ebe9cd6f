"""The plan: everything that defines a run, as one frozen object and one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .call import parse
from .errors import PlanError, unknown
from .shape import shape_of

BASELINES = ("central", "federated", "local")
CALLS = ("sharing", "schedule", "partition", "optimizer", "server_optimizer", "lr_schedule", "codec", "gradient_codec")
INFINITY = float("inf")


def _setting(default: Any, group: str, text: str, live: bool = False, **more: Any) -> Any:
    return field(default=default, metadata={"group": group, "help": text, "live": live, **more})


@dataclass(frozen=True)
class Plan:
    """Every setting of a run. `Plan.from_json(plan.to_json()) == plan`.

    Whatever takes arguments is written as a call: `SGD(lr=0.05, momentum=0.9)`, `topk(0.05)`, `dirichlet(0.3)`.
    Each field carries its group, one line of help, and whether it can change while the run goes on. Some say more, for
    whoever makes a form of them: a `label`, `choices` (which list of names), a `span` of usual numbers, `advanced`.
    """

    model: str = _setting("lenet", "what", "the network, by name", choices="model")
    data: str = _setting("digits", "what", "the data set, by name", choices="data")
    cut: str | None = _setting(None, "where", "the node after which the network is cut; none: the graph's default")
    tail: str | None = _setting(
        None,
        "where",
        "the second cut of a U-shaped split: labels stay on the client; none: one cut only",
        label="Second cut",
    )
    clients: int = _setting(2, "who", "how many clients hold data", span=(1, 20))
    partition: str = _setting(
        "iid", "who", "who holds what: iid, dirichlet(α), classes(n), sizes(…), users", choices="partition"
    )
    sharing: str = _setting(
        "average", "who", "what clients share: relay, average, shared_body, pooled, none", choices="sharing"
    )
    schedule: str = _setting("Sync", "how", "when a client talks and updates", choices="schedule", advanced=True)
    baseline: str | None = _setting(
        None, "how", "train without a cut: central, federated or local; none: with the cut", choices="baseline"
    )
    epochs: int = _setting(5, "how", "passes of every client over its data", span=(1, 50))
    batch_size: int = _setting(32, "how", "samples in a step of one client", span=(1, 512))
    optimizer: str = _setting(
        "SGD(lr=0.05, momentum=0.9)", "how", "any optimizer of torch.optim; the client's side", choices="optimizer"
    )
    server_optimizer: str | None = _setting(
        None, "how", "the server's optimizer; none: the same as the client's", choices="optimizer", advanced=True
    )
    lr_schedule: str | None = _setting(
        None,
        "how",
        "any of torch.optim.lr_scheduler, stepped once an epoch; none: the rate stays",
        label="Learning-rate schedule",
        choices="lr_schedule",
        advanced=True,
    )
    learning_rate: float | None = _setting(
        None, "how", "overrides the optimizers' own on both sides; none: their own", live=True, span=(0.0001, 1)
    )
    augment: tuple[str, ...] = _setting(
        (), "how", "torchvision transforms for training: RandomCrop(8, padding=1), …", choices="augment", advanced=True
    )
    codec: str = _setting("float32", "wire", "how activations become bytes", live=True, choices="codec")
    gradient_codec: str | None = _setting(
        None, "wire", "how gradients become bytes; none: as activations", live=True, choices="codec"
    )
    link: str = _setting(
        "none", "wire", "how slow the link is: none, wifi, classroom, 4g, rural, lora", live=True, choices="link"
    )
    paused: bool = _setting(False, "how", "hold every client after the step in hand", live=True)
    evaluate: bool = _setting(
        True,
        "how",
        "measure held-out accuracy after every epoch, on every client",
        label="Measure accuracy",
        advanced=True,
    )
    test_samples: int | None = _setting(None, "how", "how many held-out samples; none: all", advanced=True)
    seed: int = _setting(0, "how", "fixes weights, partition, batches, augmentation and dropout", advanced=True)
    threads: int = _setting(1, "how", "torch threads of each kernel", advanced=True)

    def __post_init__(self) -> None:
        """Check types and ranges; names are checked by whoever owns them, in `check.settle`."""
        object.__setattr__(self, "augment", _texts(self.augment))
        for name, least in (("clients", 1), ("epochs", 1), ("batch_size", 1), ("threads", 1), ("seed", 0)):
            _whole(name, getattr(self, name), least)
        if self.test_samples is not None:
            _whole("test_samples", self.test_samples, 1)
        for name in ("paused", "evaluate"):
            if not isinstance(getattr(self, name), bool):
                raise PlanError(f"{name} is {getattr(self, name)!r}: expected True or False")
        rate = self.learning_rate
        if rate is not None and (
            isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < INFINITY
        ):
            raise PlanError(f"learning_rate is {rate!r}: expected a number that is not negative, such as 0.05")
        self._check_names()
        shape_of(self.link)
        if self.baseline not in (None, *BASELINES):
            raise unknown("baseline", self.baseline, BASELINES)
        if self.baseline and (self.cut or self.tail):
            raise PlanError(f"the baseline {self.baseline!r} trains the whole network in one place: leave out the cut")

    def _check_names(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if (
                str(item.type).startswith("str")
                and not isinstance(value, str)
                and (value is not None or item.type == "str")
            ):
                raise PlanError(f"{item.name} is {value!r}: expected its name as text")
            if item.name in CALLS and value is not None:
                parse(value)

    @property
    def u_shaped(self) -> bool:
        """Whether a tail, and with it every label, stays on the client."""
        return self.tail is not None

    def change(self, **settings: Any) -> Plan:
        """The plan with other settings; a name that no plan knows is an error that names the right ones."""
        for name in settings:
            if name not in NAMES:
                raise unknown("setting", name, NAMES)
        return replace(self, **settings)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote; settings that are left out have their defaults."""
        try:
            settings = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PlanError(f"not a plan: expected one line of JSON ({error})") from None
        if not isinstance(settings, dict):
            raise PlanError("not a plan: expected a JSON object of settings")
        return cls().change(**settings)


NAMES = tuple(item.name for item in fields(Plan))
LIVE = tuple(item.name for item in fields(Plan) if item.metadata["live"])


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise PlanError(f"augment is {value!r}: expected transforms as text, such as ('RandomCrop(8, padding=1)',)")
    return tuple(texts)


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PlanError(f"{name} is {value!r}: expected a whole number of at least {least}")
