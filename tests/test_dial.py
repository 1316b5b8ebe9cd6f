"""Promise 3, for the link: cut it anywhere, and the run goes on to the very same weights; bytes are what passed."""

from __future__ import annotations

import random
import threading

import pytest
import torch
from relay import Through
from ways import each_way

import splitlab as sl
from splitlab import dial
from splitlab.client import Client
from splitlab.errors import LinkClosed, RunError
from splitlab.link import MemoryListener, length, whole, wire_size
from splitlab.messages import Leave, Report
from splitlab.protocol import frame

PLAN = sl.Plan(
    model="lenet(width=2)", clients=2, epochs=2, batch_size=16, partition="sizes(2, 1)", cut="pool1", test_samples=40
)
SHARINGS = ("relay", "average", "shared_body", "pooled", "none")
FIGURES = ("loss", "accuracy", "samples", "test_loss", "test_accuracy")


def figures(run):
    """What was learnt, row by row: none may be missing, none twice."""
    return sorted(row[2:7] for row in run.history if row.name in FIGURES)


def weights(run):
    return [run.model_of(client).state_dict() for client in range(run.plan.clients)]


def assert_same(run, other):
    assert figures(run) == figures(other)
    for mine, theirs in zip(weights(run), weights(other), strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@each_way("fc1")
def test_a_link_that_breaks_anywhere_changes_nothing(sharing, tail, small):
    plan = PLAN.change(sharing=sharing, tail=tail)
    undisturbed = sl.start(None, small, plan, on="thread").wait(60, progress=False)

    def cuts(client):
        """From within the first words to within the last ones, wherever that falls."""
        chance = random.Random(f"{sharing} {tail} {client}")
        return (chance.randrange(700, 20_000) for _ in range(14))

    place = Through(cuts)
    run = sl.start(None, small, plan, on=place).wait(60, progress=False)
    place.close()
    assert place.breaks > 4
    assert_same(run, undisturbed)


SAID = ("Forward", "TailGradient", "Weights", "Report", "Leave", "Features", "Backward", "Shared")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("word", SAID)
def test_a_link_that_breaks_on_any_word_changes_nothing(word, when, small, monkeypatch):
    """The client loses the word: its own before it was sent or before it was answered, the server's on its way."""
    plan = PLAN.change(sharing="average", tail="fc1")
    undisturbed = sl.start(None, small, plan, on="thread").wait(60, progress=False)
    broken = breaking(word, when == "after", monkeypatch)
    run = sl.start(None, small, plan, on="thread").wait(60, progress=False)
    assert broken
    assert_same(run, undisturbed)


def breaking(word, after, monkeypatch):
    """Make the links of clients break on every third frame of this word."""
    broken, seen = [], []
    connect = dial.connect

    def breaks(data):
        if type(frame.decode(whole(data))).__name__ != word:
            return False
        seen.append(data)
        if len(seen) % 3 == 1:
            broken.append(word)
            return True
        return False

    class Fragile:
        def __init__(self, url):
            self.link = connect(url)

        def send(self, data):
            hit = breaks(data)
            size = self.link.send(data) if after or not hit else 0
            return self.cut() if hit else size

        def receive(self, timeout=None):
            received = self.link.receive(timeout)
            return self.cut() if received and breaks(received[0]) else received

        def cut(self):
            self.link.close()
            raise LinkClosed("cut")

        def close(self):
            self.link.close()

    monkeypatch.setattr(dial, "connect", Fragile)
    return broken


def test_every_byte_on_the_wire_stands_in_a_row(small, monkeypatch):
    """All but the handshakes and the words that nothing follows: the last Report, Leave, the closing frames."""
    last = {}
    pieces = frame.pieces

    def watched(message):
        data = pieces(message)
        if isinstance(message, Report | Leave) and threading.current_thread().name == "splitlab client":
            last[type(message)] = wire_size(length(data), masked=True)
        return data

    monkeypatch.setattr(frame, "pieces", watched)
    place = Through()
    run = sl.start(None, small, PLAN.change(clients=1, partition="iid", tail="fc1"), on=place).wait(60, progress=False)
    (relay,) = place.relays.values()
    place.close()
    ends = {"up": sum(last.values()) + 2 + 4 + 2, "down": 2 + 2}  # a closing frame: head, mask if from a client, code
    for way, seen in (("up", relay.up), ("down", relay.down)):
        passed = len(seen) - seen.index(b"\r\n\r\n") - 4 - ends[way]
        assert passed == sum(row.value for row in run.history if row.name.endswith(f"_{way}"))


def test_the_parts_of_a_step_add_up_to_its_wall_time(small):
    run = sl.start(None, small, PLAN.change(clients=1, partition="iid", batch_size=10), on="thread").wait(
        60, progress=False
    )
    from splitlab.measure import PARTS

    steps = {}
    for row in run.history:
        if row.name in (*PARTS, "step"):
            steps.setdefault(row.step, {})[row.name] = row.value
    ratios = sorted(sum(step[part] for part in step if part != "step") / step["step"] for step in steps.values())
    assert len(ratios) == 20 and 0.95 <= ratios[10] <= 1.0001 and ratios[0] > 0.8
    assert all(value >= 0 for step in steps.values() for value in step.values())


def test_a_server_that_does_not_answer_any_more_is_given_up(monkeypatch):
    monkeypatch.setattr(dial, "PATIENCE_SECONDS", 0.1)
    listener = MemoryListener()
    line = dial.Line(Client(0, "t", lambda plan: None), listener.url)
    listener._all.pop(listener.url)
    with pytest.raises(RunError, match="has not answered"):
        line._redial()


def test_a_cancelled_client_ends_wherever_it_waits():
    listener = MemoryListener()
    client = Client(0, "t", lambda plan: None)
    failed = []

    def work():
        try:
            dial.converse(client, listener.url)
        except RunError as error:
            failed.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    listener.events.get(timeout=5)  # it said Join, and waits
    client.cancelled = True
    thread.join(2)
    assert not thread.is_alive() and failed == ["client 0 was cancelled"]


def test_a_client_that_the_server_hung_up_on_does_not_dial_again():
    listener = MemoryListener()
    line = dial.Line(Client(0, "t", lambda plan: None), listener.url)
    listener.drop(0)
    with pytest.raises(RunError, match="hung up on client 0"):
        line.exchange(None)
