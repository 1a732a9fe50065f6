"""The walls of the house, where no linter can see them."""

from __future__ import annotations

import ast
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from venues.registry import VENUES

ROOT = Path(__file__).parent.parent
PACKAGES = ("emulator", "venues", "reactor")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# What uvicorn looks up by name, whether or not we import it too.
LOOKED_UP = {"httptools", "uvloop"}
DISTRIBUTION_OF = {"Crypto": "pycryptodome", "yaml": "pyyaml"}

# Names of venues and words of theirs alone. What any trader would say ("spot", "perp", "depth") is not among them.
VENUE_WORDS = re.compile(
    r"binance|hyperliquid|okx|bybit|\busdm\b|usd-?m\b|\bfapi\b|l2book|allmids", re.IGNORECASE
)
# Places and tools of the machines this was written on, and hosts that packages come from.
FOREIGN = re.compile(
    r"/work/|/root/|/home/\w|/opt/|pypi\.org|pythonhosted|index-url|\bshared/(?!golden\b)", re.IGNORECASE
)


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the project, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


def code(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("package", ["emulator", "reactor"])
def test_no_venue_is_named_outside_venues(package: str) -> None:
    """What a venue calls things is said in its own folder; the emulator and the market know none by name."""
    named = [
        f"{place(path, number)}: {line.strip()}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if VENUE_WORDS.search(line)
    ]
    assert named == []


def test_the_tree_names_no_machine() -> None:
    """Nothing that is committed depends on, or tells of, the machine it was written on."""
    found = [
        f"{place(path, number)}: {line.strip()}"
        for path in tracked()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert found == []


def test_every_venue_is_registered_and_walled() -> None:
    """A folder under venues/ is in the registry, and in the contract that keeps venues apart."""
    folders = {f"venues.{path.parent.name}" for path in (ROOT / "venues").glob("*/__init__.py")}
    registry = ast.parse((ROOT / "venues" / "registry.py").read_text())
    contracts = {row["id"]: row for row in PROJECT["tool"]["importlinter"]["contracts"]}
    shared = {"venues.base", "venues.clients", "venues.funding"}
    named = {".".join(name.split(".")[:2]) for name in imports(registry) if name.startswith("venues.")}
    assert named - shared == folders
    assert set(contracts["venues"]["modules"]) == folders


def test_ports_and_names_of_venues_are_their_own() -> None:
    """One port, one name, one venue; the control port is nobody's."""
    offsets = [venue.port_offset for venue in VENUES]
    assert len(set(offsets)) == len(offsets)
    assert all(0 < offset < 100 for offset in offsets)
    assert offsets == sorted(offsets), "the registry is in port order"
    assert len({venue.id for venue in VENUES}) == len(VENUES)


@pytest.mark.parametrize("method", ["time", "call_later", "call_at"])
def test_only_the_driver_asks_the_loop_for_time(method: str) -> None:
    """The clock of the event loop is a clock too, and no import gives it away."""
    asked = [
        place(path, node.lineno)
        for path, tree in code(*PACKAGES)
        if path != ROOT / "emulator" / "driver.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    ]
    assert asked == []


def test_dependencies_are_what_is_imported() -> None:
    """pyproject.toml lists what the code imports, all of it and nothing else."""
    outside = {name.partition(".")[0] for _, tree in code(*PACKAGES) for name in imports(tree)}
    outside -= {*PACKAGES, *sys.stdlib_module_names}
    outside.discard("pytest")  # the plugin's host, there whenever it is loaded
    declared = {re.split(r"[<>=!~;\[ ]", row)[0] for row in PROJECT["project"]["dependencies"]}
    assert {DISTRIBUTION_OF.get(name, name) for name in outside} | LOOKED_UP == declared


def test_dependencies_are_pinned_and_bounded() -> None:
    """Every dependency has a lower bound in pyproject.toml and an exact pin in constraints.txt that honours it."""
    pins = dict(
        re.sub(r"[-_.]+", "-", line).lower().split("==", 1)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    extras = PROJECT["project"]["optional-dependencies"].values()
    rows = [*PROJECT["project"]["dependencies"], *itertools.chain(*extras)]
    for row in rows:
        if row.startswith(PROJECT["project"]["name"]):  # an extra in another
            continue
        name, bound = re.match(r"([\w.-]+)>=([\d.]+)", row).groups()  # type: ignore[union-attr]  # or it fails here
        version = pins[re.sub(r"[-_.]+", "-", name).lower()]
        assert [int(n) for n in re.split(r"[-.]", version)] >= [int(n) for n in bound.split(".")], row


def test_modules_say_what_they_are() -> None:
    """Every module opens with what it is."""
    assert [place(path, 1) for path, tree in code(*PACKAGES) if not ast.get_docstring(tree)] == []


def test_the_wheel_carries_code_and_presets(tmp_path: Path) -> None:
    """What is installed elsewhere has every module, preset and scenario of this tree, and nothing else."""
    source = tmp_path / "source"
    for path in tracked():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (source / "emulator" / "configs").symlink_to("../configs")
    build = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        str(source),
    )
    subprocess.run(build, cwd=tmp_path, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in tracked() if path.suffix == ".py"}
    expected = {name for name in modules if name.partition("/")[0] in PACKAGES}
    expected |= {
        f"emulator/{path.relative_to(ROOT)}" for path in tracked() if ROOT / "configs" in path.parents
    }
    expected |= {f"emulator/realism/{name}" for name in ("page.css", "targets.json")}
    assert shipped == expected
