"""How Binance's clients are pointed here: where each keeps its URLs, as of the versions that the tests run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlsplit

from venues.clients import Client, ClientError, Served, after_init, change_ccxt, loaded, served_kinds, wrap

SPOT, USDM = "binance", "binance-usdm"


# ---------------------------------------------------------------- ccxt (4.5.90)
def _ccxt(kinds: Mapping[str, str], client: Any, served: Served) -> None:
    """`kinds` of markets, in ccxt's words, and the venues that they are of."""

    def change(said: Mapping[str, Any]) -> dict[str, Any]:
        urls, options = said["urls"], said["options"]
        sets = {name: _moved("", urls[name], served) for name in ("api", "test", "demo") if name in urls}
        there = [kind for kind, venue in kinds.items() if venue in served.addresses]
        changed: dict[str, Any] = {
            "urls": {**urls, **sets},
            "options": {**options, "fetchMarkets": served_kinds(options, there)},
        }
        if SPOT not in served.addresses:  # these are spot's, and load_markets would fail without
            changed["options"] |= {"fetchCurrencies": False, "fetchMargins": False}
        if served.key and not said.get("apiKey") and not said.get("secret"):
            changed |= {"apiKey": served.key, "secret": served.secret}
        return changed

    change_ccxt(client, change)


_SOCKETS = {"spot", "margin", "linear"}


def _moved(name: str, urls: Any, served: Served) -> Any:
    """ccxt's URLs, a text or a tree of them, with their paths but for one, and none for a socket of what is not served.

    A spot socket is one whose URL contains "/stream" (ccxt.pro.binance.is_spot_url); one of futures must end in "/ws".
    """
    if isinstance(urls, Mapping):
        return {key: _moved(key, value, served) for key, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    url = urlsplit(urls)
    address = served.at(USDM if name.startswith("fapi") or name == "linear" else SPOT)
    if not url.scheme.startswith("ws"):
        return address.http + url.path
    if name in {"spot", "margin"} and url.path == "/ws":
        return f"{address.ws}/stream/ws"
    return address.ws + (url.path if name in _SOCKETS else "/unserved")


# ---------------------------------------------------------------- python-binance (1.0.37)
# Attributes of its classes, also with TESTNET or DEMO in the name. What no venue here has keeps a path of its own.
_ATTRIBUTES: Final[Mapping[str, tuple[str, str, str]]] = {
    "API_URL": (SPOT, "http", "/api"),
    "MARGIN_API_URL": (SPOT, "http", "/sapi"),
    "WEBSITE_URL": (SPOT, "http", ""),
    "FUTURES_URL": (USDM, "http", "/fapi"),
    "FUTURES_DATA_URL": (USDM, "http", "/futures/data"),
    "FUTURES_COIN_URL": (SPOT, "http", "/dapi"),
    "FUTURES_COIN_DATA_URL": (SPOT, "http", "/dapi/futures/data"),
    "OPTIONS_URL": (SPOT, "http", "/eapi"),
    "PAPI_URL": (SPOT, "http", "/papi"),
    "WS_API_URL": (SPOT, "ws", "/ws-api/v3"),
    "WS_FUTURES_URL": (USDM, "ws", "/ws-fapi/v1"),
    "STREAM_URL": (SPOT, "ws", "/"),
    "FSTREAM_URL": (USDM, "ws", "/"),
    "DSTREAM_URL": (SPOT, "ws", "/dstream/"),
}
_WITH_URLS = ("Client", "AsyncClient", "BinanceSocketManager")
_MADE_OF_THEM = (
    "ThreadedWebsocketManager",
    "DepthCacheManager",
    "FuturesDepthCacheManager",
    "ThreadedDepthCacheManager",
)


def _python_binance(client: Any, served: Served) -> None:
    """All of the library's classes, whichever is given: a socket's manager is made by others, and unasked."""
    for owner in (*(loaded("binance", name) for name in _WITH_URLS), client, *_parts(client)):
        for name in dir(owner):
            place = _ATTRIBUTES.get(re.sub("_TESTNET|_DEMO", "", name))
            if place is not None:
                venue, scheme, path = place
                setattr(owner, name, getattr(served.at(venue), scheme) + path)
    if not isinstance(client, type):
        for each in (client, *_parts(client)):
            _python_binance_made(each, served)


def _parts(client: Any) -> Iterator[Any]:
    """The clients and sockets' managers that an object has."""
    if not isinstance(client, type):
        for name in ("_client", "_bm", "_bsm"):
            if (part := getattr(client, name, None)) is not None:
                yield part


def _python_binance_made(client: Any, served: Served) -> None:
    """What an object has made of URLs and keys when it was made itself."""
    for name, url in (("ws_api", "WS_API_URL"), ("ws_future", "WS_FUTURES_URL")):
        if hasattr(client, name):
            getattr(client, name)._url = getattr(client, url)  # noqa: SLF001  # it has no other
    if not served.key:
        return
    if getattr(client, "API_KEY", "") is None and client.PRIVATE_KEY is None:
        client.API_KEY, client.API_SECRET = served.key, served.secret
        client.session.headers["X-MBX-APIKEY"] = served.key
    waiting = getattr(client, "_client_params", None)  # of the client that a thread will make
    if waiting and waiting["api_key"] is None:
        waiting |= {"api_key": served.key, "api_secret": served.secret}


# ---------------------------------------------------------------- unicorn-binance-* (2.14.0, 2.16.1, 2.12.0)
_HOSTS = re.compile(r"https?://([\w-]+\.)*(binance|binancefuture|trbinance)\.(com|us|vision)(?=[:/])")
_UNSERVED = ("coin_futures", "options", "portfolio_margin")


def _unicorn(client: Any, served: Served) -> None:
    """A class, before there is an object of it.

    Sockets are in a table. REST has hosts of its own, in the middle of a constructor: it is redirected where it leaves,
    in `requests`, and there only what was meant for these hosts.
    """
    if not isinstance(client, type):
        kind = type(client).__name__
        raise ClientError(f"{kind} asks the exchange while it is made: give the class, before it is")
    table = loaded("unicorn_binance_websocket_api.manager", "CONNECTION_SETTINGS") or {}
    for name, (streams, _, api, *rest) in table.items():
        futures = name.startswith("binance.com-futures")
        ws = served.at(USDM if futures else SPOT).ws
        path = "/unserved/" if any(word in name for word in _UNSERVED) else "/"
        socket_api = api and ws + ("/ws-fapi/v1" if futures else "/ws-api/v3")
        table[name] = (streams, ws + path, socket_api, *rest)

    def redirected(send: Any) -> Any:
        def redirect(self: Any, request: Any, **options: Any) -> Any:
            if host := _HOSTS.match(request.url):
                path = request.url[host.end() :]
                venue = USDM if path.startswith(("/fapi/", "/futures/")) else SPOT
                request.url = served.at(venue).http + path
            return send(self, request, **options)

        return redirect

    wrap(loaded("requests", "Session"), "send", redirected)


# ---------------------------------------------------------------- Binance's own
def _connector(venue: str, client: Any, served: Served) -> None:
    """binance-connector 3.13.0, binance-futures-connector 4.2.0: REST. Their sockets connect when they are made."""
    if isinstance(client, type):
        after_init(client, lambda made: _connector(venue, made, served))
        return
    client.base_url = served.at(venue).http
    names = ("api_key", "api_secret") if hasattr(client, "api_key") else ("key", "secret")
    if served.key and not getattr(client, names[0]) and not client.private_key:
        setattr(client, names[0], served.key)
        setattr(client, names[1], served.secret)
        client.session.headers["X-MBX-APIKEY"] = served.key


def _sdk(venue: str, client: Any, served: Served) -> None:
    """binance-sdk-spot 13.2.0, binance-sdk-derivatives-trading-usds-futures 18.0.1, until they are first used.

    The streams' URL must end in "/stream": futures put a category before it.
    """
    if isinstance(client, type):
        after_init(client, lambda made: _sdk(venue, made, served))
        return
    at, socket_api = served.at(venue), "/ws-api/v3" if venue == SPOT else "/ws-fapi/v1"
    rest, calls = client._rest_api_config, client._websocket_api_config  # noqa: SLF001  # made by itself if not given
    rest.base_path = at.http
    calls.stream_url = at.ws + socket_api
    client._websocket_streams_config.stream_url = f"{at.ws}/stream"  # noqa: SLF001
    for each in (rest, calls):
        if served.key and not each.api_key and not each.private_key:
            each.api_key, each.api_secret = served.key, served.secret
    rest.base_headers["X-MBX-APIKEY"] = rest.api_key or ""


# ---------------------------------------------------------------- cryptofeed (2.4.1)
def _cryptofeed(venue: str, client: Any, served: Served) -> None:
    """A class: it asks for the markets when an object of it is made. Its sockets refuse anything but TLS."""
    if not isinstance(client, type):
        kind = type(client).__name__
        raise ClientError(f"{kind} asks the exchange while it is made: give the class, before it is")
    at, feed = served.at(venue), cast(Any, client)
    if not at.wss:
        raise ClientError("cryptofeed opens sockets over TLS alone: serve with it, as Emulator(tls=True)")
    feed.websocket_endpoints = [
        replace(each, address=at.wss, sandbox=at.wss, options={**each.options, "ssl": served.trust})
        for each in feed.websocket_endpoints
    ]
    feed.rest_endpoints = [replace(each, address=at.http, sandbox=at.http) for each in feed.rest_endpoints]


_STREAM_CLIENTS = ("SpotWebsocketStreamClient", "SpotWebsocketAPIClient", "UMFuturesWebsocketClient")

CLIENTS: Final = (
    Client("ccxt", "ccxt", ("binanceusdm",), (USDM,), partial(_ccxt, {"linear": USDM})),
    Client("ccxt", "ccxt", ("binance",), (SPOT, USDM), partial(_ccxt, {"spot": SPOT, "linear": USDM})),
    Client("python-binance", "binance", (*_WITH_URLS, *_MADE_OF_THEM), (SPOT, USDM), _python_binance),
    Client("binance-connector", "binance", ("Spot",), (SPOT,), partial(_connector, SPOT)),
    Client("binance-futures-connector", "binance", ("UMFutures",), (USDM,), partial(_connector, USDM)),
    Client("binance-sdk-spot", "binance_sdk_spot", ("Spot",), (SPOT,), partial(_sdk, SPOT)),
    Client(
        "binance-sdk-derivatives-trading-usds-futures",
        "binance_sdk_derivatives_trading_usds_futures",
        ("DerivativesTradingUsdsFutures",),
        (USDM,),
        partial(_sdk, USDM),
    ),
    Client("binance-connector", "binance", _STREAM_CLIENTS, refusal="give it `stream_url` when it is made"),
    *(
        Client(f"unicorn-binance-{name}", f"unicorn_binance_{module}", (kind,), (SPOT, USDM), _unicorn)
        for name, module, kind in (
            ("local-depth-cache", "local_depth_cache", "BinanceLocalDepthCacheManager"),
            ("websocket-api", "websocket_api", "BinanceWebSocketApiManager"),
            ("rest-api", "rest_api", "BinanceRestApiManager"),
        )
    ),
    Client("cryptofeed", "cryptofeed", ("BinanceFutures",), (USDM,), partial(_cryptofeed, USDM)),
    Client("cryptofeed", "cryptofeed", ("Binance",), (SPOT,), partial(_cryptofeed, SPOT)),
    Client("cryptofeed", "cryptofeed", (), refusal="of cryptofeed, only its Binance and BinanceFutures"),
)
