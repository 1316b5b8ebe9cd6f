import copy
from itertools import combinations

import pytest
import torch
from networks import NETWORKS, Block, LeNet, network
from torch import nn
from torch.nn import functional

from splitlab.errors import CutError
from splitlab.graph import trace
from splitlab.vision import torchvision

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
}


def batches(shape, steps=3, size=4):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        yield torch.randn(size, *shape, generator=generator), torch.randint(0, 10, (size,), generator=generator)


def train_whole(model, shape, optimizer):
    """Plain PyTorch: the reference."""
    model = copy.deepcopy(model).train()
    step = OPTIMIZERS[optimizer](model.parameters())
    for inputs, labels in batches(shape):
        step.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()
        step.step()
    return model.state_dict()


def train_split(split, shape, optimizer, seed=None):
    """The same with parts: leaves at each cut, gradients handed back by hand."""
    parts = [part.train() for part in split.parts.values()]
    steps = [OPTIMIZERS[optimizer](part.parameters()) for part in parts if list(part.parameters())]
    for number, (inputs, labels) in enumerate(batches(shape)):
        for step in steps:
            step.zero_grad()
        given, made = [(inputs,)], []
        for part in parts:
            part.seed = None if seed is None else seed + number
            made.append(part(*given[-1]))
            given.append(tuple(tensor.detach().clone().requires_grad_() for tensor in made[-1]))
        functional.cross_entropy(made[-1][0], labels).backward()
        for outputs, leaves in reversed(list(zip(made[:-1], given[1:], strict=False))):
            torch.autograd.backward(outputs, [leaf.grad for leaf in leaves])
        for step in steps:
            step.step()
    return split.join().state_dict()


def differing(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def spread(cuts, count):
    """About so many cuts from early to late."""
    return cuts[: -1 : max(1, len(cuts) // count)] + cuts[-1:]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_legal_cut_computes_what_the_whole_does(name):
    model, samples = network(name)
    graph = trace(model, samples)
    model.eval()
    for cut in graph.legal:
        split = graph.split(cut.name)
        values = split.head.eval()(samples)
        assert [tuple(value.shape[1:]) for value in values] == list(cut.tensors)
        assert torch.equal(split.body.eval()(*values)[0], model(samples))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_training_in_two_parts_is_training_in_one_bit_for_bit(name, optimizer):
    model, samples = network(name)
    graph, shape = trace(model, samples), samples.shape[1:]
    expected = train_whole(model, shape, optimizer)
    for cut in graph.legal:
        assert not differing(expected, train_split(graph.split(cut.name), shape, optimizer)), cut.name


@pytest.mark.parametrize("name", NETWORKS)
def test_training_in_three_parts_is_training_in_one_bit_for_bit(name):
    model, samples = network(name)
    graph, shape = trace(model, samples), samples.shape[1:]
    expected = train_whole(model, shape, "sgd")
    for cut, tail in combinations(spread(graph.legal, 4), 2):
        split = graph.split(cut.name, tail.name)
        assert not differing(expected, train_split(split, shape, "sgd")), (cut.name, tail.name)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet"])
def test_torchvisions_networks_train_in_parts_bit_for_bit(name):
    models, shape = torchvision().models, (3, 32, 32)
    torch.manual_seed(0)
    model = {
        "resnet18": lambda: models.resnet18(num_classes=10),
        "mobilenet_v2": lambda: models.mobilenet_v2(num_classes=10, dropout=0.0, width_mult=0.25),
        "densenet": lambda: models.DenseNet(8, (2, 3), 16, num_classes=10),
    }[name]()
    graph = trace(model, torch.zeros(1, *shape))
    expected = train_whole(model, shape, "sgd")
    cuts = graph.legal[5], graph.legal[len(graph.legal) // 2], graph.legal[-5]
    for cut, tail in [(cuts[0], None), (cuts[1], None), (cuts[2], None), (cuts[0], cuts[1])]:
        split = graph.split(cut.name, tail and tail.name)
        assert not differing(expected, train_split(split, shape, "sgd")), (cut.name, tail)


@pytest.mark.parametrize("name", ["lenet", "transformer"])
def test_with_one_seed_dropout_is_the_same_wherever_the_cut_is(name):
    _, samples = network(name)
    torch.manual_seed(0)
    graph, shape = trace(NETWORKS[name](dropout=0.5), samples), samples.shape[1:]
    expected = train_split(graph.split(None), shape, "sgd", seed=7)
    for cut in graph.legal:
        assert not differing(expected, train_split(graph.split(cut.name), shape, "sgd", seed=7)), cut.name
    assert differing(expected, train_split(graph.split(None), shape, "sgd", seed=8))


def test_a_value_that_only_the_tail_needs_passes_through_the_body():
    split = trace(*network("resnet")).split("2.conv1", "2.conv2")
    assert split.body.inputs == ("1", "2.conv1") and split.body.outputs == ("1", "2.conv2")
    assert split.tail.inputs == ("1", "2.conv2")


def test_an_operation_in_place_does_not_reach_what_the_other_side_holds():
    model, samples = network("lenet")
    split = trace(model, samples).split("conv1")
    (held,) = split.head(samples)
    before = held.clone()
    split.body(held.detach())
    assert split.body.clones == ("conv1",) and torch.equal(held, before)


def test_an_operation_in_place_on_a_view_of_the_input_works_on_a_copy():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 10)

        def forward(self, x):
            flat = x.flatten(1)
            flat += 1
            return self.fc(flat)

    x = torch.zeros(2, 2, 2)
    split = trace(InPlace(), x).split(None)
    split.head(x)
    assert split.head.clones == ("x",) and x.sum() == 0


def test_parts_own_disjoint_and_complete_weights_under_the_models_names():
    model, samples = network("transformer")
    graph = trace(model, samples)
    split = graph.split(graph.legal[1].name, graph.legal[-1].name)
    keys = [set(part.state_dict()) for part in split.parts.values()]
    assert set.union(*keys) == set(model.state_dict()) and sum(map(len, keys)) == len(model.state_dict())
    theirs = {parameter.data_ptr() for parameter in model.parameters()}
    assert not any(p.data_ptr() in theirs for part in split.parts.values() for p in part.parameters())


def test_join_gives_the_original_module_with_the_parts_weights():
    model, samples = network("resnet")
    split = trace(model, samples).split("2.relu")
    for part in split.parts.values():
        for parameter in part.parameters():
            nn.init.constant_(parameter, 0.25)
    joined = split.join()
    assert type(joined) is type(model) and joined is not model
    assert all((parameter == 0.25).all() for parameter in joined.parameters())
    assert not any((parameter == 0.25).all() for parameter in model.parameters())


def test_join_keeps_what_no_part_uses():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.out, self.spare = nn.Linear(4, 4), nn.Linear(4, 10), nn.Linear(2, 2)

        def forward(self, x):
            return self.out(self.fc(x))

    model = Spare()
    joined = trace(model, torch.zeros(1, 4)).split("fc").join()
    assert not differing(model.state_dict(), joined.state_dict())


def test_frozen_parameters_and_modes_stay_as_they_are():
    model = nn.Sequential(Block(1, 2, stride=2), nn.Flatten(), nn.Linear(8, 10)).eval()
    model[0].conv1.weight.requires_grad_(False)
    head = trace(model, torch.zeros(1, 1, 4, 4)).split("0.relu").head
    assert not head.module("0.conv1").weight.requires_grad and head.module("0.bn1").weight.requires_grad
    assert not head.training and not head.module("0.bn1").training


def test_without_a_cut_the_head_is_the_whole_network():
    model, samples = network("lenet")
    split = trace(model, samples).split(None)
    assert split.body is None and split.tail is None and list(split.parts) == ["head"]
    assert torch.equal(split.head(samples)[0], model(samples))


@pytest.mark.parametrize(
    ("cut", "tail", "message"),
    [
        ("fc2", None, "is not legal: nothing is left"),
        ("pool9", None, "unknown cut"),
        ("pool2", "pool1", "must come after"),
        ("pool1", "pool1", "must come after"),
        (None, "pool1", "needs a cut before it"),
        ("pool1", "fc2", "is not legal"),
    ],
)
def test_cuts_that_cannot_be_are_errors(cut, tail, message):
    with pytest.raises(CutError, match=message):
        trace(LeNet(), torch.zeros(1, 1, 12, 12)).split(cut, tail)
