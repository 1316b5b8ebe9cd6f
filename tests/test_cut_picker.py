"""The cut picker's Python side: which cuts can be chosen, what follows from a choice, and what each cut costs."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from traitlets import TraitError

import splitlab as sl
from splitlab.errors import CutError
from splitlab.graph.drawing import drawing
from splitlab.predict import traffic as predicted_traffic
from splitlab.widgets.cut_picker import CutPicker, default_tail, tails, traffic


@pytest.fixture(scope="module")
def graph():
    data = sl.load_data("digits")
    return sl.trace(sl.models.lenet(data), data.example)


@pytest.fixture(scope="module")
def mlp():
    data = sl.load_data("digits")
    return sl.trace(sl.models.mlp(data), data.example)


def test_it_starts_at_the_default_cut_with_the_costs_of_every_legal_cut(graph):
    picker = CutPicker(graph)
    assert (picker.cut, picker.tail, picker.notice) == ("pool1", None, "")
    assert picker.costs.keys() == {cut.name for cut in graph.legal}
    assert picker.costs["pool1"] == {"up": 1024, "down": 1024, "seconds": None, "parts": {}}


def test_codecs_change_the_costs(graph):
    picker = CutPicker(graph, codec="float8_e4m3fn", gradient_codec="float16")
    assert picker.costs["pool1"]["up"] == 256
    assert picker.costs["pool1"]["down"] == 512
    picker.gradient_codec = None
    assert picker.costs["pool1"]["down"] == 256
    assert picker.crossing["relu1"] == 1024


def test_a_cut_that_does_not_exist_is_an_error_with_the_nearest_name(graph):
    picker = CutPicker(graph)
    with pytest.raises(CutError, match=r"unknown cut 'pool_1'\. Did you mean 'pool1'"):
        picker.cut = "pool_1"
    assert picker.cut == "pool1"


def test_a_cut_that_is_not_legal_is_an_error_with_the_reason(graph):
    with pytest.raises(CutError, match="'fc2' is not legal: nothing is left for the server"):
        CutPicker(graph, cut="fc2")
    picker = CutPicker(graph)
    with pytest.raises(TraitError, match="nothing is left"):
        picker.cut = "fc2"
    assert picker.cut == "pool1"


def test_what_a_page_sends_is_checked_like_what_python_sets(graph):
    picker = CutPicker(graph)
    with pytest.raises(CutError):
        picker.set_state({"cut": "fc2"})
    assert picker.cut == "pool1"
    picker.set_state({"cut": "relu1"})
    assert picker.cut == "relu1"


def test_a_tail_must_come_after_the_cut(graph):
    picker = CutPicker(graph, cut="pool2")
    with pytest.raises(CutError, match="must begin after the first cut, pool2"):
        picker.tail = "conv2"
    assert picker.tails["flatten"] == ""
    assert picker.tails["fc2"].startswith("nothing is left")


def test_a_split_can_be_made_of_every_pair_that_the_picker_allows(graph):
    drawn = drawing(graph)
    for cut in [one.name for one in graph.legal]:
        for name, why in tails(drawn, cut).items():
            if why:
                with pytest.raises(CutError):
                    graph.split(cut, name)
            else:
                assert graph.split(cut, name).tail is not None


def test_a_u_shape_gets_the_last_tail_that_is_possible(graph):
    picker = CutPicker(graph)
    picker.u_shaped = True
    assert picker.tail == "relu3" == default_tail(picker.graph, "pool1")
    assert picker.tail_costs.keys() == {"conv2", "relu2", "pool2", "flatten", "fc1", "relu3"}
    assert CutPicker(graph, tail="flatten").u_shaped


def test_a_tail_that_the_cut_leaves_behind_moves_and_says_so(graph):
    picker = CutPicker(graph, cut="pool1", tail="relu2")
    picker.cut = "flatten"
    assert picker.tail == "relu3"
    assert "cannot begin after relu2" in picker.notice
    picker.cut = "conv1"
    assert (picker.tail, picker.notice) == ("relu3", "")


def test_in_a_u_shape_everything_crosses_twice(graph):
    found = traffic(drawing(graph), "float32", "float16", tail="relu3")
    assert found["pool1"]["up"] == 1024 + 256  # activations at the cut, half-size gradients at the tail
    assert found["pool1"]["down"] == 512 + 512
    assert "relu3" not in found
    assert traffic(drawing(graph), "float32", "float16", cut="pool1")["relu3"] == found["pool1"]


@pytest.mark.parametrize("fixed", [{}, {"tail": "relu3"}, {"cut": "pool1"}])
def test_bytes_are_those_that_predict_counts_on_the_wire_but_for_the_headers(graph, fixed):
    ours = traffic(drawing(graph), "int8", "float32", **fixed)
    theirs = predicted_traffic(graph, "int8", "float32", **fixed)
    assert ours.keys() == theirs.keys()
    for name, (up, down) in theirs.items():
        assert 0 < up - ours[name]["up"] < 64
        assert 0 < down - ours[name]["down"] < 64


def test_another_network_keeps_the_cut_where_it_can_and_says_where_it_cannot(graph, mlp):
    picker = CutPicker(graph, cut="fc1")
    picker.show(mlp)
    assert (picker.cut, picker.notice) == ("fc1", "")
    picker.show(graph)
    picker.cut = "pool2"
    picker.show(mlp)
    assert picker.cut == mlp.default_cut
    assert picker.notice == f"pool2 is not in this network: the cut is after {mlp.default_cut} now."
    assert picker.costs.keys() == {cut.name for cut in mlp.legal}


def test_a_network_without_any_legal_cut_has_none_chosen():
    picker = CutPicker(sl.trace(nn.Sequential(nn.Linear(4, 2)), torch.zeros(1, 4)))
    assert (picker.cut, picker.costs) == (None, {})
    picker.u_shaped = True
    assert picker.tail is None


def test_who_listens_hears_of_choices_and_answers_with_refresh(graph):
    picker = CutPicker(graph)
    heard = []
    picker.on_event(heard.append)
    before = picker.costs
    picker.set_state({"cut": "relu1", "selected": "relu1"})
    picker.u_shaped = True
    assert {"type": "cut", "cut": "relu1", "tail": None, "u_shaped": False} in heard
    assert {"type": "select", "name": "relu1"} in heard
    assert heard[-1] == {"type": "cut", "cut": "relu1", "tail": "relu3", "u_shaped": True}
    assert picker.costs == before
    told = {"relu1": {"up": 1, "down": 1, "seconds": 0.5, "parts": {}}}
    picker.refresh(costs=told, measured={"cut": "relu1", "tail": None, "seconds": 1.0, "error": -0.5})
    assert picker.costs == told
    assert picker.measured["seconds"] == 1.0
    picker.codec = "int8"
    assert picker.costs == told
    assert len(heard) == 3  # what we write ourselves is no event


def test_both_cuts_can_be_set_at_once_and_are_one_event(graph):
    picker = CutPicker(graph, cut="pool1", tail="relu2")
    heard = []
    picker.on_event(heard.append)
    picker.choose("flatten", "fc1")
    assert (picker.cut, picker.tail, picker.u_shaped) == ("flatten", "fc1", True)
    picker.choose("conv1")
    assert (picker.cut, picker.tail, picker.u_shaped) == ("conv1", None, False)
    with pytest.raises(CutError, match="must begin after the first cut, fc1"):
        picker.choose("fc1", "conv1")
    assert [(event["cut"], event["tail"]) for event in heard] == [("flatten", "fc1"), ("conv1", None)]


def test_a_keyword_that_is_no_trait_is_named(graph):
    with pytest.raises(TypeError, match="codec"):
        CutPicker(graph, codek="float16")


def test_a_recording_is_shown_without_torch(graph):
    costs = {"pool1": {"up": 7, "down": 7, "seconds": 0.1, "parts": {}}}
    code = (
        "import sys\nfrom splitlab.widgets.cut_picker import CutPicker\n"
        f"drawn, costs = {drawing(graph)!r}, {costs!r}\n"
        "assert CutPicker(drawn).costs['pool1']['up'] == 1024\n"
        "picker = CutPicker(drawn, codec='int8', costs=costs)\n"
        "picker.cut, picker.u_shaped = 'relu1', True\n"
        "assert picker.costs == costs and picker.tail == 'relu3'\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
