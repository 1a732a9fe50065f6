"""The tables of clients, by small classes of the names, places and attributes of theirs (read in their sources)."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from emulator.sdk import Emulator, configure
from venues.clients import Address, ClientError, Served, point
from venues.registry import CLIENTS

SPOT = Address("http://127.0.0.1:1", "ws://127.0.0.1:1")
USDM = Address("http://127.0.0.1:2", "ws://127.0.0.1:2")
HYPER = Address("http://127.0.0.1:3", "ws://127.0.0.1:3")
ALL = {"binance": SPOT, "binance-usdm": USDM, "hyperliquid": HYPER}
SERVED = Served(ALL, "test-key", "test-secret")


def stand_in(module: str, name: str, *bases: type, **body: Any) -> Any:
    return type(name, bases, {"__module__": module, **body})


# ---------------------------------------------------------------- who is known
@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        ("pybit.unified_trading", "HTTP", "Bybit is not served yet"),
        ("okx.MarketData", "MarketAPI", "OKX is not served yet"),
        ("ccxt.pro.okx", "okx", "OKX is not served yet"),
        ("ccxt.bybit", "bybit", "Bybit is not served yet"),
        ("cryptofeed.exchanges.kraken", "Kraken", "of cryptofeed, only its Binance and BinanceFutures"),
        ("ccxt.kraken", "kraken", "no client that is known; known: ccxt (binanceusdm); ccxt (binance)"),
        ("mine", "Client", "no client that is known"),
    ],
)
def test_what_cannot_be_pointed_here_says_why(module: str, name: str, why: str) -> None:
    """One line, with the name of the class; for the class and for an object."""
    kind = stand_in(module, name)
    for client in (kind, kind()):
        with pytest.raises(ClientError, match=r"^[^\n]+$") as refusal:
            point(client, SERVED, CLIENTS)
        assert str(refusal.value).startswith(f"{module}.{name} ")
        assert why in str(refusal.value)


def test_a_client_of_a_venue_that_is_not_there() -> None:
    """It is named, and so is what is served."""
    client = stand_in("hyperliquid.info", "Info")
    with pytest.raises(ClientError, match=r"Info is a client of hyperliquid; served: binance$"):
        point(client, Served({"binance": SPOT}), CLIENTS)
    with pytest.raises(ClientError, match=r"Info is a client of hyperliquid; served: binance, "):
        point(client, SERVED, CLIENTS, "binance")
    with pytest.raises(
        ClientError, match=r"^'kraken' is not served; served: binance, binance-usdm, hyperliq"
    ):
        point(client, SERVED, CLIENTS, "kraken")


def test_cryptofeed_needs_tls_and_its_class() -> None:
    """Its sockets refuse anything else, and its objects ask for the markets while they are made."""
    kind = stand_in("cryptofeed.exchanges.binance", "Binance")
    with pytest.raises(
        ClientError,
        match=r"^cryptofeed opens sockets over TLS alone: serve with it, as Emulator\(tls=True\)$",
    ):
        point(kind, SERVED, CLIENTS)
    with pytest.raises(
        ClientError, match=r"^Binance asks the exchange while it is made: give the class, before it is$"
    ):
        point(kind(), SERVED, CLIENTS)


# ---------------------------------------------------------------- ccxt
BINANCE_API = {
    "public": "https://api.binance.com/api/v3",
    "sapiV2": "https://api.binance.com/sapi/v2",
    "fapiPrivateV3": "https://fapi.binance.com/fapi/v3",
    "dapiPublic": "https://dapi.binance.com/dapi/v1",
    "ws": {
        "spot": "wss://stream.binance.com:9443/ws",
        "linear": "wss://fstream.binance.com/ws",
        "inverse": "wss://dstream.binance.com/ws",
        "ws-api": {
            "spot": "wss://ws-api.binance.com:443/ws-api/v3",
            "linear": "wss://ws-fapi.binance.com/ws-fapi/v1",
        },
    },
}
POINTED_API = {
    "public": "http://127.0.0.1:1/api/v3",
    "sapiV2": "http://127.0.0.1:1/sapi/v2",
    "fapiPrivateV3": "http://127.0.0.1:2/fapi/v3",
    "dapiPublic": "http://127.0.0.1:1/dapi/v1",
    "ws": {
        "spot": "ws://127.0.0.1:1/stream/ws",
        "linear": "ws://127.0.0.1:2/ws",
        "inverse": "ws://127.0.0.1:1/unserved",
        "ws-api": {"spot": "ws://127.0.0.1:1/ws-api/v3", "linear": "ws://127.0.0.1:2/ws-fapi/v1"},
    },
}


def ccxt(name: str, api: object, types: list[str]) -> Any:
    """A class that makes attributes of what it says of itself, as ccxt's do."""

    def describe(self: Any) -> dict[str, Any]:
        options = {"fetchMarkets": {"types": types, "loadAllOptions": False}, "defaultType": "spot"}
        return {"id": name, "urls": {"api": api, "www": "https://www"}, "options": options}

    def init(self: Any, config: Any = None) -> None:
        vars(self).update({"apiKey": None, "secret": None} | self.describe() | (config or {}))

    return stand_in(f"ccxt.pro.{name}", name, describe=describe, __init__=init)


@pytest.mark.parametrize("of_class", [False, True])
def test_ccxt_is_pointed_at_both_of_binance(of_class: bool) -> None:
    """Every URL it has, the markets that are served, a key, and nothing else; as often as one likes."""
    kind = ccxt("binance", BINANCE_API, ["spot", "linear", "inverse"])
    client = kind()
    for _ in range(2):
        assert point(kind if of_class else client, SERVED, CLIENTS) is (kind if of_class else client)
    client = kind() if of_class else client
    assert client.urls == {"api": POINTED_API, "www": "https://www"}
    fetch = {"types": ["spot", "linear"], "loadAllOptions": False}
    assert client.options == {"fetchMarkets": fetch, "defaultType": "spot"}
    assert (client.apiKey, client.secret) == ("test-key", "test-secret")


def test_a_ccxt_class_forgets_the_emulator_before() -> None:
    """Of two that it was pointed at, its objects know the last."""
    kind = ccxt("hyperliquid", {"public": "https://api.{hostname}"}, ["spot", "swap", "hip3"])
    for port in (3, 4):
        served = Served({"hyperliquid": Address(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")})
        point(kind, served, CLIENTS)
    assert kind().urls["api"] == {"public": "http://127.0.0.1:4"}
    assert kind().options["fetchMarkets"]["types"] == ["spot", "swap"]


def test_keys_of_its_own_are_left_to_a_client() -> None:
    kind = ccxt("binance", BINANCE_API, ["spot"])
    client = point(kind({"apiKey": "mine", "secret": "known to me"}), SERVED, CLIENTS)
    assert (client.apiKey, client.secret) == ("mine", "known to me")
    assert (point(kind, SERVED, CLIENTS)({"apiKey": "mine"})).apiKey == "mine"


def test_ccxt_asks_futures_alone_for_nothing_of_spot() -> None:
    """Where load_markets would: currencies and margins. And no URL is left at the real exchange."""
    client = point(
        ccxt("binance", BINANCE_API, ["spot", "linear", "inverse"])(), SERVED, CLIENTS, "binance-usdm"
    )
    assert client.options["fetchMarkets"]["types"] == ["linear"]
    assert (client.options["fetchCurrencies"], client.options["fetchMargins"]) == (False, False)
    assert "binance.com" not in json.dumps(client.urls["api"])
    assert client.urls["api"]["ws"]["linear"] == "ws://127.0.0.1:2/ws"


# ---------------------------------------------------------------- the others
def test_one_class_of_python_binance_points_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's manager would be left at the real exchange, and it is others who make it."""
    attributes = {
        "API_URL": "https://api{}.binance.{}/api",
        "API_TESTNET_URL": "https://testnet.binance.vision/api",
        "FUTURES_DEMO_URL": "https://demo-fapi.binance.com/fapi",
        "WS_FUTURES_URL": "wss://ws-fapi.binance.{}/ws-fapi/v1",
        "PUBLIC_API_VERSION": "v3",
    }
    streams = {"STREAM_URL": "wss://stream.binance.{}:9443/", "FSTREAM_TESTNET_URL": "wss://fstream/"}
    library: Any = ModuleType("binance")
    library.AsyncClient = stand_in("binance.async_client", "AsyncClient", **attributes)
    library.BinanceSocketManager = stand_in("binance.ws.streams", "BinanceSocketManager", **streams)
    monkeypatch.setitem(sys.modules, "binance", library)
    point(stand_in("binance.ws.streams", "ThreadedWebsocketManager"), SERVED, CLIENTS)
    assert {name: getattr(library.AsyncClient, name) for name in attributes} == {
        "API_URL": "http://127.0.0.1:1/api",
        "API_TESTNET_URL": "http://127.0.0.1:1/api",
        "FUTURES_DEMO_URL": "http://127.0.0.1:2/fapi",
        "WS_FUTURES_URL": "ws://127.0.0.1:2/ws-fapi/v1",
        "PUBLIC_API_VERSION": "v3",
    }
    assert library.BinanceSocketManager.STREAM_URL == "ws://127.0.0.1:1/"
    assert library.BinanceSocketManager.FSTREAM_TESTNET_URL == "ws://127.0.0.1:2/"


def test_the_hyperliquid_sdk_is_left_where_it_was_told_to_go() -> None:
    """Without a URL, or with the venue's, here; with another, there."""

    def init(self: Any, base_url: str | None = None, timeout: float | None = None) -> None:
        self.base_url, self.timeout = base_url, timeout

    api = stand_in("hyperliquid.api", "API", __init__=init)
    info = stand_in("hyperliquid.info", "Info", api)
    point(info, SERVED, CLIENTS)
    assert (info().base_url, info(timeout=3).timeout) == (HYPER.http, 3)
    assert api("https://api.hyperliquid-testnet.xyz").base_url == HYPER.http
    assert info("http://127.0.0.1:9003").base_url == "http://127.0.0.1:9003"


def test_unicorn_is_redirected_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table of sockets, and the requests to the hosts of the venue."""
    manager: Any = ModuleType("unicorn_binance_websocket_api.manager")
    manager.CONNECTION_SETTINGS = {
        "binance.com": (1024, "wss://stream.binance.com:9443/", "wss://ws-api.binance.com/ws-api/v3"),
        "binance.com-futures": (200, "wss://fstream.binance.com/", "wss://ws-fapi.binance.com/ws-fapi/v1"),
        "binance.com-coin_futures": (200, "wss://dstream.binance.com/", None),
    }
    requests: Any = ModuleType("requests")
    requests.Session = stand_in("requests", "Session", send=lambda self, request: request.url)
    monkeypatch.setitem(sys.modules, manager.__name__, manager)
    monkeypatch.setitem(sys.modules, "requests", requests)
    cache = stand_in("unicorn_binance_local_depth_cache.manager", "BinanceLocalDepthCacheManager")
    point(cache, SERVED, CLIENTS)
    with pytest.raises(ClientError, match=r"give the class, before it is$"):
        point(cache(), SERVED, CLIENTS)
    assert manager.CONNECTION_SETTINGS == {
        "binance.com": (1024, "ws://127.0.0.1:1/", "ws://127.0.0.1:1/ws-api/v3"),
        "binance.com-futures": (200, "ws://127.0.0.1:2/", "ws://127.0.0.1:2/ws-fapi/v1"),
        "binance.com-coin_futures": (200, "ws://127.0.0.1:1/unserved/", None),
    }
    went = {url: requests.Session().send(SimpleNamespace(url=url)) for url in (
        "https://api.binance.com/api/v3/time",
        "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT",
        "https://testnet.binance.vision/api/v3/depth",
        "https://example.com/?of=https://api.binance.com/api/v3/time",
    )}  # fmt: skip
    assert list(went.values()) == [
        "http://127.0.0.1:1/api/v3/time",
        "http://127.0.0.1:2/fapi/v1/depth?symbol=BTCUSDT",
        "http://127.0.0.1:1/api/v3/depth",
        "https://example.com/?of=https://api.binance.com/api/v3/time",
    ]


def test_binances_own_clients_take_their_place() -> None:
    """The connectors' `base_url`, and the SDKs' three configurations."""

    def connector(self: Any, api_key: str | None = None) -> None:
        self.base_url, self.api_key, self.private_key = "https://api.binance.com", api_key, None
        self.session = SimpleNamespace(headers={"X-MBX-APIKEY": api_key})

    def sdk(self: Any) -> None:
        self._rest_api_config = SimpleNamespace(
            api_key=None, private_key=None, base_path=None, base_headers={}
        )
        self._websocket_api_config = SimpleNamespace(api_key="mine", private_key=None, stream_url=None)
        self._websocket_streams_config = SimpleNamespace(stream_url=None)

    spot = point(stand_in("binance.spot", "Spot", __init__=connector), SERVED, CLIENTS)
    assert (spot().base_url, spot().session.headers) == (SPOT.http, {"X-MBX-APIKEY": "test-key"})
    assert spot("mine").api_key == "mine"

    package, name = "binance_sdk_derivatives_trading_usds_futures", "DerivativesTradingUsdsFutures"
    futures = point(stand_in(f"{package}.derivatives", name, __init__=sdk)(), SERVED, CLIENTS)
    rest, calls = futures._rest_api_config, futures._websocket_api_config
    assert (rest.base_path, rest.base_headers) == (USDM.http, {"X-MBX-APIKEY": "test-key"})
    assert (calls.stream_url, calls.api_key) == (f"{USDM.ws}/ws-fapi/v1", "mine")
    assert futures._websocket_streams_config.stream_url == f"{USDM.ws}/stream"


# ---------------------------------------------------------------- the emulator's
def test_an_emulator_points_a_client_at_itself() -> None:
    """From within, with a key of its accounts; from elsewhere, by the URL of its control API."""
    kind = ccxt("binance", BINANCE_API, ["spot"])
    keys = [{"key": "shown", "secret": "s", "read_only": True}, {"key": "bot", "secret": "s"}]
    with Emulator(venues=["binance"], accounts={"bot": {"keys": keys}}) as exchange:
        inside = exchange.configure(kind())
        outside = configure(kind(), exchange.control_url)
        assert inside.urls == outside.urls
        assert inside.urls["api"]["public"] == exchange.url("binance") + "/api/v3"
        assert (inside.apiKey, outside.apiKey) == ("bot", "test-key")
        with pytest.raises(ClientError, match=r"client of hyperliquid; served: binance$"):
            exchange.configure(stand_in("hyperliquid.info", "Info"))
