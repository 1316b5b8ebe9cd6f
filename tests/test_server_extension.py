"""The server's part, under a Hub's address: nothing without login, and each thing does what it says."""

import asyncio
import json
import re
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

import splitlab as sl
from splitlab import handover, link
from splitlab.errors import LinkClosed
from splitlab.places import Thread
from splitlab.server_extension import ROUTES, consoles, netron, notebooks

pytest_plugins = ["pytest_jupyter.jupyter_server"]
ID = "0" * 32


@pytest.fixture
def jp_base_url():
    return "/user/bob/"


@pytest.fixture
def jp_server_config():
    return {"ServerApp": {"jpserver_extensions": {"splitlab.server_extension": True}}}


@pytest.fixture
def home(http_server, http_server_port):
    """The address of the extension, with no login in it."""
    return f"127.0.0.1:{http_server_port[1]}/user/bob/splitlab"


async def refused(awaitable):
    """The code and words of a refusal."""
    with pytest.raises(HTTPClientError) as error:
        await awaitable
    return error.value.code, error.value.response.body.decode() if error.value.response else ""


PATHS = {"netron": f"netron/{ID}/", "ws": f"ws/{ID}", "doctor": "doctor", "open": "open/tutorial", "kernels": "kernels"}


def test_every_route_is_tried_without_login():
    assert {pattern.split("/")[0] for pattern, _ in ROUTES} == set(PATHS)


@pytest.mark.parametrize("path", [*PATHS.values(), f"netron/{ID}/model.pt2", f"netron/{ID}/view.js"])
async def test_nothing_is_there_without_login(path, home):
    posted = path.split("/")[0] in ("open", "kernels")
    options = {"method": "POST", "body": "{}"} if posted else {}
    code, _ = await refused(AsyncHTTPClient().fetch(f"http://{home}/{path}", follow_redirects=False, **options))
    assert code in (302, 403)


@pytest.mark.parametrize("path", ["open/tutorial", "kernels"])
async def test_another_sites_page_cannot_post_with_a_users_cookie(path, home, jp_serverapp):
    """Logged in by a cookie alone, as a browser is, but without the token that only our own pages can read."""
    login = await AsyncHTTPClient().fetch(
        f"http://{home}/doctor?token={jp_serverapp.identity_provider.token}", follow_redirects=False
    )
    cookies = "; ".join(cookie.split(";")[0] for cookie in login.headers.get_list("Set-Cookie"))
    assert "username" in cookies
    answer = await AsyncHTTPClient().fetch(f"http://{home}/doctor?format=json", headers={"Cookie": cookies})
    assert json.loads(answer.body)["splitlab"] == sl.__version__
    code, _ = await refused(
        AsyncHTTPClient().fetch(f"http://{home}/{path}", method="POST", body="{}", headers={"Cookie": cookies})
    )
    assert code == 403


# ---- Netron ----------------------------------------------------------------------------------------------------------


async def test_netrons_page_is_patched_and_comes_with_the_model(jp_fetch):
    id = handover.offer_model(b"the model" * 300_000)
    answer = await jp_fetch("splitlab", "netron", f"{id}/")
    page = answer.body.decode()
    assert '<meta name="version" content="0.0.0">' in page and 'name="date"' not in page
    assert '<meta name="file" content="model.pt2">' in page
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert f"consent=1; Path=/user/bob/splitlab/netron/{id}/" in answer.headers["Set-Cookie"]
    model = await jp_fetch("splitlab", "netron", id, "model.pt2")
    assert model.body == b"the model" * 300_000 and model.headers["Content-Length"] == str(len(model.body))
    for name in ("view.js", "grapher.css", "pytorch-metadata.json", "favicon.ico"):
        own = await jp_fetch("splitlab", "netron", id, name)
        assert own.body == (netron.netron_home() / name).read_bytes()
        assert own.headers["Content-Type"].startswith(netron.KINDS[Path(name).suffix])


async def test_only_netrons_own_files_are_served_and_only_while_the_model_is_there(jp_fetch):
    id = handover.offer_model(b"x")
    for name in ("server.py", "__init__.py", "..%2Fjson.py", "nothing.js", ".."):
        assert (await refused(jp_fetch("splitlab", "netron", id, name)))[0] == 404
    handover.withdraw(id)
    for name in ("", "model.pt2", "view.js"):
        code, words = await refused(jp_fetch("splitlab", "netron", f"{id}/{name}"))
        assert code == 404 and "no model is on offer" in words


def test_a_netron_that_looks_otherwise_is_not_shown_unpatched(tmp_path):
    (tmp_path / "index.html").write_text('<meta name="version" content="9"><meta name="day" content="x">')
    with pytest.raises(Exception, match="this version of Netron is not known here"):
        netron.page(tmp_path)


# ---- the way in for devices ------------------------------------------------------------------------------------------


class Through:
    """A place whose clients do not dial the run, but what an address makes of it."""

    def __init__(self, address):
        self.address, self.thread = address, Thread(socket=True)

    def launch(self, kind, values):
        return self.thread.launch(kind, lambda: {**values(), "url": self.address(values()["url"])})


def by_the_servers_port(home, token):
    return lambda url: f"ws://{home}/ws/{handover.offer_run(url)}?token={token}"


async def test_devices_take_part_through_the_servers_port_with_the_same_losses(home, small, jp_serverapp):
    plan = sl.Plan(model="lenet(width=4)", cut="pool1", clients=2, epochs=2, batch_size=16)
    address = by_the_servers_port(home, jp_serverapp.identity_provider.token)

    def losses(place):
        run = sl.start(None, small, plan, on=place, server_on=Thread(socket=True)).wait(60, progress=False)
        rows = [row for row in run.history if row.name in ("loss", "test_loss", "test_accuracy")]
        return sorted(row[2:7] for row in rows)

    direct = await asyncio.to_thread(losses, Thread(socket=True))
    through = await asyncio.to_thread(losses, Through(address))
    assert len(direct) > 15 and through == direct


@pytest.fixture
def echo():
    """A listener that sends everything back, and is offered."""
    listener = link.WebSocketListener()
    id = handover.offer_run(listener.url)
    listener.id = id
    yield listener
    listener.stop()


async def test_large_frames_pass_whole_both_ways_and_ends_hear_of_each_other(home, echo, jp_serverapp):
    url = f"ws://{home}/ws/{echo.id}?token={jp_serverapp.identity_provider.token}"

    def talk():
        end = link.connect(url)
        end.send(b"hello")
        connection = echo.events.get(timeout=5).connection
        echo.admit(connection)
        time.sleep(0.1)
        large = bytes(range(256)) * 4 * 20_000  # 20 MB
        end.send(large)
        arrived = echo.events.get(timeout=20).frame
        echo.send(connection, arrived)
        echo.drop(connection)
        back, size = end.receive(20)
        with pytest.raises(link.HungUp):
            end.receive(5)
        gone = echo.events.get(timeout=5).frame
        other = link.connect(url)
        other.send(b"hello")
        echo.events.get(timeout=5)
        other.close()
        return arrived == large == back, size == link.wire_size(len(large), masked=False), gone, echo.events.get(5)

    whole, size, gone, left = await asyncio.to_thread(talk)
    assert whole and size and gone is None and left.frame is None


async def test_a_reader_that_takes_nothing_slows_the_sender_instead_of_filling_the_server(home, echo, jp_serverapp):
    url = f"ws://{home}/ws/{echo.id}?token={jp_serverapp.identity_provider.token}"
    end = await asyncio.to_thread(link.connect, url)
    end.send(b"hello")
    connection = (await asyncio.to_thread(echo.events.get, timeout=5)).connection
    for _ in range(64):
        echo.send(connection, bytes(1024**2))
    await asyncio.sleep(1.0)
    _, outbox = echo._sockets[connection]
    assert outbox.qsize() > 20  # of 64 MB most still wait at the run
    frames = await asyncio.to_thread(lambda: [end.receive(10) for _ in range(64)])
    assert all(len(frame) == 1024**2 for frame, _ in frames)
    await asyncio.to_thread(end.close)


async def test_a_device_is_let_in_by_its_token_only(home, echo, jp_serverapp):
    for query in ("", "?token=wrong"):
        with pytest.raises(LinkClosed, match="403"):
            await asyncio.to_thread(link.connect, f"ws://{home}/ws/{echo.id}{query}")


async def test_a_page_of_another_site_is_refused_and_a_header_will_do_for_a_token(home, echo, jp_serverapp):
    token = {"Authorization": f"token {jp_serverapp.identity_provider.token}"}
    url = f"ws://{home}/ws/{echo.id}"
    end = await websocket_connect(HTTPRequest(url, headers=token), subprotocols=["splitlab.1"])
    assert end.selected_subprotocol == "splitlab.1"
    end.close()
    jp_serverapp.identity_provider.token, foreign = "", {"Origin": "http://elsewhere.example"}  # no login asked at all
    with pytest.raises(HTTPClientError, match="403"):
        await websocket_connect(HTTPRequest(url, headers=foreign), subprotocols=["splitlab.1"])


async def test_a_run_that_is_over_and_a_browser_at_the_wrong_address_are_told_so(home, echo, jp_fetch, jp_serverapp):
    url = f"ws://{home}/ws/{echo.id}?token={jp_serverapp.identity_provider.token}"
    code, words = await refused(jp_fetch("splitlab", "ws", echo.id))
    assert code == 400 and "an address for devices" in words
    with pytest.raises(LinkClosed, match="404"):
        await asyncio.to_thread(link.connect, url.replace(echo.id, ID))
    echo.stop()
    with pytest.raises(LinkClosed, match="502"):
        await asyncio.to_thread(link.connect, url)


async def test_neither_token_nor_cookie_reaches_the_run(home, jp_serverapp):
    seen = []

    async def hear(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    id = handover.offer_run(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    token = jp_serverapp.identity_provider.token
    request = HTTPRequest(f"ws://{home}/ws/{id}?token={token}", headers={"Cookie": "secret=1"})
    with pytest.raises(Exception):  # noqa: B017 - however a client complains of being hung up on
        await websocket_connect(request, subprotocols=["splitlab.1"])
    server.close()
    assert seen[0].startswith(b"GET / HTTP/1.1\r\n") and b"Sec-WebSocket-Key" in seen[0]
    assert b"secret" not in seen[0] and token.encode() not in seen[0]


# ---- notebooks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Notebooks as a wheel has them."""
    home = tmp_path / "wheel" / "notebooks"
    (home / "dashboards" / "runs").mkdir(parents=True)
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (home / "00-start.ipynb").write_text(json.dumps(notebook))
    (home / "dashboards" / "split-learning.ipynb").write_text(json.dumps(notebook))
    (home / "dashboards" / "runs" / "one.jsonl").write_text('{"a": 1}\n')
    monkeypatch.setattr(notebooks, "HERE", home.parent)
    return home


async def test_a_notebook_is_copied_with_what_it_reads_and_never_over_a_users_own(jp_fetch, jp_root_dir, shipped):
    answer = await jp_fetch("splitlab", "open", "dashboard", method="POST", body="{}")
    path = jp_root_dir / json.loads(answer.body)["path"]
    assert path == jp_root_dir / "split-learning" / "dashboards" / "split-learning.ipynb"
    assert (path.parent / "runs" / "one.jsonl").read_text() == '{"a": 1}\n'
    path.write_text("my own")
    await jp_fetch("splitlab", "open", "dashboard", method="POST", body="{}")
    assert path.read_text() == "my own"
    answer = await jp_fetch("splitlab", "open", "tutorial", method="POST", body="{}")
    assert json.loads(answer.body)["path"] == "split-learning/00-start.ipynb"


async def test_a_checkout_under_the_root_is_opened_where_it_is(jp_fetch, jp_root_dir, shipped, monkeypatch):
    (jp_root_dir / "work").mkdir()
    shipped.rename(jp_root_dir / "work" / "notebooks")
    monkeypatch.setattr(notebooks, "HERE", jp_root_dir / "work" / "splitlab")
    answer = await jp_fetch("splitlab", "open", "tutorial", method="POST", body="{}")
    assert json.loads(answer.body)["path"] == "work/notebooks/00-start.ipynb"
    assert not (jp_root_dir / "split-learning").exists()


async def test_an_unknown_notebook_is_answered_with_the_known(jp_fetch):
    code, words = await refused(jp_fetch("splitlab", "open", "secrets", method="POST", body="{}"))
    assert code == 404 and "tutorial, dashboard" in words


# ---- the doctor ------------------------------------------------------------------------------------------------------


async def test_the_doctors_page_says_what_is_wrong_and_what_to_do(jp_fetch, monkeypatch):
    monkeypatch.setattr("splitlab.doctor._version", lambda name: None if name == "voila" else "1<2")
    answer = await jp_fetch("splitlab", "doctor")
    page = answer.body.decode()
    assert "Missing: voila" in page and "✗ missing" in page and "1&lt;2" in page and "1<2" not in page
    assert not re.search(r'(src|href)="', page)
    found = json.loads((await jp_fetch("splitlab", "doctor", params={"format": "json"})).body)
    assert found["splitlab"] == sl.__version__
    parts = {part["name"]: part["state"] for part in found["parts"]}
    assert parts["server extension"] == f"running, {sl.__version__}"


async def test_the_server_does_not_import_torch_for_it():
    code = "import sys, splitlab.server_extension.report as r; r.running(); assert 'torch' not in sys.modules"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


# ---- consoles --------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(tmp_path):
    """A kernel that belongs to this process, as those of a run, at work in a thread that leaves the shell free."""
    manager = KernelManager(kernel_name="python3", transport="ipc", connection_file=str(tmp_path / "k" / "kernel.json"))
    (tmp_path / "k").mkdir()
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute(
        "import threading, time\nsteps = 0\ndef work():\n    global steps\n    while True:\n        time.sleep(.01)\n"
        "        steps += 1\nthreading.Thread(target=work, daemon=True).start()",
        reply=True,
        timeout=30,
    )
    yield manager
    client.stop_channels()
    manager.shutdown_kernel(now=True)


async def evaluate(websocket, code):
    """What a console shows for a line of code."""
    header = {"msg_id": str(time.monotonic()), "msg_type": "execute_request", "session": "s", "username": ""}
    header |= {"date": "", "version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell"}
    await websocket.write_message(json.dumps({**message, "content": {"code": code}, "buffers": []}))
    while True:
        said = json.loads(await asyncio.wait_for(websocket.read_message(), 20))
        if said["msg_type"] == "execute_result" and said["parent_header"]["msg_id"] == header["msg_id"]:
            return said["content"]["data"]["text/plain"]


async def test_a_console_can_look_into_a_runs_kernel_while_it_works_and_cannot_end_it(
    kernel, jp_fetch, jp_ws_fetch, jp_serverapp, monkeypatch
):
    monkeypatch.setattr(consoles, "LOOK_SECONDS", 0.1)
    id = handover.offer_kernel(kernel.connection_file, "client 0")
    body = json.dumps({"id": id})
    answers = [json.loads((await jp_fetch("splitlab", "kernels", method="POST", body=body)).body) for _ in range(2)]
    kernel_id = answers[0]["kernel_id"]
    assert answers[0] == answers[1]
    listed = json.loads((await jp_fetch("api", "kernels")).body)
    assert [one["id"] for one in listed] == [kernel_id]
    websocket = await jp_ws_fetch("api", "kernels", kernel_id, "channels", params={"session_id": "s"})
    assert await evaluate(websocket, "1+1") == "2"
    first = int(await evaluate(websocket, "steps"))
    await asyncio.sleep(0.2)
    assert int(await evaluate(websocket, "steps")) > first > 0
    websocket.close()

    await jp_fetch("api", "kernels", kernel_id, method="DELETE")  # "Shut Down" in JupyterLab
    assert kernel.is_alive() and json.loads((await jp_fetch("api", "kernels")).body) == []
    again = json.loads((await jp_fetch("splitlab", "kernels", method="POST", body=body)).body)["kernel_id"]
    websocket = await jp_ws_fetch("api", "kernels", again, "channels", params={"session_id": "t"})
    assert await evaluate(websocket, "1+1") == "2"
    await jp_serverapp.kernel_manager.shutdown_all()  # the server's end
    assert kernel.is_alive()


async def test_a_kernel_that_is_gone_leaves_the_list_and_cannot_be_opened(kernel, jp_fetch, monkeypatch):
    monkeypatch.setattr(consoles, "LOOK_SECONDS", 0.1)
    id = handover.offer_kernel(kernel.connection_file)
    body = json.dumps({"id": id})
    await jp_fetch("splitlab", "kernels", method="POST", body=body)
    kernel.shutdown_kernel(now=True)
    await asyncio.sleep(0.5)
    assert json.loads((await jp_fetch("api", "kernels")).body) == []
    assert (await refused(jp_fetch("splitlab", "kernels", method="POST", body=body)))[0] == 404


@pytest.mark.parametrize("body", ["{}", "[]", '{"id": 3}'])
async def test_a_console_on_nothing_is_refused(body, jp_fetch):
    assert (await refused(jp_fetch("splitlab", "kernels", method="POST", body=body)))[0] == 400
    words = await refused(jp_fetch("splitlab", "kernels", method="POST", body=json.dumps({"id": ID})))
    assert words[0] == 404 and "ended" in words[1]
