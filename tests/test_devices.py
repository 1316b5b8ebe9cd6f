"""The devices panel sends what seldom changes apart from what changes with every step."""

import json

import pytest

from splitlab.plan import Plan
from splitlab.standing import Standing
from splitlab.widgets.devices import LOG_LINES, Devices

DEVICE = {
    "name": "client 0",
    "role": "client",
    "state": "training",
    "facts": {"cores": 4},
    "last_seen": 12.9,
    "bytes_up": 5,
    "bytes_down": 6,
    "epoch": 1,
    "step": 2,
    "memory": None,
    "log": "",
    "error": "",
}


def test_a_step_sends_figures_only():
    devices, changes = Devices(), []
    devices.show([DEVICE])
    devices.observe(lambda change: changes.append(change.name), ["machines", "figures"])
    devices.show([DEVICE | {"step": 3, "bytes_up": 9, "last_seen": 13.1}])
    assert changes == ["figures"] and devices.figures == {"client 0": [13, 9, 6, 1, 3, None]}
    devices.show([DEVICE | {"step": 3, "bytes_up": 9, "last_seen": 13.4}])
    assert changes == ["figures"]
    devices.show([DEVICE | {"step": 3, "bytes_up": 9, "last_seen": 13.4, "state": "dead"}])
    assert changes == ["figures", "machines"] and devices.devices[0]["state"] == "dead"


def test_forty_clients_cost_little_with_every_step():
    devices = Devices()
    devices.show([DEVICE | {"name": f"client {n}", "bytes_up": 10**9, "memory": 3e8} for n in range(40)])
    assert len(json.dumps(devices.figures)) < 4000


def test_only_the_last_lines_of_a_log_travel():
    devices = Devices()
    devices.show([DEVICE | {"log": "\n".join(map(str, range(500)))}])
    assert devices.machines[0]["log"].splitlines() == [str(n) for n in range(500 - LOG_LINES, 500)]


def test_the_way_to_a_kernel_stays_in_python():
    devices = Devices()
    devices.show([DEVICE | {"connection_file": "kernel.json"}])
    assert "connection_file" not in devices.machines[0] and devices.devices[0]["connection_file"] == "kernel.json"


def test_what_a_standing_says_is_shown():
    devices = Devices()
    devices.show(Standing(Plan(), [3, 3]).devices())
    assert [machine["name"] for machine in devices.machines] == ["server", "client 0", "client 1"]
    json.dumps([devices.machines, devices.figures])


@pytest.mark.parametrize("kind", ["kill", "restart", "console"])
def test_what_the_user_did_is_answered_at_once_and_passed_on(kind, monkeypatch):
    devices, messages, heard = Devices(), [], []
    monkeypatch.setattr(devices, "send", lambda content, buffers=None: messages.append(content))
    devices.on_event(heard.append)
    devices._handle_custom_msg({"type": kind, "name": "client 0", "id": "a-1"}, [])
    assert heard == [{"type": kind, "name": "client 0"}] and messages == [{"type": "heard", "id": "a-1"}]
    devices.answer("client 0", "abc")
    assert messages[1] == {"type": "console", "name": "client 0", "connection": "abc", "problem": ""}


@pytest.mark.parametrize(
    "content", [{"type": "hello"}, {"type": "kill"}, {"type": "burn", "name": "client 0"}, [], None]
)
def test_what_is_no_event_is_not_passed_on(content, monkeypatch):
    devices, heard = Devices(), []
    monkeypatch.setattr(devices, "send", lambda content, buffers=None: None)
    devices.on_event(heard.append)
    devices._handle_custom_msg(content, [])
    assert heard == []
