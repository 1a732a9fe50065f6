"""What the documents say is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.config import SETTINGS, Setting
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
    """The README's table has a row for each venue, with its port."""
    base = SETTINGS["base_port"].default
    assert isinstance(base, int)
    for venue in VENUES:
        assert f"| `{venue.id}` | {base + venue.port_offset} |" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link is a file of the project."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    """A project that has the emulator installed can paste the README's test and run it."""
    (example,) = re.findall(r"```python\n([^`]*def test_[^`]*)```", README)
    (tmp_path / "test_example.py").write_text(example)
    options = ("-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider")
    command = (sys.executable, "-m", "pytest", *options, "test_example.py")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
