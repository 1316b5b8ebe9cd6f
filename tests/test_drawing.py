"""A graph as plain JSON: every node and cut of it, in plain words, and blocks that fold."""

import json

import pytest
import torch
from torch import nn

import splitlab as sl
from splitlab.graph.drawing import drawing
from splitlab.vision import torchvision

SAMPLES = torch.zeros(1, 3, 64, 64)


@pytest.fixture(scope="module")
def lenet():
    data = sl.load_data("digits")
    return sl.trace(sl.models.lenet(data), data.example)


def of_torchvision(name, **settings):
    return drawing(sl.trace(torchvision().models.get_model(name, weights=None, **settings), SAMPLES))


@pytest.fixture(scope="module")
def resnet18():
    return of_torchvision("resnet18")


def flat(blocks):
    return [one for block in blocks for one in (block, *flat(block["blocks"]))]


def rows(drawn):
    """How many rows the drawing has before anybody unfolds anything."""

    def within(blocks, nodes):
        sizes = [(block["last"] - block["first"] + 1, block) for block in blocks]
        return nodes + sum((within(block["blocks"], size) if block["open"] else 1) - size for size, block in sizes)

    return within(drawn["blocks"], len(drawn["nodes"]))


def test_a_drawing_is_json_and_the_same_for_the_same_model(lenet):
    assert json.loads(json.dumps(drawing(lenet))) == drawing(lenet)


def test_every_node_and_cut_of_the_graph_is_there_with_its_figures(lenet):
    drawn = drawing(lenet)
    assert [node["name"] for node in drawn["nodes"]] == [node.name for node in lenet.nodes]
    for node, cut, real in zip(drawn["nodes"], drawn["cuts"], lenet.cuts, strict=True):
        assert cut["name"] == node["name"] == real.name
        assert (cut["client_macs"], cut["server_params"]) == (real.client_macs, real.server_params)
        assert (cut["legal"], cut["reason"]) == (real.legal, real.reason)
        if cut["legal"]:
            assert 4 * sum(torch.Size(shape).numel() for shape in cut["shapes"]) == real.bytes_per_sample
    assert sum(node["params"] for node in drawn["nodes"]) == sum(lenet.parameters.values())
    assert drawn["default_cut"] == "pool1"
    assert drawn["input"] == {"name": "input", "shape": [1, 8, 8], "bytes": 256}


def test_operations_are_called_in_plain_words(lenet):
    kinds = {node["name"]: node["kind"] for node in drawing(lenet)["nodes"]}
    assert kinds["conv1"] == "Conv 5×5"
    assert kinds["pool1"] == "Max pool 2×2"
    assert kinds["relu1"] == "ReLU"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(4, 4, 3, groups=4), "Depthwise conv 3×3"),
        (nn.Conv2d(4, 8, 3, groups=2), "Grouped conv 3×3"),
        (nn.ConvTranspose2d(4, 4, 2), "Up-conv 2×2"),
        (nn.AdaptiveAvgPool2d(1), "Average over all"),
        (nn.AdaptiveAvgPool2d(2), "Average pool"),
        (nn.AvgPool2d(2), "Average pool 2×2"),
        (nn.Hardswish(), "Hardswish"),
        (nn.PixelShuffle(2), "Pixel Shuffle"),
    ],
)
def test_a_kind_says_what_sort_of_operation_it_is(module, words):
    model = nn.Sequential(nn.Conv2d(1, 4, 1), module)
    assert drawing(sl.trace(model, torch.zeros(1, 1, 8, 8)))["nodes"][1]["kind"] == words


def test_a_small_network_has_no_blocks_to_fold(lenet):
    assert drawing(lenet)["blocks"] == []


def test_blocks_are_the_models_own_modules_and_hold_what_runs_in_them(resnet18):
    layer = next(block for block in resnet18["blocks"] if block["name"] == "layer2")
    assert [block["name"] for block in layer["blocks"]] == ["layer2.0", "layer2.1"]
    assert layer["blocks"][0]["kind"] == "BasicBlock"
    for block in flat(resnet18["blocks"]):
        inside = resnet18["nodes"][block["first"] : block["last"] + 1]
        assert all(node["name"].startswith(f"{block['name']}.") for node in inside)
        assert not resnet18["nodes"][block["last"] + 1]["name"].startswith(f"{block['name']}.")


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_b_16", "densenet121", "resnet152", "vgg16"])
def test_a_large_network_starts_with_few_rows(name):
    drawn = of_torchvision(name, **({"image_size": 64} if name == "vit_b_16" else {}))
    assert 10 < rows(drawn) <= 48
    assert flat(drawn["blocks"])


def test_blocks_that_repeat_in_a_row_are_stacked_where_there_are_many():
    drawn = of_torchvision("resnet152")
    layer3 = next(block for block in drawn["blocks"] if block["name"] == "layer3")
    stack = layer3["blocks"][-1]
    assert (stack["name"], stack["repeats"], stack["kind"]) == ("layer3.2 … layer3.35", 34, "Bottleneck")
    assert len(stack["blocks"]) == 34


def test_a_module_that_runs_twice_is_two_blocks():
    inner = nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.between = inner, nn.ReLU()

        def forward(self, x):
            return self.inner(self.between(self.inner(x)))

    drawn = drawing(sl.trace(Twice(), torch.zeros(1, 4)))
    assert [(block["name"], block["first"], block["last"]) for block in drawn["blocks"]] == [
        ("inner", 0, 3),
        ("inner", 5, 8),
    ]


def test_a_value_that_is_no_tensor_of_samples_has_no_shape():
    drawn = of_torchvision("vit_b_16", image_size=64)
    attention = next(node for node in drawn["nodes"] if node["kind"] == "Attention")
    assert (attention["shape"], attention["bytes"]) == (None, None)
