"""Where things are in Hyperliquid's messages, by channel.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions, 2026-11. Books are told
whole and carry no sequence.
"""

from __future__ import annotations

from collections.abc import Mapping

from venues.base import EACH, Anatomy, Topic

ANATOMIES: Mapping[str, Anatomy] = {
    "l2Book": Anatomy(
        body=("data",),
        times=(("time",),),
        bids=("levels", 0),
        asks=("levels", 1),
        price="px",
        size="sz",
    ),
    "bbo": Anatomy(body=("data",), times=(("time",),), bid=("bbo", 0, "px"), ask=("bbo", 1, "px")),
    "trades": Anatomy(body=("data", EACH), times=(("time",),)),
    "candle": Anatomy(body=("data",), times=(("t",), ("T",))),
}
OTHERS = Anatomy(body=("data",))


def anatomy(topic: Topic) -> Anatomy:
    """Of a topic's messages."""
    return ANATOMIES.get(topic.channel, OTHERS)
