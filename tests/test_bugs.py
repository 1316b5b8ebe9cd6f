"""Old bugs, each with its story, so that none comes back."""

import pytest
import torch
from relay import Through

import splitlab as sl
from splitlab.client import Client
from splitlab.history import History
from splitlab.messages import Backward, Forward, Settings
from splitlab.session import Session, _settle

PLAN = sl.Plan(model="lenet(width=2)", cut="pool1", clients=1, epochs=1, batch_size=50, evaluate=False)


def test_a_link_that_broke_on_the_very_first_answer_was_taken_for_a_restart(small):
    """Join said step 0, the server had answered it: "lost its state at step 1". Within step 0 nothing is lost yet."""
    quiet = Through()
    undisturbed = sl.start(None, small, PLAN, on=quiet).wait(30, progress=False).model.state_dict()
    passed = sum(len(relay.up) + len(relay.down) for relay in quiet.relays.values())
    for size in range(passed // 8, passed * 3 // 4, passed // 8):
        broken = Through(lambda client, size=size: iter([size]))
        model = sl.start(None, small, PLAN, on=broken).wait(30, progress=False).model.state_dict()
        assert broken.breaks == 1 and all(torch.equal(value, undisturbed[name]) for name, value in model.items())
        broken.close()
    quiet.close()


def test_a_resume_that_came_while_a_paused_client_reported_was_waited_for_for_ever():
    """The report's look at the link took it in; then the client waited for the next word, and there was none."""
    client = Client(0, "t", lambda plan: None)
    client.plan, client.halves = PLAN.change(paused=True), {}
    client._write({"loss": (1.0, "")})
    talk = client._between_steps()
    assert [row[4] for row in next(talk).rows] == ["loss"]
    client.hear(Settings(1, {"paused": False}))
    said = list(talk)
    assert None not in said and client.plan.paused is False


def test_a_change_of_codec_set_the_learning_rate_back_to_where_its_schedule_had_begun():
    class Body:
        version, rates = 0, ()

        def set_rate(self, rate):
            self.rates += (rate,)

    body, plan = Body(), PLAN.change(learning_rate=0.1)
    plans = [plan, plan.change(codec="int8"), plan.change(codec="int8", learning_rate=0.2)]
    _settle(body, 1, plans)
    assert body.rates == ()
    _settle(body, 2, plans)
    assert body.rates == (0.2,)


def test_an_answer_that_was_said_again_carried_the_times_of_the_first(small):
    """So that up took negative time, and the clocks seemed to have drifted apart."""
    session = Session(0, None, [PLAN])
    asked = Forward(3, 1, ())
    session.close("train", asked, Backward(3, (), 1.0, 0, {"arrived": -9.0, "started": -9.0, "ended": -8.0}))
    again = session.again(asked)
    assert again.loss == 1.0 and min(again.seconds.values()) > 0


def test_the_news_of_a_long_history_cost_a_walk_through_all_of_it():
    history = History(capacity=10**6)
    history.add([(0.0, 0, 0, 0, "loss", 1.0, "")] * 200_000)
    assert len(history.since(199_999)) == 1 and history.since(200_000) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_rows", OnlyTheEnd(history._rows))
        assert len(history.since(199_990)) == 10


class OnlyTheEnd:
    """Rows that may be read backwards only."""

    def __init__(self, rows):
        self.rows = rows

    def __reversed__(self):
        return reversed(self.rows)
