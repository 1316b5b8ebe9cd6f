"""The meter's parts add up to the wall time, whatever the server's clock shows."""

import pytest

from splitlab.measure import Meter


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def step(meter, clock, offset):
    """Forward 1 s, encode 0.5 s, up 2 s, queue 1 s, server 3 s, down 4 s, decode 0.5 s; the server's clock is off."""
    meter.start()
    for seconds, part in ((1.0, "client_forward"), (0.5, "encode")):
        clock.now += seconds
        meter.mark(part)
    begin = clock.now + offset
    clock.now += 10
    meter.waited(clock.now, {"arrived": begin + 2, "started": begin + 3, "ended": begin + 6})
    clock.now += 0.5
    meter.mark("decode")
    return {name: value for name, (value, unit) in meter.finish().items() if unit == "s" and name != "cpu"}


@pytest.mark.parametrize("offset", [0.0, 1000.0, -1000.0])
def test_the_parts_add_up_to_the_wall_time_whatever_the_servers_clock_shows(offset):
    clock = Clock()
    meter = Meter(clock)
    for _ in range(3):
        parts = step(meter, clock, offset)
        assert parts.pop("step") == 12.0 and sum(parts.values()) == pytest.approx(12.0)
        assert parts["server"] == 3 and parts["queue"] == 1 and min(parts.values()) >= 0
        if offset == 0:
            assert parts["up"] == 2 and parts["down"] == 4


def test_bytes_are_booked_to_what_is_being_done_and_counted_once():
    meter = Meter()
    meter.count("up", 10)
    meter.purpose = "bytes"
    meter.count("up", 100)
    meter.count("down", 7)
    assert meter.spent("bytes") == {"bytes_up": (100.0, "B"), "bytes_down": (7.0, "B")}
    assert meter.spent("bytes") == {} and meter.spent("control") == {"control_up": (10.0, "B")}
