"""unicorn's local depth cache keeps a book. Arguments: EXCHANGE HTTP WS. Exits 0 only if all of it held together."""

import json
import sys
import time

import requests
from unicorn_binance_local_depth_cache import BinanceLocalDepthCacheManager
from unicorn_binance_websocket_api import manager

READS, EQUAL, PATIENCE_S = 20, 5, 400
DEPTH = {"binance.com": "/api/v3/depth", "binance.com-futures": "/fapi/v1/depth"}


def point(http, ws):
    """It takes no URLs: sockets are in a table, and REST is rewritten where it leaves."""
    for name, (streams, _, _, *rest) in manager.CONNECTION_SETTINGS.items():
        api = "/ws-fapi/v1" if "futures" in name else "/ws-api/v3"
        manager.CONNECTION_SETTINGS[name] = [streams, f"{ws}/", ws + api, *rest]
    send = requests.Session.send

    def redirected(self, request, **options):
        if ".binance.com/" in request.url:
            request.url = f"{http}/{request.url.split('/', 3)[3]}"
        return send(self, request, **options)

    requests.Session.send = redirected


def read(exchange, http, ws):
    point(http, ws)
    caches = BinanceLocalDepthCacheManager(
        exchange=exchange, depth_cache_update_interval=100, init_interval=0.5, warn_on_update=False
    )
    try:
        return watch(caches, http + DEPTH[exchange])
    finally:
        caches.stop_manager()


def watch(caches, url):
    caches.create_depthcache("BTCUSDT")
    kept, give_up = caches.depth_caches["btcusdt"], time.monotonic() + PATIENCE_S
    while not caches.is_depth_cache_synchronized("BTCUSDT"):
        assert time.monotonic() < give_up, "it never found its place"
        time.sleep(0.05)
    began, same, books, take_in = kept["last_refresh_time"], 0, {}, caches._apply_updates

    def look_before(*args, **kwargs):
        """The book as it was, whole, before the next change: at any other time half a change may be in it."""
        bids, asks = caches.get_bids("BTCUSDT", limit_count=50), caches.get_asks("BTCUSDT", limit_count=50)
        books[kept["last_update_id"]] = [bids, asks]
        return take_in(*args, **kwargs)

    caches._apply_updates = look_before
    while len(books) < READS or same < EQUAL:
        rest = requests.get(f"{url}?symbol=BTCUSDT&limit=50", timeout=PATIENCE_S).json()
        while max(books, default=0) < rest["lastUpdateId"]:
            assert time.monotonic() < give_up, f"{len(books)} books, of which {same} were known to REST"
            time.sleep(0.02)
        if rest["lastUpdateId"] in books:
            told = [[[float(n) for n in level] for level in rest[side]] for side in ("bids", "asks")]
            assert told == books[rest["lastUpdateId"]], "REST and cache disagree"
            same += 1
    assert all(bids[0][0] < asks[0][0] for bids, asks in list(books.values())), "crossed"
    assert kept["last_refresh_time"] == began, "it lost its place"
    return {"books": len(books), "rest_books_equal": same}


print(json.dumps(read(*sys.argv[1:])), flush=True)
