"""How Hyperliquid's clients are pointed here: where each keeps its URLs, as of the versions that the tests run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from venues.clients import Address, Client, Served, change_ccxt, served_kinds, wrap

HYPERLIQUID = "hyperliquid"


def _ccxt(client: Any, served: Served) -> None:
    """ccxt 4.5.90. Any key trades, so it gets none."""
    here = served.at(HYPERLIQUID)

    def change(said: Mapping[str, Any]) -> dict[str, Any]:
        urls, options = said["urls"], said["options"]
        sets = {name: _moved(urls[name], here) for name in ("api", "test") if name in urls}
        kinds = served_kinds(options, ("spot", "swap"))
        return {"urls": {**urls, **sets}, "options": {**options, "fetchMarkets": kinds}}

    change_ccxt(client, change)


def _moved(urls: Any, here: Address) -> Any:
    if isinstance(urls, Mapping):
        return {name: _moved(value, here) for name, value in urls.items()}
    return f"{here.ws}/ws" if str(urls).startswith("ws") else here.http


def _sdk(client: Any, served: Served) -> None:
    """hyperliquid-python-sdk 0.24.0. A class, with all others of the SDK: whatever is made without a URL, or with one
    of the venue's. An object: it, its `info` and its socket, which is opened anew, without what was subscribed.
    """
    url = served.at(HYPERLIQUID).http
    if isinstance(client, type):
        api = next(each for each in client.__mro__ if each.__name__ == "API")

        def pointed(init: Any) -> Any:
            def made(self: Any, base_url: str | None = None, *more: Any, **named: Any) -> None:
                real = base_url is None or ".hyperliquid" in base_url
                init(self, url if real else base_url, *more, **named)

            return made

        wrap(api, "__init__", pointed)
        return
    client.base_url = url
    if hasattr(client, "info"):
        _sdk(client.info, served)
    old = getattr(client, "ws_manager", None)
    if old is not None:
        client.ws_manager = type(old)(url)
        client.ws_manager.start()
        old.stop()


CLIENTS: Final = (
    Client("ccxt", "ccxt", ("hyperliquid",), (HYPERLIQUID,), _ccxt),
    Client("hyperliquid-python-sdk", "hyperliquid", ("Info", "Exchange", "API"), (HYPERLIQUID,), _sdk),
)
