"""Unmodified clients of the real venues read this one, each in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.connectors.environments import NoPackageIndexError, interpreter
from tests.serving import Served

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

CLIENTS = Path(__file__).parent / "clients"
README = Path(__file__).parents[2] / "README.md"
REQUIRED = os.environ.get("CLIENTS_REQUIRED") == "1"
RUN_S = 90


@dataclass(frozen=True, slots=True)
class Client:
    """A client, the pins of its environment, the script that drives it, and the venue it believes it talks to."""

    pins: str
    script: str
    venue: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.pins}-{self.venue}"


TABLE = (
    Client("ccxt", "ccxt_public.py", "binance", ("binance",)),
    Client("ccxt", "ccxt_public.py", "hyperliquid", ("hyperliquid",)),
    Client("python-binance", "python_binance_public.py", "binance"),
    Client("hyperliquid-python-sdk", "hyperliquid_sdk_public.py", "hyperliquid"),
)


def python(pins: str) -> Path:
    try:
        return interpreter(pins)
    except NoPackageIndexError as unreachable:
        if REQUIRED:
            raise
        pytest.skip(f"NOT CHECKED AGAINST {pins}: no package index can be reached ({unreachable})")


def run(interpreter: Path, *command: str | Path) -> str:
    """The program's output; what it said on stderr, if it failed."""
    alone = (interpreter, "-I", *command)
    done = subprocess.run(alone, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.mark.parametrize("client", TABLE, ids=str)
def test_a_real_client_reads_the_venue(client: Client, served: Served) -> None:
    """Books without a gap, trades without a hole, REST in agreement with the stream."""
    urls = served.venues[client.venue]
    run(python(client.pins), CLIENTS / client.script, *client.arguments, urls["http"], urls["ws"])


def test_the_example_in_the_readme_works(served: Served) -> None:
    """The first Python in the README, as printed, but for the port."""
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    code = re.sub(r"\b900(\d)\b", lambda port: str(served.base_port + int(port[1])), example[1])
    bids = json.loads(run(python("ccxt"), "-c", code))
    assert bids == sorted(bids, reverse=True)
    assert len(bids) == 3
