"""The simplest programs that do something comparable: what a figure of ours stands beside.

They know nothing of the emulator, and are as fast as their few lines allow.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from random import Random
from typing import cast

import numpy as np
from numpy.typing import NDArray
from uvicorn.loops.auto import auto_loop_factory
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

CLIENTS = 50


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


def transport_writes(pipe: Connection) -> None:
    """A process that writes to its connections what it is given, when it is due, and tells what CPU time that took.

    It sends its port; it is sent [(delay in s, bytes)], for each of its CLIENTS; it sends the CPU time in s.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_write(pipe))


async def _write(pipe: Connection) -> None:
    loop, transports, complete = asyncio.get_running_loop(), list[asyncio.Transport](), asyncio.Event()

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(cast(asyncio.Transport, transport))
            if len(transports) == CLIENTS:
                complete.set()

    server = await loop.create_server(Accepted, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    writes: Sequence[tuple[float, bytes]] = await loop.run_in_executor(None, pipe.recv)
    await complete.wait()
    cpu_s, start_s = time.process_time(), loop.time()
    for delay_s, data in writes:
        wait_s = start_s + delay_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        for transport in transports:
            transport.write(data)
    pipe.send(time.process_time() - cpu_s)
    await loop.run_in_executor(None, pipe.recv)
    server.close()


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
        pipe.send(next(iter(server.sockets)).getsockname()[1])
        while await asyncio.to_thread(pipe.recv) is not None:
            pipe.send(time.process_time())
