"""Names for what a model does: the model's own module paths, each name once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from torch import fx

IN_PLACE = frozenset(
    ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor")
)


def base_name(node: fx.Node) -> tuple[str, bool]:
    """What a node would be called if nothing else were called so, and whether it is a module's own path.

    A function or method is called after the module in whose forward it stands: `layer1.0.add`.
    """
    if node.op == "call_module":
        return str(node.target), True
    return ".".join(filter(None, (owner(node), verb(node)))), False


def owner(node: fx.Node) -> str:
    """Path of the module in whose forward a node stands; empty for the model itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return next(reversed(stack.values()))[0] if stack else ""


def verb(node: fx.Node) -> str:
    """The name of a function or method without its decoration: `add` for `add_` and `+=`, too."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "function")
    return name[1:] if name in IN_PLACE else name.strip("_") or name


def unique_names(entrance: str, bases: Sequence[tuple[str, bool]]) -> tuple[str, list[str]]:
    """The input's name and one for each node: the base for the last node of that base, `.1`, `.2` … before it.

    A module's last call has its path even if a function of the same name comes later. The result depends only on the
    model, so a cut has the same name tomorrow.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, (base, _) in enumerate(bases):
        groups[base].append(place)
    while entrance in groups:
        entrance += "_"
    taken, names = {entrance, *groups}, [base for base, _ in bases]
    for base, places in groups.items():
        keeper = max(places, key=lambda place: (bases[place][1], place))
        number = 0
        for place in places:
            if place == keeper:
                continue
            number += 1
            while f"{base}.{number}" in taken:
                number += 1
            names[place] = f"{base}.{number}"
            taken.add(names[place])
    return entrance, names
