"""Everything public of Hyperliquid against samples of the real thing: types, keys, their order, decimals.

Samples of 2024 and later count where there are any. What differs from them is told here, with the newer source that
says so. What the samples come from stands in golden/hyperliquid/SOURCES.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from reactor.types import BLOCK_NS, MS_NS
from tests import worlds
from tests.venues.perp import JSON
from tests.venues.spot import differences, shapes, texts
from venues.base import PAGE_NS, Exchange, HttpRequest, Reply, Subscribe
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid.rest import INFO
from venues.hyperliquid.session import HyperliquidSession

NOW_NS = worlds.ORIGIN_NS + 187 * BLOCK_NS
MESSAGES = 200  # of a stream, at most
SOURCES = Path(__file__).parent / "golden" / "hyperliquid" / "SOURCES.md"

Told: TypeAlias = Callable[[], Iterator[bytes]]


@cache
def exchange() -> Exchange:
    return worlds.exchange(HYPERLIQUID)


# ---------------------------------------------------------------- ways to make it speak
def info(**body: Any) -> Iterator[bytes]:
    raw = json.dumps(body).encode()
    yield HYPERLIQUID.handle(HttpRequest("POST", "/info", headers=JSON, body=raw), exchange(), NOW_NS).body


def session() -> HyperliquidSession:
    opened = HYPERLIQUID.session(HttpRequest("GET", "/ws"), exchange())
    assert isinstance(opened, HyperliquidSession)
    opened.open(NOW_NS, NOW_NS)
    return opened


def said(text: str) -> Iterator[bytes]:
    """The answer to a message on a new socket."""
    for action in session().receive(text, NOW_NS, NOW_NS):
        if isinstance(action, Reply):
            yield action.payload


def subscribed(**subscription: Any) -> str:
    return json.dumps({"method": "subscribe", "subscription": subscription})


def stream(**subscription: Any) -> Iterator[bytes]:
    """What a subscriber is told first, and then for some minutes."""
    (topic,) = (
        action.topic
        for action in session().receive(subscribed(**subscription), NOW_NS, NOW_NS)
        if isinstance(action, Subscribe)
    )
    channel = HYPERLIQUID.channel(topic, exchange())
    yield from channel.snapshot(NOW_NS)
    pages = range(NOW_NS // PAGE_NS * PAGE_NS, NOW_NS + BLOCK_NS, PAGE_NS)
    yield from islice((text for start_ns in pages for text in texts(channel.page(start_ns).buffer)), MESSAGES)


def since(hours: int) -> int:
    return NOW_NS // MS_NS - hours * 3_600_000


# ---------------------------------------------------------------- what the samples are samples of
BTC = {"coin": "BTC"}
CANDLES = {"coin": "BTC", "interval": "1h", "startTime": since(100)}
PRODUCED: dict[str, Told] = {
    "rest/meta": partial(info, type="meta"),
    "rest/metaAndAssetCtxs": partial(info, type="metaAndAssetCtxs"),
    "rest/spotMeta": partial(info, type="spotMeta"),
    "rest/spotMetaAndAssetCtxs": partial(info, type="spotMetaAndAssetCtxs"),
    "rest/perpDexs": partial(info, type="perpDexs"),
    "rest/allMids": partial(info, type="allMids"),
    "rest/l2Book": partial(info, type="l2Book", **BTC),
    "rest/candleSnapshot": partial(info, type="candleSnapshot", req=CANDLES),
    "rest/fundingHistory": partial(info, type="fundingHistory", coin="ETH", startTime=since(100)),
    "rest/exchangeStatus": partial(info, type="exchangeStatus"),
    "ws/l2Book": partial(stream, type="l2Book", **BTC),
    "ws/bbo": partial(stream, type="bbo", **BTC),
    "ws/trades": partial(stream, type="trades", **BTC),
    "ws/candle": partial(stream, type="candle", interval="1m", **BTC),
    "ws/allMids": partial(stream, type="allMids"),
    "ws/activeAssetCtx": partial(stream, type="activeAssetCtx", coin="SOL"),
    "ws/activeSpotAssetCtx": partial(stream, type="activeAssetCtx", coin="@1"),
    "ws/allDexsAssetCtxs": partial(stream, type="allDexsAssetCtxs"),
    "ws/pong": partial(said, '{"method":"ping"}'),
    "ws/error": partial(said, '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}'),
    "ws/subscriptionResponse@l2Book": partial(said, subscribed(type="l2Book", **BTC)),
    "ws/subscriptionResponse@bbo": partial(said, subscribed(type="bbo", **BTC)),
    "ws/subscriptionResponse@trades": partial(said, subscribed(type="trades", **BTC)),
    "ws/subscriptionResponse@candle": partial(said, subscribed(type="candle", interval="1d", **BTC)),
    "ws/subscriptionResponse@allMids": partial(said, subscribed(type="allMids")),
}

# ---------------------------------------------------------------- what differs, and what says so
DIFFERENT: dict[str, tuple[str, str]] = {  # by key: the differences there may be, as a pattern, and why
    "rest/metaAndAssetCtxs": (
        "key order: |key '(marginTables|collateralToken|marginTableId|dayBaseVlm)' is in no sample",
        "the sample is that of the documentation, alphabetical; answered so on 2026-09-25",
    ),
    "rest/spotMetaAndAssetCtxs": (
        "key 'deployerTradingFeeShare' is in no sample",
        "the newer sample of spotMeta has it, 2025-02-10",
    ),
    "rest/perpDexs": (
        "elements, samples have|FeeScale|key 'assetToFunding(InterestRate|Clamp)' is in no|feeRecipient: type string",
        "of twenty dexs on the test network; the fee scale has moved to `meta`: answered so on 2026-10-06",
    ),
    "ws/activeSpotAssetCtx": ("key '(totalSupply|dayBaseVlm)' is in no sample", "answered so in 2026-10"),
}

# Samples of what belongs to an account, which is not public.
PRIVATE = re.compile(
    r"rest/(clearinghouse|exchange\.|extraAgents|frontend|historical|openOrders|portfolio|spotClearinghouse|user|"
    r"activeAssetData|orderStatus)|ws/subscriptionResponse@(orderUpdates|userEvents)"
)


@pytest.mark.parametrize("key", sorted(PRODUCED))
def test_messages_have_the_shape_of_real_ones(key: str) -> None:
    """No difference but those that a newer source tells of; and these there are."""
    messages = list(PRODUCED[key]())
    found = differences(f"hyperliquid/{key}", messages)
    tolerated, _ = DIFFERENT.get(key, ("(?!)", ""))
    assert messages
    assert [line for line in sorted(found) if not re.search(tolerated, line)] == []
    assert bool(found) == (key in DIFFERENT)


def test_every_public_sample_is_produced() -> None:
    """No key of the samples is forgotten."""
    _, samples = shapes()
    keys = {
        key.partition("/")[2] for key in samples if key.startswith("hyperliquid/") and "/user/" not in key
    }
    assert {key for key in keys if not PRIVATE.match(key)} == PRODUCED.keys()
    assert DIFFERENT.keys() <= PRODUCED.keys()


def test_the_table_of_evidence_names_everything_public() -> None:
    """Each stream and each question, with where its shape comes from, when, and a test that there is."""
    rows = [
        line.strip("| ").split(" | ") for line in SOURCES.read_text().splitlines() if line.startswith("| `")
    ]
    shapes_of = {name: row.shape for name, row in INFO.items()} | dict(session()._shapes)
    public = {name for name, shape in shapes_of.items() if "user" not in shape}
    assert {row[0].strip("`") for row in rows} >= public
    for row in rows:
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", row[-2]), row
        assert (Path(__file__).parent / row[-1].strip("`")).exists(), row
