"""The emulator as its users start it: the command, in a process of its own."""

from __future__ import annotations

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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORTS = 16  # control and five venues, and ten higher these with TLS
READY_S, STOP_S = 30, 15
FIRST_PORT = (
    20_000 + os.getpid() % 500 * 20
)  # processes that look at the same moment begin to look in different places


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
    *options: str, environment: Mapping[str, str] | None = None, killed: bool = False
) -> Iterator[Served]:
    """`exchange-emulator serve` with these options, from ready until it has ended with exit code 0, or was killed."""
    base = free_ports()
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    command = (program, "serve", "--base-port", str(base), *options)
    child = {**os.environ, **(environment or {})}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=child) as process,
    ):
        try:
            try:
                yield Served(base, _ready(base, process))
            finally:
                (process.kill if killed else process.terminate)()
                code = process.wait(STOP_S)
            assert code == (-9 if killed else 0)
        except BaseException as failure:
            process.kill()
            log.seek(0)
            failure.add_note(f"the emulator said:\n{log.read()}")
            raise


def free_ports() -> int:
    """A base port above which nobody listens, for now."""
    for base in range(FIRST_PORT, FIRST_PORT + 10_000, PORTS):
        held = [socket.socket() for _ in range(PORTS)]
        try:
            for offset, each in enumerate(held):
                each.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        else:
            return base
        finally:
            for each in held:
                each.close()
    raise RuntimeError("no free ports")


def _ready(base: int, process: subprocess.Popen[bytes]) -> Mapping[str, Mapping[str, str]]:
    give_up = time.monotonic() + READY_S
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
