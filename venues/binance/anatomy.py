"""Where things are in Binance's stream messages, by the name of their event.

https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md and
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, 2026-07-21. A field
that one of spot and USD-M lacks is simply not found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from reactor.types import MS_NS
from venues.base import EACH, Anatomy, Topic
from venues.binance.wire import COMBINED, MICROSECONDS, US_NS

_TOLD = (("E",), ("T",))

ANATOMIES: Mapping[str, Anatomy] = {
    "trade": Anatomy(sequence=(("t",),), times=_TOLD),
    "aggTrade": Anatomy(sequence=(("a",), ("f",), ("l",)), times=_TOLD),
    "depthUpdate": Anatomy(
        sequence=(("U",), ("u",), ("pu",)), times=_TOLD, bids=("b",), asks=("a",), changes=True
    ),
    "book": Anatomy(sequence=(("lastUpdateId",),), bids=("bids",), asks=("asks",)),
    "bookTicker": Anatomy(sequence=(("u",),), times=_TOLD, bid=("b",), ask=("a",)),
    "kline": Anatomy(times=(("E",), ("k", "t"), ("k", "T"))),
    "continuous_kline": Anatomy(times=(("E",), ("k", "t"), ("k", "T"))),
    "24hrTicker": Anatomy(times=(("E",), ("O",), ("C",)), bid=("b",), ask=("a",)),
    "forceOrder": Anatomy(times=(("E",), ("o", "T"))),
}
OTHERS = Anatomy(times=_TOLD)
NAMELESS = {
    "u": "bookTicker",
    "lastUpdateId": "book",
}  # spot's messages without an event's name, by their first key

_HEAD = re.compile(r'\{"(\w+)":(?:"(\w+)")?')


def anatomy(topic: Topic, text: str) -> Anatomy:
    """Of a stream whose declared message is `text`; a partial book of USD-M is no change, though it looks like one."""
    head = _HEAD.match(text)
    first, said = head.groups() if head else ("", "")
    plain = ANATOMIES.get(NAMELESS.get(first, said), OTHERS)
    body = ("data",) if COMBINED in topic.dress else ()
    return replace(
        plain,
        body=body if topic.symbol or not _listed(topic) else (*body, EACH),
        unit_ns=US_NS if MICROSECONDS in topic.dress else MS_NS,
        changes=plain.changes and topic.channel.startswith("depth") and not topic.channel[5:6].isdigit(),
    )


def _listed(topic: Topic) -> bool:
    """Whether a message is a list, of all that changed."""
    return topic.channel.endswith("@arr")
