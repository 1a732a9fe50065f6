"""The command: ready, gone when told to go, and one line with exit code 2 when something is wrong."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from itertools import takewhile
from pathlib import Path

import pytest
from websockets.sync.client import connect

import emulator.cli
from emulator.chaos.faults import KINDS
from emulator.chaos.scenarios import scenarios
from emulator.config import SETTINGS, Layer, load
from emulator.gateway.journal import FileJournal, Run, settings_hash
from tests.patience import PATIENCE_S
from tests.serving import free_ports
from venues.registry import VENUES


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run the command here; its exit code."""
    monkeypatch.setattr(sys, "argv", ["exchange-emulator", *arguments])
    with pytest.raises(SystemExit) as ended:
        emulator.cli.main()
    return ended.value.code


def test_profiles_lists_what_venues_can_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each profile and each quirk of each venue, and what it is."""
    monkeypatch.setenv("COLUMNS", "400")
    assert command(monkeypatch, "profiles") == 0
    rows = [re.split(r"\s*│\s*", line)[1:-1] for line in capsys.readouterr().out.splitlines()]
    for venue in VENUES:
        told = {row[1]: row[2:] for row in rows if row and row[0] == venue.id}
        assert list(told) == [*venue.profiles, *venue.quirks]
        assert [name for name, row in told.items() if row[0] == "default"] == [list(venue.profiles)[-1]]
        assert all(told[name][1] == about for name, about in venue.profiles.items())
        assert all(told[name] == ["off", quirk.about] for name, quirk in venue.quirks.items() if not quirk.on)


def test_faults_lists_kinds_and_explains_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three lines for each kind: its name, what a client sees, a link; of one, a line a word; of none, the nearest."""
    monkeypatch.setenv("COLUMNS", "400")
    assert command(monkeypatch, "faults") == 0
    lines = capsys.readouterr().out.splitlines()
    said = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    assert {name.split()[0]: (about.strip(), link.strip()) for name, about, link in said} == {
        kind: (fault.about, f"docs/chaos.md#{kind.replace('.', '')}") for kind, fault in KINDS.items()
    }
    assert command(monkeypatch, "faults", "md.delay") == 0
    words = capsys.readouterr().out
    assert re.search(r"│ delay_ms +│ needed +│ How late, in virtual time. +│ a number from 0", words)
    assert "│ after_n" in words
    assert command(monkeypatch, "faults", "md.dely") == 2
    assert capsys.readouterr().err == (
        "exchange-emulator: faults: 'md.dely' is no fault; did you mean md.delay?\n"
    )


def test_scenarios_lists_timelines_and_prints_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each; of one, its rules as YAML; of none, the nearest."""
    monkeypatch.setenv("COLUMNS", "400")
    assert command(monkeypatch, "scenarios") == 0
    rows = [re.split(r"\s*│\s*", line)[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows if row] == list(scenarios())
    assert command(monkeypatch, "scenarios", "rate-limit-storm") == 0
    assert "- {kind: http.418, retry_after_s: 120, at_s: 120, duration_s: 120}\n" in capsys.readouterr().out
    assert command(monkeypatch, "scenarios", "flaky-net") == 2
    assert capsys.readouterr().err == (
        "exchange-emulator: scenarios: there is no scenario 'flaky-net'; did you mean flaky-network?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "flaky"], "scenario: there is no scenario 'flaky'"),
        (["--scenario", "missing.yaml"], "missing.yaml: No such file or directory"),
        (["--faults", "missing.yaml"], "missing.yaml: No such file or directory"),
        (["--speed", "0"], "--speed: '0' is not allowed; allowed: a number above 0, at most 10000"),
        (["--seed", "x"], "--seed: 'x' is not allowed; allowed: a whole number from 0 to"),
        (
            ["--base-port", "70000"],
            "--base-port: '70000' is not allowed; allowed: a whole number from 0 to 65500",
        ),
        (["--start", "soon"], "--start: 'soon' is not allowed; allowed: now or an ISO 8601 time"),
        (["--venues", "nowhere"], "--venues: unknown venue 'nowhere'"),
        (["--preset", "defualt"], "--preset: there is no preset 'defualt'; did you mean default?"),
        (["--config", "missing.yaml"], "missing.yaml: No such file or directory"),
        (
            ["--control-host", "0.0.0.0"],
            "--control-host: 0.0.0.0 is no loopback address; that takes an api_key",
        ),
        (["--host", "http://here"], "--host: 'http://here' is not allowed; allowed: a host name or address"),
        (["--host", "x" * 80], f"on {'x' * 80}, for "),
        (["--host", "no.such.host.invalid"], "on no.such.host.invalid, for "),
    ],
)
def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """On standard error, with exit code 2, and nothing else."""
    assert command(monkeypatch, "serve", "--base-port", "0", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("exchange-emulator: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "8"], "is of a run with other seed"),
        (["--venues", "binance"], "is of a run with other settings"),
        (["--accounts", "{bot: {keys: [{key: k, secret: s}]}}"], "is of a run with other settings"),
        (["--start", "2026-01-01"], "is of a run with other start"),
    ],
)
def test_a_journal_of_another_run_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    """Which journal, and what differs."""
    path = tmp_path / "run.journal"
    usual = load([Layer(str, {"seed": 7})], VENUES)
    FileJournal.open(path, Run(7, settings_hash(usual), 0, 1_000_000_000)).close()
    wanted = ["serve", "--base-port", "0", "--journal", str(path), "--seed", "7", *arguments]
    assert command(monkeypatch, *wanted) == 2
    assert capsys.readouterr().err == f"exchange-emulator: journal: {path} {said}\n"


def test_a_damaged_journal_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "run.journal"
    path.write_text("no journal\nat all\n")
    assert command(monkeypatch, "serve", "--base-port", "0", "--journal", str(path)) == 2
    assert capsys.readouterr().err == f"exchange-emulator: journal: {path}: line 1 is damaged\n"
    assert command(monkeypatch, "serve", "--base-port", "0", "--journal", str(tmp_path / "no" / "x")) == 2
    said = f"exchange-emulator: journal: {tmp_path / 'no' / 'x'}: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_a_busy_port_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Which port, where and for whom; and the ports before it are free again."""
    with free_ports() as base:
        with socket.create_server(("127.0.0.1", base + 1)):
            assert command(monkeypatch, "serve", "--base-port", str(base)) == 2
        said = rf"exchange-emulator: port {base + 1} on 127\.0\.0\.1, for [\w-]+, is in use\n"
        assert re.fullmatch(said, capsys.readouterr().err)
        with socket.create_server(("127.0.0.1", base)):
            pass


def test_every_setting_is_an_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the help and the default of the list of settings."""
    assert command(monkeypatch, "serve", "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    for name, setting in SETTINGS.items():
        assert f"--{name.replace('_', '-')} " in said
        assert setting.help in said
        unsaid = isinstance(setting.default, bool) or not setting.default
        assert unsaid or f"; default {setting.default}]" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_until_told_to_go(tmp_path: Path, number: signal.Signals) -> None:
    """A table of URLs, the word ready, then service; the signal closes sockets with 1001 and exits 0."""
    config = tmp_path / "mine.yaml"
    config.write_text("base_port: 0\nseed: 5\nstart: 2026-01-01\npaused: true\nspeed: 3")
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    arguments = [program, "serve", "--config", str(config), "--seed", "9"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(takewhile(lambda line: line != "ready\n", process.stdout))
            found = re.search(
                r"(ws://127\.0\.0\.1:\d+).*control\W+(http://127\.0\.0\.1:\d+)", said, re.DOTALL
            )
            assert found, said
            url, control = found.groups()
            with urllib.request.urlopen(control + "/health", timeout=PATIENCE_S) as answer:
                assert b'"seed":9,"now_ns":1767225600000000000' in answer.read()
            with connect(url + "/ws") as socket:
                process.send_signal(number)
                list(socket)  # what the venue says before; ends with the close
                assert socket.protocol.close_rcvd is not None
                assert socket.protocol.close_rcvd.code == 1_001
            assert process.wait(PATIENCE_S) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()
