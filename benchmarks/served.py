"""The emulator as its users start it, on a core of its own: where it is, what it takes of CPU and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import SERVERS, on_core

PROGRAM = str(Path(sys.executable).with_name("exchange-emulator"))
NEVER_COMPILED = "PYTHONDONTWRITEBYTECODE"  # where it is set, each start would compile the checkout anew
CONTROL = "control"


def environment() -> dict[str, str]:
    """That of the processes started here."""
    return {name: value for name, value in os.environ.items() if name != NEVER_COMPILED}


@dataclass(frozen=True, slots=True)
class Served:
    """A process of `exchange-emulator serve` that is ready, and its addresses by venue."""

    process: subprocess.Popen[str]
    addresses: Mapping[str, tuple[str, int]]

    @property
    def cpu_s(self) -> float:
        """The CPU time of all its threads; of a process, Linux has such a clock by its number."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    @property
    def memory(self) -> int:
        """Resident bytes."""
        rows = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(row.split()[1]) for row in rows if row.startswith("VmRSS:"))

    def post(self, path: str, **body: object) -> Any:
        """What the control API answers."""
        return self._ask("POST", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """Have the control API remove something."""
        self._ask("DELETE", path, b"")

    def _ask(self, method: str, path: str, data: bytes) -> Any:
        host, port = self.addresses[CONTROL]
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://{host}:{port}{path}", data or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310  # our own
            return json.loads(answer.read() or b"null")

    def advance(self, seconds: float) -> None:
        """Step."""
        self.post("/clock/advance", seconds=seconds)

    def set_speed(self, speed: float) -> None:
        """Run on, at another pace."""
        self.post("/clock/speed", speed=speed)


def ready(process: subprocess.Popen[str]) -> Served:
    """What a server that was just started announces, as soon as it is ready."""
    addresses = {}
    assert process.stdout
    while (line := process.stdout.readline()) != "ready\n":
        assert line, "it has ended"
        name, *urls = line.split()
        if urls and urls[-1].partition("://")[1]:
            url = urlsplit(urls[-1])
            addresses[name] = (url.hostname or "", url.port or 0)
    return Served(process, addresses)


@contextmanager
def serving(*options: str) -> Iterator[Served]:
    """A server with these options, on any ports, until it is killed."""
    command = (PROGRAM, "serve", "--base-port", "0", "--limits", "off", "--lazy-history", *options)
    with on_core(SERVERS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        yield ready(process)
    finally:
        process.kill()
        process.communicate()
