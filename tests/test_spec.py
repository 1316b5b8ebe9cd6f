import json
import struct
from functools import cache

import pytest
import safetensors.torch
import torch
from networks import NETWORKS, network
from torch import nn
from torch.nn import functional

from splitlab import spec
from splitlab.errors import SpecError
from splitlab.graph import trace
from splitlab.part import Batch, ByMode, Ref, Weight
from splitlab.spec.allowed import FUNCTIONS, METHODS, MODULES, VISION, function
from splitlab.spec.arguments import decode, encode
from splitlab.spec.modules import build, describe
from splitlab.vision import torchvision
from splitlab.zoo import row_of, zoo


def head(name="lenet", cut=None):
    graph = trace(*network(name))
    return graph.split(cut or graph.legal[-1].name).head


@cache
def text():
    return spec.dump(head("transformer"))


def data():
    return json.loads(text())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_part_that_travelled_computes_and_learns_the_same(name):
    model, samples = network(name)
    part = trace(model, samples).split(None).head.train()
    twin = spec.read(spec.save(part)).train()
    for each in (part, twin):
        each.seed = 3
        functional.cross_entropy(each(samples)[0], torch.arange(3)).backward()
    gradients, others = ({n: p.grad for n, p in each.named_parameters()} for each in (part, twin))
    assert gradients.keys() == others.keys() and all(torch.equal(gradients[n], others[n]) for n in gradients)
    assert all(torch.equal(tensor, twin.state_dict()[n]) for n, tensor in part.state_dict().items())
    assert (twin.inputs, twin.outputs, twin.clones, twin.sizes) == (part.inputs, part.outputs, part.clones, part.sizes)
    assert spec.dump(twin) == spec.dump(part)


def test_a_spec_is_readable_text():
    assert json.loads(spec.dump(head(cut="pool1"))) == {
        "splitlab": 1,
        "inputs": ["x"],
        "outputs": ["pool1"],
        "operations": [
            {"name": "conv1", "kind": "module", "target": "conv1", "args": [{"value": "x"}]},
            {"name": "relu1", "kind": "module", "target": "relu1", "args": [{"value": "conv1"}]},
            {"name": "pool1", "kind": "module", "target": "pool1", "args": [{"value": "relu1"}]},
        ],
        "modules": {
            "conv1": {
                "type": "Conv2d",
                "arguments": {
                    "in_channels": 1,
                    "out_channels": 4,
                    "kernel_size": {"tuple": [3, 3]},
                    "stride": {"tuple": [1, 1]},
                    "padding": {"tuple": [1, 1]},
                    "dilation": {"tuple": [1, 1]},
                },
            },
            "relu1": {"type": "ReLU", "arguments": {"inplace": True}},
            "pool1": {"type": "MaxPool2d", "arguments": {"kernel_size": 2, "stride": 2}},
        },
        "weights": {},
        "constants": {},
        "frozen": [],
        "clones": [],
        "sizes": None,
    }


LITERALS = [None, True, 3, -0.1, "same", 10**12, float("-inf"), ..., torch.float16, (), [1, (2, [3])]]
OURS = [Ref("a.b"), Weight("w"), Batch(4), ByMode(0.5, 0), slice(None, Ref("a"), 2), (Ref("x"), [Ref("y")])]


@pytest.mark.parametrize("argument", LITERALS + OURS)
def test_an_argument_survives_the_way_there_and_back(argument):
    assert decode(json.loads(json.dumps(encode(argument)))) == argument


@pytest.mark.parametrize("argument", [object(), {1, 2}, torch.ones(1), 1j, print, {"a": 1}])
def test_an_argument_that_is_no_literal_cannot_travel(argument):
    with pytest.raises(SpecError, match="cannot travel"):
        encode(argument)


MODULES_TO_TRY = [
    nn.Linear(3, 4, bias=False),
    nn.Conv2d(4, 8, (3, 1), stride=2, padding="valid", dilation=2, groups=2, bias=False, padding_mode="reflect"),
    nn.ConvTranspose1d(2, 3, 3, output_padding=1, stride=2),
    nn.BatchNorm2d(3, eps=1e-3, momentum=None, affine=False),
    nn.BatchNorm1d(3, track_running_stats=False),
    nn.LayerNorm((2, 3), elementwise_affine=False),
    nn.LayerNorm(3, bias=False),
    nn.GroupNorm(2, 4),
    nn.Embedding(10, 3, padding_idx=1),
    nn.LSTM(3, 4, 2, batch_first=True, dropout=0.5, bidirectional=True, proj_size=2),
    nn.GRU(3, 4, bias=False),
    nn.RNN(3, 4, nonlinearity="relu"),
    nn.MultiheadAttention(4, 2, 0.1, bias=False, add_bias_kv=True, kdim=3, vdim=5, batch_first=True),
    nn.TransformerEncoderLayer(4, 2, 8, 0.2, "gelu", norm_first=True),
    nn.Dropout(0.25, inplace=True),
    nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True),
    nn.AdaptiveAvgPool2d((None, 2)),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.Softmax(dim=-1),
    nn.Unflatten(1, (2, 2)),
    nn.GELU("tanh"),
    nn.Hardtanh(-2, 2),
    nn.PReLU(3),
    nn.Identity(),
    nn.Linear(2, 2, dtype=torch.float64),
]


@pytest.mark.parametrize("module", MODULES_TO_TRY, ids=lambda module: type(module).__name__)
def test_a_module_is_made_again_from_its_class_and_arguments(module):
    name, arguments = describe(module)
    arguments = {word: decode(json.loads(json.dumps(encode(value)))) for word, value in arguments.items()}
    twin = build(name, arguments)
    assert str(twin) == str(module) and describe(twin) == describe(module)
    assert all(parameter.is_meta for parameter in twin.parameters())


def test_every_name_of_the_lists_can_be_looked_up():
    assert all(callable(function(name)) for name in (*FUNCTIONS, *VISION))
    assert all(callable(getattr(torch.Tensor, name)) for name in METHODS)
    assert all(issubclass(kind, nn.Module) and kind.__module__.startswith("torch.nn.") for kind in MODULES.values())


def test_constants_and_buffers_that_are_not_saved_travel_in_the_text():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.plain = nn.Linear(2, 3), torch.tensor([1.5, -2.0])
            self.register_buffer("hidden", torch.tensor([3, 4]), persistent=False)

        def forward(self, x):
            return self.fc(x * self.plain + self.hidden)

    part = trace(Scaled(), torch.zeros(1, 2)).split(None).head
    twin = spec.load(spec.dump(part))
    twin.load_state_dict(part.state_dict())
    assert list(twin.state_dict()) == ["fc.weight", "fc.bias"] == list(part.state_dict())
    assert torch.equal(twin(torch.ones(2, 2))[0], part(torch.ones(2, 2))[0])


def test_frozen_parameters_stay_frozen():
    model, samples = network("lenet")
    model.conv1.requires_grad_(False)
    twin = spec.load(spec.dump(trace(model, samples).split("pool2").head))
    assert [name for name, p in twin.named_parameters() if not p.requires_grad] == ["conv1.weight", "conv1.bias"]


def test_a_part_that_was_loaded_has_zeros_and_the_random_state_is_as_before():
    state = torch.get_rng_state()
    part = spec.load(spec.dump(head()))
    assert torch.equal(state, torch.get_rng_state())
    assert not any(tensor.any() or tensor.is_meta for tensor in part.state_dict().values())


def test_any_safetensors_reader_can_open_what_save_writes():
    part = head()
    tensors = safetensors.torch.load(spec.save(part))
    assert tensors.keys() == part.state_dict().keys()


class Odd(nn.ReLU):
    """A module of torch.nn by name and place only."""

    def forward(self, x):
        return x * 2


def odd(function, **modules):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            for name, module in modules.items():
                setattr(self, name, module)

        def forward(self, x):
            return function(self, self.fc(x))

    return trace(Model(), torch.ones(2, 4)).split(None).head


def test_what_is_not_on_the_list_cannot_travel_and_the_error_names_the_operation():
    with pytest.raises(SpecError, match=r"operation 'erfinv' cannot travel .* not on the list of functions\. use an"):
        spec.dump(odd(lambda self, x: torch.erfinv(x)))
    with pytest.raises(SpecError, match=r"operation 'erf' .* the method 'erf' is not on the list"):
        spec.dump(odd(lambda self, x: x.erf()))
    with pytest.raises(SpecError, match=r"module 'act' cannot travel .*nn\.modules\.activation.Hardswish2 is not on"):
        kind = type("Hardswish2", (nn.Hardswish,), {"__module__": "torch.nn.modules.activation"})
        spec.dump(odd(lambda self, x: self.act(x), act=kind()))


def test_a_subclass_with_another_forward_is_never_sent_as_its_parent():
    part = odd(lambda self, x: self.act(x), act=Odd())
    assert [step.verb for step in part.operations] == ["fc", "mul"]  # it was traced through
    renamed = type("ReLU", (nn.ReLU,), {"__module__": "torch.nn.modules.activation", "forward": lambda self, x: x * 3})
    with pytest.raises(SpecError, match="module 'act'"):
        spec.dump(odd(lambda self, x: self.act(x), act=renamed()))


def test_a_module_with_hooks_or_altered_weights_cannot_travel():
    hooked = nn.Linear(4, 4)
    hooked.register_forward_hook(lambda *_: None)
    with pytest.raises(SpecError, match="hooks"):
        spec.dump(odd(lambda self, x: self.out(x), out=hooked))
    altered = nn.Linear(4, 4)
    altered.weight = nn.Parameter(torch.ones(2, 4))
    altered.bias = nn.Parameter(torch.ones(2))
    with pytest.raises(SpecError, match="not what its constructor makes"):
        spec.dump(odd(lambda self, x: self.out(x), out=altered))


def step(name="s", kind="function", target="add", args=({"value": "x"}, 1), **more):
    return {"name": name, "kind": kind, "target": target, "args": list(args), **more}


def linear(before, after, **more):
    return {"type": "Linear", "arguments": {"in_features": before, "out_features": after, **more}}


RECURRENT = ("input_size", "hidden_size", "num_layers")
HOSTILE = {
    "version": {"splitlab": 2},
    "a key too many": {"code": "import os"},
    "no inputs": {"inputs": []},
    "an input twice": {"inputs": ["x", "x"]},
    "an output of nobody": {"outputs": ["nobody"]},
    "a clone of nobody": {"clones": ["nobody"]},
    "a frozen nobody": {"frozen": ["nobody"]},
    "too few sizes": {"sizes": []},
    "a negative size": {"sizes": [[-1]]},
    "names that are none": {"inputs": ["x", ""]},
    "no list": {"operations": {}},
    "too many operations": {"operations": [step()] * 20_001},
    "a name twice": {"operations": [step("x")]},
    "a reference ahead": {"operations": [step(args=[{"value": "later"}, 1])]},
    "a weight of nobody": {"operations": [step(args=[{"value": "x"}, {"weight": "w"}])]},
    "numbers only": {"operations": [step(args=[9, 9])]},
    "a kind of its own": {"operations": [step(kind="eval")]},
    "an unhashable kind": {"operations": [step(kind=[])]},
    "an unhashable target": {"operations": [step(target=[])]},
    "an unknown function": {"operations": [step(target="system")]},
    "a path as function": {"operations": [step(target="os.system")]},
    "an unknown method": {"operations": [step(kind="method", target="__class__")]},
    "a method on a number": {"operations": [step(kind="method", target="view", args=[1, {"value": "x"}])]},
    "an unknown module": {"operations": [step(kind="module", target="nobody")]},
    "a word too many": {"operations": [step(code="1")]},
    "an argument too many": {"operations": [step(args=[{"value": "x"}, 1, 2, 3])]},
    "an unknown keyword": {"operations": [step(target="relu", args=[{"value": "x"}], kwargs={"code": 1})]},
    "an argument of no kind": {"operations": [step(args=[{"value": "x"}, {"eval": "1"}])]},
    "an argument of two kinds": {"operations": [step(args=[{"value": "x", "weight": "x"}])]},
    "a dtype of its own": {"operations": [step(args=[{"value": "x"}, {"dtype": "__class__"}])]},
    "a class of its own": {"modules": {"m": {"type": "Module", "arguments": {}}}},
    "a class by path": {"modules": {"m": {"type": "os.system", "arguments": {}}}},
    "an unhashable class": {"modules": {"m": {"type": [], "arguments": {}}}},
    "a wrong argument": {"modules": {"m": {"type": "Linear", "arguments": {"in_features": "9", "out_features": 1}}}},
    "an unknown argument": {"modules": {"m": {"type": "ReLU", "arguments": {"code": 1}}}},
    "a value as argument": {"modules": {"m": {"type": "ReLU", "arguments": {"inplace": {"value": "x"}}}}},
    "a device": {"modules": {"m": linear(1, 1, device="cpu")}},
    "a huge layer": {"modules": {"m": linear(10**9, 10**9)}},
    "an absurd layer": {"modules": {"m": linear(10**15, 10**15)}},
    "many large layers": {"modules": {f"m{i}": linear(20_000, 20_000) for i in range(3)}},
    "endless layers": {"modules": {"m": {"type": "GRU", "arguments": dict.fromkeys(RECURRENT, 10**9)}}},
    "a huge weight": {"weights": {"w": {"kind": "parameter", "shape": [10**6, 10**6], "dtype": "float32"}}},
    "a weight without end": {"weights": {"w": {"kind": "parameter", "shape": [10**30], "dtype": "float32"}}},
    "a whole parameter": {"weights": {"w": {"kind": "parameter", "shape": [1], "dtype": "int64"}}},
    "a constant too short": {"constants": {"c": {"kind": "buffer", "shape": [9], "dtype": "float32", "data": "AAAA"}}},
    "a constant in no base": {"constants": {"c": {"kind": "buffer", "shape": [0], "dtype": "float32", "data": "§"}}},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_spec_is_an_error(change):
    fine = {"splitlab": 1, "inputs": ["x"], "outputs": ["x"], "operations": [], "modules": {}, "weights": {}}
    fine |= {"constants": {}, "frozen": [], "clones": [], "sizes": None}
    spec.load(json.dumps(fine))
    with pytest.raises(SpecError):
        spec.load(json.dumps(fine | change))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"splitlab":1}',
        "[" * 100_000,
        '{"a":1,"a":2}',
        "NaN",
        "1" * 10_000,
        " " * (5 << 20),
        None,
    ],
)
def test_a_text_that_is_no_spec_is_an_error(text):
    with pytest.raises(SpecError):
        spec.load(text)


def test_deep_arguments_are_an_error():
    nested = {"value": "x"}
    for _ in range(40):
        nested = [nested]
    changed = data()
    changed["operations"][0]["args"] = [nested]
    with pytest.raises(SpecError, match="deep"):
        spec.load(json.dumps(changed))


@pytest.mark.parametrize("field", ["operations", "modules", "weights", "inputs", "outputs", "sizes", "clones"])
def test_a_spec_with_anything_in_place_of_a_field_is_an_error_or_a_part(field):
    for value in (None, 1, "x", [], {}, [None], [[]], [{}], {"a": None}, {"a": {}}, {"": {}}, True, ["x", 1]):
        changed = data()
        changed[field] = value
        try:
            spec.load(json.dumps(changed))
        except SpecError:
            continue
        assert (field, value) in [("sizes", None), ("sizes", [[]]), ("clones", [])]


@pytest.mark.parametrize(
    "blob",
    [b"", b"\0" * 7, b"\0" * 16, struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 2) + b"{}", b"\xff" * 64],
)
def test_bytes_that_are_no_part_are_an_error(blob):
    with pytest.raises(SpecError):
        spec.read(blob)


def test_weights_that_are_not_the_parts_are_an_error():
    other = safetensors.torch.save({"conv1.weight": torch.ones(1)}, {"splitlab": spec.dump(head())})
    with pytest.raises(SpecError, match="not those of the part"):
        spec.read(other)
    with pytest.raises(SpecError, match="not those of the part"):
        spec.read(spec.save(head())[:-8])


FAMILIES = """efficientnet_b0 googlenet mnasnet0_5 mobilenet_v2 mobilenet_v3_small regnet_y_400mf resnet18
shufflenet_v2_x0_5 squeezenet1_1"""
SMALL = {  # families whose smallest network takes long to make
    "convnext": lambda models: models.ConvNeXt([models.convnext.CNBlockConfig(8, None, 2)], num_classes=10),
    "densenet": lambda models: models.DenseNet(8, (2, 3), 16, num_classes=10),
    "maxvit": lambda models: models.MaxVit((64, 64), 8, 4, [8], [2], 4, 0.1, num_classes=10),
    "swin": lambda models: models.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=10),
    "swin_v2": lambda models: models.SwinTransformer(
        *([4, 4], 16, [2, 2], [2, 2], [4, 4]),
        num_classes=10,
        block=models.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=models.swin_transformer.PatchMergingV2,
    ),
    "vgg": lambda models: nn.Sequential(
        models.vgg.make_layers([8, "M", 8, "M"], True), nn.Flatten(), nn.Linear(2048, 10)
    ),
    "vit": lambda models: models.VisionTransformer(64, 16, 2, 2, 32, 64, num_classes=10),
}


@pytest.mark.parametrize("name", FAMILIES.split())
def test_a_network_of_every_family_of_torchvision_travels(name):
    (row,) = zoo([name])
    assert row.traced and row.spec and row.cuts > 0, row.why_not


@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_of_every_other_family_travels(name):
    row = row_of(name, SMALL[name](torchvision().models))
    assert row.traced and row.spec and row.cuts > 0, row.why_not


def test_the_zoo_prints_as_a_markdown_table():
    lines = repr(zoo(["squeezenet1_1"])).splitlines()
    assert lines[0].startswith("| model | traced | nodes | cuts |") and lines[2].startswith(
        "| squeezenet1_1 | yes | 66 |"
    )
