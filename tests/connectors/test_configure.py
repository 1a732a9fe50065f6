"""Real clients that know nothing of the emulator trade on it once `configure` has pointed them there.

Each runs where its own environment and, after it, the emulator's are, as in a project that has installed both.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.connectors.environments import interpreter
from tests.connectors.test_clients import (
    CLIENTS,
    GUIDE,
    PATIENT,
    PYTHON_BINANCE,
    SDK,
    SHORT_WAY,
    UNICORN,
    at_ports_of,
    python,
    run,
    verdicts_on,
)
from tests.serving import Served

pytestmark = [pytest.mark.client, pytest.mark.timeout(900)]

PATHS = (str(Path(__file__).parents[2]), sysconfig.get_path("purelib"))


@dataclass(frozen=True, slots=True)
class Case:
    """The pins of an environment, and a function of configured.py that runs there."""

    pins: str
    name: str

    def __str__(self) -> str:
        return self.name


CASES = (
    Case("ccxt", "ccxt_object"),
    Case("ccxt", "ccxt_class"),
    Case(PYTHON_BINANCE, "python_binance_class"),
    Case(PYTHON_BINANCE, "python_binance_object"),
    Case(PYTHON_BINANCE, "python_binance_thread"),
    Case(SDK, "hyperliquid_sdk"),
    Case(UNICORN, "unicorn"),
    Case("binance-sdk", "binance_sdk"),
    Case("cryptofeed", "cryptofeed_class"),
)


@pytest.fixture(scope="module")
def ends(request: pytest.FixtureRequest) -> Iterator[Mapping[Case, Future[str]]]:
    """How each case that is asked for will have ended."""
    verdict = lambda case: run(interpreter(case.pins), CLIENTS / "configured.py", case.name, *PATHS)
    with verdicts_on(Case, verdict, request) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_configured_client_needs_no_urls(case: Case, ends: Mapping[Case, Future[str]]) -> None:
    """It reads books and, where it can, trades: all at the emulator, and without looking for another host."""
    python(case.pins)
    ends[case].result()


def pieces() -> list[str]:
    """The Python of the guide's chapter about all clients."""
    (chapter,) = (text for text in GUIDE.read_text().split("\n## ") if text.startswith(f"{SHORT_WAY}\n"))
    return re.findall(r"```python\n(.*?)```", chapter, re.DOTALL)


@pytest.mark.parametrize("code", pieces())
def test_the_short_way_of_the_guide_works(code: str, served: Served) -> None:
    """Each piece of code prints the best bid and the best ask, in this order."""
    with_both = f"import sys; sys.path += {PATHS!r}\n" + PATIENT["ccxt"] + at_ports_of(served, code)
    bid, ask = map(float, run(python("ccxt"), "-c", with_both).split())
    assert 0 < bid < ask
