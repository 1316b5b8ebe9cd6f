"""Promise 4: whoever breaks the rules is told so and hung up on; the server and the other clients go on."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import replace

import pytest
import torch

import splitlab as sl
from splitlab import link as links
from splitlab.codec import codec
from splitlab.errors import LinkClosed
from splitlab.history import History
from splitlab.link import WebSocketListener, connect
from splitlab.messages import (
    Backward,
    Collect,
    Drop,
    Failure,
    Features,
    Forward,
    Join,
    Packed,
    Report,
    Settings,
    Shared,
    Stop,
    TailGradient,
    Watch,
    Weights,
    Welcome,
)
from splitlab.protocol import frame
from splitlab.server import Server, serve, token

SECRET = "a secret"
SHAPE = (2, 4, 4)  # of what crosses this cut of this network


class Stage:
    """A server behind a real socket, in a thread, and ends that say whatever a test wants."""

    def __init__(self, data, **settings):
        self.plan = sl.Plan(model="lenet(width=2)", cut="pool1", clients=2, sharing="none", epochs=1, **settings)
        graph = sl.trace(sl.models.load(self.plan.model, data), data.example)
        self.split = graph.split(self.plan.cut, self.plan.tail)
        shapes = [graph.shape(name) for name in self.split.body.inputs]
        assert shapes == [SHAPE]
        self.history = History()
        self.server = Server(self.plan, self.split, shapes, len(data.classes), SECRET, self.history)
        self.listener = WebSocketListener()
        self.thread = threading.Thread(target=serve, args=(self.listener, self.server))
        self.thread.start()
        self.ends = []

    def end(self):
        self.ends.append(End(self.listener.url))
        return self.ends[-1]

    def client(self, number, **fields):
        end = self.end()
        end.say(replace(Join(token(SECRET, "client", number), "client", number), **fields))
        assert isinstance(end.hear(), Welcome)
        return end

    def training(self):
        """Two clients that may begin."""
        pair = [self.client(0), self.client(1)]
        for end in pair:
            assert isinstance(end.hear(), Shared)
        return pair

    def close(self):
        for end in self.ends:
            end.link.close()
        self.server.over = True
        self.thread.join(5)
        assert not self.thread.is_alive()


class End:
    def __init__(self, url):
        self.link = connect(url)

    def say(self, message):
        self.link.send(message if isinstance(message, bytes) else frame.encode(message))

    def hear(self, timeout=5):
        received = self.link.receive(timeout)
        return received and frame.decode(received[0])

    def is_refused(self, *words):
        """A Failure with these words, and then the end of the link."""
        failure = self.hear()
        assert isinstance(failure, Failure), failure
        assert all(word in f"{failure.error}: {failure.text}" for word in words), failure
        assert self.is_closed()

    def is_closed(self, timeout=5):
        with pytest.raises(LinkClosed):
            while self.link.receive(timeout) is not None:
                pass
            raise AssertionError("still open")
        return True


@pytest.fixture
def stage(small):
    made = Stage(small)
    yield made
    made.close()


@pytest.fixture
def u_stage(small):
    made = Stage(small, tail="fc1")
    yield made
    made.close()


def forward(step=0, samples=4, shape=SHAPE, **fields):
    packed = codec("float32").encode(torch.rand(samples, *shape))
    return replace(Forward(step, samples, (packed,), torch.arange(samples) % 10), **fields)


def still_served(end, step=0):
    end.say(forward(step))
    answer = end.hear()
    assert isinstance(answer, Backward) and answer.step == step and answer.gradients
    return True


# ---- at the door -----------------------------------------------------------------------------------------------------

JOIN = Join(token(SECRET, "client", 0), "client", 0)
STRANGERS = {
    "a wrong token": (replace(JOIN, token="0" * 64), "token is wrong"),
    "no token": (replace(JOIN, token=""), "token is wrong"),
    "a token that is no ASCII": (replace(JOIN, token="ü"), "token is wrong"),
    "the token of another client": (replace(JOIN, client=1), "token is wrong"),
    "the token of a client for an owner": (replace(JOIN, role="owner", client=-1), "token is wrong"),
    "an unknown role": (Join(token(SECRET, "king"), "king"), "unknown role 'king'"),
    "a client that the plan does not know": (Join(token(SECRET, "client", 2), "client", 2), "numbered from 0 to 1"),
    "another word than Join": (forward(), "expected Join as the first word"),
    "garbage": (b"\x00" * 100, "FrameError"),
    "a text of JSON": (b'{"hello": 1}', "FrameError"),
    "half a frame": (frame.encode(JOIN)[:-9], "FrameError"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_at_the_door_is_refused(case, stage):
    pair = stage.training()
    message, words = STRANGERS[case]
    stranger = stage.end()
    stranger.say(message)
    stranger.is_refused(words)
    assert all(still_served(end) for end in pair)


def test_a_stranger_may_not_send_much(stage):
    pair = stage.training()
    stranger = stage.end()
    stranger.say(b"\x00" * (links.STRANGER_LIMIT + 1))
    assert stranger.is_closed()
    assert all(still_served(end) for end in pair)


def test_a_stranger_who_says_nothing_is_hung_up_on(stage, monkeypatch):
    monkeypatch.setattr(links, "PATIENCE_SECONDS", 0.2)
    pair = stage.training()
    assert stage.end().is_closed(2)
    assert all(still_served(end) for end in pair)


def test_a_frame_beyond_the_limit_closes_the_link(stage, monkeypatch):
    monkeypatch.setattr(links, "FRAME_LIMIT", 200_000)
    (liar, other) = stage.training()
    liar.say(b"\x00" * 200_001)
    assert liar.is_closed()
    assert still_served(other)


def test_a_token_is_never_shown(stage):
    stage.training()
    secrets = [SECRET, *(token(SECRET, "client", number) for number in (0, 1))]
    shown = repr([Join(secrets[1], "client", 0), list(stage.history), stage.server.peers, stage.server])
    assert "joined" in shown and not [secret for secret in secrets if secret in shown]


# ---- among those who were admitted -----------------------------------------------------------------------------------


def weights_of(split):
    return {f"head.{name}": value for name, value in split.head.state_dict().items()}


LIES = {
    "garbage": (b"\x01" * 64, "FrameError"),
    "a word of the server's": (Shared(1), "RemoteOrderError", "may say"),
    "Join again": (JOIN, "RemoteOrderError"),
    "a TailGradient where there is no tail": (TailGradient(0, (), 0.0, 0), "RemoteOrderError"),
    "an owner's word": (Stop("me"), "RemoteOrderError"),
    "activations of another shape": (forward(shape=(2, 4, 5)), "this cut carries [(4, 2, 4, 4)]"),
    "more samples than there are": (forward(samples=3, labels=torch.arange(4)), "expected 3 whole labels"),
    "no samples": (Forward(0, 0, (codec("float32").encode(torch.rand(0, *SHAPE)),), torch.arange(0)), "carries"),
    "no activations": (Forward(0, 4, (), torch.arange(4)), "this cut carries"),
    "whole numbers as activations": (
        Forward(
            0, 4, (Packed("raw", (4, *SHAPE), {"values": torch.ones(4, *SHAPE, dtype=torch.int64)}),), torch.arange(4)
        ),
        "RuntimeError",
    ),
    "an unknown codec": (Forward(0, 4, (Packed("zip", (4, *SHAPE), {}),), torch.arange(4)), "unknown codec"),
    "labels as floats": (forward(labels=torch.rand(4)), "whole labels"),
    "a label that is no class": (forward(labels=torch.tensor([0, 1, 2, 10])), "from 0 to 9"),
    "a negative label": (forward(labels=torch.tensor([0, 1, 2, -100])), "from 0 to 9"),
    "no labels": (forward(labels=None), "labels come from the client"),
    "settings that were never said": (forward(settings=1), "version 1 was never said"),
    "settings before the first": (forward(settings=-1), "version -1 was never said"),
    "an unknown mode": (forward(mode="cheat"), "RemoteOrderError"),
    "a step below zero": (forward(step=-1), "RemoteOrderError"),
    "weights of another round": (Weights(3, 0), "not in that round"),
    "samples that were not trained on": (Weights(0, 10**9), "trained on 0 samples"),
    "weights of another network": (Weights(0, 0, {"head.conv1.weight": torch.rand(2, 2)}), "expected the weights of"),
}


@pytest.mark.parametrize("case", LIES)
def test_among_clients_is_refused(case, stage):
    liar, other = stage.training()
    message, *words = LIES[case]
    liar.say(message)
    liar.is_refused(*words)
    assert still_served(other) and still_served(other, 1)
    (left,) = stage.history.select("left")
    assert left.client == 0 and left.value


def test_weights_that_are_not_finite_are_refused(stage):
    liar, other = stage.training()
    weights = {name: value * float("nan") for name, value in weights_of(stage.split).items()}
    liar.say(Weights(0, 0, weights))
    liar.is_refused("client 0's weights are not finite", "Lower the learning rate")
    assert still_served(other)


@pytest.mark.parametrize("fill", [float("nan"), float("inf")])
def test_a_tails_gradient_that_is_not_finite_is_refused(fill, u_stage):
    liar, other = u_stage.training()
    liar.say(forward(labels=None))
    (features,) = liar.hear().features
    gradient = codec("float32").encode(torch.full(features.shape, fill))
    liar.say(TailGradient(0, (gradient,), 1.0, 0))
    liar.is_refused("not finite")
    other.say(forward(labels=None))
    assert isinstance(other.hear(), Features)


U_LIES = {
    "labels": (forward(), "labels stay on the client"),
    "a tail's gradient for no step": (TailGradient(0, (), 0.0, 0), "RemoteOrderError"),
}


@pytest.mark.parametrize("case", U_LIES)
def test_in_a_u_shaped_split_is_refused(case, u_stage):
    liar, other = u_stage.training()
    message, *words = U_LIES[case]
    liar.say(message)
    liar.is_refused(*words)
    other.say(forward(labels=None))
    assert isinstance(other.hear(), Features)


def test_a_report_cannot_speak_for_another_client_or_for_the_run(stage):
    liar, _ = stage.training()
    liar.say(Report(((1.0, 1, 0, 0, "loss", 9.0, ""), (2.0, -1, 0, 0, "state", "finished", "state"))))
    assert still_served(liar)
    assert [row.client for row in stage.history if row.name in ("loss", "state")] == [0, 0]


def test_rows_that_are_said_again_count_once(stage):
    end, _ = stage.training()
    rows = ((1.0, 0, 0, 0, "loss", 9.0, ""), (2.0, 0, 0, 1, "loss", 8.0, ""))
    for said in (rows[:1], rows):
        end.say(Report(said))
    assert still_served(end)
    assert [row.value for row in stage.history.select("loss")] == [9.0, 8.0]


def test_a_second_connection_for_a_client_takes_the_place_of_the_first(stage):
    first, other = stage.training()
    second = stage.client(0)
    assert first.is_closed()
    assert isinstance(second.hear(), Shared)
    assert still_served(second) and still_served(other)


def test_a_step_that_is_said_again_counts_once(stage):
    first, _ = stage.training()
    asked = forward()
    first.say(asked)
    answer = first.hear()
    first.link.close()
    again = stage.client(0)
    assert isinstance(again.hear(), Shared)
    before = [value.clone() for value in stage.server.rounds.sessions[0].body.part.parameters()]
    again.say(asked)
    repeated = again.hear()
    assert repeated.loss == answer.loss
    assert torch.equal(repeated.gradients[0].tensors["values"], answer.gradients[0].tensors["values"])
    after = stage.server.rounds.sessions[0].body.part.parameters()
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_a_client_that_lost_its_state_is_told_so(stage):
    first, other = stage.training()
    assert still_served(first) and still_served(first, 1)
    first.link.close()
    fresh = stage.end()
    fresh.say(JOIN)
    fresh.is_refused("client 0 lost its state at step 2")
    assert still_served(other)


def test_an_observer_may_only_watch(stage):
    pair = stage.training()
    for word in (Stop(), Settings(0, {"codec": "int8"}), Drop(1), Collect(0), forward()):
        observer = stage.end()
        observer.say(Join(token(SECRET, "observer"), "observer"))
        assert isinstance(observer.hear(), Welcome)
        observer.say(Watch(0))
        assert [row[4] for row in observer.hear().rows][:2] == ["joined", "joined"]
        observer.say(word)
        observer.is_refused("RemoteOrderError", "may say Leave, Watch")
    assert all(still_served(end) for end in pair)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (Drop(7), "no client 7"),
        (Collect(7), "no client 7"),
        (Settings(0, {"epochs": 3}), "unknown live setting 'epochs'"),
        (Settings(0, {"codec": "zip"}), "unknown codec 'zip'"),
    ],
)
def test_an_owner_that_asks_for_what_cannot_be_is_told_so_and_the_server_ends(word, text, stage):
    stage.training()
    owner = stage.end()
    owner.say(Join(token(SECRET, "owner"), "owner"))
    assert isinstance(owner.hear(), Welcome)
    owner.say(word)
    owner.is_refused(text)
    stage.thread.join(5)
    assert not stage.thread.is_alive()


def test_a_client_whose_link_is_gone_for_long_is_not_waited_for(stage, monkeypatch):
    from splitlab import server

    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.3)
    gone, other = stage.training()
    gone.link.close()
    deadline = time.monotonic() + 5
    while not stage.history.select("left") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [row.client for row in stage.history.select("left")] == [0]
    assert still_served(other)


def test_the_server_keeps_no_tensor_of_a_finished_step(stage):
    end, _ = stage.training()

    def kept(steps):
        for step in steps:
            assert still_served(end, step)
        gc.collect()
        return sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects())

    few = kept(range(5))
    assert kept(range(5, 40)) <= few + 4
