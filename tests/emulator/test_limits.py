"""A client's sockets are counted: who opens too many, or has too many, gets the venue's answer and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from reactor.types import SECOND_NS
from tests.emulator.toy import RULES, ToyVenue
from venues.base import HttpResponse
from venues.limits import Ban, Charge, Limit

Dial = Callable[..., ClientConnection]


def refuse(charge: Charge) -> HttpResponse:
    """Tells all that is known of the refusal."""
    ban = "" if charge.banned_until_ns is None else " banned"
    return HttpResponse(
        429, f"{charge.used} of {charge.allowed}{ban}".encode(), headers=(("retry-after", "9"),)
    )


@pytest.fixture
def dial(request: pytest.FixtureRequest) -> Iterator[Dial]:
    """Connect to a toy venue with the limits that the test names."""
    settings, rules = request.param
    venue = ToyVenue(socket_rules=replace(RULES, refuse=refuse, **rules))
    with Emulator({"limits": "venue", **settings}, registry=[venue]) as toy, ExitStack() as stack:

        def dial(headers: Mapping[str, str] | None = None) -> ClientConnection:
            return stack.enter_context(connect(toy.ws_url("toy"), additional_headers=headers))

        yield dial


def refusal(dial: Dial, headers: Mapping[str, str] | None = None) -> str:
    """The body of the answer to a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        dial(headers)
    response = refused.value.response
    assert (response.status_code, response.headers["retry-after"]) == (429, "9")
    assert response.body is not None
    return bytes(response.body).decode()


TWO_OPEN = {"open": Limit("open", 2)}
THREE_A_MINUTE = {"opening": Limit("opening", 3, 60 * SECOND_NS)}
BANNING = {"opening": Limit("opening", 1, 60 * SECOND_NS, ban=Ban(1, 60 * SECOND_NS, (60 * SECOND_NS,)))}


@pytest.mark.parametrize("dial", [({}, TWO_OPEN)], indirect=True)
def test_a_client_has_so_many_sockets(dial: Dial) -> None:
    """One that is closed makes room, at the latest when the client has seen the end of it."""
    first, _ = dial(), dial()
    assert refusal(dial) == "3 of 2"
    first.close()
    dial()
    assert refusal(dial) == "3 of 2"


@pytest.mark.parametrize("dial", [({}, THREE_A_MINUTE)], indirect=True)
def test_a_client_opens_so_many_sockets(dial: Dial) -> None:
    """In a window, whether they are still there or not."""
    for _ in range(3):
        dial().close()
    assert refusal(dial) == "4 of 3"


@pytest.mark.parametrize("dial", [({}, TWO_OPEN)], indirect=True)
def test_a_client_is_an_address_with_a_key_or_a_name(dial: Dial) -> None:
    """One address can be several clients; a name goes before a key."""
    clients: tuple[dict[str, str], ...] = (
        {},
        {"X-Toy-Key": "a"},
        {"X-Toy-Key": "b"},
        {"X-Emulator-Client": "c", "X-Toy-Key": "a"},
    )
    for headers in clients:
        dial(headers)
        dial(headers)
    for headers in (*clients, {"X-Emulator-Client": "c", "X-Toy-Key": "b"}, {"X-Emulator-Client": "a"}):
        assert refusal(dial, headers) == "3 of 2"


@pytest.mark.parametrize("dial", [({}, BANNING)], indirect=True)
def test_who_is_shut_out_opens_nothing(dial: Dial) -> None:
    """And others do."""
    dial()
    assert refusal(dial) == "2 of 1"
    assert [refusal(dial) for _ in range(2)] == ["0 of 0 banned"] * 2
    dial({"X-Emulator-Client": "another"})


@pytest.mark.parametrize(
    "dial",
    [({"limits": limits}, {**TWO_OPEN, **THREE_A_MINUTE}) for limits in ("off", 10)],
    indirect=True,
)
def test_limits_are_off_or_wider_if_one_likes(dial: Dial) -> None:
    """As `limits` says."""
    for _ in range(20):
        dial()
