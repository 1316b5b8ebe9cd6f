"""Who gets which examples: ways to divide a training set among clients, one function each, in one table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..call import parse
from ..chance import draws
from ..errors import DataError, unknown

Parts = list[np.ndarray]


def partition(
    text: str, labels: Any, clients: int, seed: int = 0, users: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """One int64 index array per client: disjoint, complete, shuffled, never empty, and the same for the same seed.

    `text` is one of `iid`, `dirichlet(0.5)`, `classes(2)`, `sizes(0.7, 0.3)`, `users`; `labels` are those of the
    training examples, `users` who made each. `DataError` when a division is not possible.
    """
    call = parse(text)
    if call.name not in PARTITIONS:
        raise unknown("partition", call.name, PARTITIONS, DataError)
    y = np.asarray(labels)
    if clients < 1:
        raise DataError(f"{clients} clients: a run needs 1 or more")
    if len(y) < clients:
        raise DataError(f"more clients than samples: {clients} clients, {len(y)} samples: use fewer clients")
    divide, rng = PARTITIONS[call.name], draws("partition", seed)
    if call.name == "users":
        y = _known(users, len(y), clients)
    try:
        inspect.signature(divide).bind(y, clients, rng, *call.args, **call.kwargs)
    except TypeError as error:
        raise DataError(f"cannot divide by {text!r}: {error}; expected e.g. 'dirichlet(0.5)' or 'classes(2)'") from None
    parts = _none_empty(divide(y, clients, rng, *call.args, **call.kwargs))
    return tuple(rng.permutation(part).astype(np.int64) for part in parts)


def iid(labels: np.ndarray, clients: int, rng: np.random.RandomState) -> Parts:
    """Equal shares at random: every client sees the same kind of data."""
    return np.array_split(rng.permutation(len(labels)), clients)


def dirichlet(labels: np.ndarray, clients: int, rng: np.random.RandomState, alpha: float) -> Parts:
    """Each class in shares drawn from Dirichlet(alpha): near 0 one client has it all, far up iid (Hsu et al. 2019)."""
    _positive("alpha", alpha)
    parts: list[Parts] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet([alpha] * clients)
        if not np.isfinite(shares).all():  # so small an alpha that every draw was 0: its limit is one holder
            shares = np.eye(clients)[rng.randint(clients)]
        for part, piece in zip(parts, _cut(mine, shares), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in parts]


def classes(labels: np.ndarray, clients: int, rng: np.random.RandomState, each: int) -> Parts:
    """At most `each` classes per client: shards of one class each, dealt at random (McMahan et al. 2017).

    All shards have nearly the same size, so that the number of shards of a class follows its number of samples.
    """
    if not isinstance(each, int) or each < 1:
        raise DataError(f"classes({each!r}): expected a whole number of classes per client, 1 or more")
    names, counts = np.unique(labels, return_counts=True)
    total = clients * each
    if not len(names) <= total <= len(labels):
        few = total < len(names)
        remedy = f"classes({-(-len(names) // clients)}) or more" if few else "fewer clients or classes per client"
        raise DataError(
            f"classes({each}) for {clients} clients makes {total} shards of one class, and there are "
            f"{len(names)} classes and {len(labels)} samples: use {remedy}"
        )
    shards = np.ones(len(names), dtype=int)
    while shards.sum() < total:
        shards[np.argmax(counts / shards)] += 1  # split where shards are largest
    pieces = [
        piece
        for name, count in zip(names, shards, strict=True)
        for piece in np.array_split(rng.permutation(np.flatnonzero(labels == name)), count)
    ]
    deal = rng.permutation(total).reshape(clients, each)
    return [np.concatenate([pieces[index] for index in hand]) for hand in deal]


def sizes(labels: np.ndarray, clients: int, rng: np.random.RandomState, *weights: float) -> Parts:
    """Shares at random in these proportions, one weight per client."""
    if len(weights) != clients:
        raise DataError(f"sizes{weights}: {len(weights)} weights for {clients} clients; give one each")
    for weight in weights:
        _positive("a weight", weight)
    return _cut(rng.permutation(len(labels)), np.array(weights) / sum(weights))


def users(owners: np.ndarray, clients: int, rng: np.random.RandomState) -> Parts:
    """Whole users: one per client, or, where there are more, dealt out so that clients have about the same number."""
    names, counts = np.unique(owners, return_counts=True)
    order = rng.permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]  # the largest first, each to whoever has least
    loads, holder = np.zeros(clients, dtype=int), np.empty(len(names), dtype=int)
    for user in order:
        holder[user] = np.argmin(loads)
        loads[holder[user]] += counts[user]
    return [np.flatnonzero(np.isin(owners, names[holder == client])) for client in range(clients)]


PARTITIONS: dict[str, Callable[..., Parts]] = {
    "iid": iid,
    "dirichlet": dirichlet,
    "classes": classes,
    "sizes": sizes,
    "users": users,
}


def _cut(indices: np.ndarray, shares: np.ndarray) -> Parts:
    ends = np.rint(np.cumsum(shares)[:-1] * len(indices)).astype(int)
    return np.split(indices, ends)


def _none_empty(parts: Parts) -> Parts:
    for empty in [index for index, part in enumerate(parts) if not len(part)]:
        largest = max(range(len(parts)), key=lambda index: len(parts[index]))
        parts[empty], parts[largest] = parts[largest][:1], parts[largest][1:]
    return parts


def _known(users: np.ndarray | None, samples: int, clients: int) -> np.ndarray:
    if users is None or len(users) != samples:
        raise DataError("this data set does not say who made which sample: use another partition, or give users=")
    if len(np.unique(users)) < clients:
        raise DataError(f"more clients than users: {clients} clients, {len(np.unique(users))} users: use fewer clients")
    return np.asarray(users)


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise DataError(f"{name} is {value!r}: expected a number above 0")
