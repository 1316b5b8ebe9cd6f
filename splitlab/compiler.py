"""Keeps torch from loading its compiler for nothing: an optimizer asks for it, though nothing here is ever compiled."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, MutableSequence
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


def postpone() -> bool:
    """Let a stand-in answer for torch's compiler until somebody really wants it; False if it is loaded already.

    Every optimizer of torch marks where a compiler shall stop, and loads it for that: more than a second in each new
    process. The stand-in knows these two marks, which do nothing where nothing is compiled; anything else that is asked
    of it, or imported from within it, loads the compiler after all. Call it once torch is imported.
    """
    torch = sys.modules.get("torch")
    if torch is None or NAME in sys.modules:
        return False
    stand_in = StandIn(NAME)
    sys.modules[NAME] = stand_in
    torch._dynamo = stand_in  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Inside())
    return True


class StandIn(ModuleType):
    """Answers for the compiler."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - it says that it is a package: `Inside` is asked for what it holds

    def graph_break(self, *_: object, **__: object) -> None:
        """Nothing is compiled, so nothing is broken off."""

    def disable(self, function: Callable[..., Any] | None = None, *_: object, **__: object) -> Callable[..., Any]:
        """Nothing is compiled, so it stays what it is."""
        return function if function is not None else lambda wrapped: wrapped

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what looks through all modules asks for such names, and means nothing by it
            raise AttributeError(name)
        return getattr(_load(), name)


class Inside(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Whoever imports something from within the compiler gets it from the real one, loaded once."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Of a module inside the compiler."""
        if not name.startswith(f"{NAME}.") or not isinstance(sys.modules.get(NAME), StandIn):
            return None
        _load()
        if name not in sys.modules:
            return importlib.util.find_spec(name)
        self._spec = sys.modules[name].__spec__
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The one that is loaded by now."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """It has been run already."""
        module.__spec__ = self._spec


def _load() -> ModuleType:
    """The real compiler, from now on in its own place."""
    if isinstance(sys.modules.get(NAME), StandIn):
        del sys.modules[NAME]
    return importlib.import_module(NAME)
