"""A TCP relay between clients and a server that counts what passes, and breaks connections where it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from splitlab.places import Job, Thread
from splitlab.places.job import Values


class Relay:
    """Passes bytes on to `target`. Each connection is broken after as many bytes as `cuts` says next, then none is."""

    def __init__(self, target: str, cuts: Iterator[int]) -> None:
        self.target, self.cuts = urlsplit(target), cuts
        self.breaks = 0
        self.up, self.down = bytearray(), bytearray()  # of all connections
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection((self.target.hostname, self.target.port))
                except OSError:
                    near.close()
                    continue
                left = [next(self.cuts, 1 << 62)]
                for source, sink, seen in ((near, far, self.up), (far, near, self.down)):
                    threading.Thread(target=self._pass, args=(source, sink, seen, left), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, seen: bytearray, left: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    whole = len(data) <= left[0]
                    data = data[: left[0]]
                    left[0] -= len(data)
                    seen += data
                sink.sendall(data)
                if not whole:
                    self.breaks += 1
                    break
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        for end in (source, sink):  # a reset, not a goodbye
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Through:
    """A place whose clients reach the server through relays, one each, which `cuts(client)` tells where to break."""

    def __init__(self, cuts: Callable[[int], Iterator[int]] = lambda client: iter(())) -> None:
        self.relays: dict[int, Relay] = {}
        self._cuts, self._place = cuts, Thread(socket=True)

    def launch(self, kind: str, values: Callable[[], Values]) -> Job:
        return self._place.launch(kind, lambda: self._redirect(kind, values()))

    def _redirect(self, kind: str, values: Values) -> Values:
        if kind == "server":
            return values
        client = values["client"]
        relay = self.relays[client] = Relay(values["url"], self._cuts(client))
        return {**values, "url": relay.url}

    @property
    def breaks(self) -> int:
        return sum(relay.breaks for relay in self.relays.values())

    def close(self) -> None:
        for relay in self.relays.values():
            relay.close()
