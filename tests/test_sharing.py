"""What clients share means what it says: by hand, with plain PyTorch, the same weights come out."""

import copy

import pytest
import torch
from torch.nn import functional
from ways import each_way

import splitlab as sl
from splitlab.call import parse
from splitlab.policy.sharing import average, sharing
from splitlab.share import Share

SHARINGS = ("relay", "average", "shared_body", "pooled", "none")
PLAN = sl.Plan(
    model="lenet(width=2)", cut="pool1", clients=2, epochs=2, batch_size=20, partition="sizes(3, 2)", evaluate=False
)


def trained(plan, data, **more):
    return sl.start(None, data, plan, on="thread", **more).wait(60, progress=False)


def fresh(plan, data):
    return sl.models.load(plan.model, data, seed=plan.seed)


def optimizer(text, parameters):
    call = parse(text)
    return getattr(torch.optim, call.name)(parameters, *call.args, **call.kwargs)


def one_epoch(model, steps, share, epoch):
    """As in any tutorial; `steps` are optimizers."""
    model.train()
    for inputs, labels in share.batches(epoch):
        for step in steps:
            step.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()
        for step in steps:
            step.step()


def same(model, other):
    mine, theirs = model.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in theirs)


@each_way("fc1")
def test_with_one_client_every_sharing_is_plain_split_learning(sharing, tail, small):
    plan = PLAN.change(clients=1, partition="iid", sharing=sharing)
    model = fresh(plan, small)
    steps = [optimizer(plan.optimizer, model.parameters())]
    for epoch in range(plan.epochs):
        one_epoch(model, steps, Share(small, plan, 0), epoch)
    assert same(trained(plan, small, tail=tail).model, model)


@pytest.mark.parametrize("settings", [{"sharing": "average"}, {"baseline": "federated", "cut": None}])
def test_average_is_the_mean_of_networks_trained_apart_by_samples(settings, small):
    plan = PLAN.change(**settings)
    models = [fresh(plan, small) for _ in range(2)]
    steps = [[optimizer(plan.optimizer, model.parameters())] for model in models]
    for epoch in range(plan.epochs):
        for client, model in enumerate(models):
            one_epoch(model, steps[client], Share(small, plan, client), epoch)
        mean = average({client: model.state_dict() for client, model in enumerate(models)}, {0: 60, 1: 40})
        for model in models:
            model.load_state_dict(mean)
    run = trained(plan, small)
    assert same(run.model_of(0), models[0]) and same(run.model_of(1), models[0])


def test_the_average_is_weighted_by_samples():
    mean = average({0: {"w": torch.tensor([0.0])}, 1: {"w": torch.tensor([10.0])}}, {0: 3, 1: 1})
    assert mean["w"].tolist() == [2.5]


def test_an_average_takes_counters_from_the_first_and_leaves_one_client_alone():
    one, other = {"n": torch.tensor(3)}, {"n": torch.tensor(5)}
    assert average({0: one, 1: other}, {0: 1, 1: 1})["n"] == 3
    assert average({1: other}, {1: 1}) == other and average({}, {}) == {}


def test_relay_hands_the_network_on_from_client_to_client(small):
    plan = PLAN.change(sharing="relay", optimizer="SGD(lr=0.05)")  # without momentum, which each client keeps
    model = fresh(plan, small)
    steps = [optimizer(plan.optimizer, model.parameters())]
    for epoch in range(plan.epochs):
        for client in range(2):
            one_epoch(model, steps, Share(small, plan, client), epoch)
    assert same(trained(plan, small).model, model)


def test_none_trains_networks_of_their_own(small):
    plan = PLAN.change(sharing="none")
    run = trained(plan, small)
    for client in range(2):
        model = fresh(plan, small)
        steps = [optimizer(plan.optimizer, model.parameters())]
        for epoch in range(plan.epochs):
            one_epoch(model, steps, Share(small, plan, client), epoch)
        assert same(run.model_of(client), model)
    assert not same(run.model_of(0), run.model_of(1))


@pytest.mark.parametrize("sharing", ["shared_body", "pooled"])
def test_one_body_learns_from_all_and_heads_are_averaged(sharing, small):
    plan = PLAN.change(sharing=sharing, partition="iid", batch_size=25)
    split = sl.trace(fresh(plan, small), small.example).split(plan.cut)
    heads, body = [copy.deepcopy(split.head) for _ in range(2)], copy.deepcopy(split.body)
    above = optimizer(plan.optimizer, body.parameters())
    below = [optimizer(plan.optimizer, head.parameters()) for head in heads]
    for epoch in range(plan.epochs):
        batches = [list(Share(small, plan, client).batches(epoch)) for client in range(2)]
        for pairs in zip(*batches, strict=True):
            for group in [[0, 1]] if sharing == "pooled" else [[0], [1]]:
                step_of(group, pairs, heads, below, body, above)
        mean = average(dict(enumerate(head.state_dict() for head in heads)), {0: 50, 1: 50})
        for head in heads:
            head.load_state_dict(mean)
    got = trained(plan, small).model.state_dict()
    for name, value in {**heads[0].state_dict(), **body.state_dict()}.items():
        assert torch.allclose(got[name], value, atol=1e-6), name


def step_of(group, pairs, heads, below, body, above):
    """Every client sees the gradient of its own mean loss; the body that of the mean over all."""
    for step in (above, *below):
        step.zero_grad()
    activations = [heads[client](pairs[client][0])[0] for client in group]
    leaves = torch.cat([activation.detach() for activation in activations]).requires_grad_()
    functional.cross_entropy(body(leaves)[0], torch.cat([pairs[client][1] for client in group])).backward()
    above.step()
    for client, activation, gradient in zip(group, activations, leaves.grad.chunk(len(group)), strict=True):
        activation.backward(gradient * len(group))
        below[client].step()


def test_optimizers_and_schedules_may_differ_by_side(small):
    plan = PLAN.change(
        clients=1, partition="iid", epochs=3, optimizer="Adam(lr=0.01)", server_optimizer="SGD(lr=0.1, momentum=0.5)",
        lr_schedule="ExponentialLR(gamma=0.5)",
    )  # fmt: skip
    model = fresh(plan, small)
    split = sl.trace(model, small.example).split(plan.cut)
    names = set(split.head.state_dict())
    sides = [[p for n, p in model.named_parameters() if (n in names) == on_client] for on_client in (True, False)]
    steps = [optimizer(plan.optimizer, sides[0]), optimizer(plan.server_optimizer, sides[1])]
    for epoch in range(plan.epochs):
        one_epoch(model, steps, Share(small, plan, 0), epoch)
        for step in steps:
            step.param_groups[0]["lr"] *= 0.5
    assert same(trained(plan, small).model, model)


def test_held_out_accuracy_is_that_of_the_merged_network(small):
    run = trained(PLAN.change(evaluate=True, epochs=1), small)
    inputs, labels = small.batch(range(len(small.test)), "test")
    with torch.no_grad():
        right = (run.model.eval()(inputs).argmax(1) == labels).float().mean().item()
    assert [row.value for row in run.history.select("test_accuracy")] == pytest.approx([right, right])


def test_who_is_served_depends_on_no_arrival_time():
    places = {0: 4, 1: 3, 2: 3}
    assert sharing("shared_body").served(places, [2, 0]) == ()  # 1 is next, and is waited for
    assert sharing("shared_body").served(places, [2, 0, 1]) == (1,)
    assert sharing("pooled").served(places, [2, 0]) == ()
    assert sharing("pooled").served(places, [2, 0, 1]) == (1, 2)
    assert sharing("relay").starters([0, 1, 2], {0: {}}) == (1,)
    assert sharing("none").starters([0, 1, 2], {}) == (0, 1, 2)
