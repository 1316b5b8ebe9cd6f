"""What a setting of the plan can be: the fields of a form, made from the plan's own fields and from the registries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any

from ..errors import unknown
from ..plan import BASELINES, Plan

GROUPS = {
    "wire": "What travels",
    "where": "Where it is cut",
    "what": "Network and data",
    "who": "Who holds the data",
    "how": "How it is trained",
}
BUTTONS = ("paused",)  # settings that have buttons of their own
KINDS = {"bool": "switch", "int": "number", "float": "number", "tuple[str, ...]": "lines"}
COMMON_CODECS = ("float32", "float16", "float8_e4m3fn", "int8")  # that are at hand; the rest is one click further
OTHER_OF = {"baseline": ("cut", "tail"), "cut": ("baseline",), "tail": ("baseline",)}  # cannot be set together


@dataclass(frozen=True)
class Offer:
    """What can be chosen: `values` to pick from, each with a few words about it (or none), and `examples` to write.

    `check` raises PlanError for what is wrong with a value; `labels` are shown in place of values that say little.
    Without examples nothing but the values is possible; `segments` of them are shown side by side.
    """

    values: Mapping[str, str]
    check: Callable[[Any], object]
    examples: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    segments: tuple[str, ...] = ()


# ---- the form --------------------------------------------------------------------------------------------------------


def form(offers: bool = True) -> list[dict[str, Any]]:
    """The fields of a plan as plain values, by group; a new field of `Plan` appears by itself.

    `kind` is switch, number, choice, lines or text. Without `offers` no registry is asked, and no torch imported: for
    a form that only shows.
    """
    places = {group: place for place, group in enumerate(GROUPS)}
    shown = [item for item in fields(Plan) if item.name not in BUTTONS]
    shown.sort(key=lambda item: places.get(item.metadata["group"], len(places)))
    return [_field(item, offers) for item in shown]


def _field(item: Field[Any], offers: bool) -> dict[str, Any]:
    about = item.metadata
    kind = str(item.type).removesuffix(" | None")
    text, _, none = about["help"].partition("; none: ")
    text = text.split(": ")[0] if offers and "choices" in about else text  # the names stand in the choices
    label = about.get("label") or item.name.replace("_", " ").capitalize()
    field = {
        "name": item.name,
        "label": label,
        "help": f"{_capital(text)}.",
        "group": about["group"],
        "title": GROUPS.get(about["group"], about["group"].capitalize()),
        "live": about["live"],
        "advanced": about.get("advanced", False),
        "kind": KINDS.get(kind, "text"),
        "whole": kind == "int",
        "optional": str(item.type).endswith(" | None"),
        "none": none or "not set",
        "span": list(about.get("span", ())),
    }
    if offers and about.get("choices") in OFFERS:
        field |= _offered(OFFERS[about["choices"]](), field["kind"])
    return field


def _offered(offer: Offer, kind: str) -> dict[str, Any]:
    labels = offer.labels or {}
    choices = [{"value": v, "label": labels.get(v, v), "about": words} for v, words in offer.values.items()]
    examples = list(offer.examples)
    if kind == "lines":
        return {"examples": [*offer.values, *examples]}
    return {"kind": "choice", "choices": choices, "examples": examples, "segments": list(offer.segments)}


def changed(plan: Plan, name: str, value: Any) -> Plan:
    """The plan with one setting as a form gives it (no text: None; a list: a tuple), checked as far as it goes alone.

    Raises PlanError with the reason. A baseline takes the cuts away and a cut the baseline: they exclude each other.
    """
    about = next((item for item in fields(Plan) if item.name == name), None)
    if about is None:
        raise unknown("setting", name, [item.name for item in fields(Plan)])
    if isinstance(value, str) and not value.strip() and str(about.type).endswith(" | None"):
        value = None
    value = tuple(value) if isinstance(value, list) else value.strip() if isinstance(value, str) else value
    excluded = dict.fromkeys(OTHER_OF.get(name, ()) if value is not None else ())
    plan = plan.change(**{name: value}, **excluded)
    if value is not None and about.metadata.get("choices") in OFFERS:
        OFFERS[about.metadata["choices"]]().check(value)
    return plan


# ---- the registries --------------------------------------------------------------------------------------------------


def _codec() -> Offer:
    from ..codec import CODECS, codec

    instead = {"float8": "float8(4, 3, 7)", "topk": "topk(0.05)"}
    values = {}
    for name in CODECS:
        text = instead.get(name, name)
        size = codec(text).size((1_000_000,)) / 1_000_000
        values[text] = f"{text}: about {size:.3g} byte{'s' if f'{size:.3g}' != '1' else ''} a number"
    examples, labels = ("topk(0.01)", "topk(0.2)", "float8(5, 2, 15)"), {"float8_e4m3fn": "float8"}
    return Offer(values, codec, examples, labels, COMMON_CODECS)


def _link() -> Offer:
    from ..shape import ABOUT, shape_of

    examples = ("shape(10, 50, 20)", "shape(1, 1, 100, 30)")
    figures = {name: _capital(words.partition(": ")[2]) for name, words in ABOUT.items()}
    return Offer(figures, shape_of, examples, {name: _capital(words) for name, words in ABOUT.items()})


def _sharing() -> Offer:
    from ..policy.sharing import SHARINGS, sharing

    return Offer({name: _sentence(kind) for name, kind in SHARINGS.items()}, sharing)


def _schedule() -> Offer:
    from ..policy.schedule import SCHEDULES, schedule

    return Offer({name: _sentence(kind) for name, kind in SCHEDULES.items()}, schedule, ("Sync",))


def _partition() -> Offer:
    from ..data import PARTITIONS

    instead = {"dirichlet": "dirichlet(0.3)", "classes": "classes(2)", "sizes": "sizes(0.7, 0.3)"}
    values = {instead.get(name, name): _sentence(kind) for name, kind in PARTITIONS.items()}
    return Offer(values, _named("partition", PARTITIONS), ("dirichlet(0.1)", "dirichlet(1.0)", "classes(5)"))


def _model() -> Offer:
    from ..models import MODELS

    instead = {"torchvision": "torchvision('resnet50')"}
    values = {instead.get(name, name): _sentence(build) for name, build in MODELS.items()}
    return Offer(values, _named("model", MODELS), ("resnet18(width=32)", "torchvision('densenet121')"))


def _data() -> Offer:
    from ..data import SOURCES

    values = {name: _sentence(source) for name, source in SOURCES.items() if name != "file"}
    return Offer(values, _named("data set", SOURCES), ("fashion_mnist(limit=5000)", "file('mine.safetensors')"))


def _optimizer() -> Offer:
    from ..half import OPTIMIZERS

    usual = ("SGD(lr=0.05, momentum=0.9)", "SGD(lr=0.05)", "Adam(lr=0.001)", "AdamW(lr=0.001)", "RMSprop(lr=0.001)")
    return Offer(dict.fromkeys(usual, ""), _tried_optimizer, (*usual, *sorted(OPTIMIZERS)))


def _tried_optimizer(text: str) -> Any:
    import torch

    from ..half import make_optimizer

    return make_optimizer(text, [torch.nn.Parameter(torch.zeros(1))])


def _lr_schedule() -> Offer:
    from ..half import LR_SCHEDULES, make_lr_schedule

    usual = ("ExponentialLR(0.9)", "CosineAnnealingLR(T_max=10)", "StepLR(step_size=5)")

    def check(text: str) -> object:
        return make_lr_schedule(text, _tried_optimizer("SGD(lr=0.1)"))

    return Offer(dict.fromkeys(usual, ""), check, (*usual, *sorted(LR_SCHEDULES)))


def _augment() -> Offer:
    from ..data import augment
    from ..data.augment import TRANSFORMS

    instead = {"RandomCrop": "RandomCrop(8, padding=1)", "RandomRotation": "RandomRotation(10)"}
    return Offer({instead.get(name, name): "" for name in TRANSFORMS}, augment)


def _baseline() -> Offer:
    words = {
        "central": "All data in one place, no cut: the upper bound",
        "federated": "Every client trains the whole network; weights are averaged",
        "local": "Every client trains the whole network on its own",
    }
    return Offer({name: words.get(name, "") for name in BASELINES}, lambda text: text)  # the plan itself checks it


OFFERS: dict[str, Callable[[], Offer]] = {
    "codec": _codec,
    "link": _link,
    "sharing": _sharing,
    "schedule": _schedule,
    "partition": _partition,
    "model": _model,
    "data": _data,
    "optimizer": _optimizer,
    "lr_schedule": _lr_schedule,
    "augment": _augment,
    "baseline": _baseline,
}


def _named(kind: str, known: Iterable[str]) -> Callable[[str], object]:
    """Checks the name only: arguments are checked against the data, when a run begins."""
    from ..call import parse

    def check(text: str) -> None:
        if parse(text).name not in known:
            raise unknown(kind, parse(text).name, known)

    return check


def _sentence(kind: object) -> str:
    """What the docstring says first, without papers and marks."""
    text = re.sub(r"\s+", " ", (kind.__doc__ or "").replace("`", "").strip())
    text = re.sub(r" \([^()]*\b(?:1[89]|20)\d\d\b[^()]*\)", "", text)
    return _capital(re.split(r"[.;](?:\s|$)", text)[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
