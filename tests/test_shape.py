"""A link's shape has a text, and a link that has it is as slow as it says, to the byte and in order."""

import time
from statistics import median

import pytest
import torch

import splitlab as sl
from splitlab.errors import HungUp, LinkClosed, PlanError
from splitlab.link import wire_size
from splitlab.measure import PARTS
from splitlab.places import Thread
from splitlab.shape import ABOUT, PRESETS, Shape, shape_of
from splitlab.shaped import ShapedLink

PLAN = sl.Plan(model="lenet(width=2)", cut="pool1", clients=1, epochs=1, batch_size=10, test_samples=20)


class Wire:
    """A real link of no delay, with a clock that only waiting moves."""

    def __init__(self):
        self.now, self.sent, self.coming = 0.0, [], []
        self.broken = False

    def clock(self):
        return self.now

    def send(self, frame):
        if self.broken:
            raise LinkClosed("cut")
        self.sent.append((round(self.now, 6), frame))
        return wire_size(len(frame), masked=True)

    def receive(self, timeout=None):
        if self.coming and self.coming[0][0] <= self.now + (timeout if timeout is not None else 1e9):
            at, frame = self.coming.pop(0)
            self.now = max(self.now, at)
            return frame, wire_size(len(frame), masked=False)
        if self.broken:
            raise HungUp("gone")
        self.now += timeout
        return None

    def close(self):
        self.sent.append((round(self.now, 6), None))


@pytest.fixture
def wire():
    return Wire()


def shaped(wire, *values):
    return ShapedLink(wire, Shape(*values), clock=wire.clock)


def test_a_frame_takes_its_size_by_the_speed_and_then_the_latency(wire):
    link = shaped(wire, 0.8, 1.6, 50)  # 100,000 bytes a second up, twice as many down
    assert link.send(b"x" * 9992) == 10_000 and wire.sent == []
    wire.coming = [(0.0, b"y" * 19_996)]
    assert link.receive(1) == (b"y" * 19_996, 20_000) and wire.now == pytest.approx(0.15)
    assert wire.sent == [(0.15, b"x" * 9992)]


def test_frames_wait_for_the_wire_and_never_overtake(wire):
    link = shaped(wire, 0.8, None, 10, 40)
    for number in range(20):
        link.send(bytes([number]) * 992)
    assert link.receive(5) is None and wire.now == pytest.approx(5)
    times = [at for at, _ in wire.sent]
    assert [frame[0] for _, frame in wire.sent] == list(range(20)) and times == sorted(times)
    delays = [at - 0.01 * (number + 1) for number, at in enumerate(times)]
    assert min(delays) >= 0.01 and max(delays) <= 0.051 and max(delays) - min(delays) > 0.01


def test_the_jitter_is_the_same_again(wire):
    def times(seed):
        other = Wire()
        link = ShapedLink(other, Shape(jitter_ms=30), seed=seed, clock=other.clock)
        for _ in range(5):
            link.send(b"x")
            link.receive(1)
        return [at for at, _ in other.sent]

    assert times("a") == times("a") != times("b")


def test_waiting_no_longer_than_asked_is_kept(wire):
    link = shaped(wire, None, None, 200)
    wire.coming = [(0.0, b"late")]
    assert link.receive(0) is None and link.receive(0.05) is None and wire.now == pytest.approx(0.05)
    assert link.receive(0.1) is None and wire.now == pytest.approx(0.15)
    assert link.receive(0.1) == (b"late", 6) and wire.now == pytest.approx(0.2)


def test_what_has_arrived_is_still_delivered_from_a_link_that_broke(wire):
    link = shaped(wire, None, None, 100)
    wire.coming = [(0.0, b"last words")]
    link.send(b"never mind")
    wire.broken = True
    assert link.receive(0) is None
    link._clock = iter(range(100)).__next__
    assert link.receive(5) == (b"last words", 12)
    with pytest.raises(LinkClosed):
        link.receive(5)
    with pytest.raises(LinkClosed):
        link.send(b"anyone?")


def test_closing_and_hurrying_deliver_what_is_on_the_wire_at_once(wire):
    link = shaped(wire, 0.001, None, 1000)
    link.send(b"one")
    link.hurry()
    assert wire.sent == [(0.0, b"one")] and not link.shape
    link.shape = Shape(0.001)
    link.send(b"two")
    link.close()
    assert wire.sent == [(0.0, b"one"), (0.0, b"two"), (0.0, None)]


def test_a_shape_has_a_text_and_presets_have_names():
    assert PLAN.link == "none" and not shape_of("none") and set(ABOUT) == set(PRESETS)
    assert shape_of("shape(10, 50, 20, 5)") == Shape(10, 50, 20, 5) == shape_of(str(Shape(10, 50, 20, 5)))
    assert shape_of("shape(None, latency_ms=7)") == Shape(latency_ms=7) and shape_of("lora").up_mbps < 0.1
    assert Shape(8, 16, 5, 10).seconds(1_000_000, "up") == pytest.approx(1.01)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5g", "unknown link '5g'. Did you mean '4g'"),
        ("speed(3)", "unknown link"),
        ("shape(0)", "up_mbps is 0: expected 0.001 or more, or None"),
        ("shape(1, 1, -1)", "latency_ms is -1: expected 0 to 5000"),
        ("shape(1, 1, 'x')", "latency_ms is 'x'"),
        ("shape(1, 2, 3, 4, 5)", "too many positional arguments"),
        ("shape(", "cannot read"),
    ],
)
def test_a_link_that_cannot_be_is_refused(text, says):
    with pytest.raises(PlanError) as refused:
        sl.Plan(link=text)
    assert says in str(refused.value)


@pytest.mark.parametrize("socket", [False, True], ids=["memory", "socket"])
@pytest.mark.parametrize("tail", [None, "fc1"], ids=["plain", "u_shaped"])
def test_a_slow_link_changes_the_time_and_nothing_else(socket, tail, small):
    plan = PLAN.change(tail=tail)
    fast = sl.start(None, small, plan, on=Thread(socket)).wait(60, progress=False)
    slow = sl.start(None, small, plan, on=Thread(socket), link="shape(2, 4, 8)").wait(60, progress=False)
    mine, theirs = slow.model.state_dict(), fast.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    steps = [{row.name: row.value for row in slow.history if row.step == step} for step in range(10)]
    assert 0.95 <= median(sum(row.get(part, 0.0) for part in PARTS) / row["step"] for row in steps) <= 1.0001
    for row in steps:
        messages = 2 if tail else 1
        assert row["up"] >= messages * 0.008 + row["bytes_up"] * 8 / 2e6
        assert row["down"] >= messages * 0.008 + row["bytes_down"] * 8 / 4e6 - 1e-3


def test_a_link_becomes_slow_live_from_the_step_that_the_history_names(small):
    run = sl.start(None, small, PLAN.change(epochs=100_000, evaluate=False), on="thread")
    while len(run.history.select("step")) < 5:
        time.sleep(0.01)
    run.set(link="shape(None, None, 15)")
    while (
        not run.history.select("link") or run.history.select("step")[-1].step < run.history.select("link")[0].step + 4
    ):
        time.sleep(0.01)
    run.stop()
    run.wait(20, progress=False)
    (setting,) = run.history.select("link")
    times = {row.step: row.value for row in run.history.select("up")}
    assert (setting.value, setting.unit) == ("shape(None, None, 15)", "setting")
    assert all(seconds >= 0.015 for step, seconds in times.items() if setting.step <= step < max(times))
    assert median(seconds for step, seconds in times.items() if step < setting.step) < 0.01


def test_stopping_does_not_wait_for_a_slow_link(small):
    run = sl.start(None, small, PLAN.change(link="shape(0.001, 0.001, 5000)", epochs=9), on="thread")
    while run.status()["state"] == "starting" and not run.history.select("joined"):
        time.sleep(0.01)
    run.stop()
    assert run.wait(15, progress=False).state == "stopped"
