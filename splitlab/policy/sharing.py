"""Sharing: what clients have in common, whose turn it is, and what is averaged at the end of a round.

All hooks are functions of what came in, so that a run gives the same result by any road: no arrival time decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..call import make, parse
from ..errors import unknown
from ..plan import Plan

Weights = Mapping[str, Any]  # tensors by name


class Sharing:
    """Everyone for themselves: each client has its own body and keeps its own parts. The others differ from this."""

    one_body = False  # one body on the server for all, or one for each client
    merges = False  # whether the clients' parts travel to the server and back at the end of a round
    evaluates_merged = False  # held-out accuracy is measured after that, not before

    def served(self, places: Mapping[int, int], waiting: Collection[int]) -> tuple[int, ...]:
        """The clients that the next server step is for; nobody when someone has to be waited for.

        `places` is the step within the round at which each training client is (-1: not begun), `waiting` are those
        whose activations are here, in the order in which they came.
        """
        return tuple(waiting)[:1]

    def starters(self, clients: Collection[int], finished: Collection[int]) -> tuple[int, ...]:
        """The clients that may train now, of all in this round and those that have finished it."""
        return tuple(clients)

    def merge(self, finished: Mapping[int, Weights], samples: Mapping[int, int]) -> Weights:
        """What the next starters begin with, from those that finished, in the order in which they did."""
        return {}


class Average(Sharing):
    """SplitFed v1 (arXiv 2004.12088): a body for each client; all parts are averaged at the end of a round."""

    merges = True
    evaluates_merged = True

    def merge(self, finished: Mapping[int, Weights], samples: Mapping[int, int]) -> Weights:
        """The average by number of samples."""
        return average(finished, samples)


class SharedBody(Average):
    """SplitFed v2: one body, which learns from one client after the other within every step; heads are averaged."""

    one_body = True

    def served(self, places: Mapping[int, int], waiting: Collection[int]) -> tuple[int, ...]:
        """Whoever is next by step, then by number: alone, and waited for."""
        first = min(places, key=lambda client: (places[client], client))
        return (first,) if first in waiting else ()


class Pooled(SharedBody):
    """All clients' activations in one server step (parallel split learning); heads are averaged."""

    def served(self, places: Mapping[int, int], waiting: Collection[int]) -> tuple[int, ...]:
        """Everyone who is at the earliest step, once all of them are here."""
        earliest = min(places.values())
        group = sorted(client for client, place in places.items() if place == earliest)
        return tuple(group) if all(client in waiting for client in group) else ()


class Relay(Sharing):
    """Clients in turn with one body: each trains on the head that the one before handed on (split learning, 2018)."""

    one_body = True
    merges = True

    def starters(self, clients: Collection[int], finished: Collection[int]) -> tuple[int, ...]:
        """The first who has not had a turn."""
        return tuple(sorted(set(clients) - set(finished))[:1])

    def merge(self, finished: Mapping[int, Weights], samples: Mapping[int, int]) -> Weights:
        """The parts of whoever finished last."""
        return list(finished.values())[-1]


SHARINGS: dict[str, type[Sharing]] = {
    "none": Sharing,
    "average": Average,
    "shared_body": SharedBody,
    "pooled": Pooled,
    "relay": Relay,
}


def sharing(text: str) -> Sharing:
    """The sharing of this name; an unknown one is an error that names the right ones."""
    call = parse(text)
    if call.name not in SHARINGS:
        raise unknown("sharing", call.name, SHARINGS)
    return make(SHARINGS[call.name], call)


def sharing_of(plan: Plan) -> Sharing:
    """What the clients of this plan share; baselines decide it by themselves."""
    return sharing({"central": "none", "local": "none", "federated": "average"}.get(plan.baseline or "", plan.sharing))


def average(weights: Mapping[int, Weights], samples: Mapping[int, int]) -> Weights:
    """The mean of several clients' weights by their numbers of samples, summed in double by client number.

    Integer tensors (BatchNorm's counters) are taken from the first client. One client's weights stay as they are.
    """
    clients = sorted(weights)
    if len(clients) <= 1:
        return dict(weights[clients[0]]) if clients else {}
    total = sum(samples[client] for client in clients)
    mean = {}
    for name, first in weights[clients[0]].items():
        if not first.is_floating_point():
            mean[name] = first
            continue
        summed = sum(weights[client][name].double() * (samples[client] / total) for client in clients)
        mean[name] = summed.to(first.dtype)
    return mean
