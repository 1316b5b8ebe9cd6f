"""The order of the talk: every state, every word, either side; whatever the tables do not allow is refused."""

import re
from itertools import product

import pytest

from splitlab.errors import LocalOrderError, OrderError, RemoteOrderError
from splitlab.messages import (
    Backward,
    Collect,
    Collected,
    Drop,
    Failure,
    Features,
    Forward,
    Join,
    Leave,
    Message,
    Report,
    Rows,
    Settings,
    Shared,
    Stop,
    TailGradient,
    Watch,
    Weights,
    Welcome,
)
from splitlab.protocol import Order, frame
from splitlab.protocol.order import ABOUT_A_STEP, STEP, TALK, diagram

SAID: dict[str, Message] = {
    "Join": Join("t"),
    "Forward": Forward(0, 1, ()),
    "Forward/evaluate": Forward(0, 1, (), mode="evaluate"),
    "TailGradient": TailGradient(0, (), 0.0, 0),
    "Weights": Weights(0, 1),
    "Report": Report(()),
    "Leave": Leave(),
    "Welcome": Welcome(0, "", ""),
    "Features": Features(0, ()),
    "Backward": Backward(0, (), 0.0, 0),
    "Shared": Shared(0),
    "Shared/last": Shared(0, last=True),
    "Settings": Settings(1, {}),
    "Stop": Stop(),
    "Failure": Failure("", ""),
    "Watch": Watch(),
    "Rows": Rows(0, ()),
    "Drop": Drop(0),
    "Collect": Collect(0),
    "Collected": Collected(0, {}),
}
PLAIN = ["client Forward", "server Backward"]
BEGIN = ["client Join", "server Welcome", "server Shared"]


def talk(*said: str, side: str = "server", **settings: object) -> Order:
    """An order of which this much was said, `client Join` and so on."""
    order = Order(side, **settings)  # type: ignore[arg-type]
    for line in said:
        say(order, *line.split())
    return order


def say(order: Order, who: str, word: str, step: str = "0") -> None:
    message = SAID[word]
    if word in ABOUT_A_STEP:
        message = type(message)(**{**vars(message), "step": int(step)})
    if word == "Join":
        message = Join("t", order.role)
    (order.sent if who == order.side else order.received)(message)


def reach(role: str, u_shaped: bool = False) -> dict[str, list[str]]:
    """For every state of the link a shortest way there, in which no step is opened; found from the table alone."""
    ways: dict[str, list[str]] = {"new": []}
    for _ in range(10):
        for rule in TALK[role]:
            word = rule.words.split()[0]
            if rule.state in ways and rule.next not in ways:
                ways[rule.next] = [*ways[rule.state], f"{rule.side} {word}"]
    return ways


def test_every_word_is_a_message_and_every_message_is_a_word() -> None:
    words = {word for rules in TALK.values() for rule in rules for word in rule.words.split()}
    assert words == set(SAID)
    assert {type(message) for message in SAID.values()} == set(frame.MESSAGES.values())


@pytest.mark.parametrize("role", TALK)
def test_every_state_can_be_reached(role: str) -> None:
    assert set(reach(role)) == {state for rule in TALK[role] for state in (rule.state, rule.next)}


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("role", TALK)
def test_exactly_what_the_table_allows_is_allowed(role: str, side: str) -> None:
    for (state, way), who, word in product(reach(role).items(), ["client", "server"], SAID):
        if word in ABOUT_A_STEP:
            continue
        order = talk(*way, side=side, role=role)
        rules = [rule for rule in TALK[role] if rule[:2] == (state, who) and word in rule.words.split()]
        assert (word in order.allowed(who)) == bool(rules)  # type: ignore[arg-type]
        if rules:
            say(order, who, word)
            assert order.state == rules[0].next
        else:
            with pytest.raises(LocalOrderError if who == side else RemoteOrderError):
                say(order, who, word)
            assert order.state == state


STEP_WAYS = {
    "plain": {"unasked": [], "asked": ["client Forward"], "answered": PLAIN, "shown": ["client Forward/evaluate"]},
    "u_shaped": {
        "unasked": [],
        "asked": ["client Forward"],
        "featured": ["client Forward", "server Features"],
        "returned": ["client Forward", "server Features", "client TailGradient"],
        "answered": ["client Forward", "server Features", "client TailGradient", "server Backward"],
        "shown": ["client Forward/evaluate"],
    },
}


@pytest.mark.parametrize("link", ["training", "finished", "stopping"])
@pytest.mark.parametrize("shape", STEP)
def test_exactly_what_both_tables_allow_about_a_step_is_allowed(shape: str, link: str) -> None:
    for (state, way), who, word in product(STEP_WAYS[shape].items(), ["client", "server"], ABOUT_A_STEP):
        turns = ["server Stop"] if link == "stopping" else []
        if link == "finished":
            if state not in ("unasked", "shown"):
                continue  # a training step cannot be open then
            order = talk("client Join", "server Welcome", "server Shared/last", *way, u_shaped=shape == "u_shaped")
        else:
            order = talk(*BEGIN, *way, *turns, u_shaped=shape == "u_shaped")
        before = "unseen" if word == "Forward/evaluate" and state in ("unasked", "answered") else state
        allowed = any(rule[:2] == (before, who) and word in rule.words.split() for rule in STEP[shape]) and any(
            rule[:2] == (link, who) and word in rule.words.split() for rule in TALK["client"]
        )
        if allowed:
            assert word in order.allowed(who)  # type: ignore[arg-type]
            say(order, who, word)
        else:
            with pytest.raises(OrderError):
                say(order, who, word)


def test_rules_are_deterministic() -> None:
    for rules in [*TALK.values(), *STEP.values()]:
        keys = [(rule.state, rule.side, word) for rule in rules for word in rule.words.split()]
        assert len(keys) == len(set(keys))


def test_a_whole_run_is_in_order_for_both_sides() -> None:
    step = ["client Forward {}", "server Features {}", "client TailGradient {}", "server Backward {}"]
    steps = [line.format(number) for number in range(3) for line in step]
    evaluated = [
        line.format(number) for number in range(3) for line in ("client Forward/evaluate {}", "server Features {}")
    ]
    said = [*BEGIN, *steps, "server Settings", *evaluated, "client Report", "client Weights", "server Shared/last"]
    for side in ("client", "server"):
        order = talk(*said, *evaluated, "client Report", "client Leave", side=side, u_shaped=True)
        assert order.state == "closed" and order.allowed("client") == order.allowed("server") == ()


def test_no_more_steps_are_open_than_the_window() -> None:
    order = talk(*BEGIN, "client Forward 0", "client Forward 1", window=2)
    with pytest.raises(RemoteOrderError):
        say(order, "client", "Forward", "2")
    say(order, "server", "Backward", "0")
    say(order, "client", "Forward", "2")


def test_steps_may_be_answered_in_any_order_but_each_only_once() -> None:
    order = talk(*BEGIN, "client Forward 0", "client Forward 1", "server Backward 1", window=2)
    with pytest.raises(LocalOrderError, match="step 1 is answered"):
        say(order, "server", "Backward", "1")
    say(order, "server", "Backward", "0")


def test_training_and_evaluation_do_not_overlap() -> None:
    order = talk(*BEGIN, "client Forward 0", window=2)
    with pytest.raises(RemoteOrderError):
        say(order, "client", "Forward/evaluate", "5")


def test_a_round_does_not_end_while_a_step_is_open() -> None:
    order = talk(*BEGIN, "client Forward")
    with pytest.raises(RemoteOrderError):
        say(order, "client", "Weights")


def test_an_answered_step_may_be_repeated() -> None:
    order = talk(*BEGIN, "client Forward 3", "server Backward 3", "client Forward 3", "server Backward 3")
    assert order.state == "training"


def test_a_broken_link_is_resumed_where_it_was_left() -> None:
    for side in ("client", "server"):
        order = talk(*BEGIN, "client Forward 5", "server Features 5", "client TailGradient 5", side=side, u_shaped=True)
        order.resumed()
        for line in ("client Join", "server Welcome", "client TailGradient 5", "server Backward 5", "client Forward 6"):
            say(order, *line.split())
        assert order.state == "training"


def test_a_link_that_breaks_twice_is_resumed_where_it_was_left() -> None:
    order = talk(*BEGIN)
    order.resumed()
    say(order, "client", "Join")
    order.resumed()
    say(order, "client", "Join")
    say(order, "server", "Welcome")
    assert order.state == "training"


def test_what_was_not_answered_before_the_link_broke_is_answered_only_when_repeated() -> None:
    order = talk(*BEGIN, "client Forward")
    order.resumed()
    say(order, "client", "Join")
    say(order, "server", "Welcome")
    with pytest.raises(LocalOrderError):
        say(order, "server", "Backward")
    say(order, "client", "Forward")
    say(order, "server", "Backward")


def test_weights_and_shared_may_be_repeated_after_a_broken_link() -> None:
    order = talk(*BEGIN, "client Weights")
    order.resumed()
    for line in ("client Join", "server Welcome", "client Weights", "server Shared", "server Shared"):
        say(order, *line.split())


def test_weights_before_the_first_round_are_refused() -> None:
    with pytest.raises(RemoteOrderError):
        talk("client Join", "server Welcome", "client Weights")


def test_a_closed_link_cannot_be_resumed() -> None:
    with pytest.raises(LocalOrderError, match="new Order"):
        talk(*BEGIN, "client Leave").resumed()


def test_a_fresh_order_resumes_at_the_step_that_welcome_names() -> None:
    order = Order("server", u_shaped=True)
    order.received(Join("t", step=7))
    order.sent(Welcome(0, "", "", step=7))
    order.sent(Shared(0))
    say(order, "client", "TailGradient", "6")
    with pytest.raises(RemoteOrderError):
        talk(*BEGIN, "client TailGradient 6", u_shaped=True)


def test_a_join_for_another_role_is_refused() -> None:
    with pytest.raises(RemoteOrderError):
        Order("server", "observer").received(Join("t", "owner"))
    with pytest.raises(OrderError, match="owner"):
        Order("server", "ovner")


@pytest.mark.parametrize(
    "message", [Forward(-1, 1, ()), Forward(-1, 1, (), mode="evaluate"), Forward(0, 1, (), mode="x")]
)
def test_a_step_that_is_none_and_a_mode_that_is_none_are_refused(message: Message) -> None:
    with pytest.raises(RemoteOrderError):
        talk(*BEGIN).received(message)


def test_after_stop_the_step_in_hand_is_brought_to_its_end() -> None:
    order = talk(*BEGIN, "client Forward", "server Stop", "server Backward", "client Weights", "server Shared/last")
    say(order, "client", "Leave")
    assert order.state == "closed"


def test_memory_is_bounded_by_the_window() -> None:
    order = talk(*BEGIN, window=2)
    for step in range(0, 3000, 2):
        for line in (f"client Forward {step}", f"client Forward {step + 1}", f"server Backward {step + 1}"):
            say(order, *line.split())
        assert repr(order) == f"Order(server, client: training, step {step} asked)"
        say(order, "server", "Backward", str(step))


def test_the_error_says_where_things_stand_and_what_is_allowed() -> None:
    with pytest.raises(RemoteOrderError, match=r"Rows.*training.*may say Failure, Settings, Shared, Stop"):
        talk(*BEGIN, side="client").received(SAID["Rows"])
    with pytest.raises(RemoteOrderError) as error:
        Order("server").received(Watch())
    assert "Watch" in str(error.value) and "new" in str(error.value) and "Join" in str(error.value)


@pytest.mark.parametrize("role", TALK)
@pytest.mark.parametrize("u_shaped", [False, True])
def test_the_diagram_shows_every_rule(role: str, u_shaped: bool) -> None:
    text = diagram(role, u_shaped)
    rules = TALK[role] + (STEP["u_shaped" if u_shaped else "plain"] if role == "client" else ())
    for rule in rules:
        (line,) = re.findall(rf"^ +{rule.state} --> {rule.next} : .*$", text, re.MULTILINE)
        assert rule.side in line and all(word in re.split(r"[ ,]+", line) for word in rule.words.split())
    assert text.count("\n") < 40
