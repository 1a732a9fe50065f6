"""Faults of HTTP requests, as an HTTP client meets them."""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S, until

PLAIN = 418  # what the toy venue answers everything with, and a body that names the path


def get(toy: Emulator, path: str = "/x", key: str = "") -> tuple[int, str, http.client.HTTPMessage]:
    """Status, body and headers of a GET."""
    address = urlsplit(toy.url("toy"))
    with closing(http.client.HTTPConnection(address.netloc, timeout=PATIENCE_S)) as connection:
        connection.request("GET", path, headers={"x-toy-key": key} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


def asked(toy: Emulator) -> int:
    """How many requests of /count the venue has carried out."""
    return int(get(toy, "/counted")[1])


def test_a_request_may_be_answered_with_any_status(toy: Emulator) -> None:
    toy.faults.add("http.status", endpoint="/x", status=503, body='{"code":-1}', count=2)
    assert [get(toy)[:2] for _ in range(2)] == [(503, '{"code":-1}')] * 2
    assert get(toy)[0] == PLAIN
    assert [hit.identity for hit in toy.faults.hits] == [(1,), (2,)]


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("kind", ["http.status", "http.html_body"])
def test_an_error_says_nothing_of_whether_it_was_done(toy: Emulator, kind: str, carried_out: bool) -> None:
    toy.faults.add(kind, endpoint="/count", carried_out=carried_out)
    assert get(toy, "/count")[0] in (500, 502)
    assert asked(toy) == carried_out


def test_a_gateway_answers_in_html(toy: Emulator) -> None:
    toy.faults.add("http.html_body", status=504)
    status, body, headers = get(toy)
    assert (status, headers["content-type"]) == (504, "text/html")
    assert "<title>504 Gateway Timeout</title>" in body


def test_a_request_that_hangs_was_carried_out(toy: Emulator) -> None:
    toy.faults.add("http.hang", endpoint="/count", count=1)
    with closing(http.client.HTTPConnection(urlsplit(toy.url("toy")).netloc, timeout=0.2)) as connection:
        connection.request("GET", "/count")
        until(lambda: asked(toy) == 1)
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_an_answer_may_come_late(toy: Emulator) -> None:
    toy.faults.add("http.hang", wait_s=0.2)
    before = time.monotonic()
    assert get(toy)[0] == PLAIN
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_connection_may_end_without_an_answer(toy: Emulator, carried_out: bool) -> None:
    toy.faults.add("http.drop", endpoint="/count", carried_out=carried_out)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(toy, "/count")
    assert asked(toy) == carried_out


def test_bodies_end_early(toy: Emulator) -> None:
    whole = get(toy)[1]
    toy.faults.add("http.truncated_json", fraction=0.5, count=1)
    toy.faults.add("http.empty", after_n=1)
    assert get(toy)[:2] == (PLAIN, whole[: len(whole) // 2])
    assert get(toy)[:2] == (PLAIN, "")


def test_a_body_trickles(toy: Emulator) -> None:
    whole = get(toy)[1]
    toy.faults.add("http.slow_body", over_s=0.4, pieces=4)
    before = time.monotonic()
    assert get(toy)[:2] == (PLAIN, whole)
    assert time.monotonic() - before >= 0.29


def test_a_header_lies(toy: Emulator) -> None:
    toy.faults.add("http.header", name="X-Toy", value="1199")
    assert get(toy)[2].get_all("x-toy") == ["1199"]


@pytest.mark.parametrize(("kind", "status"), [("http.429", 429), ("http.418", 418)])
def test_a_client_is_asked_to_be_patient(toy: Emulator, kind: str, status: int) -> None:
    toy.faults.add(kind, endpoint="/count", retry_after_s=7)
    found, _, headers = get(toy, "/count")
    assert (found, headers["retry-after"]) == (status, "7")
    assert asked(toy) == 0


def test_a_rule_chooses_by_path_key_and_content(toy: Emulator) -> None:
    toy.faults.add("http.status", status=500, endpoint="/a*", key="bot", on_match="^GET /ab")
    assert get(toy, "/abc", "bot")[0] == 500
    assert {get(toy, "/abc")[0], get(toy, "/acc", "bot")[0], get(toy, "/b", "bot")[0]} == {PLAIN}
