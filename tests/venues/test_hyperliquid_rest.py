"""Hyperliquid over HTTP: exact bodies, the errors of its server, and an answer to anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS
from tests import worlds
from tests.handmade import HandmadeMarket
from tests.venues.perp import (
    BLOCK,
    BUY,
    ETH,
    GOLD,
    HFUN,
    INSTRUMENT,
    JSON,
    PURR,
    QUIET,
    T0,
    TSLA,
    exchange,
    info,
    market,
    post,
    snapshot,
    stream,
)
from venues.base import Exchange, HttpRequest, Topic
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid.actions import ACTIONS
from venues.hyperliquid.rest import INFO
from venues.hyperliquid.rules import INTERVALS

USER = "0xFCAd0B19bB29D4674531d6f115237E16AfCE377c"
SIGNATURE = {"r": "0x1", "s": "0x2", "v": 28}


# ---------------------------------------------------------------- what the venue is
META = (
    '{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}],"marginTables":[[56,'
    '{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},'
    '{"lowerBound":"150000000.0","maxLeverage":20}]}]],"collateralToken":0}'
)
TOKENS = (
    '[{"name":"USDC","szDecimals":8,"weiDecimals":8,"index":0,"tokenId":"0x6d1e7cde53ba9467b783cb7c530ce054",'
    '"isCanonical":true,"evmContract":null,"fullName":null,"deployerTradingFeeShare":"0.0"},'
    '{"name":"PURR","szDecimals":0,"weiDecimals":5,"index":1,"tokenId":"0xc1fb593aeffbeb02f85e0308e9956a90",'
    '"isCanonical":true,"evmContract":null,"fullName":null,"deployerTradingFeeShare":"0.0"},'
    '{"name":"HFUN","szDecimals":2,"weiDecimals":8,"index":2,"tokenId":"0xbaf265ef389da684513d98d68edf4eae",'
    '"isCanonical":false,"evmContract":null,"fullName":null,"deployerTradingFeeShare":"0.0"}]'
)
SPOT_META = f'{{"universe":[],"tokens":{TOKENS}}}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "meta"}, META),  # a capture of 2026-09-25, less the coins that are not listed here
        ({"type": "meta", "dex": ""}, META),  # as hyperliquid-python-sdk asks
        ({"type": "spotMeta"}, SPOT_META),  # HyperLiquid.Net GetExchangeInfo.txt, key order of 2025-02-10
        ({"type": "spotMetaAndAssetCtxs"}, f"[{SPOT_META},[]]"),
        (
            {"type": "perpDexs"},
            "[null]",
        ),  # null is the main dex (roq-hyperliquid test/json_get_perp_dexs_ack.cpp)
        ({"type": "allMids"}, '{"BTC":"65000.5"}'),
        (
            {"type": "exchangeStatus"},
            '{"specialStatuses":null,"time":1790352000000}',
        ),  # live probe of 2026-08-19
        ({"type": "l2Book", "coin": "nothing"}, "null"),
        ({"type": "exchangeStatus", "more": [1]}, '{"specialStatuses":null,"time":1790352000000}'),
    ],
)
def test_an_answer_is_exactly_this(body: dict[str, Any], expected: str) -> None:
    """Sources stand beside the rows; fields the venue does not know are ignored."""
    assert info(**body) == expected


def test_coins_of_a_run_stand_in_the_order_of_their_listing() -> None:
    """A run may list fewer coins than the card; an asset's id is its place in the universe, so a new one comes last."""
    eth = replace(INSTRUMENT, market="hyperliquid:ETH", symbol="ETH", qty_decimals=4)
    btc_row = HYPERLIQUID.card.perps[0]
    eth_row = replace(
        btc_row, listing=replace(btc_row.listing, instrument=eth), max_leverage=25, margin_table=55
    )
    venue = replace(HYPERLIQUID, card=replace(HYPERLIQUID.card, perps=(btc_row, eth_row)))
    assert [row.instrument.symbol for row in venue.listings] == ["BTC", "ETH", "PURR/USDC", "@1"]
    request = HttpRequest("POST", "/info", headers=JSON, body=b'{"type":"meta"}')
    world = exchange(QUIET).world
    for markets in (["ETH"], ["ETH", "BTC"]):
        run = Exchange(world, {coin: f"hyperliquid:{coin}" for coin in markets})
        names = [row["name"] for row in json.loads(venue.handle(request, run, T0).body)["universe"]]
        assert names == markets


# ---------------------------------------------------------------- builders' dexs
TESLA = market(
    TSLA, quotes=[(T0 - 1, 37_891, 1, 37_892, 1, 1)], second=lambda _: (37_891, 37_881_000_000, 46_500)
)
METAL = market(GOLD, quotes=[(T0 - 1, 39_000, 1, 39_001, 1, 1)])
DEXS = exchange(QUIET, market(PURR), TESLA, METAL)
XYZ_META = (
    '{"universe":[{"szDecimals":3,"name":"xyz:TSLA","maxLeverage":20,"marginTableId":20,"growthMode":"enabled",'
    '"lastFeeScaleChangeTime":"2025-11-23T17:37:10.033211662","deployerFeeScale":"1.0"},'
    '{"szDecimals":4,"name":"xyz:GOLD","maxLeverage":25,"marginTableId":25,'
    '"lastFeeScaleChangeTime":"1970-01-01T00:00:00","deployerFeeScale":"1.0"}],"marginTables":[],"collateralToken":0}'
)
XYZ = (
    '{"name":"xyz","fullName":"XYZ","deployer":"0x88806a71d74ad0a510b350545c9ae490912f0888","oracleUpdater":null,'
    '"feeRecipient":"0x83ffcfb1f2ad843c474b2e28df86c721cb869d3a",'
    '"assetToStreamingOiCap":[["xyz:GOLD","100000000.0"],["xyz:TSLA","50000000.0"]],"subDeployers":[],'
    '"assetToFundingMultiplier":[["xyz:GOLD","0.5"],["xyz:TSLA","0.5"]],"assetToFundingInterestRate":[],'
    '"assetToFundingClamp":[]}'
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # keys as answered on 2026-10-06 (df-hyperliquid-core, src/markets/dexes/tests/dex.rs)
        ({"type": "perpDexs"}, f"[null,{XYZ}]"),
        # rows of `meta` for xyz as captured on 2026-09-23, in their order; the dex is not named in it
        ({"type": "meta", "dex": "xyz"}, XYZ_META),
        # a plain object for each dex, no contexts: a probe of 2026-09-24
        ({"type": "allPerpMetas"}, f"[{META},{XYZ_META}]"),
        ({"type": "allMids", "dex": "xyz"}, '{"xyz:GOLD":"3900.05","xyz:TSLA":"378.915"}'),
        ({"type": "allMids"}, '{"BTC":"65000.5","PURR/USDC":"0.0"}'),
        # hypernode-docs.polynode.dev; null for the main dex and unknown ones
        (
            {"type": "perpDexLimits", "dex": "xyz"},
            (
                '{"totalOiCap":"6000000000.0","oiSzCapPerPerp":"20000000000.0","maxTransferNtl":"1600000000.0",'
                '"coinToOiCap":[["xyz:GOLD","100000000.0"],["xyz:TSLA","50000000.0"]]}'
            ),
        ),
        ({"type": "perpDexLimits", "dex": ""}, "null"),
        ({"type": "perpDexLimits", "dex": "nope"}, "null"),
        ({"type": "perpDexStatus", "dex": "xyz"}, '{"totalNetDeposit":"0.0"}'),  # docs.hydromancer.xyz
        ({"type": "perpsAtOpenInterestCap", "dex": "xyz"}, "[]"),
        ({"type": "perpsAtOpenInterestCap"}, "[]"),
    ],
)
def test_a_builders_dex_is_told_as_it_is_there(body: dict[str, Any], expected: str) -> None:
    """Sources stand beside the rows. Its coins are on no other dex."""
    assert info(DEXS, **body) == expected


def test_a_dex_is_there_with_its_coins() -> None:
    """A run that offers none of them has no such dex."""
    assert post("/info", {"type": "meta", "dex": "xyz"}, QUIET).status == 500
    universe = json.loads(info(exchange(QUIET, METAL), type="meta", dex="xyz"))["universe"]
    assert [row["name"] for row in universe] == ["xyz:GOLD"]


def test_a_builders_premium_is_that_of_the_mean_impact_price() -> None:
    """0.5 * (bid + ask) / oracle - 1 (the funding page, read 2026-09-23), worked out by hand: oracle 378.81, premium
    0.0465 %, so the mean is 378.986; the impact bid the best one, 378.91, and the ask as far beyond: 379.062.
    """
    meta, (tesla, _) = json.loads(info(DEXS, T0 + SECOND_NS, type="metaAndAssetCtxs", dex="xyz"))
    assert meta == json.loads(XYZ_META)
    assert (tesla["oraclePx"], tesla["impactPxs"]) == ("378.81", ["378.91", "379.062"])
    assert tesla["premium"] == "0.0004646129"  # 378.986 / 378.81 - 1


def test_a_builder_halves_what_it_charges() -> None:
    """0.5 * (P + clamp(0.0001 - P, -0.0003, 0.0003)) / 8, as 24 of 24 settlements (a probe of 2026-09-24)."""
    for premium_e8, rate in ((0, "0.00000625"), (46_500, "0.0000103125"), (-53_000, "-0.000014375")):
        of = market(TSLA, second=lambda _, p=premium_e8: (37_891, 37_881_000_000, p))
        (row,) = json.loads(
            info(of, T0 + SECOND_NS, type="fundingHistory", coin="xyz:TSLA", startTime=T0 // MS_NS)
        )
        assert row["fundingRate"] == rate


def test_a_builders_coin_is_one_like_others() -> None:
    """Books, trades, candles by its full name; without the dex there is none."""
    assert json.loads(info(DEXS, type="l2Book", coin="xyz:TSLA"))["coin"] == "xyz:TSLA"
    assert info(DEXS, type="l2Book", coin="TSLA") == "null"
    assert info(DEXS, type="recentTrades", coin="xyz:TSLA") == "[]"


# ---------------------------------------------------------------- tokens, tables, auctions
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"type": "marginTable", "id": 10},
            '{"description":"","marginTiers":[{"lowerBound":"0.0","maxLeverage":10}]}',
        ),
        (
            {"type": "marginTable", "id": 55},
            (
                '{"description":"tiered 25x","marginTiers":[{"lowerBound":"0.0","maxLeverage":25},'
                '{"lowerBound":"100000000.0","maxLeverage":15}]}'
            ),
        ),
        # docs.chainstack.com, 2026-02, with another start: 31 hours each, from the epoch on
        (
            {"type": "perpDeployAuctionStatus"},
            '{"startTimeSeconds":1790287200,"durationSeconds":111600,"startGas":"500.0","currentGas":"500.0","endGas":null}',
        ),
        ({"type": "outcomeMeta"}, '{"outcomes":[],"questions":[]}'),
        ({"type": "vaultSummaries"}, "[]"),
        ({"type": "vaultDetails", "vaultAddress": "0x" + "1" * 40}, "null"),
        ({"type": "liquidatable"}, "[]"),
        # docs.chainstack.com, 2026-10, its decimals of a wei corrected
        (
            {"type": "tokenDetails", "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054"},
            (
                '{"name":"USDC","maxSupply":"4352925534.7421636581","totalSupply":"4352925534.7421636581",'
                '"circulatingSupply":"4352925534.7421636581","szDecimals":8,"weiDecimals":8,"midPx":"1.0","markPx":"1.0",'
                '"prevDayPx":"1.0","genesis":null,"deployer":null,"deployGas":null,"deployTime":null,"seededUsdc":"0.0",'
                '"nonCirculatingUserBalances":[],"futureEmissions":"0.0"}'
            ),
        ),
    ],
)
def test_what_stands_still_is_told(body: dict[str, Any], expected: str) -> None:
    """Sources stand beside the rows."""
    assert info(**body) == expected


def test_a_tokens_prices_are_its_pairs() -> None:
    """With USDC; a token whose pair the run does not offer has none."""
    asked: dict[str, Any] = {"type": "tokenDetails", "tokenId": "0xC1FB593AEFFBEB02F85E0308E9956A90"}
    pair = market(PURR, quotes=[(T0 - 1, 20_000, 1, 20_001, 1, 1)], closes={T0 - DAY_NS - BLOCK_NS: 19_000})
    details = json.loads(info(exchange(QUIET, pair), **asked))
    (context,) = json.loads(info(exchange(QUIET, pair), type="spotMetaAndAssetCtxs"))[1]
    keys = ("totalSupply", "circulatingSupply", "midPx", "markPx", "prevDayPx")
    assert {key: details[key] for key in keys} == {key: context[key] for key in keys}
    assert not {"midPx", "markPx", "prevDayPx"} & set(json.loads(info(**asked)))


# ---------------------------------------------------------------- books and trades
def test_a_book_is_that_of_the_last_block() -> None:
    """Keys and numbers as in HyperLiquid.Net GetOrderBook.txt (2025-01-21); what a block did is told at its end."""
    of = market(
        start_bids=[(65_000, 1_000)],
        start_asks=[(65_001, 20)],
        levels=[((T0 + 170 * MS_NS) // (10 * MS_NS), 1, 65_001, 0, 5)],
    )
    bid, ask = '{"px":"65000.0","sz":"0.01","n":1}', '{"px":"65001.0","sz":"0.0002","n":1}'
    assert info(of, T0 + 230 * MS_NS, type="l2Book", coin="BTC") == (
        f'{{"coin":"BTC","time":1790352000159,"levels":[[{bid}],[{ask}]]}}'
    )
    assert info(of, T0 + 240 * MS_NS, type="l2Book", coin="BTC") == (
        f'{{"coin":"BTC","time":1790352000239,"levels":[[{bid}],[]]}}'
    )


@pytest.mark.parametrize(
    ("n_sig_figs", "mantissa"), [(None, None), (5, None), (5, 2), (5, 5), (4, None), (2, None)]
)
def test_rest_and_stream_tell_one_book(n_sig_figs: int | None, mantissa: int | None) -> None:
    """The book at the instant of a push is the pushed one, however grouped."""
    topic = Topic("l2Book", "BTC", (json.dumps(n_sig_figs), json.dumps(mantissa), "false"))
    due, text = stream(QUIET, topic)[1]
    asked = info(QUIET, T0 + due, type="l2Book", coin="BTC", nSigFigs=n_sig_figs, mantissa=mantissa)
    assert json.loads(asked) == json.loads(text)["data"]


def test_a_book_has_twenty_levels() -> None:
    """A side, as everywhere on this venue."""
    deep = market(
        start_bids=[(65_000 - i, 1) for i in range(30)], start_asks=[(65_001 + i, 1) for i in range(30)]
    )
    bids, asks = json.loads(info(deep, type="l2Book", coin="BTC"))["levels"]
    assert [len(bids), len(asks)] == [20, 20]


def test_recent_trades_are_newest_first() -> None:
    """The trades a joining socket is told, the other way round (nautilus-hyperliquid: newest first)."""
    (text,) = snapshot(QUIET, Topic("trades", "BTC"), T0)
    trades = json.loads(info(type="recentTrades", coin="BTC"))
    assert trades == json.loads(text)["data"][::-1]
    assert [(trade["side"], trade["px"], trade["sz"], trade["time"]) for trade in trades] == [
        ("A", "65000.0", "0.0025", 1790351998079),
        ("B", "65001.0", "0.01", 1790351995039),
    ]


# ---------------------------------------------------------------- candles
def candles(of: Any, now_ns: int, interval: str = "1m", **period: int) -> list[dict[str, Any]]:
    asked = {"coin": "BTC", "interval": interval, **period}
    return [dict(row) for row in json.loads(info(of, now_ns, type="candleSnapshot", req=asked))]


def printed(*at_s: float) -> HandmadeMarket:
    """A market listed at T0 that printed one lot at each of these seconds from then."""
    times = [T0 + round(at * SECOND_NS) for at in at_s]
    prints = [(at, 65_000 + i, 1, BUY, i, i, i) for i, at in enumerate(times)]
    return HandmadeMarket(INSTRUMENT, T0, prints=prints)


def test_a_candle_is_what_was_traded_until_now() -> None:
    """Keys as captured on 2026-09-25. The forming one is of finished blocks: here the last print is in none yet."""
    of = printed(10, 20, 61, 62.9)
    asked = {"coin": "BTC", "interval": "1m", "startTime": 1790352000000, "endTime": 1790352062899}
    head = (
        '[{"t":1790352000000,"T":1790352059999,"s":"BTC","i":"1m","o":"65000.0","c":"65001.0","h":"65001.0",'
    )
    assert info(of, T0 + 62_950 * MS_NS, type="candleSnapshot", req=asked) == (
        f'{head}"l":"65000.0","v":"0.00002","n":2}},{{"t":1790352060000,"T":1790352119999,"s":"BTC","i":"1m",'
        '"o":"65002.0","c":"65002.0","h":"65002.0","l":"65002.0","v":"0.00001","n":1}]'
    )


def test_a_quiet_candle_is_flat_once_there_is_a_trade_after_it() -> None:
    """Until then it is missing (passivbot pull request 1410, 2026-07-26)."""
    of, first = printed(10, 190), 1790352000000
    quiet = candles(of, T0 + 185 * SECOND_NS, startTime=first)
    assert [row["n"] for row in quiet] == [1]
    told = candles(of, T0 + 195 * SECOND_NS, startTime=first)
    assert [row["n"] for row in told] == [1, 0, 0, 1]
    assert [(row["o"], row["h"], row["l"], row["c"], row["v"]) for row in told[1:3]] == [
        ("65000.0", "65000.0", "65000.0", "65000.0", "0.0")
    ] * 2
    assert candles(of, T0 + 195 * SECOND_NS, startTime=first, endTime=first + 150_000) == told[:3]


@pytest.mark.parametrize(
    ("start", "end", "opened"),
    [
        (0, None, [0, 60, 120, 180]),
        # the end is inclusive: gocryptotrader exchanges/hyperliquid, 2026-10
        (0, 180_000, [0, 60, 120, 180]),
        (0, 179_999, [0, 60, 120]),
        # the candle that contains the start: 673 rows of 7 days, measured on 2025-12-31
        (59_999, 60_000, [0, 60]),
        (60_000, 60_000, [60]),
        (60_001, 60_000, []),
        (10**9, None, []),
        (0, 10**15, [0, 60, 120, 180]),
        (-(10**6), -(10**5), []),
    ],
)
def test_a_period_of_candles(start: int, end: int | None, opened: list[int]) -> None:
    """In ms from T0; from the candle around the start to the one that opens at the end."""
    period: dict[str, Any] = {"startTime": 1790352000000 + start}
    if end is not None:
        period["endTime"] = 1790352000000 + end
    rows = candles(printed(10, 70, 130, 190), T0 + 200 * SECOND_NS, **period)
    assert [(row["t"] - 1790352000000) // 1_000 for row in rows] == opened


def test_only_the_newest_candles_are_kept() -> None:
    """5,000 of an interval, the forming one included, wherever a period begins (gitbook, candle snapshot, 2026-11)."""
    of = worlds.exchange(HYPERLIQUID)
    now_ns = worlds.ORIGIN_NS + 30 * SECOND_NS
    newest = candles(of, now_ns, startTime=0)
    assert len(newest) == 5_000
    assert newest[-1]["t"] == worlds.ORIGIN_NS // MS_NS
    before = newest[0]["t"]
    assert candles(of, now_ns, startTime=0, endTime=before - 1) == []
    assert candles(of, now_ns, startTime=before - 10**7, endTime=before) == newest[:1]
    assert len(candles(of, now_ns, "1M", startTime=0)) == 15, (
        "the listing, 400 days old, falls into the first"
    )


# ---------------------------------------------------------------- funding
def hourly(at_ns: int) -> tuple[int, int, int]:
    """A premium of -0.018753 % until 16:00, of 0.1 % since."""
    return 65_000, 6_500_000_000_000, -18_753 if at_ns < T0 else 100_000


def test_settlements_are_recorded_just_after_the_hour() -> None:
    """Keys and the first row's numbers as captured on 2026-09-25: 10 to 60 ms later, with the hour's mean premium."""
    of = market(second=hourly)
    asked = {"coin": "BTC", "startTime": 1790352000000}
    first, second = json.loads(info(of, T0 + 3_700 * SECOND_NS, type="fundingHistory", **asked))
    assert [1790352000000 + hour for hour in (0, 3_600_000)] == [
        row.pop("time") // 60_000 * 60_000 for row in (first, second)
    ]
    assert list(first.items()) == [
        ("coin", "BTC"), ("fundingRate", "0.0000125"), ("premium", "-0.00018753")
    ]  # fmt: skip
    assert (second["fundingRate"], second["premium"]) == ("0.0000625", "0.001")


def test_a_settlement_is_told_at_its_time_and_not_before() -> None:
    """Its time bounds periods, both ends inclusive, and is the same whenever asked."""
    of = market(second=hourly)

    def times(now_ns: int, **period: int) -> list[int]:
        answer = info(of, now_ns, type="fundingHistory", coin="BTC", **period)
        return [row["time"] for row in json.loads(answer)]

    (time,) = times(T0 + SECOND_NS, startTime=1790352000000)
    assert 10 <= time - 1790352000000 <= 60
    assert times(time * MS_NS, startTime=1790352000000) == []
    assert times(T0 + SECOND_NS, startTime=time) == [time]
    assert times(T0 + SECOND_NS, startTime=time + 1) == []
    assert times(T0 + SECOND_NS, startTime=time, endTime=time) == [time]
    assert times(T0 + SECOND_NS, startTime=time, endTime=time - 1) == []
    days = times(T0 + SECOND_NS, startTime=0)
    assert len(days) == 48, "the listing is two days old"
    assert days[-1] == time
    assert all(10 <= row % 3_600_000 <= 60 for row in days)
    assert len({row % 3_600_000 for row in days}) > 10


def test_the_oldest_500_settlements_come_first() -> None:
    """Found by asking from 2023 on: https://github.com/freqtrade/freqtrade/pull/10839, 2024-11-01."""
    of = worlds.exchange(HYPERLIQUID)
    asked = {"coin": "ETH", "startTime": (worlds.ORIGIN_NS - 600 * 3_600 * SECOND_NS) // MS_NS}
    records = json.loads(info(of, worlds.ORIGIN_NS, type="fundingHistory", **asked))
    hours = [row["time"] // 3_600_000 for row in records]
    first = worlds.ORIGIN_NS // SECOND_NS // 3_600 - 600
    assert hours == list(range(first, first + 500))
    more = json.loads(
        info(of, worlds.ORIGIN_NS, type="fundingHistory", coin="ETH", startTime=records[-1]["time"] + 1)
    )
    assert [row["time"] // 3_600_000 for row in more] == list(range(first + 500, first + 600))


def test_only_own_fundings_are_predicted() -> None:
    """Form and order as captured on 2026-07-30 (docs.blockpi.io); null stands for a venue that is not known here. The
    time is that of the settlement before (probed on 2026-09-24).
    """
    rows = (
        f'["{coin}",[["BinPerp",null],["HlPerp",{{"fundingRate":"0.0000625","nextFundingTime":1790352000000,'
        '"fundingIntervalHours":1}],["BybitPerp",null]]]'
        for coin in ("BTC", "ETH")
    )
    of = exchange(market(second=hourly), market(ETH, second=hourly), market(PURR))
    assert info(of, T0 + 100 * SECOND_NS, type="predictedFundings") == f"[{','.join(rows)}]"


def test_predictions_move_with_the_oracle() -> None:
    """As contexts do, every 3 s, though the premium is sampled every 5 s."""
    of = market(second=lambda at: (65_000, 6_500_000_000_000, max(0, at - T0) // SECOND_NS * 100_000))
    rates = []
    for second in range(3, 16):
        now_ns = T0 + second * SECOND_NS + BLOCK
        ((_, (_, (_, own), _)),) = json.loads(info(of, now_ns, type="predictedFundings"))
        rates.append(own["fundingRate"])
        assert context(of, now_ns)["funding"] == own["fundingRate"]
    # samples of 0 and 0.5 % from 6 s on, 1 % too from 12 s on, 1.5 % at 15 s
    assert rates == ["0.0000125"] * 3 + ["0.00025"] * 6 + ["0.0005625"] * 3 + ["0.000875"]


# ---------------------------------------------------------------- asset contexts
def test_spot_pairs_are_listed_with_their_contexts() -> None:
    """Universe as in the documentation of `spotMeta` (2026-11), contexts in its order, as HyperLiquid.Net has them."""
    pair = market(
        PURR,
        quotes=[(T0 - 1, 20_000, 1, 20_001, 1, 1)],
        closes={T0 - DAY_NS - BLOCK_NS: 19_000, T0 - BLOCK_NS: 20_001},
        volumes={T0 - BLOCK_NS: (120, 2_400_120)},
    )
    other = market(HFUN, quotes=[(T0 - 1, 12_573, 1, 12_593, 1, 1)], closes={T0 - BLOCK_NS: 12_573})
    meta = (
        '{"universe":[{"tokens":[1,0],"name":"PURR/USDC","index":0,"isCanonical":true},'
        f'{{"tokens":[2,0],"name":"@1","index":1,"isCanonical":false}}],"tokens":{TOKENS}}}'
    )
    purr = (
        '{"prevDayPx":"0.19","dayNtlVlm":"24.0012","markPx":"0.20001","midPx":"0.200005",'
        '"circulatingSupply":"594786002.8013399839","coin":"PURR/USDC","totalSupply":"594786014.1078599691",'
        '"dayBaseVlm":"120.0"}'
    )
    hfun = (
        '{"prevDayPx":"65.0","dayNtlVlm":"0.0","markPx":"12.573","midPx":"12.583",'
        '"circulatingSupply":"995724.58875657","coin":"@1","totalSupply":"995724.63958273","dayBaseVlm":"0.0"}'
    )
    of = exchange(pair, other, QUIET)
    assert info(of, T0, type="spotMetaAndAssetCtxs") == f"[{meta},[{purr},{hfun}]]"
    assert info(of, T0, type="spotMeta") == meta
    assert info(of, T0, type="meta") == META, "spot is no part of it"


def context(of: Any, now_ns: int) -> dict[str, Any]:
    meta, contexts = json.loads(info(of, now_ns, type="metaAndAssetCtxs"))
    assert meta == json.loads(META)
    (only,) = contexts
    return dict(only)


def test_a_context_is_what_minutes_and_seconds_tell() -> None:
    """A market that stands still as in a capture of 2026-09-25: each number worked out by hand from that.

    Oracle 83778.1, impact ask 83766.8: premium (83766.8 - 83778.1) / 83778.1 = -0.0001348801; impact bid as far from
    the mid, 2 * 83757.5 - 83766.8 = 83748.2; mark the mid, to the whole dollar; funding 0.01 % / 8; open interest
    1.07 * volume.
    """
    of = market(
        quotes=[(T0 - 1, 83_757, 1, 83_758, 1, 1)],
        second=lambda _: (83_757, 8_377_810_000_000, -13_488),
        closes={T0 - DAY_NS - BLOCK_NS: 84_086},
        volumes={
            T0 - DAY_NS - BLOCK_NS: (10**9, 10**15),  # ended a day ago
            T0 - DAY_NS: (3_675_756_690, 309_605_362_756_182),
            T0 - BLOCK_NS: (1, 20_302),
            T0: (10**9, 10**15),  # has not ended
        },
    )
    expected = (
        '{"funding":"0.0000125","openInterest":"39330.59659","prevDayPx":"84086.0","dayNtlVlm":"3096053627.76484",'
        '"premium":"-0.0001348801","oraclePx":"83778.1","markPx":"83758.0","midPx":"83757.5",'
        '"impactPxs":["83748.2","83766.8"],"dayBaseVlm":"36757.56691"}'
    )
    assert info(of, T0 + 59 * SECOND_NS, type="metaAndAssetCtxs") == f"[{META},[{expected}]]"


def test_funding_is_the_mean_of_the_running_hour() -> None:
    """Samples each 5 s from the hour on: before it there is 1 %, then 0.1 % for 5 minutes, then 0.3 %.

    At 16:09:57 the samples are 60 of 0.1 % and 60 of 0.3 %; (0.002 - 0.0005) / 8 = 0.0001875.
    """

    def second(at_ns: int) -> tuple[int, int, int]:
        since = at_ns - T0
        return (
            65_000,
            6_500_000_000_000,
            1_000_000 if since < 0 else 100_000 if since < 300 * SECOND_NS else 300_000,
        )

    of = market(quotes=[(T0 - 1, 65_000, 1, 65_001, 1, 1)], second=second)
    assert context(of, T0 + 599 * SECOND_NS)["funding"] == "0.0001875"
    assert context(of, T0)["funding"] == "0.0000625"


def test_the_oracle_moves_every_three_seconds() -> None:
    """Between two updates oracle, mark and premium stand; the mid does not."""
    of = market(
        quotes=[(T0 - 1, 65_000, 1, 65_001, 1, 1), (T0 + 4 * SECOND_NS, 65_010, 1, 65_011, 1, 2)],
        second=lambda at: (
            65_000 + 10 * (at >= T0 + 4 * SECOND_NS),
            6_500_000_000_000 + (at - T0) // SECOND_NS * 10**8,
            0,
        ),
    )
    told = [context(of, T0 + second * SECOND_NS + BLOCK) for second in range(7)]
    assert [row["oraclePx"] for row in told] == ["65000.0"] * 3 + ["65003.0"] * 3 + ["65006.0"]
    assert [row["midPx"] for row in told] == ["65000.5"] * 4 + ["65010.5"] * 3


# ---------------------------------------------------------------- /exchange
def signed(action: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": action, "nonce": 1790352000000, "signature": SIGNATURE, **more}


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, {"action": {"type": "order"}}, signed({"type": "nothing"}), signed({}),
        signed({"type": "order"}) | {"nonce": "1"}, signed({"type": "order"}) | {"action": "order"},
        signed({"type": "order"}) | {"signature": None},
        signed({"type": "order"}) | {"signature": {"r": "0x1", "s": "0x2"}},
    ],
)  # fmt: skip
def test_an_ill_formed_action_is_not_judged(body: Any) -> None:
    """The server's 422, in plain text."""
    answer = post("/exchange", body)
    assert (answer.status, answer.body) == (422, b"Failed to deserialize the JSON body into the target type")


# ---------------------------------------------------------------- errors
UNPROCESSABLE = (422, "Failed to deserialize the JSON body into the target type")
UNREADABLE = (400, "Failed to parse the request body as JSON")
FAILED = (500, "null")  # in JSON (a probe of 2026-09-24)
UNTYPED = (415, "Expected request with `Content-Type: application/json`")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", UNPROCESSABLE),
        (b"[]", UNPROCESSABLE),
        (b"null", UNPROCESSABLE),
        (b'{"type":"nothing"}', UNPROCESSABLE),
        (b'{"type":["meta"]}', UNPROCESSABLE),
        (b'{"type":"meta","dex":1}', UNPROCESSABLE),
        (b'{"type":"l2Book"}', UNPROCESSABLE),
        (b'{"type":"l2Book","coin":7}', UNPROCESSABLE),
        (b'{"type":"l2Book","coin":"BTC","nSigFigs":"5"}', UNPROCESSABLE),
        (b'{"type":"userAbstraction","user":"0x1"}', UNPROCESSABLE),
        (b'{"type":"metaAndAssetCtxs","dex":"nope"}', FAILED),
        (b'{"type":"perpDexStatus"}', UNPROCESSABLE),
        (b'{"type":"perpDexStatus","dex":"nope"}', FAILED),
        (b'{"type":"marginTable","id":99}', FAILED),
        (b'{"type":"tokenDetails","tokenId":"0x0"}', FAILED),
        (b'{"type":"meta","dex":"nope"}', FAILED),
        (b'{"type":"allMids","dex":"nope"}', FAILED),
        (b'{"type":"recentTrades","coin":"nothing"}', FAILED),
        (b'{"type":"fundingHistory","coin":"NOPE","startTime":0}', FAILED),
        (b'{"type":"l2Book","coin":"BTC","nSigFigs":1}', FAILED),
        (b'{"type":"l2Book","coin":"BTC","mantissa":2}', FAILED),
        (b'{"type":"candleSnapshot"}', UNPROCESSABLE),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1m"}}', UNPROCESSABLE),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"2m","startTime":0}}', UNPROCESSABLE),
        (b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1m","startTime":-1}}', UNPROCESSABLE),
        (b'{"type":"candleSnapshot","coin":"BTC","interval":"1m","startTime":0}', UNPROCESSABLE),
        (b'{"type":"candleSnapshot","req":{"coin":"nothing","interval":"1m","startTime":0}}', FAILED),
        (b'{"type":"fundingHistory","coin":"BTC"}', UNPROCESSABLE),
        (b'{"type":"fundingHistory","coin":"BTC","startTime":"0"}', UNPROCESSABLE),
        # spot: https://github.com/hyperliquid-dex/hyperliquid-python-sdk/issues/32, 2024-04-30
        (b'{"type":"fundingHistory","coin":"PURR/USDC","startTime":0}', FAILED),
        (b"", UNREADABLE),
        (b"{", UNREADABLE),
        (b"\xff", UNREADABLE),
        (b"[" * 5_000, UNREADABLE),
    ],
)
def test_a_question_that_cannot_be_answered(body: bytes, expected: tuple[int, str]) -> None:
    """Its status, body and type of content as probed on 2026-09-24; the 422 captured on 2026-09-25, too."""
    answer = post("/info", body)
    assert (answer.status, answer.body.decode()) == expected
    plain = "text/plain; charset=utf-8"
    assert answer.content_type == ("application/json" if expected is FAILED else plain)
    assert answer.headers == (("access-control-allow-origin", "*"),)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (HttpRequest("POST", "/info", body=b'{"type":"meta"}'), UNTYPED),
        (
            HttpRequest("POST", "/info", headers={"content-type": "text/plain"}, body=b'{"type":"meta"}'),
            UNTYPED,
        ),
        (HttpRequest("GET", "/info"), (405, "")),
        (HttpRequest("PUT", "/exchange"), (405, "")),
        (HttpRequest("POST", "/"), (404, "")),
        (HttpRequest("POST", "/info/", headers=JSON, body=b'{"type":"meta"}'), (404, "")),
        (HttpRequest("GET", "/ws"), (404, "")),
    ],
)
def test_a_request_that_is_none(request_: HttpRequest, expected: tuple[int, str]) -> None:
    """The wrong type of content, method or path, in this order of precedence from the last."""
    answer = HYPERLIQUID.handle(request_, exchange(QUIET), T0)
    assert (answer.status, answer.body.decode()) == expected
    assert bool(answer.content_type) == bool(answer.body), "405 has none (a probe of 2026-09-24)"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_is_announced_in_any_spelling(content_type: str) -> None:
    """Case and parameters of the content type do not matter."""
    request = HttpRequest("POST", "/info", headers={"content-type": content_type}, body=b'{"type":"meta"}')
    answer = HYPERLIQUID.handle(request, exchange(QUIET), T0)
    assert (answer.status, answer.headers) == (200, (("access-control-allow-origin", "*"),))


def test_a_browser_may_ask() -> None:
    """The preflight of a cross-origin POST of JSON is granted."""
    answer = HYPERLIQUID.handle(HttpRequest("OPTIONS", "/info"), exchange(QUIET), T0)
    assert answer.status == 200
    assert dict(answer.headers) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "*",
        "access-control-allow-headers": "*",
    }


# ---------------------------------------------------------------- anything at all
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
instants = st.integers(0, 2**64 - 1) | st.integers(1790351000000, 1790353000000)
bodies = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(INFO)) | values},
    optional={
        "coin": st.sampled_from(["BTC", "ETH", "@1"]) | values,
        "startTime": instants | values,
        "endTime": instants | values,
        "req": values
        | st.fixed_dictionaries(
            {
                "coin": st.sampled_from(["BTC", "@1"]) | values,
                "interval": st.sampled_from(list(INTERVALS)) | values,
            },
            optional={"startTime": instants | values, "endTime": instants | values},
        ),
        "nSigFigs": st.integers(0, 7) | values,
        "mantissa": st.integers(0, 6) | values,
        "dex": st.sampled_from(["", "xyz"]) | values,
        "user": st.just(USER) | values,
    },
)
actions = st.fixed_dictionaries(
    {},
    optional={
        "action": st.fixed_dictionaries({"type": st.sampled_from(sorted(ACTIONS)) | values}) | values,
        "nonce": st.integers(-1, 2**64) | values,
        "signature": st.just(SIGNATURE) | values,
    },
)


texts = st.one_of(bodies.map(json.dumps), actions.map(json.dumps), values.map(json.dumps), st.text())


@given(path=st.sampled_from(["/info", "/exchange"]), raw=texts.map(str.encode) | st.binary())
def test_every_body_has_an_answer(path: str, raw: bytes) -> None:
    """Whatever is posted: an answer in JSON, or one of the server's errors."""
    answer = post(path, raw)
    if answer.status == 200:
        json.loads(answer.body)
    else:
        assert answer.status in {400, 422, 500}
        assert answer.body
