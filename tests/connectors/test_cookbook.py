"""The recipes of docs/cookbook.md, as they are printed, with the client that they are written for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.connectors.test_clients import python, run
from tests.connectors.test_configure import PATHS

pytestmark = [pytest.mark.client, pytest.mark.timeout(900)]

PAGE = Path(__file__).parents[2] / "docs" / "cookbook.md"
PYTEST = f"""
import os, sys
sys.path += {PATHS!r}
import pytest
os.chdir(sys.argv[1])
options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "asyncio_mode=auto"]
sys.exit(pytest.main([*options, "-o", "asyncio_default_fixture_loop_scope=function", "test_page.py"]))
"""


def test_every_recipe_works(tmp_path: Path) -> None:
    pieces = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "test_page.py").write_text("\n\n".join(pieces))
    said = run(python("ccxt"), "-c", PYTEST, tmp_path)
    assert " passed" in said
