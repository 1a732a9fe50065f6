"""What the documents say is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from emulator.config import SETTINGS, Setting
from venues.base import VenueProtocol
from venues.binance.spot_api import SPOT_API
from venues.binance.usdm_api import USDM_API
from venues.binance.usdm_wire import USDM_STREAMS
from venues.binance.wire import SPOT_STREAMS
from venues.binance.ws_api import SPOT_METHODS, SPOT_SOCKET_API, USDM_METHODS, USDM_SOCKET_API
from venues.hyperliquid.actions import ACTIONS
from venues.hyperliquid.info_user import CHANNELS as USER_CHANNELS
from venues.hyperliquid.info_user import INFO_USER
from venues.hyperliquid.rest import INFO
from venues.hyperliquid.wire import CHANNELS
from venues.registry import VENUES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_every_setting_is_documented() -> None:
    """The table in docs/configuration.md is the list of settings: name, default, what it does."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = [f"| `{name}` | {default(row)} | {row.help} |" for name, row in SETTINGS.items()]
    assert re.findall(r"^\| `\w+` \|.*$", page, re.MULTILINE) == rows


def default(row: Setting) -> str:
    match row.default:
        case None | "" | ():
            return ""
        case bool():
            return f"`{str(row.default).lower()}`"
        case _:
            return f"`{row.default}`"


def test_every_venue_is_in_the_readme() -> None:
    """The README's table has a row for each venue, with its port and its markets."""
    base = SETTINGS["base_port"].default
    assert isinstance(base, int)
    for venue in VENUES:
        symbols = ", ".join(row.instrument.symbol for row in venue.listings)
        assert f"| `{venue.id}` | {base + venue.port_offset} | {symbols} |" in README


def interval(name: str) -> str:
    """A stream's name with its interval left open, and its time zone."""
    return re.sub(r"([kK]line_).*", r"\1<interval>", name)


SPOKEN = {
    "binance": {*map(interval, SPOT_STREAMS), *SPOT_API.routes, *SPOT_METHODS, *SPOT_SOCKET_API.own},
    "binance-usdm": {*map(interval, USDM_STREAMS), *USDM_API.routes, *USDM_METHODS, *USDM_SOCKET_API.own},
    "hyperliquid": {*CHANNELS, *INFO, *INFO_USER, *USER_CHANNELS, *ACTIONS},
}


@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.id)
def test_all_that_a_venue_says_is_listed(venue: VenueProtocol) -> None:
    """The venue's chapter of docs/venues.md names every stream and every endpoint, and none that is not there."""
    page = (ROOT / "docs" / "venues.md").read_text()
    chapter = page.partition(f"\n## {venue.id}\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(?:<pair>_perpetual@|<asset>usd@)?([^`]+)`", chapter))
    assert SPOKEN[venue.id] <= named
    paths = {name for name in named if re.match("/[dfs]?api/|/futures/", name)}
    assert paths == {name for name in SPOKEN[venue.id] if name.startswith("/")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link is a file of the project."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


TESTED = ["README.md", "docs/chaos.md", "docs/control.md", "docs/determinism.md"]


@pytest.mark.parametrize("page", TESTED)
def test_the_tests_in_the_pages_pass(tmp_path: Path, page: str) -> None:
    """A project that has the emulator installed can paste a page's tests and run them."""
    examples = re.findall(r"```python\n([^`]*def test_[^`]*)```", (ROOT / page).read_text())
    assert examples
    (tmp_path / "test_example.py").write_text("\n".join(examples))
    options = ("-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider")
    command = (sys.executable, "-m", "pytest", *options, "test_example.py")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_recipes_for_ci_are_yaml_and_their_commands_are_pytests(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    recipes = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert ["jobs" in recipes[0], "tests" in recipes[1]] == [True, True]
    commands = set(re.findall(r"^ *-? ?(?:run: )?pytest( .*)$", page, re.MULTILINE))
    assert len(commands) == 4
    (tmp_path / "test_it.py").write_text("def test_it(exchange): pass")
    for command in commands:
        options = command.replace("$GITHUB_RUN_NUMBER", "7").split()
        asked = (sys.executable, "-m", "pytest", "--collect-only", *options)
        done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_works_as_printed() -> None:
    """The code of docs/library.md, one piece after another, in a Python that has nothing but the project."""
    pieces = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.DOTALL)
    command = (sys.executable, "-W", "error", "-c", "\n".join(pieces))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == sum("print(" in piece for piece in pieces)
