"""Promises 1 and 2: split equals unsplit, bit for bit, and the same by any road."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import splitlab as sl
from splitlab.places import Kernel, Thread
from splitlab.share import Share

NETS = {
    "lenet": "lenet(width=8)",
    "vgg11_bn": "vgg11_bn",
    "resnet18": "resnet18(width=16)",
    "mobilenet_v2": "mobilenet_v2",
}
OPTIMIZERS = ["SGD(lr=0.05, momentum=0.9)", "Adam(lr=0.001)"]


def network(name, data):
    """A network without dropout: plain PyTorch draws it from another stream."""
    model = sl.models.load(NETS[name], data)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def trained_whole(model, data, plan):
    """One-process training as in any PyTorch tutorial; the reference."""
    model = copy.deepcopy(model).train()
    kind = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}[plan.optimizer.split("(")[0]]
    settings = {"SGD": {"lr": 0.05, "momentum": 0.9}, "Adam": {"lr": 0.001}}[kind.__name__]
    optimizer = kind(model.parameters(), **settings)
    losses = []
    for epoch in range(plan.epochs):
        for inputs, labels in Share(data, plan, 0).batches(epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return model, losses


def same_weights(one, other):
    mine, theirs = one.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    return [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def spread(graph, count=3):
    """Early, middle and late legal cuts."""
    names = [cut.name for cut in graph.legal]
    return [names[round((len(names) - 1) * place / (count - 1))] for place in range(count)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETS)
def test_split_equals_unsplit_bit_for_bit(name, optimizer, coloured):
    plan = sl.Plan(clients=1, epochs=1, batch_size=16, optimizer=optimizer, evaluate=False)
    model = network(name, coloured)
    reference, losses = trained_whole(model, coloured, plan)
    early, middle, late = spread(sl.trace(model, coloured.example))
    for cut, tail in [(early, None), (middle, None), (late, None), (early, late), (early, middle), (middle, late)]:
        run = sl.start(model, coloured, plan, on="thread", cut=cut, tail=tail).wait(60, progress=False)
        assert [row.value for row in run.history.select("loss")] == losses, (cut, tail)
        assert same_weights(run.model, reference), (cut, tail)


@pytest.mark.parametrize(("name", "every"), [("lenet", 1), ("resnet18", 3)])
def test_every_legal_cut_trains_the_same_network(name, every, coloured):
    plan = sl.Plan(clients=1, epochs=1, batch_size=24, evaluate=False)
    model = network(name, coloured)
    reference, _ = trained_whole(model, coloured, plan)
    for cut in sl.trace(model, coloured.example).legal[::every]:
        run = sl.start(model, coloured, plan, on="thread", cut=cut.name).wait(60, progress=False)
        assert same_weights(run.model, reference), cut.name


def test_dropout_falls_alike_wherever_the_cut_is(coloured):
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.Dropout2d(0.3), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten()),
        *(nn.Linear(392, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)),
    )
    plan = sl.Plan(clients=1, epochs=1, batch_size=16, evaluate=False)
    whole = sl.start(model, coloured, plan, on="thread", baseline="central").wait(60, progress=False)
    for cut in spread(whole.graph, 5):
        split = sl.start(model, coloured, plan, on="thread", cut=cut).wait(60, progress=False)
        assert same_weights(split.model, whole.model), cut


@pytest.mark.parametrize("sharing", ["relay", "average", "shared_body", "pooled", "none"])
def test_in_memory_over_a_socket_and_in_kernels_come_the_same_losses(sharing, small):
    plan = sl.Plan(clients=2, epochs=2, batch_size=16, sharing=sharing, partition="sizes(2, 1)", model="lenet(width=4)")
    model = sl.models.load(plan.model, small)
    roads = [Thread(), Thread(socket=True), *([Kernel()] if sharing in ("average", "pooled") else [])]
    runs = [sl.start(model, small, plan, on=road).wait(120, progress=False) for road in roads]
    seen = [
        sorted(row[2:7] for row in run.history if row.name in ("loss", "test_loss", "test_accuracy")) for run in runs
    ]
    assert len(seen[0]) > 10 and all(other == seen[0] for other in seen[1:])
    assert all(same_weights(run.model, runs[0].model) for run in runs[1:])


def test_a_u_shaped_split_never_sends_a_label(small, monkeypatch):
    from splitlab.messages import Forward
    from splitlab.protocol import frame

    pieces, said = frame.pieces, []
    monkeypatch.setattr(frame, "pieces", lambda message: said.append(message) or pieces(message))
    sl.start("lenet(width=4)", small, on="thread", clients=1, epochs=1, cut="pool1", tail="fc1").wait(
        60, progress=False
    )
    sent = [message for message in said if isinstance(message, Forward)]
    assert sent and all(message.labels is None for message in sent)
