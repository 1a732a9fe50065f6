"""The simplest programs that do something comparable: what a figure of ours stands beside.

They know nothing of the emulator, and are as fast as their few lines allow.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from random import Random
from threading import Thread
from typing import Any, Protocol, cast

import numpy as np
import picows
import uvicorn
from aiohttp import web
from numpy.typing import NDArray
from uvicorn.loops.auto import auto_loop_factory
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed


def random_walk(generator: np.random.Generator, events: int) -> tuple[NDArray[np.floating], ...]:
    """A market of geometric Brownian motion and Poisson arrivals: times, prices, sizes and sides of so many events.

    No book, no queues, no memory, nothing that has to agree with anything.
    """
    times = generator.exponential(60 / events, events).cumsum()
    prices = 65_000 * np.exp((1e-5 * generator.standard_normal(events)).cumsum())
    sizes = generator.lognormal(-4, 2, events)
    sides = generator.integers(0, 2, events) * 2.0 - 1
    return times, prices.round(2), sizes.round(5), sides


def naive_loop(seed: int, events: int) -> list[tuple[float, float, float, int]]:
    """The same market as one writes it first: an event at a time, in plain Python."""
    random = Random(seed)  # noqa: S311
    at_s, log_price, rows = 0.0, 0.0, []
    for _ in range(events):
        at_s += random.expovariate(events / 60)
        log_price += random.gauss(0.0, 1e-5)
        price, size = round(65_000 * math.exp(log_price), 2), round(random.lognormvariate(-4, 2), 5)
        rows.append((at_s, price, size, 1 if random.random() < 0.5 else -1))
    return rows


def naive_exchange(steps: int) -> list[bytes]:
    """What an exchange's streams tell, as one writes it first: every 100 ms the price moves, a trade prints, and of a
    book of twenty levels a side some change, which is all kept in dictionaries and told as JSON.
    """
    random = Random(1)  # noqa: S311
    mid, number, texts = 65_000.0, 0, []
    book: dict[str, dict[float, float]] = {"b": {}, "a": {}}
    for step in range(steps):
        mid *= math.exp(random.gauss(0.0, 1e-5))
        changes: dict[str, list[list[str]]] = {}
        for side, sign in (("b", -1), ("a", 1)):
            new = {
                round(mid + sign * 0.1 * (level + 1), 1): random.lognormvariate(-1, 1) for level in range(20)
            }
            gone = [[f"{price:.2f}", "0.000"] for price in book[side] if price not in new]
            changes[side] = gone + [[f"{price:.2f}", f"{size:.3f}"] for price, size in new.items()]
            book[side] = new
        (bid, bid_size), (ask, ask_size) = next(iter(book["b"].items())), next(iter(book["a"].items()))
        time_ms, number = 1_767_225_600_000 + 100 * step, number + 1
        depth = {"e": "depthUpdate", "E": time_ms, "T": time_ms, "s": "BTCUSDT", "U": number, "u": number}
        trade = {
            "e": "trade",
            "E": time_ms,
            "T": time_ms,
            "s": "BTCUSDT",
            "t": number,
            "p": f"{mid:.2f}",
            "q": f"{random.lognormvariate(-4, 2):.3f}",
            "m": random.random() < 0.5,
        }
        ticker = {
            "e": "bookTicker",
            "u": number,
            "s": "BTCUSDT",
            "b": f"{bid:.2f}",
            "B": f"{bid_size:.3f}",
            "a": f"{ask:.2f}",
            "A": f"{ask_size:.3f}",
            "T": time_ms,
            "E": time_ms,
        }
        texts += [json.dumps(message).encode() for message in (depth | changes, trade, ticker)]
    return texts


class Fanout(Protocol):
    """A server of nothing: `clients` are those that are connected; `write` sends each of them these messages."""

    clients: list[Any]

    async def open(self) -> int:
        """Listen; the port."""
        ...

    async def write(self, messages: Sequence[bytes]) -> None: ...


class Raw(asyncio.Protocol):
    """The transport alone: all of the messages, framed before, in one write."""

    def __init__(self) -> None:
        self.clients: list[asyncio.Transport] = []

    async def open(self) -> int:
        server = await asyncio.get_running_loop().create_server(lambda: self, "127.0.0.1", 0)
        return port_of(server.sockets)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.clients.append(cast(asyncio.Transport, transport))

    async def write(self, messages: Sequence[bytes]) -> None:
        data = b"".join(messages)
        for client in self.clients:
            client.write(data)


class Broadcast:
    """The websockets library: its `broadcast` of each message."""

    def __init__(self) -> None:
        self.clients: list[ServerConnection] = []

    async def open(self) -> int:
        async def accept(connection: ServerConnection) -> None:
            self.clients.append(connection)
            await connection.wait_closed()

        server = await serve(accept, "127.0.0.1", 0, compression=None, ping_interval=None)
        return port_of(server.sockets)

    async def write(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            broadcast(self.clients, message, text=True)


class Picows:
    """The picows library, of the fast ones: its `send` of each message to each client."""

    def __init__(self) -> None:
        self.clients: list[picows.WSTransport] = []

    async def open(self) -> int:
        clients = self.clients

        class Accepted(picows.WSListener):
            def on_ws_connected(self, transport: picows.WSTransport) -> None:
                clients.append(transport)

        server = await picows.ws_create_server(lambda _: Accepted(), "127.0.0.1", 0)
        return port_of(server.sockets)

    async def write(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            for client in self.clients:
                client.send(picows.WSMsgType.TEXT, message)


class Aiohttp:
    """The aiohttp library: its `send_str` of each message to each client."""

    def __init__(self) -> None:
        self.clients: list[web.WebSocketResponse] = []

    async def open(self) -> int:
        async def accept(request: web.Request) -> web.WebSocketResponse:
            response = web.WebSocketResponse(compress=False)
            await response.prepare(request)
            self.clients.append(response)
            async for _ in response:
                pass
            return response

        app = web.Application()
        app.router.add_get("/", accept)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    async def write(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            text = message.decode()
            for client in self.clients:
                await client.send_str(text)


FANOUTS: Mapping[str, Callable[[], Fanout]] = {
    "raw": Raw,
    "broadcast": Broadcast,
    "picows": Picows,
    "aiohttp": Aiohttp,
}


def fanning_out(pipe: Connection) -> None:
    """A process that sends its clients what it is given, when it is due, and tells what CPU time that took.

    It is sent which of FANOUTS it is; it sends its port; then for each [(delay in s, messages)] the CPU time in s. For
    `raw`, messages are whole frames.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_fan_out(pipe))


async def _fan_out(pipe: Connection) -> None:
    loop, server = asyncio.get_running_loop(), FANOUTS[pipe.recv()]()
    pipe.send(await server.open())
    while (writes := await loop.run_in_executor(None, pipe.recv)) is not None:
        cpu_s, start_s = time.process_time(), loop.time()
        for delay_s, messages in writes:
            await asyncio.sleep(max(0.0, start_s + delay_s - loop.time()))
            await server.write(messages)
        await asyncio.sleep(0)  # what a transport keeps for the end of the loop's turn
        pipe.send(time.process_time() - cpu_s)


def port_of(sockets: Iterable[Any]) -> int:
    """The port of a server's first socket."""
    port: int = next(iter(sockets)).getsockname()[1]
    return port


def echo(pipe: Connection) -> None:
    """A process in which the websockets library's server sends every message back; it sends its port, and tells its
    CPU time when asked.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_echo(pipe))


async def _echo(pipe: Connection) -> None:
    async def answer(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)

    async with serve(answer, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        pipe.send(port_of(server.sockets))
        while await asyncio.to_thread(pipe.recv) is not None:
            pipe.send(time.process_time())


def bare_http(pipe: Connection) -> None:
    """A process in which uvicorn, as we use it, answers every request with so many bytes; it sends its port, is told
    "size" and the size, and tells its CPU time when asked.
    """
    body = b"{}"

    async def app(_scope: object, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http="httptools", interface="asgi3", lifespan="off", log_config=None)
        config.access_log, config.timeout_keep_alive = False, 3_600
        server = uvicorn.Server(config)
        Thread(target=server.run, args=([listener],), daemon=True).start()
        pipe.send(port_of([listener]))
        while (asked := pipe.recv()) is not None:
            if asked == "size":
                body = b"x" * pipe.recv()
            pipe.send(time.process_time())
        server.should_exit = True
