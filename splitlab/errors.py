"""Every error that splitlab raises on purpose: each says what happened, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SplitlabError(Exception):
    """Any error that splitlab raises on purpose."""


class PlanError(SplitlabError, ValueError):
    """A plan, or a value in one, that cannot work; raised before anything is started."""


class DataError(PlanError):
    """A data set that is unknown, missing, or cannot be divided as asked."""


class TraceError(SplitlabError):
    """A model whose graph cannot be read; the message names the line and the remedy."""


class CutError(PlanError):
    """A cut that does not exist or is not legal; the message says why."""


class SpecError(SplitlabError):
    """A part that cannot be described, or a description that is unknown, huge or contradictory."""


class CodecError(PlanError):
    """A codec that does not exist, or bytes that it cannot have written."""


class FrameError(SplitlabError):
    """Bytes that are not a frame: malformed, oversized or inconsistent."""


class OrderError(SplitlabError):
    """A message said out of turn."""


class LocalOrderError(OrderError):
    """We broke the order of the talk: a mistake in splitlab."""


class RemoteOrderError(OrderError):
    """The other end broke the order of the talk."""


class LinkClosed(SplitlabError, ConnectionError):  # noqa: N818 - it names an event
    """The link is gone: nothing more can be sent or received on it."""


class HungUp(LinkClosed):
    """The other end closed the link in good order: dialling again is of no use."""


class RunError(SplitlabError, RuntimeError):
    """A run failed; the message holds the traceback of the end that failed."""


def unknown(kind: str, name: object, known: Iterable[str], error: type[SplitlabError] = PlanError) -> SplitlabError:
    """An error for a name that nobody knows, which names the right ones (the nearest first)."""
    names = sorted(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return error(f"unknown {kind} {name!r}.{guess} Known: {', '.join(names)}")
