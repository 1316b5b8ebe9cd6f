"""Says what is installed here, whether it is what was tested, and what to do where it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from .measure import machine

HERE = Path(__file__).parent
NAME = re.compile(r"[\w-]+")


def examine(models: bool = False, say: Callable[[str], None] = print) -> None:
    """This machine, and the packages of splitlab and `splitlab[lab]`; with `models`, torchvision's zoo as a table."""
    if models:
        from .zoo import zoo

        return say(repr(zoo()))
    for name, value in machine().items():
        say(f"{name:<20}{value}")
    tested, missing = constraints(), []
    say(f"\n{'package':<20}{'here':<16}tested")
    for name in required():
        here, there = _version(name), tested.get(name, "–")
        missing += [name] if here is None else []
        differs = here is not None and here.split("+")[0] != there
        say(f"{name:<20}{here or 'missing':<16}{there}{'   differs' if differs else ''}")
    say(f"\n{_torchvision()}")
    if missing:
        say("What is missing is for notebooks, kernels and charts: pip install 'splitlab[lab]'")


def required() -> list[str]:
    """The names of what splitlab and its extra `lab` need, as its own metadata say."""
    wanted = [line for line in metadata.requires("splitlab") or () if "extra ==" not in line or "lab" in _extra(line)]
    return [_canonical(line) for line in wanted]


def constraints(lines: Iterable[str] | None = None) -> dict[str, str]:
    """The versions that were tested, by package: constraints.txt, which is part of the wheel."""
    if lines is None:
        files = [path for path in (HERE / "constraints.txt", HERE.parent / "constraints.txt") if path.exists()]
        lines = files[0].read_text(encoding="utf-8").splitlines() if files else ()
    pins = (line.split("#")[0].split("==") for line in lines if "==" in line)
    return {_canonical(name): version.strip() for name, version in pins}


def _extra(line: str) -> str:
    return line.partition("extra ==")[2]


def _canonical(text: str) -> str:
    found = NAME.match(text)
    return found[0].lower().replace("_", "-") if found else text


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torchvision() -> str:
    from .errors import SplitlabError
    from .vision import torchvision

    try:
        return f"torchvision {torchvision().__version__} works with this torch."
    except SplitlabError as error:
        return str(error)
    except Exception as error:
        return f"torchvision does not fit this torch ({error}): install the pair that constraints.txt names."
