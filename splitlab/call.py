"""A call written as text, `SGD(lr=0.05, momentum=0.9)`: how a plan names anything that takes arguments."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import PlanError

Made = TypeVar("Made")


@dataclass(frozen=True)
class Call:
    """A name with literal arguments; `str()` gives the text back. Nothing is ever evaluated but literals."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        items = [repr(value) for value in self.args] + [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"{self.name}({', '.join(items)})" if items else self.name


def parse(text: str) -> Call:
    """Read `name` or `name(literal, key=literal)`; anything else is a `PlanError`.

    >>> parse("topk(0.05)")
    Call(name='topk', args=(0.05,), kwargs={})
    """
    wrong = PlanError(f"cannot read {text!r}: expected a name, or a name with literal arguments such as 'SGD(lr=0.1)'")
    if not isinstance(text, str) or len(text) > 1000:
        raise wrong
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return Call(node.id)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise wrong
        return Call(
            node.func.id,
            tuple(ast.literal_eval(value) for value in node.args),
            {str(word.arg): ast.literal_eval(word.value) for word in node.keywords if word.arg},
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise wrong from None


def make(kind: Callable[..., Made], call: Call) -> Made:
    """What the call asks for; arguments that `kind` does not take are a `PlanError` that shows those that it does."""
    signature = inspect.signature(kind)
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise PlanError(f"cannot make {str(call)!r}: {error}; expected {call.name}{signature}") from None
    return kind(*call.args, **call.kwargs)
