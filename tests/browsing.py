"""A real browser on real Jupyter servers, for tests: what is seen is asserted on the page and in the kernel."""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

REQUIRED = os.environ.get("SPLITLAB_BROWSER") == "required"
HOUSE = Path(__file__).parent.parent
TOKEN = "for-tests-only"
SCREENSHOTS = HOUSE / "screenshots"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def needs_browser() -> None:
    """Skip where there is no browser, its driver or the built front end; in CI that is a failure."""
    missing = []
    if CHROMIUM is None:
        missing.append("Chromium")
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        missing.append("playwright")
    if not list(Path(sys.prefix, "share", "jupyter", "labextensions", "splitlab").glob("static/widgets/*.js")):
        missing.append("the built front end (make lab)")
    if missing and REQUIRED:
        pytest.fail(f"a browser test may not be skipped here, but there is no {', '.join(missing)}")
    if missing:
        pytest.skip(f"no {', '.join(missing)}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Served:
    """A Jupyter or Voila server in a process of its own, with its own folders; ends with the test."""

    def __init__(self, folder: Path, command: list[str], base: str) -> None:
        self.base, self.port, self.folder = base, free_port(), folder
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        places = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
        places |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "JUPYTER_RUNTIME_DIR": str(self.runtime)}
        self.environment = {**os.environ, **places, "PYTHONUNBUFFERED": "1"}
        self.log = folder / "server.log"
        arguments = [part.format(port=self.port, base=base, token=TOKEN) for part in command]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=folder, env=self.environment, stdout=log, stderr=log
            )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}{path}{'&' if '?' in path else '?'}token={TOKEN}"

    def wait(self, path: str, seconds: float = 60.0) -> Served:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urlopen(self.url(path), timeout=5) as answer:
                    answer.read(1)
                    return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server did not start:\n{self.log.read_text()[-3000:]}") from None
                time.sleep(0.2)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kernels(self) -> list[Path]:
        """Connection files of the kernels that this server runs, the newest last."""
        return sorted(self.runtime.rglob("kernel-*.json"), key=lambda path: path.stat().st_mtime)


@contextmanager
def jupyter_lab(folder: Path, *notebooks: Path, dark: bool = False) -> Iterator[Served]:
    """JupyterLab with Voila as its extension, under a base URL, with copies of the notebooks."""
    for notebook in notebooks:
        target = folder / "home" / notebook.relative_to(HOUSE / "notebooks")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(notebook, target) if notebook.is_dir() else shutil.copy(notebook, target)
    command = (
        "jupyterlab --allow-root --no-browser --port={port} --ServerApp.port_retries=0 --ServerApp.base_url={base} "
        "--IdentityProvider.token={token} --ServerApp.root_dir=home "
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    )
    served = Served(folder, command.split(), "/user/bob/")
    theme(served, dark)
    try:
        yield served.wait("api")
    finally:
        served.stop()


def theme(served: Served, dark: bool) -> None:
    """The theme of the pages that are opened from now on."""
    settings = Path(served.environment["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", "apputils-extension")
    settings.mkdir(parents=True, exist_ok=True)
    chosen = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}
    (settings / "themes.jupyterlab-settings").write_text(json.dumps(chosen))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))


@contextmanager
def voila(folder: Path, notebook: Path) -> Iterator[Served]:
    """Voila by itself, on one notebook."""
    copied = Path(shutil.copy(notebook, folder))
    command = f"voila {copied.name} --no-browser --port={{port}} --base_url={{base}} --token={{token}} "
    command += "--Voila.connection_dir_root=runtime"
    served = Served(folder, command.split(), "/")
    try:
        yield served.wait("voila/static/voila.js")
    finally:
        served.stop()


@contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(chromium: Any, width: int = 1400, height: int = 1000, dark: bool = False) -> Iterator[Any]:
    """A page on which whatever leads off this machine is blocked, and told when it is closed."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    outside: list[str] = []

    def guard(route: Any) -> None:
        if urlsplit(route.request.url).hostname in LOOPBACK | {None}:
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.set_default_timeout(30_000)
    try:
        yield page
    finally:
        context.close()
    assert not outside, f"the page asked for {outside}"


def open_notebook(page: Any, served: Served, path: str) -> None:
    """Open a notebook in JupyterLab and run all of its cells."""
    page.goto(served.url(f"lab/tree/{path}"))
    page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
    until(lambda: "Idle" in page.locator("#jp-main-statusbar").inner_text(), "an idle kernel", 60)
    for _ in range(5):  # a kernel that is there may still be without a connection, and then nothing happens
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('li[data-command="runmenu:run-all"]').click()
        page.wait_for_timeout(2000)
        if page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text().strip("[]: "):
            return
    raise AssertionError("the cells do not run")


def shoot(page: Any, name: str) -> None:
    """A picture for people, in a folder that is kept out of git."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


class Asked:
    """A kernel behind a page, to be asked what it knows. Code runs there between the page's own messages."""

    def __init__(self, connection: Path) -> None:
        from jupyter_client.blocking.client import BlockingKernelClient

        self.client = BlockingKernelClient(connection_file=str(connection))
        self.client.load_connection_file()
        self.client.start_channels()

    def __call__(self, expression: str, before: str = "") -> Any:
        """The value of an expression made of plain values."""
        asked = self.client.execute(before, store_history=False, user_expressions={"value": expression})
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == asked:
                break
        content = reply["content"]
        value = content.get("user_expressions", {}).get("value", content)
        assert value.get("status") == "ok", value
        return ast.literal_eval(value["data"]["text/plain"])

    def close(self) -> None:
        self.client.stop_channels()


def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait until it holds; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        time.sleep(0.1)
    return value
