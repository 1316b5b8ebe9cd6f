"""One part in training: optimizers and schedules by name, and a step that can be taken back."""

import copy

import pytest
import torch
from torch import nn

import splitlab as sl
from splitlab.half import LR_SCHEDULES, OPTIMIZERS, Half, finite, gather, make_lr_schedule, make_optimizer, scatter

ARGUMENTS = {
    "StepLR": "2", "MultiStepLR": "[1, 2]", "ExponentialLR": "0.9", "CosineAnnealingLR": "5", "CyclicLR": "0.01, 0.1",
    "OneCycleLR": "0.1, 9", "CosineAnnealingWarmRestarts": "3",
}  # fmt: skip


@pytest.fixture
def body(small):
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))
    split = sl.trace(model, small.example).split("0")
    assert split.body is not None
    return split.body


def one_step(half, seed=0):
    torch.manual_seed(seed)
    half.forward((torch.randn(8, 3, 6, 6),), over_cut=True)
    loss, _ = half.loss(torch.arange(8))
    gradients = half.backward()
    half.update()
    return loss, gradients


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch_works_by_name(name):
    parameter = nn.Parameter(torch.ones(2, 2))
    optimizer = make_optimizer(f"{name}(lr=0.01)", [parameter])
    parameter.grad = torch.ones(2, 2)
    optimizer.step()
    assert isinstance(optimizer, getattr(torch.optim, name)) and not torch.equal(parameter, torch.ones(2, 2))


@pytest.mark.parametrize("name", LR_SCHEDULES)
def test_every_learning_rate_schedule_of_torch_works_by_name(name):
    optimizer = make_optimizer("SGD(lr=0.1, momentum=0.9)", [nn.Parameter(torch.ones(2))])
    schedule = make_lr_schedule(f"{name}({ARGUMENTS.get(name, '')})", optimizer)
    optimizer.step()
    schedule.step()
    assert isinstance(schedule, getattr(torch.optim.lr_scheduler, name))


def test_a_step_that_is_forgotten_has_never_been(body):
    half, other = (Half(copy.deepcopy(body), "SGD(lr=0.1, momentum=0.9)") for _ in range(2))
    half.forward((torch.full((8, 3, 6, 6), float("nan")),), over_cut=True)
    half.forget()
    for seed in range(2):
        one_step(half, seed)
        one_step(other, seed)
    assert all(torch.equal(half.part.state_dict()[key], value) for key, value in other.part.state_dict().items())


def test_only_what_came_over_the_cut_gets_a_gradient(body):
    half = Half(body, "SGD(lr=0.1)")
    assert [tuple(gradient.shape) for gradient in one_step(half)[1]] == [(8, 3, 6, 6)]
    half.forward((torch.randn(8, 3, 6, 6),))
    half.loss(torch.arange(8))
    assert half.backward() == ()


def test_a_rate_from_the_plan_is_where_a_schedule_begins():
    part = sl.trace(nn.Sequential(nn.Linear(4, 3)), torch.rand(2, 4)).split(None).head
    half = Half(part, "SGD(lr=5.0)", "LinearLR(start_factor=0.5, total_iters=2)", rate=0.1)
    rates = []
    for _ in range(3):
        rates.append(half.optimizer.param_groups[0]["lr"])
        half.update()
        half.end_epoch()
    assert rates == pytest.approx([0.05, 0.075, 0.1])


def test_a_part_without_parameters_trains_as_well():
    part = sl.trace(nn.Sequential(nn.ReLU()), torch.rand(2, 3)).split(None).head
    half = Half(part, "SGD(lr=0.1)", "StepLR(1)", rate=0.2)
    half.forward((torch.ones(2, 3),), over_cut=True)
    half.loss(torch.tensor([0, 1]))
    (gradient,) = half.backward()
    half.update()
    half.end_epoch()
    half.set_rate(0.3)
    assert gradient.shape == (2, 3) and half.optimizer is None


def test_weights_gathered_come_back_where_they_belong(body):
    weights = {name: value + 1 for name, value in gather({"body": body}).items()}
    scatter({**weights, "head.0.weight": torch.ones(1)}, {"body": body})
    assert all(torch.equal(value, weights[name]) for name, value in gather({"body": body}).items())
    assert finite(weights.values()) and not finite([torch.tensor([1.0, float("inf")])])
