"""The control API over HTTP: what it says, what it refuses, and who may ask."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import emulator.driver
from emulator.gateway.http import BODY_BYTES_MAX
from emulator.sdk import Emulator
from reactor.types import SECOND_NS
from tests.emulator.conftest import Client, RawClient
from tests.emulator.toy import START_NS, toys
from tests.patience import PATIENCE_S

JSON = {"content-type": "application/json"}


def ask(
    url: str, data: bytes | None = None, headers: Mapping[str, str] = JSON, method: str | None = None
) -> tuple[int, Any]:
    """Status and answer of a GET, or with data a POST, or of another method."""
    request = urllib.request.Request(url, data, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_health(toy: Emulator) -> None:
    """Everything a client needs to find the venues."""
    venues = {id_: {"http": toy.url(id_), "ws": toy.ws_url(id_)} for id_ in ("toy", "other")}
    said = {"status": "ok", "seed": 1, "now_ns": START_NS, "venues": venues}
    assert ask(toy.control_url + "/health") == (200, said)


def test_the_clock_over_http(toy: Emulator, dial: Callable[..., Client]) -> None:
    """Read, step, pace, run, pause: each answers with the clock after it."""
    client = dial()
    client.tell("sub a 100")
    clock = toy.control_url + "/clock"
    said: dict[str, object] = {
        "now_ns": START_NS,
        "now": "2026-01-01T00:00:00.000Z",
        "paused": True,
        "speed": 1.0,
        "start_ns": START_NS,
        "origin_ns": START_NS,
    }
    assert ask(clock) == (200, said)
    said |= {"now_ns": START_NS + 1_250_000_000, "now": "2026-01-01T00:00:01.250Z"}
    assert ask(clock + "/advance", b'{"seconds": 1.25}') == (200, said)
    assert len(client.frames()) == 12
    assert ask(clock + "/speed", b'{"speed": 20}') == (200, said | {"speed": 20.0})
    assert ask(clock + "/resume", b"")[1]["paused"] is False
    first = client.recv()
    assert ask(clock + "/pause", b"")[1]["paused"] is True
    assert first == f"a {START_NS // 100_000_000 + 13}"
    assert ask(clock + "/advance", b'{"seconds": 0}')[1]["now_ns"] == toy.clock.now_ns


def test_a_step_to_an_event_over_http(toy: Emulator, dial: Callable[..., Client]) -> None:
    """Answered with the clock, which stands at the event; max is a speed like others."""
    client = dial()
    client.tell("sub a 1000")
    clock = toy.control_url + "/clock"
    until = {"event": "kline_close", "venue": "toy", "symbol": "COIN", "interval": "1m"}
    status, said = ask(clock + "/advance_until", json.dumps(until).encode())
    assert (status, said["now"]) == (200, "2026-01-01T00:01:00.000Z")
    assert len(client.frames()) == 60
    assert ask(clock + "/advance_until", b'{"event": "day"}')[1]["now"] == "2026-01-02T00:00:00.000Z"
    assert ask(clock + "/speed", b'{"speed": "max"}')[1]["speed"] == "max"
    assert ask(clock + "/resume", b"")[1]["paused"] is False
    assert ask(clock + "/speed", b'{"speed": 0.5}')[1]["speed"] == 0.5


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/advance", b'{"seconds": -1}', 422, "seconds: "),
        ("/advance", b'{"seconds": 0.001}', 422, "ticks of 10 ms"),
        ("/advance", b'{"seconds": 1e9}', 422, "allowed: 0 to"),
        ("/advance", b'{"seconds": NaN}', 422, "seconds: "),
        ("/advance", b'{"seconds": "1"}', 422, "seconds: "),
        ("/advance", b'{"seconds": 1, "minutes": 1}', 422, "minutes: "),
        ("/advance", b"{}", 422, "seconds: "),
        ("/advance", b"[]", 422, ""),
        ("/advance", b"{", 422, "JSON"),
        ("/advance", b"\xff\xff", 400, "parsing the body"),
        ("/advance", b"x" * (BODY_BYTES_MAX + 1), 413, ""),
        ("/speed", b'{"speed": 0}', 422, "speed: "),
        ("/speed", b'{"speed": 10001}', 422, "speed: "),
        ("/speed", b'{"speed": Infinity}', 422, "speed: "),
        ("/speed", b'{"speed": "fast"}', 422, "at most 10000, or max"),
        ("/speed", b'{"speed": true}', 422, "speed: "),
        ("/advance_until", b'{"event": "funding", "venue": "toy"}', 422, "symbol: "),
        ("/advance_until", b'{"event": "funding"}', 422, "venue: '' is not served; known: toy, other"),
        ("/advance_until", b'{"event": "lunch"}', 422, "event: "),
        ("/advance_until", b'{"event": "day", "hour": 3}', 422, "hour: "),
        ("/nothing", b"", 404, "Not Found"),
        ("", b"", 405, "Method Not Allowed"),
    ],
)
def test_what_is_wrong_is_said(toy: Emulator, path: str, body: bytes, status: int, said: str) -> None:
    """A 4xx with one line, and the clock has not moved."""
    request = urllib.request.Request(toy.control_url + "/clock" + path, body, JSON)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE_S)
    with refused.value as answer:
        text = answer.read().decode()
    assert answer.code == status
    assert said in text
    assert "Traceback" not in text
    assert (toy.clock.now_ns, toy.clock.speed) == (START_NS, 1.0)


def test_a_body_that_is_not_called_json_is_explained(toy: Emulator) -> None:
    """What `curl -d` sends unless told otherwise."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, answer = ask(toy.control_url + "/clock/advance", b'{"seconds": 1}', form)
    assert (status, answer) == (415, {"error": "send JSON, with content-type: application/json"})


def test_a_blocked_step_is_a_409(
    toy: Emulator, raw: Callable[..., RawClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the reader, and where the clock stands."""
    monkeypatch.setattr(emulator.driver, "STALL_S", 0.2)
    slow = raw()
    slow.upgrade()
    slow.send("sub b 10 20000")
    slow.frame()
    status, answer = ask(toy.control_url + "/clock/advance", b'{"seconds": 3600}')
    assert status == 409
    assert str(answer["connection"]).startswith("toy 127.0.0.1:")
    assert answer["reached_ns"] == toy.clock.now_ns < START_NS + 3_600 * SECOND_NS


def test_rules_over_http(toy: Emulator, dial: Callable[..., Client]) -> None:
    """Added, listed, changed, removed; what they hit is told in order."""
    client = dial()
    client.tell("sub a 100")
    faults = toy.control_url + "/faults"
    words = {"kind": "md.drop", "channel": "a", "count": 2}
    told = {"id": "rule-1", **words, "added_ns": START_NS, "hits": 0}
    assert ask(faults, json.dumps(words).encode()) == (201, told)
    toy.clock.advance(1)
    assert ask(faults) == (200, [told | {"hits": 2}])
    assert ask(faults + "/rule-1") == (200, told | {"hits": 2})
    status, hits = ask(faults + "/hits?after=1")
    assert (status, hits["last"]) == (200, 2)
    due_ns = START_NS + 200_000_000
    assert hits["hits"] == [
        {
            "number": 2,
            "rule": "rule-1",
            "kind": "md.drop",
            "at_ns": due_ns,
            "venue": "toy",
            "channel": "a",
            "symbol": "100",
            "endpoint": "/",
            "connection": "toy-1",
            "identity": [due_ns, 0],
        }
    ]
    changed = {"kind": "md.dup", "channel": "a", "times": 2}
    assert ask(faults + "/rule-1", json.dumps(changed).encode(), method="PUT")[1]["times"] == 2
    assert ask(faults + "/mine", b'{"kind": "ws.drop"}', method="PUT")[0] == 200
    assert ask(faults + "/rule-1", method="DELETE")[0] == 200
    assert ask(faults + "/rule-1", method="DELETE") == (404, {"error": "there is no rule 'rule-1'"})
    assert [rule["id"] for rule in ask(faults)[1]] == ["mine"]
    assert ask(faults, method="DELETE") == (200, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"kind": "md.gapp"}', "fault: kind: 'md.gapp' is no fault; did you mean md.gap?"),
        (b'{"kind": "md.gap", "sise": 3}', "fault: sise: unknown word; did you mean size?"),
        (
            b'{"kind": "md.gap", "size": 0}',
            "fault: size: 0 is not allowed; allowed: a whole number from 1 to 100,000",
        ),
        (b'{"kind": "md.gap", "id": 3}', "fault: id: 3 is not allowed; allowed: a text"),
    ],
)
def test_a_wrong_rule_is_one_line(toy: Emulator, body: bytes, said: str) -> None:
    assert ask(toy.control_url + "/faults", body) == (422, {"error": said})
    assert ask(toy.control_url + "/faults") == (200, [])


def test_the_kinds_explain_themselves(toy: Emulator) -> None:
    kinds = {row["kind"]: row for row in ask(toy.control_url + "/faults/kinds")[1]["kinds"]}
    assert kinds["md.gap"] == {
        "kind": "md.gap",
        "scope": "frame",
        "about": "The sequence of a book skips: some updates in a row never come.",
        "options": [
            {
                "name": "size",
                "allowed": "a whole number from 1 to 100,000",
                "help": "How many messages in a row.",
                "default": 1,
                "needed": False,
            }
        ],
        "docs": "docs/chaos.md#mdgap",
    }


def test_sockets_over_http(toy: Emulator, dial: Callable[..., Client]) -> None:
    client = dial()
    client.tell("sub a 100")
    connections = toy.control_url + "/connections"
    (row,) = ask(connections)[1]
    assert (row["id"], row["venue"], row["streams"]) == ("toy-1", "toy", [["a", "100"]])
    assert ask(connections + "/toy-1?code=99", method="DELETE")[0] == 422
    assert ask(connections + "/toy-1?code=4001&reason=out", method="DELETE") == (200, row)
    assert client.closed() == (4_001, "out")
    assert ask(connections + "/nobody", method="DELETE") == (
        404,
        {"error": "there is no connection 'nobody'"},
    )


def test_the_api_describes_itself(toy: Emulator) -> None:
    """OpenAPI lists every route there is."""
    _, description = ask(toy.control_url + "/openapi.json")
    commands = {f"/clock/{name}" for name in ("pause", "resume", "advance", "advance_until", "speed")}
    chaos = {
        "/faults",
        "/faults/kinds",
        "/faults/hits",
        "/faults/{name}",
        "/connections",
        "/scenarios",
        "/scenarios/{name}/start",
        "/connections/{name}",
    }
    truth = {"/truth/book", "/truth/sequence", "/truth/trades", "/truth/fills"}
    of_account = {f"/accounts/{{name}}{command}" for command in ("", "/fund", "/freeze", "/thaw")}
    office = {"/accounts", *of_account, "/orders", "/orders/{order_id}", "/log"}
    market = {"/market/{action}", "/market/resume"}
    assert set(description["paths"]) == {"/health", "/clock", *commands, *chaos, *truth, *office, *market}


def test_with_a_key_only_who_knows_it_rules() -> None:
    """/health is for everybody, the clock is not."""
    with Emulator({"api_key": "open sesame"}, registry=toys()[:1]) as toy:
        assert ask(toy.control_url + "/health")[0] == 200
        for key in ({}, {"x-api-key": "sesame"}, {"x-api-key": "\xe9"}):
            assert ask(toy.control_url + "/clock", headers=key)[0] == 401
            assert ask(toy.control_url + "/clock/advance", b'{"seconds": 1}', {**JSON, **key})[0] == 401
        assert ask(toy.control_url + "/clock", headers={"x-api-key": "open sesame"})[0] == 200
        assert toy.clock.now_ns == START_NS
