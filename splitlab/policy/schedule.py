"""Schedules: when a client talks and when it updates."""

from __future__ import annotations

from ..call import make, parse
from ..errors import unknown


class Sync:
    """Every step goes to the server and back, and both sides update: plain split training."""


SCHEDULES: dict[str, type[Sync]] = {"Sync": Sync}


def schedule(text: str) -> Sync:
    """The schedule of this name; an unknown one is an error that names the right ones."""
    call = parse(text)
    if call.name not in SCHEDULES:
        raise unknown("schedule", call.name, SCHEDULES)
    return make(SCHEDULES[call.name], call)
