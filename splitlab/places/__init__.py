"""Places where a server or a client can run. Every place has one word, `launch`, and gives a `Job`."""

from __future__ import annotations

from .job import Job, Place
from .kernel import Kernel
from .thread import Thread

__all__ = ["PLACES", "Job", "Kernel", "Place", "Thread", "place"]

PLACES: dict[str, type[Kernel] | type[Thread]] = {"kernel": Kernel, "thread": Thread}


def place(name: str | Place) -> Place:
    """The place of this name (`kernel`, `thread`), or the place itself."""
    from ..errors import unknown

    if not isinstance(name, str):
        return name
    if name not in PLACES:
        raise unknown("place", name, PLACES)
    return PLACES[name]()
