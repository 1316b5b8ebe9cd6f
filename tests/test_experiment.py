import pytest

import splitlab as sl
from splitlab.errors import PlanError
from splitlab.experiment import Experiment, Recorded
from splitlab.plan import Plan


@pytest.fixture(scope="module")
def lenet():
    return Experiment("lenet", "digits", Plan(batch_size=16))


def test_before_the_network_was_timed_a_cut_costs_bytes_and_no_time(lenet):
    costs, tails = lenet.costs(lenet.plan)
    assert list(costs) == [cut.name for cut in lenet.graph.legal] and tails == {}
    assert costs["pool1"]["up"] == pytest.approx(16 * 4 * 4 * 4, rel=0.05) and costs["pool1"]["seconds"] is None


def test_after_it_was_timed_a_slower_link_costs_more_time_and_the_same_bytes(lenet):
    lenet.study()
    fast, _ = lenet.costs(lenet.plan)
    slow, _ = lenet.costs(lenet.plan.change(link="shape(1, 1, 100)"))
    assert slow["pool1"]["up"] == fast["pool1"]["up"]
    assert slow["pool1"]["seconds"] > fast["pool1"]["seconds"] + 2 * 0.1 / 16  # two ways, for a batch of 16


def test_a_u_shape_has_costs_for_every_tail_behind_its_cut(lenet):
    heads, tails = lenet.costs(lenet.plan.change(cut="pool1", tail="fc1"))
    assert "relu1" in heads and "fc2" not in heads
    assert "relu2" in tails and "relu1" not in tails
    assert heads["pool1"]["up"] == tails["fc1"]["up"]


def test_what_the_lab_was_given_as_an_object_is_fixed_in_it():
    data = sl.load_data("digits")
    assert Experiment("lenet", "digits", Plan()).fixed == {}
    own = Experiment(sl.models.mlp(data), data, Plan())
    assert set(own.fixed) == {"model", "data"} and own.plan.model == own.drawing["model"]


def test_a_recording_is_asked_the_same_things_and_a_file_that_is_none_is_refused(tmp_path):
    sl.start("lenet", "digits", on="thread", clients=1, epochs=1, record=tmp_path / "a.jsonl").wait(progress=False)
    recorded = Recorded(tmp_path / "a.jsonl", speed=float("inf"))
    assert recorded.plan.cut == "pool1" and recorded.costs(recorded.plan)[0]["pool1"]["up"] > 0
    assert recorded.start(recorded.plan).history.select("step")
    with pytest.raises(PlanError, match=r"nothing\.jsonl"):
        Recorded(tmp_path / "nothing.jsonl")


def test_a_recording_of_rows_alone_is_refused_with_what_can_be_done(tmp_path):
    history = sl.History()
    history.add([(1.0, 0, 0, 0, "loss", 1.0, "")])
    history.save(tmp_path / "rows.jsonl")
    with pytest.raises(PlanError, match="LiveCharts"):
        Recorded(tmp_path / "rows.jsonl")
