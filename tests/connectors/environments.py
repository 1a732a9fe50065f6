"""A virtual environment for each real client, made on first use and kept.

Real clients pin each other's dependencies apart, so each gets an environment of its own, outside the tree:
$XDG_CACHE_HOME/exchange-emulator/connectors (default ~/.cache). Its name holds a hash of its pins and of its Python.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
UNREACHABLE = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ProxyError",
)  # pip's own words


class NoPackageIndexError(Exception):
    """No package index could be reached; the text is pip's last lines."""


def cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "exchange-emulator" / "connectors"


@contextmanager
def reserved(pins: str) -> Iterator[None]:
    """While its environment is changed: nobody else changes it."""
    with (cache() / f"{pins}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def interpreter(pins: str) -> Path:
    """The Python of the environment that HERE/`pins`.txt describes, installed if it is not there yet."""
    requirements = HERE / f"{pins}.txt"
    fingerprint = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = cache() / f"{pins}-{fingerprint}"
    python = home / "bin" / "python"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            venv.create(home, clear=True, with_pip=True)
            quietly = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries=2")
            install = (python, "-m", "pip", "install", *quietly, "--requirement", requirements)
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                if any(sign in done.stderr for sign in UNREACHABLE):
                    raise NoPackageIndexError("\n".join(done.stderr.splitlines()[-3:]))
                raise RuntimeError(f"{requirements.name} does not install:\n{done.stderr}")
            (home / "complete").touch()
    return python
