"""The Hyperliquid SDK stays with a coin's minutes. Arguments: HTTP WS. See lasting.py for what it tells."""

import sys
from pathlib import Path

from hyperliquid.info import Info

sys.path.insert(0, str(Path(__file__).parent))
from lasting import Heard

MINUTE_MS = 60_000


def stay(http, _ws):
    info = Info(http, timeout=20)  # the socket's URL is made from this one
    heard = Heard(MINUTE_MS)
    info.subscribe(
        {"type": "candle", "coin": "BTC", "interval": "1m"}, lambda told: heard.at(told["data"]["t"])
    )
    info.subscribe({"type": "activeAssetCtx", "coin": "BTC"}, lambda _: None)
    ended = info.ws_manager.ws.on_close
    assert ended is None

    def closed(*_):
        heard.cuts += 1  # it does not come back by itself

    info.ws_manager.ws.on_close = closed
    heard.tell()
    info.disconnect_websocket()


stay(*sys.argv[1:])
