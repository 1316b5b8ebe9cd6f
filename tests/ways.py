"""Every sharing, plain and U-shaped, but for the one pair that cannot be: `pooled` needs the labels on the server."""

import pytest

from splitlab.policy.sharing import SHARINGS


def each_way(tail):
    """Parametrizes `sharing` and `tail`, which is None or this."""
    ways = [(sharing, end) for sharing in SHARINGS for end in (None, tail) if (sharing, end) != ("pooled", tail)]
    names = [f"{sharing}-{'u_shaped' if end else 'plain'}" for sharing, end in ways]
    return pytest.mark.parametrize(("sharing", "tail"), ways, ids=names)
