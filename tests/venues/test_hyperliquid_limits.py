"""Hyperliquid's limits by address: what is just within is never touched, what is beyond gets the venue's answer.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits (2026-11), read with
the README of guilder-client-hyperliquid (docs.rs).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from reactor.types import BLOCK_NS, MS_NS, SECOND_NS
from tests import worlds
from tests.venues.perp import JSON, QUIET, T0, connect, exchange
from venues.base import Exchange, HttpRequest, HttpResponse, Reply
from venues.hyperliquid import HYPERLIQUID, SOCKET_RULES
from venues.hyperliquid.rules import WEIGHT
from venues.limits import Moment, Usage

SIGNATURE = {"r": "0x1", "s": "0x2", "v": 28}
HOUR_MS = 3_600_000
ORDERS = [{"a": 0}] * 79


def ask(of: Exchange, body: Any, path: str = "/info", client: str = "me", now_ns: int = T0) -> HttpResponse:
    request = HttpRequest("POST", path, headers=JSON, body=json.dumps(body).encode(), client=client)
    return HYPERLIQUID.handle(request, of, now_ns)


def spent(of: Exchange, client: str = "me", now_ns: int = T0) -> int:
    return of.usage.charge(WEIGHT, client, 0, Moment(now_ns, 0)).used


def action(kind: str, **more: Any) -> dict[str, Any]:
    return {"action": {"type": kind, **more}, "nonce": 1, "signature": SIGNATURE}


@pytest.mark.parametrize(
    ("path", "body", "weight"),
    [
        ("/info", {"type": "l2Book", "coin": "BTC"}, 2),
        ("/info", {"type": "allMids"}, 2),
        ("/info", {"type": "exchangeStatus"}, 2),
        ("/info", {"type": "meta"}, 20),
        ("/info", {"type": "metaAndAssetCtxs"}, 20),
        ("/info", {"type": "perpDexs"}, 20),
        ("/info", {"type": "recentTrades", "coin": "BTC"}, 20),  # of two items
        (
            "/info",
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 9},
            2,
        ),  # a question that fails has been asked
        ("/info", {"type": "nope"}, 0),  # one that is none has not
        ("/exchange", action("noop"), 1),
        ("/exchange", action("order", orders=ORDERS[:39]), 1),
        ("/exchange", action("order", orders=ORDERS), 2),  # the page's own example
        ("/exchange", action("cancel", cancels=ORDERS + ORDERS), 4),
    ],
)
def test_a_request_weighs(path: str, body: Any, weight: int) -> None:
    """By its type, or by the length of its batch."""
    of = exchange(QUIET)
    ask(of, body, path)
    assert spent(of) == weight


@pytest.mark.parametrize(
    ("asked", "weight"),
    [
        # an item more for each twenty of a list, each sixty of candles
        (
            lambda now: {"type": "fundingHistory", "coin": "BTC", "startTime": now - 24 * HOUR_MS + 1},
            20 + 24 // 20,
        ),
        (lambda now: {"type": "fundingHistory", "coin": "BTC", "startTime": now - 18 * HOUR_MS + 1}, 20),
        (
            lambda now: {
                "type": "candleSnapshot",
                "req": {"coin": "BTC", "interval": "1m", "startTime": now - 119 * 60_000, "endTime": now - 1},
            },
            20 + 119 // 60,
        ),
    ],
)
def test_long_answers_weigh_more(asked: Any, weight: int) -> None:
    """One more for so many items of them."""
    of = Exchange(worlds.exchange(HYPERLIQUID).world, {"BTC": "hyperliquid:BTC"})
    now_ns = worlds.ORIGIN_NS + BLOCK_NS
    answer = ask(of, asked(worlds.ORIGIN_NS // MS_NS), now_ns=now_ns)
    assert answer.status == 200
    assert spent(of, now_ns=now_ns) == weight


def test_twelve_hundred_a_minute() -> None:
    """Sixty heavy questions pass and the next is refused, with null for a body, until a minute is over; others are not
    concerned, and neither is who stays below.
    """
    of = exchange(QUIET)
    assert {ask(of, {"type": "meta"}).status for _ in range(60)} == {200}
    refused = ask(of, {"type": "exchangeStatus"})
    assert (refused.status, refused.body, refused.content_type) == (429, b"null", "application/json")
    assert "retry-after" not in dict(refused.headers)
    assert ask(of, action("noop"), "/exchange").status == 429
    assert ask(of, {"type": "meta"}, client="another").status == 200
    assert ask(of, {"type": "meta"}, now_ns=T0 + 61 * SECOND_NS).status == 200


def test_a_post_counts_as_a_request() -> None:
    """It is refused in words under its id."""
    of = exchange(QUIET)
    session = connect(of)
    post = '{"method":"post","id":7,"request":{"type":"info","payload":{"type":"meta"}}}'
    answers = [session.receive(post, T0, T0) for _ in range(61)]
    assert all(b'"type":"info"' in reply.payload for (reply,) in answers[:60] if isinstance(reply, Reply))
    assert answers[60] == [
        Reply(
            b'{"channel":"post","data":{"id":7,"response":{"type":"error","payload":"429 Too Many Requests"}}}'
        )
    ]


def test_without_limits_nothing_is_refused() -> None:
    """A run may switch them off."""
    of = Exchange(exchange(QUIET).world, {"BTC": "hyperliquid:BTC"}, usage=Usage(float("inf")))
    assert {ask(of, {"type": "meta"}).status for _ in range(200)} == {200}


def test_ten_sockets_and_thirty_new_ones_a_minute() -> None:
    """What is beyond gets no handshake."""
    assert SOCKET_RULES.open is not None
    assert SOCKET_RULES.opening is not None
    assert (SOCKET_RULES.open.count, SOCKET_RULES.open.window_ns) == (10, 0)
    assert (SOCKET_RULES.opening.count, SOCKET_RULES.opening.window_ns) == (30, 60 * SECOND_NS)
