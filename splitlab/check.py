"""Checks a plan against its network and data before anything is started; every refusal names the remedy."""

from __future__ import annotations

import torch
from torch import nn

from .codec import codec
from .data import Data, augment, check_batch
from .errors import PlanError
from .graph import Graph
from .half import make_lr_schedule, make_optimizer
from .plan import Plan
from .policy.schedule import schedule
from .policy.sharing import sharing
from .share import parts

EPOCHS_TRIED = 1000


def settle(plan: Plan, graph: Graph, data: Data) -> Plan:
    """The plan with its defaults filled in, if it can work; otherwise a `PlanError` that says what to change."""
    if plan.baseline == "central":
        plan = plan.change(clients=1)
    if not plan.baseline and plan.cut is None:
        plan = plan.change(cut=graph.default_cut)
    _names(plan, data, graph.model)
    _sharing(plan)
    if not plan.baseline:
        graph.split(plan.cut, plan.tail)
    outputs = graph.shape(graph.output)[-1]
    if outputs != len(data.classes):
        raise PlanError(
            f"the network has {outputs} outputs, but {data.name} has {len(data.classes)} classes: build it for them, "
            f"as with models.load({plan.model!r}, data)"
        )
    check_batch(plan.batch_size, [len(part) for part in parts(data, plan)])
    return plan


def _names(plan: Plan, data: Data, network: nn.Module) -> None:
    for text in (plan.codec, plan.gradient_codec):
        if text is not None:
            codec(text)
    schedule(plan.schedule)
    sharing(plan.sharing)
    if plan.augment:
        augment(plan.augment)(data.example, plan.seed)
    for text in (plan.optimizer, plan.server_optimizer):
        if text is not None:
            _optimizer(text, plan, network)


def _optimizer(text: str, plan: Plan, network: nn.Module) -> None:
    """Try optimizer and schedule on stand-ins: some refuse a parameter's shape, a setting, or an epoch, only then."""
    shapes = {parameter.shape for parameter in network.parameters() if parameter.requires_grad}
    stand_ins = [nn.Parameter(torch.zeros([min(size, 2) for size in shape])) for shape in shapes]
    if not stand_ins:
        raise PlanError(f"{plan.model!r} has no parameter to train: every one of them is frozen")
    for parameter in stand_ins:
        parameter.grad = torch.zeros_like(parameter)
    optimizer = make_optimizer(text, stand_ins, plan.learning_rate)
    schedule = make_lr_schedule(plan.lr_schedule, optimizer) if plan.lr_schedule is not None else None
    try:
        optimizer.step()
        for _ in range(min(plan.epochs, EPOCHS_TRIED)):
            if schedule:
                schedule.step()
    except Exception as error:
        what = text if schedule is None else f"{text} with {plan.lr_schedule}"
        raise PlanError(f"{what} cannot train {plan.model!r} for {plan.epochs} epochs: {error}") from None


def _sharing(plan: Plan) -> None:
    if plan.sharing == "pooled" and plan.u_shaped:
        raise PlanError(
            "sharing 'pooled' computes one loss over all clients' labels on the server, but in a U-shaped split labels "
            "stay on the clients: use sharing='shared_body', or leave out the tail"
        )
