"""What every venue owes the emulator: one body of tests, run over the registry.

All that is known of a venue here is a row of DIALOGUES: what its clients say, and how to read what they are sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import BLOCK_NS, MS_NS, SECOND_NS, TICK_NS
from tests import worlds
from tests.worlds import ORIGIN_NS
from venues.base import (
    PAGE_NS,
    Channel,
    Close,
    Exchange,
    HttpRequest,
    HttpResponse,
    Page,
    Ping,
    Reply,
    Session,
    Subscribe,
    Topic,
    Unsubscribe,
    VenueProtocol,
)
from venues.registry import VENUES

Message: TypeAlias = Any  # a JSON value as json.loads makes it

START_NS = ORIGIN_NS + 2 * BLOCK_NS
START_MS = START_NS // MS_NS
LISTED_MINUTES = 400 * 1440  # from a market's listing to its origin
TICKS = PAGE_NS // TICK_NS


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream by the words that ask for it; `items` is what a message tells, times of sending aside.

    Where items are numbered they are (first, last) pairs, each following on the one before. With `whole` each item is
    the whole state of its instant, and a snapshot that of its own.
    """

    words: Message
    items: Callable[[Message], list[Any]]
    numbered: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A client's side: where it connects, how it asks for a stream and leaves it, and requests that succeed."""

    path: str
    subscribe: Callable[[Message], Message]
    unsubscribe: Callable[[Message], Message]
    streams: tuple[Stream, ...]
    requests: tuple[HttpRequest, ...]
    bars: tuple[tuple[HttpRequest, int], ...]  # requests for the newest 1,000 bars, and the minutes in one


def get(path: str, query: str = "") -> HttpRequest:
    return HttpRequest("GET", path, query)


def post(path: str, body: Message) -> HttpRequest:
    return HttpRequest(
        "POST", path, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )


def candles(coin: str, interval: str, start_ms: int) -> Message:
    asked = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": START_MS}
    return {"type": "candleSnapshot", "req": asked}


# The intervals from a minute on, of which a month is of no fixed length.
MINUTES = {
    **{f"{n}m": n for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": n * 1440 for n in (1, 3)},
    "1w": 7 * 1440,
}

DIALOGUES: Mapping[str, Dialogue] = {
    "binance": Dialogue(
        path="/ws",
        subscribe=lambda name: {"method": "SUBSCRIBE", "params": [name], "id": 1},
        unsubscribe=lambda name: {"method": "UNSUBSCRIBE", "params": [name], "id": 2},
        streams=(
            Stream("btcusdt@trade", lambda m: [(m["t"], m["t"])], numbered=True),
            Stream("btcusdt@aggTrade", lambda m: [(m["a"], m["a"])], numbered=True),
            Stream("btcusdt@depth@100ms", lambda m: [(m["U"], m["u"])], numbered=True),
            Stream("btcusdt@depth", lambda m: [(m["U"], m["u"])], numbered=True),
            Stream("btcusdt@depth5@100ms", lambda m: [(m["bids"], m["asks"])]),
            Stream("btcusdt@depth20", lambda m: [(m["bids"], m["asks"])]),
            Stream("btcusdt@bookTicker", lambda m: [[m[key] for key in "ubBaA"]]),
            Stream("ethusdt@kline_1s", lambda m: [m["k"]]),
            Stream("btcusdt@kline_1m", lambda m: [m["k"]]),
            Stream("btcusdt@kline_1M@+08:00", lambda m: [m["k"]]),
            Stream("btcusdt@miniTicker", lambda m: [[m[key] for key in "cohlvq"]]),
            Stream("solusdt@ticker", lambda m: [[m[key] for key in "pPwxcQbBaAohlvqFLn"]]),
            Stream("btcusdt@ticker_4h", lambda m: [[m[key] for key in "pPohlcwvqFLn"]]),
            Stream("btcusdt@avgPrice", lambda m: [(m["w"], m["T"])]),
            Stream("!miniTicker@arr", lambda m: [[row[key] for key in "scohlvq"] for row in m]),
            Stream("!miniTicker@arr@3000ms", lambda m: [[row[key] for key in "scohlvq"] for row in m]),
        ),
        requests=(
            get("/api/v3/ping"),
            get("/api/v3/time"),
            get("/api/v3/exchangeInfo", "symbol=BTCUSDT"),
            get("/api/v3/depth", "symbol=BTCUSDT&limit=100"),
            get("/api/v3/trades", "symbol=BTCUSDT&limit=10"),
            get("/api/v3/historicalTrades", "symbol=BTCUSDT&limit=10&fromId=7"),
            get("/api/v3/aggTrades", "symbol=BTCUSDT&limit=10"),
            get("/api/v3/klines", "symbol=BTCUSDT&interval=5m&limit=10&timeZone=5:30"),
            get("/api/v3/uiKlines", "symbol=BTCUSDT&interval=1s&limit=10"),
            get("/api/v3/avgPrice", "symbol=BTCUSDT"),
            get("/api/v3/ticker/24hr", "symbol=BTCUSDT&type=MINI"),
            get("/api/v3/ticker/tradingDay", "symbol=BTCUSDT&timeZone=-3"),
            get("/api/v3/ticker", "symbol=BTCUSDT&windowSize=4h"),
            get("/api/v3/ticker/price"),
            get("/api/v3/ticker/bookTicker", "symbol=BTCUSDT"),
        ),
        bars=(
            *(
                (get("/api/v3/klines", f"symbol=BTCUSDT&interval={name}&limit=1000"), minutes)
                for name, minutes in MINUTES.items()
            ),
            (get("/api/v3/uiKlines", "symbol=SOLUSDT&interval=1h&limit=1000&timeZone=5:30"), 60),
        ),
    ),
    "binance-usdm": Dialogue(
        path="/ws",
        subscribe=lambda name: {"method": "SUBSCRIBE", "params": [name], "id": 1},
        unsubscribe=lambda name: {"method": "UNSUBSCRIBE", "params": [name], "id": 2},
        streams=(
            Stream("btcusdt@trade", lambda m: [(m["t"], m["t"])], numbered=True),
            Stream("btcusdt@aggTrade", lambda m: [(m["a"], m["a"])], numbered=True),
            Stream("btcusdt@depth", lambda m: [(m["U"], m["u"])], numbered=True),
            Stream("btcusdt@depth@0ms", lambda m: [(m["pu"] + 1, m["u"])], numbered=True),
            Stream("btcusdt@depth20@100ms", lambda m: [(m["pu"] + 1, m["u"])], numbered=True),
            Stream("btcusdt@bookTicker", lambda m: [[m[key] for key in "ubBaA"]]),
            Stream("!bookTicker", lambda m: [[m[key] for key in "subBaA"]]),
            Stream("btcusdt@markPrice@1s", lambda m: [[m[key] for key in "piPrT"]]),
            Stream("!markPrice@arr", lambda m: [[row[key] for key in "spiPrT"] for row in m]),
            Stream("btcusdt@rpiDepth@500ms", lambda m: [(m["pu"] + 1, m["u"])], numbered=True),
            Stream("!assetIndex@arr", lambda m: [[row[key] for key in "siBA"] for row in m]),
            Stream("btcusdt@kline_1m", lambda m: [m["k"]]),
            Stream("btcusdt_perpetual@continuousKline_1h", lambda m: [m["k"]]),
            Stream("btcusdt@ticker", lambda m: [[m[key] for key in "pPwcQohlvqFLn"]]),
            Stream("!miniTicker@arr", lambda m: [[row[key] for key in "scohlvq"] for row in m]),
        ),
        requests=(
            get("/fapi/v1/ping"),
            get("/fapi/v1/time"),
            get("/fapi/v1/exchangeInfo"),
            get("/fapi/v1/depth", "symbol=BTCUSDT&limit=100"),
            get("/fapi/v1/trades", "symbol=BTCUSDT&limit=10"),
            get("/fapi/v1/aggTrades", "symbol=BTCUSDT&limit=10"),
            get("/fapi/v1/klines", "symbol=BTCUSDT&interval=5m&limit=10"),
            get("/fapi/v1/markPriceKlines", "symbol=BTCUSDT&interval=1m&limit=10"),
            get("/fapi/v1/premiumIndex"),
            get("/fapi/v1/fundingRate", "symbol=BTCUSDT&limit=3"),
            get("/fapi/v1/ticker/24hr", "symbol=BTCUSDT"),
            get("/fapi/v1/assetIndex"),
            get("/futures/data/openInterestHist", "symbol=BTCUSDT&period=5m"),
            get("/futures/data/takerlongshortRatio", "symbol=BTCUSDT&period=1h&limit=500"),
            get("/futures/data/basis", "pair=BTCUSDT&contractType=PERPETUAL&period=15m"),
        ),
        bars=tuple(
            (get(f"/fapi/v1/{path}", f"{query}&interval={name}&limit=1000"), minutes)
            for path, query in (
                ("klines", "symbol=BTCUSDT"),
                ("continuousKlines", "pair=BTCUSDT&contractType=PERPETUAL"),
                ("markPriceKlines", "symbol=BTCUSDT"),
                ("indexPriceKlines", "pair=BTCUSDT"),
                ("premiumIndexKlines", "symbol=BTCUSDT"),
            )
            for name, minutes in MINUTES.items()
        ),
    ),
    "hyperliquid": Dialogue(
        path="/ws",
        subscribe=lambda words: {"method": "subscribe", "subscription": words},
        unsubscribe=lambda words: {"method": "unsubscribe", "subscription": words},
        streams=(
            Stream({"type": "l2Book", "coin": "BTC"}, lambda m: [m["data"]["levels"]], whole=True),
            Stream({"type": "bbo", "coin": "BTC"}, lambda m: [m["data"]["bbo"]]),
            Stream({"type": "trades", "coin": "BTC"}, lambda m: [trade["tid"] for trade in m["data"]]),
            Stream(
                {"type": "l2Book", "coin": "BTC", "fast": True}, lambda m: [m["data"]["levels"]], whole=True
            ),
            Stream(
                {"type": "l2Book", "coin": "ETH", "nSigFigs": 5, "mantissa": 2},
                lambda m: [m["data"]["levels"]],
                whole=True,
            ),
            Stream({"type": "candle", "coin": "BTC", "interval": "1m"}, lambda m: [m["data"]]),
            Stream({"type": "activeAssetCtx", "coin": "ETH"}, lambda m: [m["data"]]),
            Stream({"type": "activeAssetCtx", "coin": "PURR/USDC"}, lambda m: [m["data"]]),
            Stream({"type": "allMids"}, lambda m: [m["data"]["mids"]]),
            Stream({"type": "allMids", "dex": "xyz"}, lambda m: [m["data"]["mids"]]),
            Stream({"type": "bbo", "coin": "xyz:GOLD"}, lambda m: [m["data"]["bbo"]]),
        ),
        requests=(
            post("/info", {"type": "meta"}),
            post("/info", {"type": "spotMeta"}),
            post("/info", {"type": "metaAndAssetCtxs"}),
            post("/info", {"type": "allMids"}),
            post("/info", {"type": "l2Book", "coin": "BTC"}),
            post("/info", {"type": "recentTrades", "coin": "BTC"}),
            post("/info", candles("BTC", "5m", START_MS - 3_600_000)),
            post("/info", {"type": "fundingHistory", "coin": "BTC", "startTime": START_MS - 7_200_000}),
            post("/info", {"type": "predictedFundings"}),
            post("/info", {"type": "spotMetaAndAssetCtxs"}),
            post("/info", {"type": "perpDexs"}),
            post("/info", {"type": "metaAndAssetCtxs", "dex": "xyz"}),
            post("/info", {"type": "tokenDetails", "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90"}),
            post("/info", {"type": "fundingHistory", "coin": "xyz:TSLA", "startTime": START_MS - 7_200_000}),
        ),
        bars=tuple(
            (post("/info", candles("BTC", name, START_MS - 999 * minutes * 60_000)), minutes)
            for name, minutes in MINUTES.items()
            if name != "6h"
        ),
    ),
}


# ---------------------------------------------------------------- a client in the test's hand
@cache
def exchange(venue_id: str) -> Exchange:
    (venue,) = (venue for venue in VENUES if venue.id == venue_id)
    return worlds.exchange(venue)


class Client:
    """A session, spoken to once a second on both clocks, so that no limit on the rate of messages is in the way."""

    def __init__(self, venue: VenueProtocol) -> None:
        session = venue.session(get(DIALOGUES[venue.id].path), exchange(venue.id))
        assert not isinstance(session, HttpResponse)
        self.session: Session = session
        self.now_ns = START_NS
        session.open(self.now_ns, self.now_ns)

    def say(self, data: str | bytes) -> list[object]:
        self.now_ns += SECOND_NS
        self.session.pong(b"", self.now_ns, self.now_ns)
        return list(self.session.receive(data, self.now_ns, self.now_ns))


class Subject:
    """A stream of a venue: the topic its words lead to, its channel, and the pages looked at so far."""

    def __init__(self, venue: VenueProtocol, stream: Stream) -> None:
        self.venue = venue
        self.stream = stream
        self.dialogue = DIALOGUES[venue.id]
        self._pages: dict[int, Page] = {}

    def __str__(self) -> str:
        words = self.stream.words
        return f"{self.venue.id}-{words if isinstance(words, str) else words['type']}"

    @cached_property
    def topic(self) -> Topic:
        actions = Client(self.venue).say(json.dumps(self.dialogue.subscribe(self.stream.words)))
        (topic,) = (action.topic for action in actions if isinstance(action, Subscribe))
        return topic

    @cached_property
    def channel(self) -> Channel:
        return self.venue.channel(self.topic, exchange(self.venue.id))

    def page(self, number: int) -> Page:
        """The number-th page after START_NS."""
        if number not in self._pages:
            self._pages[number] = self.channel.page(START_NS + number * PAGE_NS)
        return self._pages[number]

    def items(self, frames: bytes) -> list[Any]:
        return [item for payload in payloads(frames) for item in self.stream.items(json.loads(payload))]


def payloads(frames: bytes) -> Iterator[bytes]:
    """What unmasked, unfragmented text frames carry (RFC 6455, section 5.2)."""
    at = 0
    while at < len(frames):
        assert frames[at] == 0x81, "not a final text frame"
        size, at = frames[at + 1], at + 2
        assert size < 128, "masked"
        for code, width, least in ((126, 2, 126), (127, 8, 1 << 16)):
            if size == code:
                size, at = int.from_bytes(frames[at : at + width]), at + width
                assert size >= least, "a longer header than the size needs"
                break
        yield frames[at : at + size]
        at += size
    assert at == len(frames), "a frame is cut short"


SUBJECTS = [Subject(venue, stream) for venue in VENUES for stream in DIALOGUES[venue.id].streams]

every_venue = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.id)
every_stream = pytest.mark.parametrize("subject", SUBJECTS, ids=str)
ticks = st.integers(0, TICKS)


# ---------------------------------------------------------------- pages
@every_stream
def test_a_page_is_finished_frames_in_order(subject: Subject) -> None:
    """Boundaries and ends ascend, and the buffer is exactly its frames, each a JSON text."""
    page = subject.page(0)
    assert page.start_ns == START_NS
    assert START_NS < page.due_ns[0] <= page.due_ns[-1] <= START_NS + PAGE_NS
    assert all(due_ns % TICK_NS == 0 for due_ns in page.due_ns)
    assert len(page.due_ns) == len(page.ends)
    assert all(a < b for column in (page.due_ns, page.ends) for a, b in pairwise(column))
    assert page.ends[-1] == len(page.buffer)
    texts = list(payloads(page.buffer))
    assert len(texts) == page.frames > 0
    assert all(isinstance(json.loads(text), dict | list) for text in texts)


@every_stream
def test_pages_follow_on_one_another(subject: Subject) -> None:
    """What is numbered is numbered on across pages and minutes, nothing missing and nothing twice."""
    told = [item for number in range(8) for item in subject.items(subject.page(number).buffer)]
    assert len(told) > 8
    if subject.stream.numbered:
        assert [first for first, _ in told[1:]] == [last + 1 for _, last in told[:-1]]


@every_stream
@given(cuts=st.tuples(ticks, ticks, ticks).map(sorted))
def test_cuts_of_a_page_join(subject: Subject, cuts: list[int]) -> None:
    """However a page is cut, the pieces are whole frames and together say the same."""
    page = subject.page(0)
    a, b, c = (START_NS + tick * TICK_NS for tick in cuts)
    early, late, both = page.cut(a, b), page.cut(b, c), page.cut(a, c)
    assert early + late == both
    assert [*payloads(early), *payloads(late)] == [*payloads(both)]
    assert page.cut(START_NS, START_NS + PAGE_NS) == page.buffer


@every_stream
def test_a_page_is_a_function_of_its_start(subject: Subject) -> None:
    """A channel made anew, asked for its pages in another order, says the same bytes."""
    anew = subject.venue.channel(subject.topic, worlds.exchange(subject.venue))
    for number in (3, 1, 0):
        again, first = anew.page(START_NS + number * PAGE_NS), subject.page(number)
        assert (again.buffer, again.due_ns, again.ends) == (first.buffer, first.due_ns, first.ends)


@every_stream
@given(tick=ticks)
def test_a_late_joiner_sees_no_gap(subject: Subject, tick: int) -> None:
    """A snapshot is the end of what those who joined earlier have been told, as far as both go back: the next frame
    continues both. Whole states are so at the instant of one.
    """
    now_ns = START_NS + PAGE_NS + tick * TICK_NS
    told = subject.items(subject.page(0).buffer + subject.page(1).cut(START_NS + PAGE_NS, now_ns))
    if subject.stream.whole:
        pages = (subject.page(0), subject.page(1))
        now_ns = max(due for page in pages for due in page.due_ns if due <= now_ns)
    snapshot = subject.channel.snapshot(now_ns)
    joined = [item for payload in snapshot for item in subject.stream.items(json.loads(payload))]
    both = min(len(joined), len(told))
    assert told[len(told) - both :] == joined[len(joined) - both :]


# ---------------------------------------------------------------- dialogue
@every_stream
def test_a_stream_is_acknowledged_and_left_again(subject: Subject) -> None:
    """Subscribing is answered and leads to one topic; unsubscribing is answered and leads out of the same one."""
    client, words = Client(subject.venue), subject.stream.words
    joining = client.say(json.dumps(subject.dialogue.subscribe(words)))
    leaving = client.say(json.dumps(subject.dialogue.unsubscribe(words)))
    assert [type(action) for action in joining] == [Reply, Subscribe]
    assert {type(action) for action in leaving} == {Reply, Unsubscribe}
    topics = {action.topic for action in (*joining, *leaving) if isinstance(action, Subscribe | Unsubscribe)}
    assert topics == {subject.topic}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def bent(value: Message) -> st.SearchStrategy[Message]:
    """The value with something in it missing, replaced or repeated."""
    if isinstance(value, dict):
        return st.fixed_dictionaries(
            {}, optional={key: bent(inner) for key, inner in value.items()} | {"id": json_values}
        )
    if isinstance(value, list):
        return st.lists(st.one_of([bent(inner) for inner in value]) if value else json_values, max_size=3)
    return st.one_of(st.just(value), json_values)


def utterances(venue: VenueProtocol) -> st.SearchStrategy[str | bytes]:
    dialogue = DIALOGUES[venue.id]
    sensible = [
        say(stream.words) for stream in dialogue.streams for say in (dialogue.subscribe, dialogue.unsubscribe)
    ]
    spoken = st.one_of(st.sampled_from(sensible), *(bent(message) for message in sensible), json_values)
    return st.one_of(spoken.map(json.dumps), st.text(max_size=200), st.binary(max_size=200))


@every_venue
@given(data=st.data())
def test_a_session_survives_whatever_is_said(venue: VenueProtocol, data: st.DataObject) -> None:
    """Any message gives actions, never an exception: text for the client, topics there are, or a close."""
    client = Client(venue)
    for said in data.draw(st.lists(utterances(venue), min_size=1, max_size=8)):
        for action in client.say(said):
            match action:
                case Reply(payload):
                    payload.decode()
                case Subscribe(topic) | Unsubscribe(topic):
                    venue.channel(topic, exchange(venue.id))
                case Close(code, reason):
                    assert 1000 <= code < 5000
                    assert len(reason.encode()) <= 123
                    return
                case _:
                    assert isinstance(action, Ping)


@every_venue
def test_a_closed_mouth_is_not_cut_by_one_clock_alone(venue: VenueProtocol) -> None:
    """Days of virtual time in a moment, or of wall time with the market paused: neither closes a socket."""
    for now_ns, wall_ns in (
        (START_NS + 3 * 86_400 * SECOND_NS, START_NS),
        (START_NS, START_NS + 3 * 86_400 * SECOND_NS),
    ):
        session = Client(venue).session
        actions = [action for _ in range(5) for action in session.tick(now_ns, wall_ns)]
        assert not [action for action in actions if isinstance(action, Close)]


@every_venue
@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/ws", "/..", "/%00", "/ws\x00", "//"])
def test_an_unknown_path_is_refused(venue: VenueProtocol, path: str) -> None:
    """A handshake on a path the venue does not have is answered over HTTP."""
    refusal = venue.session(get(path), exchange(venue.id))
    assert isinstance(refusal, HttpResponse)
    assert 400 <= refusal.status < 500


# ---------------------------------------------------------------- REST
def requests() -> list[Any]:
    return [
        pytest.param(venue, request, id=f"{venue.id}-{request.path}?{request.query}{request.body.decode()}")
        for venue in VENUES
        for request in DIALOGUES[venue.id].requests
    ]


every_request = pytest.mark.parametrize(("venue", "request_"), requests())


@every_request
def test_a_request_is_answered_the_same_twice(venue: VenueProtocol, request_: HttpRequest) -> None:
    """An answer is JSON, and its body a function of the request, the market and the time."""
    first = venue.handle(request_, exchange(venue.id), START_NS + SECOND_NS)
    again = venue.handle(request_, worlds.exchange(venue), START_NS + SECOND_NS)
    assert first.status == 200
    assert first.body == again.body
    json.loads(first.body)


@every_venue
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_an_unknown_endpoint_is_the_clients_fault(venue: VenueProtocol, method: str) -> None:
    """Whatever the method, a path that is not there is a 4xx."""
    for path in ("/nowhere", "/", "/ws", "/api/v3/nowhere", "/info/nowhere"):
        assert 400 <= venue.handle(HttpRequest(method, path), exchange(venue.id), START_NS).status < 500


@every_request
@given(data=st.data())
def test_a_bent_request_gets_an_answer(
    venue: VenueProtocol, request_: HttpRequest, data: st.DataObject
) -> None:
    """Parameters missing, doubled, misspelt or nonsense, a body that is none: an answer, never an exception."""
    parameters = [tuple(pair.split("=")) for pair in request_.query.split("&") if pair]
    names = st.sampled_from([name for name, *_ in parameters] or ["symbol"]) | st.text(max_size=8)
    values = st.sampled_from([value for _, *rest in parameters for value in rest] or ["BTCUSDT"]) | st.text(
        max_size=20
    )
    pairs = data.draw(st.lists(st.tuples(names, values), max_size=4))
    raw = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30)
    query = (
        data.draw(raw) if data.draw(st.booleans()) else "&".join(f"{quote(n)}={quote(v)}" for n, v in pairs)
    )
    body = data.draw(
        bent(json.loads(request_.body)).map(lambda b: json.dumps(b).encode())
        if request_.body
        else st.binary()
    )
    bent_request = replace(
        request_,
        method=data.draw(st.sampled_from(["GET", "POST", "DELETE"])),
        query=query,
        body=data.draw(st.sampled_from([body, b"", b"{", b"\xff", b"[" * 5_000])),
        headers=data.draw(st.sampled_from([request_.headers, {}, {"content-type": "text/plain"}])),
    )
    answer = venue.handle(bent_request, exchange(venue.id), START_NS)
    assert 200 <= answer.status < 600


def bar_requests() -> list[Any]:
    return [
        pytest.param(venue, request, minutes, id=f"{venue.id}-{request.query or request.body.decode()}")
        for venue in VENUES
        for request, minutes in DIALOGUES[venue.id].bars
    ]


@pytest.mark.parametrize(("venue", "request_", "minutes"), bar_requests())
def test_bars_of_the_past_need_no_block(venue: VenueProtocol, request_: HttpRequest, minutes: int) -> None:
    """A thousand bars, or all since the listing, are answered without living through any minute but the running one."""
    made = blocks_made(venue)
    answer = venue.handle(request_, exchange(venue.id), START_NS + 30 * SECOND_NS)
    assert answer.status == 200
    assert min(1000, LISTED_MINUTES // minutes) <= len(json.loads(answer.body)) <= 1000
    assert blocks_made(venue) - made <= 1


def blocks_made(venue: VenueProtocol) -> int:
    return sum(market._blocks.cache_info().misses for market in exchange(venue.id))
