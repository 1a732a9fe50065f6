"""Faults through real sockets: what a client sees of each, when, and that the same run sees the same."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from emulator.chaos.faults import KINDS
from emulator.chaos.rules import Draw, Event, Rules, Scope, read_rule
from emulator.config import ConfigError
from emulator.sdk import Emulator
from tests.emulator.conftest import Client
from tests.emulator.toy import START_NS, toys
from tests.patience import PATIENCE_S
from venues.wire import frame, payloads

Dial = Callable[..., Client]


def numbers(frames: list[str]) -> list[int]:
    """Of the counter's frames, the last digits."""
    return [int(text.split()[1]) % 1_000_000 for text in frames]


def ran(toy: Emulator, client: Client, seconds: float = 1.0) -> list[int]:
    """What "a", ten times a second, says while the clock runs, counted from 1."""
    first = toy.clock.now_ns // 100_000_000 % 1_000_000
    toy.clock.advance(seconds)
    return [n - first for n in numbers(client.frames())]


@pytest.fixture
def listening(dial: Dial) -> Client:
    """A client of the counter "a", ten times a second."""
    client = dial()
    client.tell("sub a 100")
    return client


# ---------------------------------------------------------------- streams
def test_a_gap_is_where_it_was_asked_for(toy: Emulator, listening: Client) -> None:
    toy.faults.add("md.gap", channel="a", after_n=3, count=1, size=2)
    assert ran(toy, listening) == [1, 2, 3, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ({"kind": "md.drop", "every_n": 5}, [1, 2, 3, 4, 6, 7, 8, 9]),
        ({"kind": "md.dup", "after_n": 8}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 10]),
        ({"kind": "md.burst", "after_n": 8, "times": 3}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10, 10, 10]),
        ({"kind": "md.reorder", "after_n": 4, "count": 1}, [1, 2, 3, 4, 6, 5, 7, 8, 9, 10]),
        ({"kind": "md.stale_repeat", "after_n": 4, "count": 2}, [1, 2, 3, 4, 4, 4, 7, 8, 9, 10]),
        ({"kind": "md.delay", "delay_ms": 250, "after_n": 4, "count": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"kind": "md.delay", "delay_ms": 450, "after_n": 6}, [1, 2, 3, 4, 5, 6]),
        ({"kind": "md.drop", "at_s": 0.5}, [1, 2, 3, 4]),
        ({"kind": "md.drop", "at_s": 0.5, "duration_s": 0.2}, [1, 2, 3, 4, 8, 9, 10]),
        ({"kind": "md.drop", "on_match": " [0-9]*[05]$"}, [1, 2, 3, 4, 6, 7, 8, 9]),
        ({"kind": "ws.half_open", "after_n": 4}, [1, 2, 3, 4]),
        ({"kind": "md.stall", "after_n": 3, "count": 1, "for_s": 0.3}, [1, 2, 3, 7, 8, 9, 10]),
        ({"kind": "md.stall", "after_n": 3, "count": 1}, [1, 2, 3]),
        ({"kind": "ws.fragment", "pieces": 4}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"kind": "md.drop", "channel": "b"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"kind": "md.drop", "venue": "other"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"kind": "md.drop", "connection": "toy-2"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_stream_under_a_fault(
    toy: Emulator, listening: Client, words: dict[str, object], seen: list[int]
) -> None:
    toy.faults.add(**{"channel": "a", **words})  # type: ignore[arg-type]
    assert ran(toy, listening) == seen


def test_what_is_late_comes_when_its_time_has_come(toy: Emulator, listening: Client) -> None:
    toy.faults.add("md.delay", channel="a", delay_ms=450, after_n=6)
    assert ran(toy, listening) == [1, 2, 3, 4, 5, 6]
    toy.clock.advance(0.15)
    assert numbers(listening.frames())[-1] % 10 == 7


def test_chance_hits_its_share_and_the_same_every_time(toy: Emulator) -> None:
    def hits() -> list[tuple[int, ...]]:
        with Emulator({}, registry=toys()) as fresh:
            with connect(fresh.ws_url("toy"), max_queue=None) as socket:
                Client(socket).tell("sub a 10")
                fresh.faults.add("md.drop", channel="a", probability=0.25, seed=3)
                fresh.clock.advance(20)
            return [hit.identity for hit in fresh.faults.hits]

    first = hits()
    assert 420 < len(first) < 580
    assert first == hits()


MIXED: list[dict[str, Any]] = [
    {"kind": "md.gap", "every_n": 97, "size": 3},
    {"kind": "md.delay", "delay_ms": 30, "jitter_ms": 200, "probability": 0.1, "seed": 1},
    {"kind": "md.dup", "probability": 0.05, "seed": 2},
    {"kind": "md.reorder", "every_n": 41},
    {"kind": "md.stale_repeat", "channel": "a", "probability": 0.02, "seed": 3},
    {"kind": "md.crossed", "channel": "book", "every_n": 13},
    {"kind": "md.seq_reset", "channel": "book", "after_n": 500, "count": 1},
    {"kind": "md.stall", "channel": "b", "at_s": 200, "count": 1, "for_s": 20},
    {"kind": "md.burst", "times": 5, "at_s": 300, "duration_s": 10},
    {"kind": "ws.bandwidth", "kbit_per_s": 20, "at_s": 400, "duration_s": 30},
    {"kind": "ws.close", "at_s": 590, "count": 1, "channel": "a"},
]


def test_ten_minutes_of_everything_are_the_same_twice() -> None:
    """Every message and every hit, whether time goes in one step or in many."""

    def ran_through(step: float) -> tuple[list[str], list[tuple[str, tuple[int, ...]]]]:
        with Emulator({}, registry=toys()) as fresh:
            with connect(fresh.ws_url("toy"), max_queue=None) as socket:
                client = Client(socket)
                client.tell("sub a 100", "sub b 250", "sub book 500")
                for words in MIXED:
                    fresh.faults.add(**words)
                for _ in range(math.ceil(600 / step)):
                    fresh.clock.advance(step)
                said = []
                with suppress(ConnectionClosed):
                    while True:
                        said.append(client.recv())
            return said, [(hit.kind, hit.identity) for hit in fresh.faults.hits]

    said, hits = ran_through(602.0)
    assert {kind for kind, _ in hits} == {words["kind"] for words in MIXED}
    assert len(said) > 8_000
    assert ran_through(7.0) == (said, hits)


def test_a_rule_may_be_of_whoever_uses_a_key(toy: Emulator) -> None:
    """And of whoever shows none, by the address."""
    rules = {"bot": toy.faults.add("md.drop", key="bot"), "": toy.faults.add("md.dup", key="127.0.0.1")}
    for key, seen in (("bot", []), ("other", [1, 2]), ("", [1, 1, 2, 2])):
        headers = {"x-toy-key": key} if key else {}
        with connect(toy.ws_url("toy"), max_queue=None, additional_headers=headers) as socket:
            client = Client(socket)
            client.tell("sub a 100")
            assert ran(toy, client, 0.2) == seen
    assert all(map(toy.faults.remove, rules.values()))


@pytest.mark.parametrize("step_s", [0.01, 0.25, 2.0])
def test_a_count_over_several_sockets_does_not_depend_on_the_steps(
    toy: Emulator, dial: Dial, step_s: float
) -> None:
    """The eleventh message of "b" is due before that of "a", whoever connected first."""
    for name, every_ms in (("a", 100), ("b", 10), ("c", 50)):
        dial().tell(f"sub {name} {every_ms}")
    toy.faults.add("md.drop", after_n=10, every_n=5, count=4)
    for _ in range(round(2 / step_s)):
        toy.clock.advance(step_s)
    due_ms = [(hit.channel, (hit.at_ns - START_NS) // 1_000_000) for hit in toy.faults.hits]
    assert due_ms == [("b", 150), ("b", 200), ("b", 250), ("b", 300)]


def test_all_connections_see_the_same_frames_hit_once(toy: Emulator, dial: Dial) -> None:
    clients = [dial() for _ in range(3)]
    for client in clients:
        client.tell("sub a 100")
    toy.faults.add("md.drop", channel="a", after_n=2, count=2)
    toy.clock.advance(1)
    seen = [numbers(client.frames()) for client in clients]
    assert seen == [seen[0]] * 3
    assert len(seen[0]) == 8
    assert len(toy.faults.hits) == 2


def test_a_client_that_comes_back_is_not_hit_again(toy: Emulator, dial: Dial) -> None:
    first = dial()
    first.tell("sub a 100")
    toy.faults.add("ws.drop", channel="a", after_n=3, count=1)
    toy.clock.advance(0.5)
    first.closed_without_a_word()
    second = dial()
    second.tell("sub a 100")
    assert ran(toy, second) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_others_notice_nothing(toy: Emulator, dial: Dial) -> None:
    hit, spared = dial(), dial()
    for client in (hit, spared):
        client.tell("sub a 100", "sub b 10")
    toy.faults.add("md.drop", connection="toy-1")
    toy.clock.advance(1)
    assert hit.frames() == []
    assert len(spared.frames()) == 110


# ---------------------------------------------------------------- what messages say
@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ({"kind": "md.crossed"}, {"b": [["101.5", "2"]]}),
        ({"kind": "md.locked"}, {"b": [["100.5", "2"]]}),
        ({"kind": "md.unknown_level_delete"}, {"b": [["99.5", "2"], ["49.8", "0"]]}),
        ({"kind": "md.old_timestamp", "age_s": 2}, {"at": START_NS // 1_000_000 + 100 - 2_000}),
        ({"kind": "md.null_field", "field": "b.0.1"}, {"b": [["99.5", None]]}),
        ({"kind": "md.new_field", "name": "z"}, {"z": "x"}),
        ({"kind": "md.seq_reset", "first": 7}, {"p": 7, "n": 8}),
    ],
    ids=lambda value: value.get("kind", ""),
)
def test_a_message_says_something_else(
    toy: Emulator, dial: Dial, words: dict[str, Any], seen: dict[str, object]
) -> None:
    """Only that, and only once; what has no such thing in it is not hit."""
    client = dial()
    client.tell("sub book 100", "sub a 100")
    toy.faults.add(**{"count": 1, **words})
    toy.clock.advance(0.2)
    texts = client.frames()
    first, second = (json.loads(text)["d"] for text in texts if text.startswith("{"))
    whole = {
        "n": START_NS // 100_000_000 % 1_000 + 1,
        "p": START_NS // 100_000_000 % 1_000,
        "at": START_NS // 1_000_000 + 100,
        "b": [["99.5", "2"]],
        "a": [["100.5", "1"], ["101.0", "0"]],
    }
    assert first == whole | seen
    if words["kind"] == "md.seq_reset":
        assert (second["p"], second["n"]) == (8, 9)
    else:
        assert second == whole | {"n": second["n"], "p": second["p"], "at": second["at"]}
    assert [hit.channel for hit in toy.faults.hits] == ["book"]


def test_a_snapshot_may_come_again(toy: Emulator, dial: Dial) -> None:
    client = dial()
    client.socket.send("snap a 100")
    toy.faults.add("md.snapshot_resend", channel="a", after_n=1, count=1)
    client.frames()
    toy.clock.advance(0.3)
    first, second, again, third = client.frames()
    assert again == f"snapshot of {second}"
    assert numbers([third]) == [numbers([first])[0] + 2]


# ---------------------------------------------------------------- sockets
def test_a_close_carries_its_code_and_reason(toy: Emulator, listening: Client) -> None:
    toy.faults.add("ws.close", channel="a", after_n=1, code=4_321, reason="maintenance")
    toy.clock.advance(0.5)
    assert listening.closed() == (4_321, "maintenance")


@pytest.mark.parametrize("kind", ["ws.drop", "ws.rst", "ws.truncate"])
def test_a_socket_that_ends_without_a_word(toy: Emulator, listening: Client, kind: str) -> None:
    toy.faults.add(kind, channel="a", after_n=2)
    toy.clock.advance(0.5)
    listening.closed_without_a_word()


def test_a_thin_line_carries_only_so_much(toy: Emulator, listening: Client) -> None:
    """Frames of 13 bytes, 104 bits, at 1,000 bits a second: the first at 0.1 + 0.104 s, then each 0.104 s."""
    toy.faults.add("ws.bandwidth", kbit_per_s=1)
    toy.clock.advance(1)
    assert [int(listening.recv()[-2:]) % 10 for _ in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(TimeoutError):
        listening.socket.recv(timeout=0.1)


def test_a_socket_may_be_too_old_before_its_time(toy: Emulator, listening: Client) -> None:
    toy.faults.add("ws.24h_cut", channel="a", after_n=2)
    toy.clock.advance(0.5)
    assert listening.closed() == (4_010, "an hour is over")


def test_a_server_that_goes_down_says_so_first(toy: Emulator, dial: Dial) -> None:
    client = dial("/polite")
    client.tell("sub a 100")
    toy.faults.add("ws.server_shutdown", after_n=2, count=1, lead_s=0.5)
    toy.clock.advance(2)
    said = [client.recv() for _ in range(8)]
    assert said[3] == f"bye at {START_NS + 300_000_000}"
    assert len([text for text in said if text.startswith("a ")]) == 7
    assert client.closed() == (4_010, "an hour is over")


def test_pings_may_go_unanswered(toy: Emulator, dial: Dial) -> None:
    client = dial()
    toy.faults.add("ws.no_pong", count=1)
    assert not client.socket.ping("one").wait(0.2)
    assert client.socket.ping("two").wait(PATIENCE_S)
    client.socket.send("heard")
    assert client.recv() == "ping ping"


def test_a_handshake_may_be_late(toy: Emulator, dial: Dial) -> None:
    toy.faults.add("ws.slow_handshake", wait_s=0.2, count=1)
    before = time.monotonic()
    dial().tell("sub a 100")
    assert time.monotonic() - before >= 0.2
    toy.faults.add("ws.slow_handshake")
    with pytest.raises(TimeoutError):
        connect(toy.ws_url("toy"), open_timeout=0.2)


def test_a_handshake_may_be_refused(toy: Emulator, dial: Dial) -> None:
    toy.faults.add("ws.handshake_status", status=451, body="not here", endpoint="/far", count=1)
    with pytest.raises(InvalidStatus) as refused:
        dial("/far")
    assert (refused.value.response.status_code, refused.value.response.body) == (451, b"not here")
    dial("/near").tell("sub a 100")
    dial("/far").tell("sub a 100")


def test_an_acknowledgement_may_be_lost_or_late(toy: Emulator, dial: Dial) -> None:
    client = dial()
    toy.faults.add("sub.ack_lost", count=1)
    toy.faults.add("sub.ack_late", delay_ms=150, count=1)
    for command in ("say 1", "sub a 100", "sub b 100"):
        client.socket.send(command)
    assert client.frames() == ["x"]
    toy.clock.advance(0.2)
    assert [text.partition(" ")[0] for text in client.frames()] == ["a", "b", "ok", "a", "b"]


def test_an_unsubscription_may_be_ignored(toy: Emulator, listening: Client) -> None:
    listening.tell("sub b 100")
    toy.faults.add("unsub.ignored", channel="a")
    listening.tell("unsub a 100", "unsub b 100")
    assert ran(toy, listening, 0.3) == [1, 2, 3]


def test_answers_can_be_hit_too(toy: Emulator, dial: Dial) -> None:
    client = dial()
    toy.faults.add("md.drop", channel="reply", count=1)
    client.socket.send("say 3")
    client.socket.send("say 4")
    assert client.recv() == "xxxx"


def test_connections_are_listed_and_kicked(toy: Emulator, dial: Dial) -> None:
    closed, cut = dial("/one"), dial("/two")
    closed.tell("sub a 100")
    first, second = toy.connections.list()
    assert (first.id, first.endpoint, first.streams, first.opened_ns) == (
        "toy-1",
        "/one",
        (("a", "100"),),
        START_NS,
    )
    assert (second.id, second.streams) == ("toy-2", ())
    toy.connections.kick("toy-1", 4_000, "bye")
    toy.connections.kick("toy-2")
    assert closed.closed() == (4_000, "bye")
    cut.closed_without_a_word()
    with pytest.raises(KeyError):
        toy.connections.kick("toy-9")


# ---------------------------------------------------------------- rules
def test_a_rule_taken_back_hits_no_more(toy: Emulator, listening: Client) -> None:
    name = toy.faults.add("md.drop", channel="a")
    assert ran(toy, listening) == []
    assert toy.faults.remove(name)
    assert not toy.faults.remove(name)
    assert ran(toy, listening) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_a_rule_changed_counts_anew(toy: Emulator, listening: Client) -> None:
    name = toy.faults.add("md.drop", channel="a", count=2)
    assert ran(toy, listening, 0.5) == [3, 4, 5]
    toy.faults.change(name, "md.dup", channel="a", count=1)
    assert ran(toy, listening, 0.5) == [1, 1, 2, 3, 4, 5]


def test_a_rule_removes_itself_when_its_time_is_over(toy: Emulator, listening: Client) -> None:
    toy.faults.add("md.drop", channel="a", ttl_s=0.5)
    assert ran(toy, listening) == [6, 7, 8, 9, 10]
    assert toy.faults.rules == []


def test_a_time_between_two_ticks_ends_with_the_later(toy: Emulator, listening: Client) -> None:
    toy.faults.add("md.drop", channel="a", ttl_s=0.2004)
    assert ran(toy, listening, 0.5) == [3, 4, 5]
    assert toy.faults.rules == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"kind": "md.gapp"}, "fault: kind: 'md.gapp' is no fault; did you mean md.gap?"),
        ({"kind": "md.gap", "chanel": "a"}, "fault: chanel: unknown word; did you mean channel?"),
        ({"kind": "md.gap", "size": 0}, "fault: size: 0 is not allowed; allowed: a whole number from 1"),
        ({"kind": "md.delay"}, "fault: delay_ms: md.delay needs it"),
        ({"kind": "md.drop", "probability": 2}, "fault: probability: 2 is not allowed"),
        ({"kind": "md.drop", "on_match": "("}, r"fault: on_match: '\(' is not allowed"),
        ({"kind": "md.drop", "count": True}, "fault: count: True is not allowed"),
    ],
)
def test_a_rule_that_is_none_is_one_clear_error(words: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError, match=f"^{error}"):
        read_rule(words, KINDS, "fault")


def test_rules_from_a_file_hold_from_the_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {id: late, kind: md.drop, channel: a, after_n: 3}\n- {kind: md.dup, channel: b}\n")
    with Emulator({"faults": str(rules)}, registry=toys()) as fresh:
        with connect(fresh.ws_url("toy"), max_queue=None) as socket:
            client = Client(socket)
            client.tell("sub a 100")
            assert ran(fresh, client) == [1, 2, 3]
        assert {hit.rule for hit in fresh.faults.hits} == {"late"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- {kind: md.gapp}", "rule 1: kind: 'md.gapp' is no fault; did you mean md.gap?"),
        (
            "- {kind: md.gap}\n- {kind: md.gap, chanel: a}",
            "rule 2: chanel: unknown word; did you mean channel?",
        ),
        ("- {kind: md.gap, id: hits}", "rule 1: id: 'hits' is not allowed"),
        ("- md.gap", "rule 1: 'md.gap' is no rule; a rule has a kind"),
        ("kind: md.gap", "expected a list of rules"),
        ("- {kind: [", "this is not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_that_names_it(tmp_path: Path, text: str, error: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(text)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(rules))}.*{re.escape(error)}"):
        Emulator({"faults": str(rules)}, registry=toys()).start()


def test_a_rule_reads_back_as_it_was_written() -> None:
    rules = Rules(lambda: KINDS)
    words = {"kind": "md.delay", "delay_ms": 5.0, "venue": "toy", "after_n": 3, "count": 1}
    rule = rules.add(words, START_NS)
    assert rule.values() == words
    assert rules.add(rule.values(), START_NS).values() == words


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(0, 5), st.integers(1, 4))
def test_who_looks_again_is_told_the_same(looks: list[int], after_n: int, every_n: int) -> None:
    """Connections that get a chunk of frames one after another agree on which of them are hit."""
    rules = Rules(lambda: KINDS)
    rule = rules.add({"kind": "md.drop", "after_n": after_n, "every_n": every_n, "probability": 0.5}, 0)
    events = [Event(Scope.FRAME, "toy", n, (n, 0), "a") for n in sorted(set(looks))]
    first = [rules.decides(rule, event) for event in events]
    assert [rules.decides(rule, event) for event in events] == first
    assert len(rules.hits) == sum(first)


def test_draws_are_even() -> None:
    drawn = [Draw("x", n).below(10) for n in range(5_000)]
    assert {drawn.count(digit) // 100 for digit in range(10)} <= {4, 5}


@given(st.lists(st.binary(max_size=70_000), max_size=5))
def test_frames_can_be_taken_apart(parts: list[bytes]) -> None:
    assert list(payloads(b"".join(map(frame, parts)))) == parts


def test_every_fault_says_what_it_is() -> None:
    for kind, fault in KINDS.items():
        assert kind == fault.kind
        assert fault.about.endswith(".")


def test_a_rule_that_is_spent_lets_go_of_its_sockets(toy: Emulator, dial: Callable[..., Client]) -> None:
    """Once nothing of what it did lasts; one that may still hit does not, and sockets that come later are free."""

    def tapped() -> list[bool]:
        gateway = toy._gateway
        return toy.clock.call(lambda: [row.id in gateway.tapped for row in gateway.connections])

    first = dial()
    first.tell("sub a 1000")
    toy.faults.add("md.drop", channel="a", count=1)
    toy.faults.add("md.dup", channel="a", duration_s=2)
    toy.faults.add("md.gap", channel="a", after_n=1, count=1, size=3)
    assert tapped() == [True]
    toy.clock.advance(4)  # the second message is within a gap of three
    assert tapped() == [True]
    toy.clock.advance(1)
    assert tapped() == [False]
    dial()
    assert tapped() == [False, False]
    toy.clock.advance(2)
    assert [int(text.split()[1]) % 10 for text in first.frames()] == [2, 2, 6, 7]
    lasting = toy.faults.add("md.drop", channel="a", after_n=100)
    assert tapped() == [True, True]
    toy.faults.remove(lasting)
    assert tapped() == [False, False]


def test_a_rule_may_grow(toy: Emulator, dial: Callable[..., Client]) -> None:
    """From nothing to its probability."""
    client = dial()
    client.tell("sub a 10")
    toy.faults.add("md.drop", channel="a", ramp_s=10)
    lost = []
    for _ in range(11):
        toy.clock.advance(1)
        lost.append(100 - len(client.frames()))
    assert lost[0] < 20
    assert 25 < lost[4] < 65
    assert lost[9] > 80
    assert lost[10] == 100
