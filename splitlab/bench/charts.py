"""Live charts at 1,000 rows a second in a real browser: updates, the page's memory, and the kernel thread's share.

Memory is looked at while nothing comes: a page at work makes 1 MB of rubbish between a collection and the reading of
its heap, which looks like growth. What still grows by some percent in ten minutes are the points of epochs and of the
last stretch of the lines, until their number is halved (`splitlab.points`). Updates each second depend on what else the
machine does; the CPU time of one does not.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from ..errors import PlanError
from ..history import Row
from .result import Result

SECONDS = 30.0  # for `splitlab bench charts`; the promise is made for 600
ROWS_PER_SECOND = 1000
HERTZ = 12.0
UPDATES = 10.0  # each second, at least
CORE = 0.1  # of a core for the thread that aggregates and sends, at most
GROWTH = 1.02  # of the page's memory from the middle to the end, at most
REST = 1.0  # seconds without rows before memory is looked at
CLIENTS = 2
BACKLOG = 3000  # steps before the first look, so that lines are long
APART = 4.0  # seconds between those: what comes then adds few points, and what grows beside them shows
STEP = {
    "data": 1e-4, "client_forward": 1e-3, "encode": 2e-4, "up": 5e-4, "queue": 1e-4, "server": 2e-3, "down": 5e-4,
    "decode": 1e-4, "client_backward": 1e-3, "update": 2e-4, "step": 6e-3, "cpu": 3e-3, "memory": 3e8,
    "bytes_up": 16e3, "bytes_down": 16e3, "loss": 0.5, "accuracy": 0.9, "samples": 32.0,
}  # fmt: skip
PAGE = """<!doctype html><meta charset="utf-8"><body data-jp-theme-light="true"><div id="view"></div>
<script type="module">
import widget from "/bundle.js";
const traits = await (await fetch("/traits")).json();
const heard = new Set();
const model = { get: (name) => traits[name], set() {}, save_changes() {}, send() {}, off() {},
                on: (event, callback) => event === "msg:custom" && heard.add(callback) };
const el = document.getElementById("view");
window.updates = 0;
el.addEventListener("splitlab-drawn", () => window.updates++);
widget.render({ model, el, signal: new AbortController().signal });
new EventSource("/points").onmessage = (event) => heard.forEach((callback) => callback(JSON.parse(event.data), []));
</script>"""


def charts(repeat: int, seconds: float = SECONDS) -> Iterator[Result]:
    """Updates of the page, memory at its middle and end, and the thread's CPU time; `repeat` is not needed."""
    page = _Page()
    try:
        seen = _watch(page, seconds)
    finally:
        page.close()
    heap = " → ".join(f"{size / 1e6:.1f}" for size in seen["heap"])
    note = f"{seconds:g} s at {ROWS_PER_SECOND:,} rows/s in {page.messages} messages of {page.bytes / 1e6:.2f} MB"
    # As ratios that should be small: a goal is reached when the ratio is no more than it.
    yield Result("chart updates, time between two", "a tenth of a second", 1.0, (UPDATES / seen["rate"],), {},
                 f"{seen['rate']:.1f} updates/s of {seen['cost'] * 1e3:.0f} ms CPU in the page; {note}")  # fmt: skip
    yield Result("page memory at the end", "its memory in the middle", GROWTH, (seen["heap"][2] / seen["heap"][1],), {},
                 f"JS heap {heap} MB at start, middle, end, after collection; DOM nodes {seen['nodes']}")  # fmt: skip
    yield Result("thread that aggregates and sends", "a core", CORE, (page.cpu / page.wall,))


def _watch(page: _Page, seconds: float) -> dict[str, Any]:
    """Open the page in Chromium and feed it so long."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise PlanError("this benchmark needs a browser: pip install playwright, and Chromium") from None
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1400, "height": 900})
        view.goto(page.url)
        view.wait_for_selector(".sl-charts")
        protocol = view.context.new_cdp_session(view)
        protocol.send("Performance.enable")
        page.start()
        looks = [_look(page, view, protocol, wait) for wait in (min(3.0, seconds / 5), seconds / 2, seconds / 2)]
        nodes = view.evaluate("document.querySelectorAll('*').length")
        browser.close()
    begin, end = looks[0], looks[-1]
    updates = end.updates - begin.updates
    rate, cost = updates / seconds, (end.cpu - begin.cpu) / max(1, updates)
    return {"heap": [look.heap for look in looks], "rate": rate, "cost": cost, "nodes": nodes}


class _Look(NamedTuple):
    """What the page has used until now: JavaScript heap in bytes, seconds of CPU time, drawings."""

    heap: float
    cpu: float
    updates: int


def _look(page: _Page, view: Any, protocol: Any, wait: float) -> _Look:
    """After a while of rows, and a rest in which what came last is drawn."""
    view.wait_for_timeout(wait * 1000)
    page.going.clear()
    view.wait_for_timeout(REST * 1000)
    for _ in range(2):  # what only the first one's clean-up lets go of
        protocol.send("HeapProfiler.collectGarbage")
    metrics = {item["name"]: item["value"] for item in protocol.send("Performance.getMetrics")["metrics"]}
    updates = view.evaluate("window.updates")
    page.going.set()
    return _Look(metrics["JSHeapUsedSize"], metrics["ProcessTime"], updates)


def _chromium() -> str | None:
    """The system's Chromium, where there is one; else the one that playwright brought."""
    import shutil

    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Page:
    """The bundle in a page of its own, and a thread that does what a kernel's would: aggregate, pack, send."""

    def __init__(self) -> None:
        from ..widgets.live_charts import LiveCharts

        self.widget = LiveCharts()
        self.key = self.widget.add("bench")
        self.widget._handle_custom_msg({"type": "hello"}, [])
        self.widget.send = self._send
        self.messages, self.bytes, self.cpu, self.wall = 0, 0, 0.0, 1e-9
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stop, self.going = threading.Event(), threading.Event()
        self.going.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def start(self) -> None:
        """Begin to feed."""
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End everything."""
        self._stop.set()
        self.going.set()
        self._server.shutdown()

    def _send(self, content: Any, buffers: Any = None) -> None:
        line = json.dumps(content).encode()
        self.messages, self.bytes = self.messages + 1, self.bytes + len(line)
        self._lines.put(b"data: " + line + b"\n\n")

    def _feed(self) -> None:
        for past in range(BACKLOG):
            self.widget.take(self.key, _step(past, past * APART))
        begin, step, every = time.monotonic(), 0, len(STEP) * CLIENTS / ROWS_PER_SECOND
        while not self._stop.wait(1 / HERTZ):
            if not self.going.is_set():
                stood = time.monotonic()
                self.going.wait()
                begin += time.monotonic() - stood
            now, rows = time.monotonic() - begin, list[Row]()
            while step * every <= now:
                rows += _step(BACKLOG + step, BACKLOG * APART + step * every)
                step += 1
            cpu = time.thread_time()
            self.widget.take(self.key, rows)
            self.widget.pump()
            if self.messages > 1:  # the first has the backlog
                self.cpu, self.wall = self.cpu + time.thread_time() - cpu, now

    def answer(self, path: str) -> tuple[str, bytes]:
        """What the page asks for."""
        from ..widgets.bundle import bundles, home

        if path == "/":
            return "text/html", PAGE.encode()
        if path == "/bundle.js":
            if not bundles():
                raise PlanError("the front end was not built: run `node build.js` in the folder widgets")
            return "text/javascript", (home() / bundles()["bundles"]["live_charts"]).read_bytes()
        return "application/json", json.dumps(
            {name: getattr(self.widget, name) for name in ("charts", "runs", "parts")}
        ).encode()


def _step(step: int, seconds: float) -> list[Row]:
    names = STEP if step % 200 else STEP | {"test_accuracy": 0.9}
    return [
        Row(0, 1e9 + seconds, client, step // 200, step, name, value * (1 + step % 7 / 50), "")
        for client in range(CLIENTS)
        for name, value in names.items()
    ]


def _handler(page: _Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path != "/points":
                kind, content = page.answer(self.path)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(content)
                return
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            while not page._stop.is_set():
                try:
                    self.wfile.write(page._lines.get(timeout=1))
                except queue.Empty:
                    continue
                except OSError:
                    return

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler
