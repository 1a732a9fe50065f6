"""The fidelity table is whole, and is what an emulator sends now."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from tests import worlds
from tests.fidelity import PAGE, Row, captured, page, pattern, rows, status
from tests.venues.test_contract import DIALOGUES
from venues.base import HttpRequest, HttpResponse, Subscribe
from venues.binance.rest import SPOT_ROUTES
from venues.binance.usdm_rest import USDM_ROUTES
from venues.binance.usdm_wire import USDM_STREAMS
from venues.binance.wire import SPOT_STREAMS
from venues.hyperliquid.rest import INFO
from venues.hyperliquid.wire import CHANNELS
from venues.registry import VENUES

BY_ID = {venue.id: venue for venue in VENUES}
SILENT = {
    "blockTrade",
    "referencePrice",
    "!contractInfo",
    "compositeIndex",
    "outcomeMetaUpdates",
}  # absent rows
LISTED = [row for row in rows() if not row.absent]


@pytest.mark.parametrize(
    ("shape", "text", "fits"),
    [
        ('{"p":"<2>","t":<ms>}', '{"p":"-1.50","t":1767225660000}', True),
        ('{"p":"<2>","t":<ms>}', '{"t":1767225660000,"p":"-1.50"}', False),
        ('{"p":"<2>","t":<ms>}', '{"p":"1.5","t":1767225660000}', False),
        ('{"p":"<2>","t":<ms>}', '{"p":"1.50","t":1767225660}', False),
        ('{"p":"<2>","t":<ms>}', '{"p":1.50,"t":1767225660000}', False),
        ('[*["<min1>",<A|B>]*]', '[["1.0",A],["0.25",B]]', True),
        ('[*["<min1>",<A|B>]*]', '[["1.50",A]]', False),
        ('[*["<min1>",<A|B>]*]', "[]", True),
        ('{"a":1(?,"b":<bool>?)}', '{"a":1,"b":true}', True),
        ('{"a":1(?,"b":<bool>?)}', '{"a":1}', True),
        ('{"a":1(?,"b":<bool>?)}', '{"a":1,"b":1}', False),
        ("{<map:8>}", '{"A":"1.00000000","B":"2.00000000"}', True),
        ("{<map:8>}", '{"A":"1.0"}', False),
    ],
)
def test_a_shape_is_of_the_text_itself(shape: str, text: str, fits: bool) -> None:
    """Keys, their order, types, decimals."""
    assert bool(re.fullmatch(pattern(shape), text)) == fits


def test_every_endpoint_has_a_row() -> None:
    """Of those that anybody may ask."""
    asked = {
        (row.venue, urlsplit(row.ask).path if isinstance(row.ask, str) else row.ask["type"])
        for row in LISTED
        if row.kind == "rest"
    }
    of_nobody = [name for name, info in INFO.items() if "user" not in info.shape]
    public = {"binance": SPOT_ROUTES, "binance-usdm": USDM_ROUTES, "hyperliquid": of_nobody}
    of_margin = {name for name in SPOT_ROUTES if name.startswith("/sapi/")} | {"/api/v3/ping"}
    missing = {(venue, name) for venue, names in public.items() for name in names} - asked
    assert {name for _, name in missing} <= of_margin


def test_every_channel_has_a_row() -> None:
    """Read from the topics that the rows' subscriptions lead to; what differs in an interval or a window is one."""
    told = {
        (row.venue, plain(channel)) for row in LISTED if row.kind == "streams" for channel in channels(row)
    }
    public = {"binance": SPOT_STREAMS, "binance-usdm": USDM_STREAMS, "hyperliquid": CHANNELS}
    there = {(venue, plain(name)) for venue, names in public.items() for name in names if name not in SILENT}
    assert there == told


def plain(channel: str) -> str:
    """A channel's name without the interval, window or number of levels that it ends with."""
    return re.sub(r"(_.*|(?<=depth)\d+)(?=@|$)", "", channel)


def channels(row: Row) -> list[str]:
    """What a row's socket subscribes to."""
    venue, dialogue = BY_ID[row.venue], DIALOGUES[row.venue]
    exchange = worlds.exchange(venue)
    path, _, query = (row.path or dialogue.path).partition("?")
    session = venue.session(HttpRequest("GET", path, query), exchange)
    assert not isinstance(session, HttpResponse)
    actions = [*session.open(0, 0)]
    if not row.path:
        actions += session.receive(json.dumps(dialogue.subscribe(row.ask)), 0, 0)
    return [action.topic.channel for action in actions if isinstance(action, Subscribe)]


def test_the_page_is_what_is_sent() -> None:
    """Every row as it is told, and docs/fidelity.md as scripts/fidelity would write it now."""
    told = captured()
    wrong = {
        (row.venue, row.name): status(row, texts) for row, texts in told.items() if "**" in status(row, texts)
    }
    assert wrong == {}
    assert page(told) == PAGE.read_text(), "run scripts/fidelity"
