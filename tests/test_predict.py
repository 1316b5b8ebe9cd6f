"""What is foretold: bytes exactly as they are measured, and seconds that add up and follow the link."""

import json
from itertools import pairwise
from statistics import median

import pytest
import torch
from torch import nn

import splitlab as sl
from splitlab.errors import PlanError
from splitlab.measure import PARTS
from splitlab.predict import Prediction, Profile, predict, profile, traffic
from splitlab.shape import Shape, shape_of

PLAN = sl.Plan(model="lenet", clients=1, epochs=1, batch_size=20, test_samples=20)


@pytest.fixture(scope="module")
def graph(digits):
    return sl.trace(sl.models.lenet(digits), digits.example)


@pytest.fixture(scope="module")
def known(graph):
    return profile(graph, 20)


@pytest.mark.parametrize("tail", [None, "fc1"], ids=["plain", "u_shaped"])
@pytest.mark.parametrize(
    ("codec", "gradients"), [("float32", None), ("int8", "float16"), ("topk(0.1)", None), ("float8(4, 3, 7)", None)]
)
def test_bytes_are_those_that_are_measured(codec, gradients, tail, small, graph):
    run = sl.start(
        graph, small, PLAN.change(cut="pool1", tail=tail, codec=codec, gradient_codec=gradients), on="thread"
    )
    run.wait(30, progress=False)
    up, down = traffic(graph, codec, gradients, tail=tail, batch=20)["pool1"]
    for foretold, way in ((up, "bytes_up"), (down, "bytes_down")):
        assert foretold == pytest.approx(median(row.value for row in run.history.select(way)) / 20, rel=0.01)


def test_without_a_tail_every_legal_cut_is_foretold_and_with_one_those_before_it(graph, known):
    assert list(predict(graph, known)) == list(traffic(graph)) == [cut.name for cut in graph.legal]
    assert list(traffic(graph, tail="fc1")) == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten"]
    assert list(predict(graph, known, cut="pool2")) == ["flatten", "fc1", "relu3"]


def test_the_parts_add_up_and_are_those_of_a_step(graph, known):
    for tail in (None, "fc1"):
        for one in predict(graph, known, shape_of("4g"), "int8", tail=tail, batch=20, clients=3).values():
            assert one.seconds == pytest.approx(sum(one.parts.values())) and set(one.parts) <= set(PARTS)
            assert min(one.parts.values()) > 0 and ("client_tail" in one.parts) == bool(tail)


def test_a_later_cut_moves_work_from_the_server_to_the_client(graph, known):
    cuts = list(predict(graph, known, batch=20).values())
    for before, after in pairwise(cuts):
        assert after.parts["client_forward"] >= before.parts["client_forward"]
        assert after.parts["server"] <= before.parts["server"]


def test_a_slow_link_takes_what_its_shape_says(graph, known):
    fast, slow = (predict(graph, known, shape, batch=20)["pool1"] for shape in (Shape(), Shape(1, 2, 30)))
    assert slow.parts["up"] - fast.parts["up"] == pytest.approx(slow.up_bytes * 8 / 1e6 + 0.03 / 20)
    assert slow.parts["down"] - fast.parts["down"] == pytest.approx(slow.down_bytes * 8 / 2e6 + 0.03 / 20)


def test_on_a_slow_link_the_prediction_is_within_a_quarter_of_what_is_measured(small, graph, known):
    shape = "shape(4, 4, 20)"
    run = sl.start(graph, small, PLAN.change(cut="pool1", link=shape, evaluate=False), on="thread")
    run.wait(30, progress=False)
    measured = median(row.value for row in run.history.select("step")) / 20
    assert abs(predict(graph, known, shape_of(shape), batch=20)["pool1"].error(measured)) < 0.25


def test_more_clients_wait_for_the_server_and_another_machine_has_its_own_speed(graph, known):
    one, many = (predict(graph, known, batch=20, clients=clients)["pool1"] for clients in (1, 50))
    assert many.seconds >= 49 * one.parts["server"] and many.parts["server"] == one.parts["server"]
    slow = Profile.from_dict({**known.to_dict(), "forward": {name: 9 * s for name, s in known.forward.items()}})
    apart = predict(graph, slow, server=known, batch=20)["pool1"]
    assert apart.parts["server"] == pytest.approx(one.parts["server"])
    assert apart.parts["client_forward"] == pytest.approx(9 * one.parts["client_forward"])


def test_a_profile_survives_json_and_says_what_it_is_not(graph, known):
    assert Profile.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    with pytest.raises(PlanError, match="not a profile"):
        Profile.from_dict({"batch": 3})
    with pytest.raises(PlanError, match="this profile is of another network: it has no 'conv1'"):
        predict(graph, Profile.from_dict({**known.to_dict(), "forward": {}}))


def test_profiling_changes_neither_the_network_nor_the_random_state(graph, digits):
    before = {name: value.clone() for name, value in graph.model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    profile(graph, 4)
    assert torch.equal(torch.rand(1), expected) and torch.get_num_threads() == 1
    assert all(torch.equal(value, before[name]) for name, value in graph.model.state_dict().items())


class Words(nn.Module):
    """Tokens in, several tensors inside, something written in place."""

    def __init__(self):
        super().__init__()
        self.words, self.rnn, self.out = nn.Embedding(11, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)
        self.between, self.relu = nn.Linear(8, 8), nn.ReLU(inplace=True)

    def forward(self, tokens):
        values, _ = self.rnn(self.words(tokens))
        return self.out(self.relu(self.between(values[:, -1])))


def test_networks_of_any_kind_can_be_profiled():
    graph = sl.trace(Words(), torch.zeros(2, 5, dtype=torch.int64))
    found = predict(graph, profile(graph, 6), batch=6)
    assert set(found) == {cut.name for cut in graph.legal} and all(one.seconds > 0 for one in found.values())


def test_an_error_is_a_share_of_what_was_measured():
    one = Prediction(1.0, 1.0, 0.011, {})
    assert one.error(0.01) == pytest.approx(0.1) and one.error(0.0) == 0.0
