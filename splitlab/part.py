"""A part of a network: operations on named values, run one after another by a small interpreter.

What an operation reads stands in its arguments: a `Ref` to a value, a `Weight` of the part itself, the number of
samples (`Batch`), or a constant that depends on the mode (`ByMode`). So a part needs no code of its own: whatever can
be written as such a list can travel as text (`spec`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from . import chance
from .errors import PlanError

# Operations that draw random numbers, with the arguments that say how many (all zero: none).
RANDOM: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"), ("p",)
    ),
    **dict.fromkeys(("dropout_", "alpha_dropout_", "feature_dropout", "feature_dropout_", "stochastic_depth"), ("p",)),
    "shifted_window_attention": ("dropout", "attention_dropout"),
    "scaled_dot_product_attention": ("dropout_p",),
    "multi_head_attention_forward": ("dropout_p",),
    **dict.fromkeys(("rrelu", "rrelu_", "gumbel_softmax", "fractional_max_pool2d", "fractional_max_pool3d"), ()),
    **dict.fromkeys(("bernoulli", "bernoulli_", "multinomial", "normal", "normal_", "poisson", "uniform_"), ()),
    **dict.fromkeys(("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"), ()),
}


@dataclass(frozen=True, slots=True)
class Ref:
    """The value that an operation, or an input, of this name gave."""

    name: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter or buffer of the part, by the model's own path (`encoder.pos_embedding`)."""

    path: str

    def __repr__(self) -> str:
        return f"self.{self.path}"


@dataclass(frozen=True, slots=True)
class Batch:
    """The number of samples in hand, `times` over: no batch size is ever written down."""

    times: int = 1

    def __repr__(self) -> str:
        return "batch" if self.times == 1 else f"{self.times}*batch"


@dataclass(frozen=True, slots=True)
class ByMode:
    """A constant that is one thing in training mode and another in evaluation mode."""

    train: Any
    evaluate: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: call a module of the part (by path), a method (by name) or a function, and name what comes out.

    `kind` is module, method or function; a method is called on the first of `args`.
    """

    name: str
    kind: str
    target: str | Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        """The target in one word: a module's path, or a function's or method's name."""
        return self.target if isinstance(self.target, str) else getattr(self.target, "__name__", str(self.target))

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the values that it reads, each once, in order of appearance."""
        return tuple(dict.fromkeys(leaf.name for leaf in self._leaves if isinstance(leaf, Ref)))

    @property
    def weights(self) -> tuple[str, ...]:
        """Paths of the weights that stand in its arguments (those of a module that it calls are the module's)."""
        return tuple(dict.fromkeys(leaf.path for leaf in self._leaves if isinstance(leaf, Weight)))

    @property
    def _leaves(self) -> Iterator[Any]:
        return leaves((self.args, self.kwargs))

    def __repr__(self) -> str:
        given = [repr(arg) for arg in self.args] + [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"{self.name} = {self.verb}({', '.join(given)})"


def rebuild(argument: Any, leaf: Callable[[Any], Any]) -> Any:
    """The argument with `leaf` applied to everything inside its tuples, lists, dicts and slices."""
    if isinstance(argument, tuple):
        return tuple(rebuild(item, leaf) for item in argument)
    if isinstance(argument, list):
        return [rebuild(item, leaf) for item in argument]
    if isinstance(argument, dict):
        return {key: rebuild(item, leaf) for key, item in argument.items()}
    if isinstance(argument, slice):
        return slice(*(rebuild(item, leaf) for item in (argument.start, argument.stop, argument.step)))
    return leaf(argument)


def leaves(argument: Any) -> Iterator[Any]:
    """Everything inside the argument's tuples, lists, dicts and slices."""
    found: list[Any] = []
    rebuild(argument, found.append)
    return iter(found)


class Part(nn.Module):
    """Runs its operations on tensors: `part(*inputs) -> tuple of outputs`, both in the order of their names.

    Modules and weights keep the model's own paths, so `part.state_dict()` has the model's own keys. Set `seed` before
    a forward to make its random operations (dropout) depend on nothing but the seed and the operation's name.
    `clones` are the inputs that an in-place operation would write to: it gets a copy. `sizes` are the shapes that one
    sample of each input must have, where the operations rely on them.
    """

    def __init__(
        self,
        operations: Iterable[Operation],
        inputs: Sequence[str],
        outputs: Sequence[str],
        modules: Mapping[str, nn.Module] | None = None,
        weights: Mapping[str, Tensor] | None = None,
        constants: Mapping[str, Tensor] | None = None,
        clones: Sequence[str] = (),
        sizes: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.operations = tuple(operations)
        self.inputs, self.outputs, self.clones = tuple(inputs), tuple(outputs), tuple(clones)
        self.sizes = None if sizes is None else tuple(sizes)
        self.seed: int | None = None
        for path, module in sorted((modules or {}).items()):  # a module before those inside it
            _place(self, path, "_modules", module)
        for path, tensor in (weights or {}).items():
            _place(self, path, "_parameters" if isinstance(tensor, nn.Parameter) else "_buffers", tensor)
        for path, tensor in (constants or {}).items():
            _place(self, path, "_buffers", tensor)
            _owner(self, path)._non_persistent_buffers_set.add(path.rpartition(".")[2])
        self.constants = tuple(constants or ())
        self._random = frozenset(step.name for step in self.operations if self._draws(step))
        self._program = _program(self.operations, self.outputs)

    @property
    def is_random(self) -> bool:
        """Whether any operation draws random numbers in training mode (dropout and its kin)."""
        return bool(self._random)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the operations; a failure carries a note that names the operation."""
        values = self._admit(tensors)

        def fill(leaf: Any) -> Any:
            return values[leaf.name] if type(leaf) is Ref else self._constant(leaf, len(tensors[0]))

        for step, simple, finished in self._program:
            try:
                args = [values[name] for name in simple] if simple else rebuild(step.args, fill)
                kwargs = rebuild(step.kwargs, fill) if step.kwargs else step.kwargs
                draws = self.seed is not None and self.training and step.name in self._random
                values[step.name] = (self._call_seeded if draws else self._call)(step, args, kwargs)
            except Exception as error:
                error.add_note(f"in the operation {step!r}")
                raise
            for name in finished:
                del values[name]
        return tuple([values[name] for name in self.outputs])

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "seed":  # torch would refuse, were a module of the model called so
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _admit(self, tensors: tuple[Tensor, ...]) -> dict[str, Tensor]:
        if len(tensors) != len(self.inputs):
            raise PlanError(f"this part takes {len(self.inputs)} tensors {self.inputs}, but got {len(tensors)}")
        for name, tensor, size in zip(self.inputs, tensors, self.sizes or (), strict=False):
            if tensor.shape[1:] != size:
                raise PlanError(
                    f"{name!r} has samples of shape {tuple(tensor.shape[1:])}, but this part relies on the shape {size}"
                    " that it was traced with. Trace the model again with an example of the new shape"
                )
        named = zip(self.inputs, tensors, strict=True)
        return {name: tensor.clone() if name in self.clones else tensor for name, tensor in named}

    def _constant(self, leaf: Any, batch: int) -> Any:
        if isinstance(leaf, Weight):
            owner, name = _owner(self, leaf.path), leaf.path.rpartition(".")[2]
            return owner._parameters[name] if name in owner._parameters else owner._buffers[name]
        if isinstance(leaf, Batch):
            return leaf.times * batch
        if isinstance(leaf, ByMode):
            return leaf.train if self.training else leaf.evaluate
        return leaf

    def _call(self, step: Operation, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if callable(step.target):
            return step.target(*args, **kwargs)
        if step.kind == "module":
            return self.module(step.target)(*args, **kwargs)
        return getattr(args[0], step.target)(*args[1:], **kwargs)

    def _call_seeded(self, step: Operation, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        assert self.seed is not None
        with chance.seeded(chance.number(self.seed, step.name)):  # which locks: parts run in several threads
            return self._call(step, args, kwargs)

    def _draws(self, step: Operation) -> bool:
        if step.kind == "module":
            return any(_is_random(module) for module in self.module(str(step.target)).modules())
        rates = RANDOM.get(step.verb)
        return rates is not None and not (rates and all(step.kwargs.get(rate, 1) == 0 for rate in rates))

    def module(self, path: str) -> nn.Module:
        """The module at a path of the model."""
        found: nn.Module = self
        for name in path.split("."):
            found = found._modules[name]  # type: ignore[assignment]
        return found

    def extra_repr(self) -> str:
        """What goes in, how much is done, what comes out."""
        return f"{', '.join(self.inputs)} → {len(self.operations)} operations → {', '.join(self.outputs)}"

    def __repr__(self) -> str:
        numbers = sum(parameter.numel() for parameter in self.parameters())
        return f"Part({self.extra_repr()}; {numbers:,} parameters)"


def _is_random(module: nn.Module) -> bool:
    if isinstance(module, nn.RReLU | nn.FractionalMaxPool2d | nn.FractionalMaxPool3d):
        return True
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    rate = getattr(module, "dropout", 0)  # MultiheadAttention, LSTM, GRU
    return isinstance(rate, float) and rate > 0


def _program(
    operations: Sequence[Operation], outputs: Sequence[str]
) -> list[tuple[Operation, tuple[str, ...], tuple[str, ...]]]:
    """Each operation, the values that are its arguments where nothing else is, and those that nobody reads after it."""
    needed, program = set(outputs), []
    for step in reversed(operations):
        finished = tuple(name for name in (*step.reads, step.name) if name not in needed)
        needed.update(finished)
        simple = not step.kwargs and all(isinstance(arg, Ref) for arg in step.args)
        program.append((step, tuple(arg.name for arg in step.args) if simple else (), finished))
    return program[::-1]


def _owner(root: nn.Module, path: str) -> nn.Module:
    """The module that holds what stands at a path; made where it is missing.

    Reads and writes `_modules` itself, since a model may call a module `inputs` or `seed`.
    """
    for name in path.split(".")[:-1]:
        found = root._modules.get(name)
        if found is None:
            found = root._modules[name] = nn.Module()
        root = found
    return root


def _place(root: nn.Module, path: str, kind: str, value: nn.Module | Tensor) -> None:
    getattr(_owner(root, path), kind).setdefault(path.rpartition(".")[2], value)
