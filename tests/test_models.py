"""Networks: they fit their data, torch.fx can trace them, and a seed fixes their weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from splitlab import models
from splitlab.data import Data, epoch_batches, from_tensors, load_data
from splitlab.errors import PlanError

NAMES = [name for name in models.MODELS if name != "torchvision"]
NARROW = {name: f"{name}(width=8)" for name in NAMES if name.startswith(("vgg", "resnet"))}
NARROW["mobilenet_v2"] = "mobilenet_v2(width=0.25)"


def pictures(*shape: int, classes: int = 7) -> Data:
    x = torch.randint(0, 256, (classes, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return from_tensors(x, torch.arange(classes), x, torch.arange(classes), name="noise")


COLOUR = pictures(3, 32, 32)
GREY = pictures(1, 28, 28)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_traces_and_answers_with_one_number_per_class(name):
    model = models.load(NARROW.get(name, name), COLOUR)
    traced = torch.fx.symbolic_trace(model).eval()
    assert traced(COLOUR.example).shape == (2, 7)
    called = {node.target.__name__ for node in traced.graph.nodes if node.op == "call_function"}
    assert called <= {"add"}  # everything else is a module, with a name that can be clicked


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_fixes_the_weights_and_leaves_the_generator_alone(name):
    text = NARROW.get(name, name)
    before = torch.get_rng_state()
    first, same, other = (models.load(text, COLOUR, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 33, 17)])
def test_lenet_fits_any_picture(shape):
    data = pictures(*shape)
    assert models.lenet(data)(data.example).shape == (2, 7)


def test_layers_have_names_to_read():
    lenet, vgg = (
        " ".join(dict(model.named_children())) for model in (models.lenet(GREY), models.vgg11_bn(COLOUR, width=2))
    )
    assert lenet == "conv1 relu1 pool1 conv2 relu2 pool2 flatten fc1 relu3 fc2"
    assert vgg.startswith("conv1 bn1 relu1 pool1 conv2 bn2 relu2 pool2 conv3 bn3 relu3 conv4")


def test_sizes_are_those_of_the_papers():
    def size(model: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    grey, colour = pictures(1, 28, 28, classes=10), pictures(3, 32, 32, classes=10)
    splitgp = models.cnn(grey)
    assert sum(size(getattr(splitgp, f"conv{index}")) for index in range(1, 5)) == 387_840
    assert size(splitgp) == 387_840 + 3_480_330
    assert size(models.vgg11_bn(colour)) == 972_554 - 10_250 + 8_268_810
    assert size(models.resnet18(colour)) == 11_173_962
    assert size(models.resnet20(colour)) == 269_722
    assert size(models.lenet(load_data("digits"))) < 40_000


def test_resnet18_has_torchvisions_names():
    from splitlab.vision import torchvision

    theirs = torchvision().models.resnet18(num_classes=7).state_dict()
    assert list(models.resnet18(COLOUR, width=4).state_dict()) == list(theirs)


def test_lenet_learns_digits():
    data, model = load_data("digits"), models.lenet(load_data("digits"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        for batch in epoch_batches(np.arange(len(data.train)), 64, 0, 0, epoch):
            x, y = data.batch(batch)
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
    x, y = data.batch(np.arange(360), "test")
    assert float((model(x).argmax(1) == y).float().mean()) >= 0.97


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lenett", "Did you mean 'lenet'"),
        ("lenet(depth=3)", "unexpected keyword argument 'depth'"),
        ("lenet(16)", "cannot build"),
        ("torchvision('resnet51')", "unknown torchvision model 'resnet51'. Did you mean 'resnet"),
        ("torchvision('resnet18', size=3)", "torchvision cannot build resnet18"),
        ("torchvision", "missing a required argument: 'name'"),
        ("vgg11", "vgg11 needs 32x32 pixels, and noise has 28x28"),
    ],
)
def test_what_cannot_be_built_says_why(text, message):
    with pytest.raises(PlanError, match=message):
        models.load(text, GREY)


def test_a_network_for_pictures_refuses_other_data():
    points = from_tensors(torch.zeros(2, 5), [0, 1], torch.zeros(2, 5), [0, 1])
    with pytest.raises(PlanError, match="use mlp"):
        models.lenet(points)
    assert models.mlp(points, hidden=())(points.example).shape == (2, 2)


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_weights_come_back_from_either_kind_of_file(tmp_path):
    model = models.resnet20(COLOUR, width=4, seed=1)
    state = model.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **{key: value.numpy() for key, value in state.items() if "tracked" not in key})
    for name in ("w.safetensors", "w.npz"):
        other = models.resnet20(COLOUR, width=4, seed=2)
        assert models.load_weights(other, tmp_path / name) == ()
        assert all(torch.equal(state[key], value) for key, value in other.state_dict().items())


def test_another_classifier_is_refused_when_strict_and_otherwise_passed_over(tmp_path):
    save_file(models.lenet(GREY, seed=1).state_dict(), tmp_path / "w.safetensors")
    other = models.lenet(pictures(1, 28, 28, classes=3))
    before = other.conv1.weight.clone()
    with pytest.raises(PlanError, match=r"fc2.weight is 7x128, not 3x128.*strict=False"):
        models.load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(before, other.conv1.weight)
    assert models.load_weights(other, tmp_path / "w.safetensors", strict=False) == ("fc2.weight", "fc2.bias")
    assert not torch.equal(before, other.conv1.weight)


def test_weights_of_another_network_are_refused(tmp_path):
    save_file(models.mlp(GREY).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(PlanError, match=r"conv1.weight is missing|fc3.weight is not in the model"):
        models.load_weights(models.lenet(GREY), tmp_path / "w.safetensors")


def test_a_file_that_is_no_weights_file_is_refused(tmp_path):
    for name in ("w.safetensors", "w.npz", "w.pt", "missing.npz"):
        if name != "missing.npz":
            (tmp_path / name).write_bytes(b"\x80\x04nonsense")
        with pytest.raises(PlanError, match="cannot read the weights"):
            models.load_weights(models.lenet(GREY), tmp_path / name)


@pytest.mark.parametrize("data", [GREY, COLOUR, pictures(5, 32, 32)])
def test_torchvisions_networks_fit_channels_and_classes(data):
    model = models.torchvision("squeezenet1_1", data).eval()
    assert model(data.example).shape == (2, 7)


def test_pretrained_weights_of_another_network_are_refused(tmp_path):
    save_file(models.torchvision("squeezenet1_1", COLOUR).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(PlanError, match=r"does not hold the weights of squeezenet1_0: .* missing"):
        models.torchvision("squeezenet1_0", COLOUR, weights=tmp_path / "w.safetensors")
    assert models.torchvision("squeezenet1_1", COLOUR, weights=tmp_path / "w.safetensors")


def test_side_exits_are_left_out():
    model = models.torchvision("googlenet", COLOUR)
    assert not [name for name, _ in model.named_children() if name.startswith("aux") and getattr(model, name)]


def test_a_pretrained_network_sees_a_grey_picture_as_three_equal_channels(tmp_path):
    three = pictures(3, 64, 64, classes=1000)
    theirs = models.torchvision("squeezenet1_1", three, seed=1).eval()
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    ours = models.torchvision(
        "squeezenet1_1", pictures(1, 64, 64, classes=1000), weights=tmp_path / "w.safetensors"
    ).eval()
    x = torch.randn(2, 1, 64, 64)
    assert torch.allclose(ours(x), theirs(x.expand(-1, 3, -1, -1)), atol=1e-4)
    with pytest.raises(PlanError, match="5 cannot be fitted"):
        models.torchvision("squeezenet1_1", pictures(5, 64, 64), weights=tmp_path / "w.safetensors")


@pytest.mark.skipif(not os.environ.get("SPLITLAB_DATA"), reason="SPLITLAB_DATA names no folder with data")
def test_published_weights_of_resnet20_classify_cifar10():
    data = load_data("cifar10", limit=300)
    model = models.resnet20(data)
    assert models.load_weights(model, Path(os.environ["SPLITLAB_DATA"]) / "weights/resnet20_cifar10.npz") == ()
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))  # ImageNet's
    with torch.no_grad():
        answers = model.eval()((data.test.inputs / 255 - mean) / std).argmax(1)
    assert float((answers == data.test.labels).float().mean()) > 0.88
