"""How a kernel hands things to the Jupyter server of the same user: files in a folder that only this user can read.

A model for Netron, the address of a run, the connection file of a kernel: each gets a random id, which is all that a
page ever sees. What was offered goes when it is withdrawn, when its process ends, or, after a crash, when the next
one looks: a file's name says which process it belongs to.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import PlanError, SplitlabError

MODEL_LIMIT = 64 * 1024**2  # bytes of a model that is handed over: the browser holds several copies of it
KINDS = ("model", "run", "kernel")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ID = re.compile(r"[0-9a-f]{32}")  # 128 bits: nobody guesses one
FILE = re.compile(rf"({'|'.join(KINDS)})-([0-9a-f]{{32}})-(\d+)")
FORGOTTEN_SECONDS = 24 * 3600.0  # where the system does not say which processes live
_offered: dict[str, int] = {}  # ids, and the process that offered them: a fork does not own what its parent offered


class HandoverError(SplitlabError, LookupError):
    """Something that is not on offer, or not any more."""


@dataclass(frozen=True)
class Offer:
    """Something on offer: its file, and the process that it belongs to."""

    kind: str
    id: str
    process_id: int
    path: Path


def folder() -> Path:
    """The folder of what is on offer, made for this user only; `HandoverError` if somebody else's stands there."""
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir()) / "splitlab"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "nt":
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            raise HandoverError(f"{path} belongs to somebody else: remove it, or set JUPYTER_RUNTIME_DIR to another")
        path.chmod(0o700)
    return path


def offer_model(data: bytes) -> str:
    """Offer the bytes of a `.pt2` file to Netron; returns its id. `PlanError` if they are more than `MODEL_LIMIT`."""
    if len(data) > MODEL_LIMIT:
        raise PlanError(
            f"this model takes {len(data) / 1e6:.0f} MB, but the page takes {MODEL_LIMIT / 1e6:.0f} MB at most: "
            "offer it without its weights"
        )
    return _offer("model", data)


def offer_run(url: str) -> str:
    """Offer a run's listener on this machine, `ws://127.0.0.1:PORT/`, to devices that come through the server."""
    loopback(url)
    return _offer("run", json.dumps({"url": url}).encode())


def offer_kernel(connection_file: Path | str, name: str = "kernel") -> str:
    """Offer a kernel that this process started, so that JupyterLab can open a console on it."""
    return _offer("kernel", json.dumps({"connection_file": str(connection_file), "name": name}).encode())


def withdraw(id: str) -> None:
    """Take back what was offered; nothing happens if that is already gone."""
    _offered.pop(id, None)
    for offer in _offers():
        if offer.id == id:
            offer.path.unlink(missing_ok=True)


def find(kind: str, id: str) -> Path:
    """The file of what is on offer under this id; `HandoverError` if nothing is."""
    found = [offer for offer in _offers() if offer.kind == kind and offer.id == id] if ID.fullmatch(id) else []
    if not found or not alive(found[0]):
        raise HandoverError(f"no {kind} is on offer under this address: what it belonged to has ended")
    return found[0].path


def read(kind: str, id: str) -> dict[str, Any]:
    """What was said of a run or a kernel."""
    try:
        said: dict[str, Any] = json.loads(find(kind, id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise HandoverError(f"the {kind} went away just now") from None
    return said


def loopback(url: str) -> tuple[str, int]:
    """Host and port of a listener on this machine; `PlanError` for any other address."""
    parts = urlsplit(url)
    if parts.scheme != "ws" or parts.hostname not in LOOPBACK or not parts.port:
        raise PlanError(f"{url!r} is not a run's address on this machine: expected ws://127.0.0.1:PORT/")
    return str(parts.hostname), parts.port


def sweep() -> None:
    """Remove what processes that are gone have left."""
    for offer in _offers():
        if not alive(offer):
            offer.path.unlink(missing_ok=True)


def alive(offer: Offer) -> bool:
    """Whether the process still runs that something belongs to."""
    if sys.platform == "win32":  # where asking a process whether it lives would end it
        with suppress(OSError):
            return time.time() - offer.path.stat().st_mtime < FORGOTTEN_SECONDS
        return False
    try:
        os.kill(offer.process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's by now
        return False
    return True


def _offer(kind: str, data: bytes) -> str:
    sweep()
    id, process_id = secrets.token_hex(16), os.getpid()
    path = folder() / f"{kind}-{id}-{process_id}"
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    part.replace(path)  # at once: a reader sees all of it or nothing
    _offered[id] = process_id
    return id


def _offers() -> list[Offer]:
    found = ((FILE.fullmatch(path.name), path) for path in folder().iterdir())
    return [Offer(match[1], match[2], int(match[3]), path) for match, path in found if match]


@atexit.register
def _withdraw_all() -> None:
    for id, process_id in list(_offered.items()):
        if process_id == os.getpid():
            with suppress(OSError, SplitlabError):
                withdraw(id)
