"""Real clients that know nothing of the emulator trade on it once `configure` has pointed them there.

Each runs where its own environment and, after it, the emulator's are, as in a project that has installed both.
"""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest

from tests.connectors.test_clients import (
    CLIENTS,
    GUIDE,
    PYTHON_BINANCE,
    SDK,
    SHORT_WAY,
    UNICORN,
    at_ports_of,
    python,
    run,
)
from tests.serving import Served

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

PATHS = (str(Path(__file__).parents[2]), sysconfig.get_path("purelib"))

CASES = (
    ("ccxt", "ccxt_object"),
    ("ccxt", "ccxt_class"),
    (PYTHON_BINANCE, "python_binance_class"),
    (PYTHON_BINANCE, "python_binance_object"),
    (PYTHON_BINANCE, "python_binance_thread"),
    (SDK, "hyperliquid_sdk"),
    (UNICORN, "unicorn"),
    ("binance-sdk", "binance_sdk"),
)


@pytest.mark.parametrize(("pins", "case"), CASES, ids=[case for _, case in CASES])
def test_a_configured_client_needs_no_urls(pins: str, case: str) -> None:
    """It reads books and, where it can, trades: all at the emulator, and without looking for another host."""
    run(python(pins), CLIENTS / "configured.py", case, *PATHS)


def pieces() -> list[str]:
    """The Python of the guide's chapter about all clients."""
    (chapter,) = (text for text in GUIDE.read_text().split("\n## ") if text.startswith(f"{SHORT_WAY}\n"))
    return re.findall(r"```python\n(.*?)```", chapter, re.DOTALL)


@pytest.mark.parametrize("code", pieces())
def test_the_short_way_of_the_guide_works(code: str, served: Served) -> None:
    """Each piece of code prints the best bid and the best ask, in this order."""
    with_both = f"import sys; sys.path += {PATHS!r}\n" + at_ports_of(served, code)
    bid, ask = map(float, run(python("ccxt"), "-c", with_both).split())
    assert 0 < bid < ask
