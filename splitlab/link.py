"""Links carry frames: over a WebSocket, or in memory between threads of one process.

A `Link` is one end that dialled; a `Listener` is the end that accepts, with all its connections in one queue of
events. The address decides which: `ws://…`, `wss://…` or `memory://…`. Tokens and meanings are not known here.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from socket import socket as Socket
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as dial

from .errors import HungUp, LinkClosed, PlanError
from .messages import PROTOCOL
from .protocol.wire import FRAGMENT
from .protocol.wire import wire_size as wire_size

STRANGER_LIMIT = 64 * 1024  # bytes in a frame of someone who has not been admitted yet
FRAME_LIMIT = 1024**3  # bytes in any other frame
PATIENCE_SECONDS = 10.0  # for a handshake, for the first word of a stranger, for a reader that takes nothing
SOCKET_BUFFER = 4 * 1024**2  # bytes; see `protocol.wire` for why
BACKLOG = 10_000  # frames that may wait for one slow reader before it is dropped


Frame = bytes | Sequence[bytes | memoryview]  # whole, or in pieces into which nobody writes any more


class Link(Protocol):
    """One end of a link. `send` and `receive` raise `LinkClosed` once it is broken, `HungUp` if that was meant."""

    def send(self, frame: Frame) -> int:
        """Send a frame; returns the bytes that it takes on the wire."""

    def receive(self, timeout: float | None = None) -> tuple[bytes, int] | None:
        """The next frame and the bytes that it took on the wire; None after `timeout` seconds without one."""

    def close(self) -> None:
        """Hang up; frames already sent still arrive."""


@dataclass(frozen=True)
class Event:
    """What happened on a listener's connection: a frame that arrived `at` (monotonic seconds), or None: it closed."""

    connection: int
    frame: bytes | None
    at: float


class Listener(Protocol):
    """The accepting end. `url` is where to dial; `events` is in order of arrival, for one reader."""

    url: str
    events: queue.SimpleQueue[Event]

    def send(self, connection: int, frame: Frame | None) -> None:
        """Queue a frame (None: hang up after it); whoever does not read is hung up on, which shows as an event."""

    def admit(self, connection: int) -> None:
        """This connection has shown its token: it may send large frames."""

    def drop(self, connection: int) -> None:
        """Close a connection after what is queued for it was sent."""

    def stop(self) -> None:
        """Close all connections and stop listening."""


def connect(url: str) -> Link:
    """Dial a listener's `url`; `LinkClosed` when nobody answers there, `PlanError` when it is not such an address."""
    scheme = urlsplit(url).scheme
    if scheme not in LINKS:
        raise PlanError(f"cannot dial {url!r}: expected an address that begins with {', '.join(LINKS)} and '://'")
    return LINKS[scheme](url)


def fragments(frame: Frame) -> bytes | Iterator[bytes | memoryview]:
    """A frame as websockets sends it: whole if it is small, or in fragments, not copied where one lies in one piece."""
    return whole(frame) if length(frame) <= FRAGMENT else _fragments([frame] if isinstance(frame, bytes) else frame)


def whole(frame: Frame) -> bytes:
    """A frame in one piece."""
    return frame if isinstance(frame, bytes) else b"".join(frame)


def length(frame: Frame) -> int:
    """A frame's size in bytes."""
    return len(frame) if isinstance(frame, bytes) else sum(map(len, frame))


def _fragments(pieces: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    parts: list[memoryview] = []
    room = FRAGMENT
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            parts.append(rest[:room])
            rest, room = rest[room:], room - len(parts[-1])
            if not room:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, room = [], FRAGMENT
    if parts:
        yield b"".join(parts)


def roomy(socket: Socket) -> None:
    """Let much be in flight."""
    for option in (SO_SNDBUF, SO_RCVBUF):
        socket.setsockopt(SOL_SOCKET, option, SOCKET_BUFFER)


class Connection(ClientConnection):
    """A connection that reads a whole fragment at once."""

    recv_bufsize = FRAGMENT


class WebSocketLink:
    """A link over a WebSocket, without compression: floats do not compress, and trying costs five times the step."""

    def __init__(self, url: str) -> None:
        self._open = ExitStack()
        try:
            self._socket = self._open.enter_context(
                dial(
                    url,
                    subprotocols=[PROTOCOL],  # type: ignore[list-item]
                    compression=None,
                    proxy=None,
                    max_size=FRAME_LIMIT,
                    open_timeout=PATIENCE_SECONDS,
                    create_connection=Connection,
                )
            )
            roomy(self._socket.socket)
        except Exception as error:  # whatever it is that answers there; the library even asserts on some
            raise LinkClosed(f"no splitlab server answers at {url}: {error}") from error

    def send(self, frame: Frame) -> int:
        """Send; blocks while the wire is full."""
        try:
            self._socket.send(fragments(frame))
        except ConnectionClosed as error:
            raise _closed(error) from None
        return wire_size(length(frame), masked=True)

    def receive(self, timeout: float | None = None) -> tuple[bytes, int] | None:
        """Wait for a frame."""
        try:
            frame = self._socket.recv(timeout, decode=False)
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise _closed(error) from None
        return frame, wire_size(len(frame), masked=False)

    def close(self) -> None:
        """Hang up with a closing handshake."""
        self._open.close()


def _closed(error: ConnectionClosed) -> LinkClosed:
    kind = HungUp if isinstance(error, ConnectionClosedOK) else LinkClosed
    return kind(f"the server hung up ({error})")


class WebSocketListener:
    """Listens on one port, in a thread of its own that does nothing but I/O: computing never blocks it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._sockets: dict[int, tuple[ServerConnection, asyncio.Queue[Frame | None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="splitlab listener", daemon=True)
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(host, port), self._loop)
        try:
            self._server: Server = listening.result(PATIENCE_SECONDS)
        except OSError as error:
            self._end_loop()
            raise PlanError(
                f"cannot listen on {host}, port {port}: {error}; choose another port, or 0 for any"
            ) from None
        bound = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://{f'[{host}]' if ':' in host else host}:{bound}/"

    async def _listen(self, host: str, port: int) -> Server:
        return await serve(
            self._accept,
            host,
            port,
            subprotocols=[PROTOCOL],  # type: ignore[list-item]
            compression=None,
            max_size=STRANGER_LIMIT,
            open_timeout=PATIENCE_SECONDS,
            server_header=None,
        )

    async def _accept(self, socket: ServerConnection) -> None:
        roomy(socket.transport.get_extra_info("socket"))
        number = next(self._numbers)
        outbox: asyncio.Queue[Frame | None] = asyncio.Queue(BACKLOG)
        self._sockets[number] = socket, outbox
        writer = asyncio.create_task(self._write(socket, outbox))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                frame = await socket.recv(decode=False)
            while True:
                self.events.put(Event(number, frame, time.monotonic()))
                frame = await socket.recv(decode=False)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            writer.cancel()
            del self._sockets[number]
            self.events.put(Event(number, None, time.monotonic()))

    async def _write(self, socket: ServerConnection, outbox: asyncio.Queue[Frame | None]) -> None:
        try:
            while (frame := await outbox.get()) is not None:
                await socket.send(fragments(frame))
            await socket.close()
        except ConnectionClosed:
            pass  # the reader notices, and says so

    def send(self, connection: int, frame: Frame | None) -> None:
        """Queue a frame for a connection."""
        self._loop.call_soon_threadsafe(self._put, connection, frame)

    def _put(self, connection: int, frame: Frame | None) -> None:
        if connection not in self._sockets:
            return
        socket, outbox = self._sockets[connection]
        try:
            outbox.put_nowait(frame)
        except asyncio.QueueFull:
            socket.transport.abort()

    def admit(self, connection: int) -> None:
        """Lift the stranger's limit."""
        if found := self._sockets.get(connection):
            found[0].protocol.max_message_size = FRAME_LIMIT

    def drop(self, connection: int) -> None:
        """Close after what is queued."""
        self.send(connection, None)

    def stop(self) -> None:
        """Close everything; returns when the port is free again."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(2 * PATIENCE_SECONDS)
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for _, outbox in list(self._sockets.values()):  # let queued farewells go out first
            if not outbox.full():
                outbox.put_nowait(None)
        deadline = time.monotonic() + 1
        while self._sockets and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self._server.close()
        await self._server.wait_closed()


class MemoryListener:
    """Accepts links from this process only; the double of the socket in tests, and the road of `Thread` places."""

    _all: ClassVar[dict[str, MemoryListener]] = {}
    _names = itertools.count()

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.url = f"memory://{next(self._names)}"
        self._numbers = itertools.count()
        self._inboxes: dict[int, queue.SimpleQueue[bytes | None]] = {}
        self._all[self.url] = self

    def accept(self, inbox: queue.SimpleQueue[bytes | None]) -> int:
        """A new connection, whose other end reads `inbox`."""
        number = next(self._numbers)
        self._inboxes[number] = inbox
        return number

    def arrive(self, connection: int, frame: bytes | None) -> None:
        """A frame from the other end, or its hanging up."""
        if connection not in self._inboxes:
            raise HungUp("the server hung up")
        if frame is None:
            del self._inboxes[connection]
        self.events.put(Event(connection, frame, time.monotonic()))

    def send(self, connection: int, frame: Frame | None) -> None:
        """Hand a frame over."""
        if inbox := self._inboxes.get(connection):
            inbox.put(None if frame is None else whole(frame))

    def admit(self, connection: int) -> None:
        """Nothing to lift: memory has no strangers."""

    def drop(self, connection: int) -> None:
        """Close after what was handed over."""
        if inbox := self._inboxes.pop(connection, None):
            inbox.put(None)
            self.events.put(Event(connection, None, time.monotonic()))

    def stop(self) -> None:
        """Close everything."""
        self._all.pop(self.url, None)
        for connection in list(self._inboxes):
            self.drop(connection)


class MemoryLink:
    """A link to a `MemoryListener`; sizes on the wire are counted as if it were a WebSocket."""

    def __init__(self, url: str) -> None:
        listener = MemoryListener._all.get(url)
        if listener is None:
            raise LinkClosed(f"no splitlab server answers at {url}: it is gone, or in another process")
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._listener = listener
        self._connection = listener.accept(self._inbox)

    def send(self, frame: Frame) -> int:
        """Hand a frame over."""
        self._listener.arrive(self._connection, whole(frame))
        return wire_size(length(frame), masked=True)

    def receive(self, timeout: float | None = None) -> tuple[bytes, int] | None:
        """Wait for a frame."""
        try:
            frame = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if frame is None:
            self._inbox.put(None)  # it stays closed
            raise HungUp("the server hung up")
        return frame, wire_size(len(frame), masked=False)

    def close(self) -> None:
        """Hang up."""
        with suppress(LinkClosed):
            self._listener.arrive(self._connection, None)


LINKS: dict[str, Callable[[str], Link]] = {"ws": WebSocketLink, "wss": WebSocketLink, "memory": MemoryLink}
