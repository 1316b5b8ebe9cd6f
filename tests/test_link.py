"""Links carry frames whole and in order, in memory as over a socket, and say so when they end."""

import socket
import threading
import time

import pytest

from splitlab import link as links
from splitlab.errors import HungUp, LinkClosed, PlanError
from splitlab.link import MemoryListener, WebSocketListener, connect, wire_size


@pytest.fixture(params=[MemoryListener, WebSocketListener], ids=["memory", "socket"])
def listener(request):
    made = request.param()
    yield made
    made.stop()


def test_frames_arrive_whole_and_in_order(listener):
    link = connect(listener.url)
    frames = [bytes([number]) * (number * 1000) for number in range(5)]
    sizes = [link.send(frame) for frame in frames]
    events = [listener.events.get(timeout=5) for _ in frames]
    assert [event.frame for event in events] == frames and len({event.connection for event in events}) == 1
    assert sizes == [wire_size(len(frame), masked=True) for frame in frames]
    for frame in frames:
        listener.send(events[0].connection, frame)
    received = [link.receive(5) for _ in frames]
    assert received == [(frame, wire_size(len(frame), masked=False)) for frame in frames]
    assert link.receive(0) is None
    link.close()


def test_who_is_admitted_may_send_large_frames(listener):
    link, large = connect(listener.url), b"x" * (links.STRANGER_LIMIT * 4)
    link.send(b"let me in")
    listener.admit(listener.events.get(timeout=5).connection)
    time.sleep(0.05)
    link.send(large)
    assert listener.events.get(timeout=5).frame == large
    link.close()


def test_hanging_up_is_not_the_same_as_breaking(listener):
    link = connect(listener.url)
    link.send(b"hello")
    connection = listener.events.get(timeout=5).connection
    listener.send(connection, b"last words")
    listener.drop(connection)
    assert link.receive(5) == (b"last words", 12)
    for _ in range(2):  # it stays closed
        with pytest.raises(HungUp):
            link.receive(5)
    with pytest.raises(LinkClosed):
        link.send(b"anyone?")
    assert listener.events.get(timeout=5).frame is None


def test_a_broken_link_shows_on_both_sides():
    listener = WebSocketListener()
    link = connect(listener.url)
    link.send(b"hello")
    assert listener.events.get(timeout=5).frame == b"hello"
    link._socket.socket.shutdown(socket.SHUT_RDWR)
    assert listener.events.get(timeout=5).frame is None
    with pytest.raises(LinkClosed) as broken:
        link.receive(5)
    assert not isinstance(broken.value, HungUp)
    listener.stop()


def test_closing_shows_on_the_other_side(listener):
    link = connect(listener.url)
    link.send(b"hello")
    link.close()
    assert [listener.events.get(timeout=5).frame for _ in range(2)] == [b"hello", None]


def test_a_reader_that_takes_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(links, "BACKLOG", 3)
    listener = WebSocketListener()
    link = connect(listener.url)
    link.send(b"hello")
    connection = listener.events.get(timeout=5).connection
    link._socket.recv_events = None
    for _ in range(100):
        listener.send(connection, b"x" * 1_000_000)
    assert listener.events.get(timeout=5).frame is None
    link._socket.socket.close()
    listener.stop()


def test_nobody_at_home_is_a_closed_link(listener):
    url = listener.url
    listener.stop()
    listener.stop()  # twice does no harm
    with pytest.raises(LinkClosed, match="no splitlab server answers at"):
        connect(url)


@pytest.mark.parametrize("polite", [True, False], ids=["answers", "does_not_listen"])
def test_a_server_that_speaks_no_websocket_is_no_server(polite):
    plain = socket.create_server(("127.0.0.1", 0))

    def answer():
        other, _ = plain.accept()
        if polite:
            other.recv(4096)
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        other.close()

    threading.Thread(target=answer, daemon=True).start()
    with pytest.raises(LinkClosed):
        connect(f"ws://127.0.0.1:{plain.getsockname()[1]}/")
    plain.close()


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(PlanError, match="begins with ws, wss, memory"):
        connect("http://127.0.0.1:1/")


def test_a_port_that_is_taken_is_refused_with_the_remedy():
    first = WebSocketListener()
    with pytest.raises(PlanError, match="choose another port"):
        WebSocketListener(port=int(first.url.rsplit(":", 1)[1].strip("/")))
    first.stop()


@pytest.mark.parametrize(("length", "size"), [(0, 2), (125, 127), (126, 130), (65535, 65539), (65536, 65546)])
def test_sizes_on_the_wire_are_those_of_the_rfc(length, size):
    assert wire_size(length, masked=False) == size and wire_size(length, masked=True) == size + 4
