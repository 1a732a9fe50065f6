"""The emulator as its users start it: the command, a process of its own, real time."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PORTS = 6  # control and five venues
READY_S = 30


@dataclass(frozen=True, slots=True)
class Served:
    """A running emulator: the base port, and each venue's URLs as its /health tells them."""

    base_port: int
    urls: dict[str, dict[str, str]]


def free_base_port() -> int:
    """A port that is free, and the ones after it too."""
    for base in range(20_000, 30_000, PORTS):
        sockets = [socket.socket() for _ in range(PORTS)]
        try:
            for offset, held in enumerate(sockets):
                held.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        else:
            return base
        finally:
            for held in sockets:
                held.close()
    raise RuntimeError("no free ports")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    base = free_base_port()
    log = tmp_path_factory.mktemp("served") / "log"
    program = Path(sys.executable).with_name("exchange-emulator")
    command = (program, "serve", "--base-port", str(base), "--seed", "7")
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            yield Served(base, _venues(base, process, log))
        finally:
            process.terminate()
            assert process.wait(10) == 0, log.read_text()


def _venues(base: int, process: subprocess.Popen[bytes], log: Path) -> dict[str, dict[str, str]]:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{base}/health", timeout=5) as answer:
                health = json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            assert health["status"] == "ok"
            return dict(health["venues"])
    raise RuntimeError(f"the emulator did not come up:\n{log.read_text()}")
