"""Hyperliquid's channels told late: when each message comes, and that nothing else about it changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from reactor.clock import LatencyModel
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from tests import worlds
from tests.venues.spot import texts
from venues.base import PAGE_NS, Exchange, Topic
from venues.hyperliquid import HYPERLIQUID

PAGES = range(-1, 4)
MODELS = {
    "fixed": LatencyModel.fixed(25 * MS_NS),
    "log-normal": LatencyModel.log_normal(40 * MS_NS, 1.0, 2 * SECOND_NS),
}
TOPICS = [
    Topic("trades", "BTC"),
    Topic("bbo", "BTC"),
    Topic("candle", "BTC", ('"1m"',)),
    Topic("activeAssetCtx", "BTC"),
]
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def with_latency(model: LatencyModel) -> Exchange:
    return replace(worlds.exchange(HYPERLIQUID), lateness=lambda _: model)


def told(topic: Topic, exchange: Exchange) -> list[tuple[int, bytes]]:
    """When each message of the pages is due, and its text."""
    channel = HYPERLIQUID.channel(topic, exchange)
    pages = [channel.page(worlds.ORIGIN_NS + n * PAGE_NS) for n in PAGES]
    return [
        (due_ns, text)
        for page in pages
        for due_ns in page.due_ns
        for text in texts(page.cut(due_ns - TICK_NS, due_ns))
    ]


@every_model
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.channel)
def test_late_is_the_same_later(topic: Topic, model: LatencyModel) -> None:
    """Every message once, in its order and to the byte; none earlier, none later than the model allows."""
    prompt, late = told(topic, worlds.exchange(HYPERLIQUID)), told(topic, with_latency(model))
    settled_ns = worlds.ORIGIN_NS + PAGES[0] * PAGE_NS + 3 * SECOND_NS
    first = next(i for i, (due_ns, _) in enumerate(late) if due_ns > settled_ns)
    start = [text for _, text in prompt].index(late[first][1])
    pairs = list(zip(prompt[start:], late[first:], strict=False))
    assert len(pairs) > 5
    assert all(text == same for (_, text), (_, same) in pairs)
    assert all(
        model.delays_ns[0] <= late_ns - due_ns + TICK_NS and late_ns - due_ns <= model.bound_ns + TICK_NS
        for (due_ns, _), (late_ns, _) in pairs
    )
    assert all(a <= b for (a, _), (b, _) in pairwise(late))
    assert any(late_ns > due_ns for (due_ns, _), (late_ns, _) in pairs)


@every_model
def test_a_new_subscriber_goes_on_from_what_was_told(model: LatencyModel) -> None:
    """The snapshot of the touch is the one that was told last."""
    late = told(Topic("bbo", "BTC"), with_latency(model))
    channel = HYPERLIQUID.channel(Topic("bbo", "BTC"), with_latency(model))
    told_alone = [a for a, b in pairwise(late[20:]) if a[0] < b[0]][::5]
    assert len(told_alone) > 5
    for now_ns, text in told_alone:
        (snapshot,) = channel.snapshot(now_ns)
        assert snapshot.rpartition(b'"bbo"')[2] == text.rpartition(b'"bbo"')[2]


def test_streams_of_all_coins_are_told_at_once() -> None:
    """A market's latency is that of its own channels."""
    topic = Topic("allMids", "", ('""',))
    assert told(topic, with_latency(MODELS["fixed"])) == told(topic, worlds.exchange(HYPERLIQUID))
