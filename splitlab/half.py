"""One part in training: forward, loss, backward, update; the same for head, body, tail and the uncut network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler

from .call import parse
from .errors import PlanError, unknown
from .split import Part

# By name, from PyTorch itself. Left out is what a name and literal arguments cannot express.
OPTIMIZERS = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type)
    and issubclass(kind, torch.optim.Optimizer)
    and name not in ("Optimizer", "LBFGS", "SparseAdam")
}
LR_SCHEDULES = {
    name: kind
    for name, kind in vars(lr_scheduler).items()
    if isinstance(kind, type)
    and issubclass(kind, lr_scheduler.LRScheduler)
    and name not in ("LRScheduler", "_LRScheduler", "ReduceLROnPlateau")
    and name not in ("LambdaLR", "MultiplicativeLR", "ChainedScheduler", "SequentialLR")
}


class Half:
    """A part with its optimizer: `forward`, then `loss` or `backward`, then `update`; nothing here does I/O.

    The arithmetic is exactly that of an uncut training step, so the cut changes no bit of the result.
    """

    def __init__(self, part: Part, optimizer: str, lr_schedule: str | None = None, rate: float | None = None) -> None:
        self.part = part
        self.version = 0  # of the settings that it follows
        parameters = [parameter for parameter in part.parameters() if parameter.requires_grad]
        self.optimizer = make_optimizer(optimizer, parameters, rate) if parameters else None
        self.lr_schedule = make_lr_schedule(lr_schedule, self.optimizer) if lr_schedule and self.optimizer else None
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()
        self._buffers: list[Tensor] = []  # as they were before the step, for `forget`

    def forward(
        self, inputs: Sequence[Tensor], train: bool = True, seed: int | None = None, over_cut: bool = False
    ) -> tuple[Tensor, ...]:
        """Run the part on a batch; when training, remember what `backward` needs.

        `seed` fixes dropout. Inputs that came `over_cut` are leaves: `backward` returns their gradients.
        """
        self.part.train(train)
        self.part.seed = seed
        if not train:
            with torch.no_grad():
                return self.part(*inputs)
        self._buffers = [buffer.clone() for buffer in self.part.buffers()] if over_cut else []
        self._inputs = tuple(x.requires_grad_(x.is_floating_point()) if over_cut else x for x in inputs)
        self._outputs = self.part(*self._inputs)
        return tuple(output.detach() for output in self._outputs)

    def loss(self, labels: Tensor) -> tuple[float, int]:
        """Cross-entropy (mean) of the outputs just computed, and the hits; the loss is what `backward` starts from."""
        logits = self._outputs[0]  # (N, classes)
        loss = functional.cross_entropy(logits, labels)
        self._outputs = (loss,)
        return loss.item(), hits(logits, labels)

    def backward(self, gradients: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
        """From the gradients of the outputs (none: from the loss) to those of the inputs; parameters collect theirs."""
        if self.optimizer:
            self.optimizer.zero_grad(set_to_none=True)
        pairs = zip(self._outputs, gradients or (None,) * len(self._outputs), strict=True)
        reached = [(output, gradient) for output, gradient in pairs if output.requires_grad]
        if reached:
            torch.autograd.backward([output for output, _ in reached], [gradient for _, gradient in reached])
        inputs = tuple(x.grad if x.grad is not None else torch.zeros_like(x) for x in self._inputs if x.requires_grad)
        self._let_go()
        return inputs

    def update(self) -> None:
        """One step of the optimizer."""
        if self.optimizer:
            self.optimizer.step()

    def end_epoch(self) -> None:
        """One step of the learning-rate schedule."""
        if self.lr_schedule:
            self.lr_schedule.step()

    def set_rate(self, rate: float) -> None:
        """A new learning rate from the next update on; a schedule goes on from it."""
        for group in self.optimizer.param_groups if self.optimizer else ():
            group["lr"] = rate
        if self.lr_schedule:
            self.lr_schedule.base_lrs = [rate for _ in self.lr_schedule.base_lrs]

    def forget(self) -> None:
        """Let go of a step that will not be finished: BatchNorm's statistics are as if it had never been begun."""
        for buffer, before in zip(self.part.buffers(), self._buffers, strict=False):
            buffer.copy_(before)
        self._let_go()

    def _let_go(self) -> None:
        self._inputs = self._outputs = ()
        self._buffers = []


def hits(logits: Tensor, labels: Tensor) -> int:
    """How many of a batch are classified right; `logits` are (N, classes)."""
    return int((logits.argmax(1) == labels).sum())


def score(logits: Tensor, labels: Tensor) -> tuple[float, int]:
    """Cross-entropy (mean) and hits of a batch, without gradients."""
    with torch.no_grad():
        return functional.cross_entropy(logits, labels).item(), hits(logits, labels)


def make_optimizer(text: str, parameters: Sequence[nn.Parameter], rate: float | None = None) -> torch.optim.Optimizer:
    """Any optimizer of torch.optim from text such as `Adam(lr=0.001)`; `rate` overrides its learning rate."""
    call = parse(text)
    if call.name not in OPTIMIZERS:
        raise unknown("optimizer", call.name, OPTIMIZERS)
    try:
        optimizer = OPTIMIZERS[call.name](list(parameters), *call.args, **call.kwargs)
    except (TypeError, ValueError, IndexError) as error:
        raise PlanError(f"optimizer {text!r}: {error}") from None
    for group in optimizer.param_groups if rate is not None else ():
        group["lr"] = rate
    return optimizer


def make_lr_schedule(text: str, optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    """Any schedule of torch.optim.lr_scheduler from text such as `CosineAnnealingLR(T_max=10)`."""
    call = parse(text)
    if call.name not in LR_SCHEDULES:
        raise unknown("learning-rate schedule", call.name, LR_SCHEDULES)
    try:
        return LR_SCHEDULES[call.name](optimizer, *call.args, **call.kwargs)
    except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise PlanError(f"learning-rate schedule {text!r}: {error}") from None


def gather(parts: Mapping[str, Part]) -> dict[str, Tensor]:
    """The weights of several parts in one mapping: `head.conv1.weight`."""
    return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value in any of them is NaN or infinite."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def scatter(weights: Mapping[str, Tensor], parts: Mapping[str, Part]) -> None:
    """Load weights that `gather` collected into the parts that they name; those of other parts are left alone."""
    for name, part in parts.items():
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        if own:
            part.load_state_dict(own)
