"""What a failed test is shown of its exchange: how to have the run again, which faults hit, what was last written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emulator.gateway.server import Gateway
from emulator.truth import instant
from emulator.witness import Socket
from venues.wire import payloads

HITS_SHOWN = 20
SOCKETS_SHOWN = 8
FRAMES_SHOWN = 5  # of each socket
FRAME_CHARS = 300
SECRET = frozenset({"api_key", "accounts"})


def report(gateway: Gateway, settings: Mapping[str, object]) -> str:
    """Lines: the run, by the settings that it was given, faults, sockets."""
    return "\n".join((*_run(gateway, settings), *_hits(gateway), *_sockets(gateway)))


def _run(gateway: Gateway, settings: Mapping[str, object]) -> Iterator[str]:
    said = {"seed": gateway.config.seed, **settings}
    yield f"settings: {', '.join(f'{name}={value!r}' for name, value in said.items() if name not in SECRET)}"
    yield f"clock: {instant(gateway.driver.now_ns)}, started at {instant(gateway.start_ns)}"


def _hits(gateway: Gateway) -> Iterator[str]:
    hits = list(gateway.chaos.rules.hits)
    yield f"faults that hit: {len(hits) or 'none'}"
    if len(hits) > HITS_SHOWN:
        yield f"  ... the last {HITS_SHOWN}:"
    for hit in hits[-HITS_SHOWN:]:
        where = " ".join(filter(None, (hit.venue, hit.channel, hit.symbol, hit.endpoint, hit.connection)))
        yield f"  #{hit.number} {hit.kind} ({hit.rule}) at {instant(hit.at_ns)}: {where}"


def _sockets(gateway: Gateway) -> Iterator[str]:
    sockets = gateway.witness.sockets[-SOCKETS_SHOWN:]
    if not sockets:
        yield "no socket was opened"
    for socket in sockets:
        yield f"{socket.id} {socket.endpoint}, {_fate(socket)}; last written:"
        texts = [text for written in socket.writes for text in _texts(written)]
        for text in texts[-FRAMES_SHOWN:] or ["nothing"]:
            yield f"  {text}"


def _fate(socket: Socket) -> str:
    if socket.lost is not None:
        return f"{socket.how} at {instant(socket.lost.now_ns)}"
    return f"ended by its client at {instant(socket.ended.now_ns)}" if socket.ended else "open"


def _texts(written: bytes) -> list[str]:
    """The payloads of what was written; of pieces that are no whole frames, what can be read."""
    texts = [payload.decode(errors="replace") for payload in payloads(written)][-FRAMES_SHOWN:]
    return [text if len(text) <= FRAME_CHARS else f"{text[:FRAME_CHARS]}... ({len(text)})" for text in texts]
