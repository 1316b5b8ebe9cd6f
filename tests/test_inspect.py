"""Netron shows the network under the names of its graph, or says why not; the file goes when nobody needs it."""

import io
import json
import zipfile

import pytest
import torch
from torch import nn

import splitlab as sl
from splitlab import handover
from splitlab.widgets import inspect
from splitlab.widgets.inspect import Exported, Inspect, to_pt2


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path / "runtime" / "splitlab"


def exported(data):
    """The graph in a .pt2 file, and the bytes of all its weights."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        (model,) = [name for name in file.namelist() if name.endswith("models/model.json")]
        weights = sum(len(file.read(name)) for name in file.namelist() if "/weights/weight_" in name)
        return json.loads(file.read(model))["graph_module"]["graph"], weights


@pytest.mark.parametrize("name", ["lenet(width=2)", "resnet18(width=4)", "mobilenet_v2"])
def test_every_operation_has_its_name_in_the_exported_network(name, coloured):
    graph = sl.trace(sl.models.load(name, coloured), coloured.example)
    data, notice = to_pt2(graph)
    found, weights = exported(data)
    names = [node["name"] for node in found["nodes"]]
    assert {node.name for node in graph.nodes} <= set(names) and len(names) == len(set(names))
    assert found["outputs"] == [{"as_tensor": {"name": graph.output}}]
    assert found["inputs"][-1] == {"as_tensor": {"name": graph.input}}
    assert notice == "" and weights >= 4 * sum(graph.parameters.values())
    places = {node["metadata"]["stack_trace"]: node["name"] for node in found["nodes"]}  # what the page goes by
    assert {node.name: node.name for node in graph.nodes}.items() <= places.items()
    assert ".py" not in json.dumps(found)  # no file of this machine


def test_an_operation_that_is_several_in_pytorch_gives_its_name_to_the_last():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.end = nn.Linear(8, 2)

        def forward(self, x):
            return self.end(self.attention(x, x, x)[0])

    found, _ = exported(to_pt2(sl.trace(Net(), torch.rand(2, 3, 8)))[0])
    names = [node["name"] for node in found["nodes"]]
    assert [name for name in names if name.startswith("attention:")][-2:] == ["attention:2", "attention:1"]
    assert names[-2:] == ["attention", "end"]


def test_a_network_of_words_is_exported_too():
    net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2))
    found, _ = exported(to_pt2(sl.trace(net, torch.zeros(2, 3, dtype=torch.int64)))[0])
    assert [node["name"] for node in found["nodes"]] == ["0", "1", "2"]


def test_of_a_large_network_the_shapes_travel_alone(small, monkeypatch):
    monkeypatch.setattr(inspect, "WEIGHTS_LIMIT", 1000)
    graph = sl.trace(sl.models.load("lenet", small), small.example)
    data, notice = to_pt2(graph)
    found, weights = exported(data)
    assert weights < 200 and "every weight shows as 0" in notice
    sizes = found["tensor_values"]["p_fc1_weight"]["sizes"]
    assert [size["as_int"] for size in sizes] == list(graph.model.fc1.weight.shape)
    assert graph.model.fc1.weight.abs().sum() > 0  # the network itself keeps its weights


def test_a_network_that_cannot_be_exported_is_a_sentence_with_the_reason(small, monkeypatch, runtime):
    def refuse(*_):
        raise RuntimeError("no such operator: frob\nand a long story")

    monkeypatch.setattr(torch.export, "export", refuse)
    shown = Inspect().export(sl.trace(sl.models.load("lenet", small), small.example))
    assert shown.id == "" and shown.notice.endswith("PyTorch says: no such operator: frob")
    assert not runtime.exists()


def test_the_file_is_there_as_long_as_it_is_shown(small, runtime):
    widget, graph = Inspect(), sl.trace(sl.models.load("lenet(width=2)", small), small.example)
    widget.show(widget.export(graph))
    first = widget.model
    assert handover.find("model", first).stat().st_size > 1000 and widget.name == type(graph.model).__name__
    widget.show(widget.export(graph))
    assert widget.model != first and len(list(runtime.iterdir())) == 1
    widget.forget()
    assert (widget.model, widget.notice, list(runtime.iterdir())) == ("", "", [])
    widget.show(widget.export(graph))
    widget.close()
    assert list(runtime.iterdir()) == []


def test_looking_is_passed_on_and_nothing_is_computed_in_the_callback(monkeypatch):
    monkeypatch.setattr(inspect, "to_pt2", lambda graph: pytest.fail("exported in a callback"))
    widget, heard = Inspect(), []
    widget.on_event(heard.append)
    widget._handle_custom_msg({"type": "open"}, [])
    widget._handle_custom_msg({"type": "other"}, [])
    widget._handle_custom_msg("nonsense", [])
    assert heard == [{"type": "open"}]


def test_a_failure_takes_the_place_of_what_was_shown(runtime):
    widget = Inspect()
    widget.show(Exported(handover.offer_model(b"x"), "net"))
    widget.show(Exported("", "net", "it cannot be exported"))
    assert (widget.model, widget.notice) == ("", "it cannot be exported") and list(runtime.iterdir()) == []
