"""The emulator as its users start it: the command, in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tests.patience import PATIENCE_S

PORTS = 16  # control and five venues, and ten higher these with TLS
FIRST_PORT, LAST_PORT = 20_000, 30_000  # below those that the system gives to clients
RESERVATIONS = Path(tempfile.gettempdir()) / f"exchange-emulator-ports-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class Served:
    """A running emulator, by the URLs it announced."""

    base_port: int
    venues: Mapping[str, Mapping[str, str]]

    def get(self, path: str) -> Any:
        """What the control API says."""
        return ask(f"http://127.0.0.1:{self.base_port}{path}")

    def post(self, path: str, **body: object) -> Any:
        """What the control API answers to a command."""
        return ask(f"http://127.0.0.1:{self.base_port}{path}", body)


def ask(url: str, body: object = None) -> Any:
    """A JSON answer: to a GET, or with a body to a POST of it. HTTPError otherwise."""
    headers = {"content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=400) as answer:
        return json.load(answer)


@contextmanager
def serving(
    *options: str,
    environment: Mapping[str, str] | None = None,
    killed: bool = False,
    history: bool = False,
) -> Iterator[Served]:
    """`exchange-emulator serve` with these options, from ready until it has ended with exit code 0, or was killed.

    With `history` it makes the past of all markets ahead, beside what it is asked, as it does for its users: half a
    minute of a core's time.
    """
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    lazily = () if history else ("--lazy-history",)
    child = {**os.environ, **(environment or {})}
    with (
        free_ports() as base,
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            (program, "serve", "--base-port", str(base), *lazily, *options),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=child,
        ) as process,
    ):
        try:
            try:
                yield Served(base, _ready(base, process))
            finally:
                (process.kill if killed else process.terminate)()
                code = process.wait(PATIENCE_S)
            assert code == (-9 if killed else 0)
        except BaseException as failure:
            process.kill()
            log.seek(0)
            failure.add_note(f"the emulator said:\n{log.read()}")
            raise


@contextmanager
def free_ports() -> Iterator[int]:
    """A base port above which nobody listens, and which no other test is given meanwhile."""
    RESERVATIONS.mkdir(exist_ok=True)
    for base in range(FIRST_PORT, LAST_PORT, PORTS):
        with (RESERVATIONS / str(base)).open("w") as reservation:
            if _are_free(reservation, range(base, base + PORTS)):
                yield base
                return
    raise RuntimeError("no free ports")


def _are_free(reservation: TextIO, ports: range) -> bool:
    """Whether they are; then they are reserved until the file is closed."""
    with ExitStack() as held:
        try:
            fcntl.flock(reservation, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in ports:
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _ready(base: int, process: subprocess.Popen[bytes]) -> Mapping[str, Mapping[str, str]]:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            health = ask(f"http://127.0.0.1:{base}/health")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            assert health["status"] == "ok"
            venues: Mapping[str, Mapping[str, str]] = health["venues"]
            return venues
    raise RuntimeError("the emulator did not come up")
