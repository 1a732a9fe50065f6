"""Routes of the control API: how the run is, and its clock. A command to the clock is answered with the clock."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import APIKeyHeader
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from emulator.config import SPEED, SPEED_LIMIT
from emulator.driver import step_ns
from emulator.gateway.server import Gateway
from reactor.clock import FASTEST
from reactor.types import SECOND_NS

health = APIRouter(tags=["health"])
clock = APIRouter(prefix="/clock", tags=["clock"])


async def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


Run = Annotated[Gateway, Depends(_gateway)]
Key = Annotated[str | None, Depends(APIKeyHeader(name="X-API-Key", auto_error=False))]


async def guard(run: Run, key: Key) -> None:
    """With an API key set, whoever comes must know it."""
    if run.config.api_key and not hmac.compare_digest((key or "").encode(), run.config.api_key.encode()):
        raise HTTPException(401, "X-API-Key is missing or wrong")


# ---------------------------------------------------------------- what is said
class Health(BaseModel):
    """How to reach what is running.

    `venues` is {id: {"http": url, "ws": url}}, with TLS "https" and "wss" too, and `ca` then the file to trust.
    """

    status: str
    seed: int
    now_ns: int
    venues: dict[str, dict[str, str]]
    ca: str | None = None


class Clock(BaseModel):
    """The virtual clock. Instants are ns since the epoch, `now` is the same instant in ISO 8601."""

    now_ns: int
    now: str
    paused: bool
    speed: float | Literal["max"]
    start_ns: int
    origin_ns: int


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _whole_ticks(seconds: float) -> float:
    step_ns(seconds)
    return seconds


class Advance(_Body):
    """A step in virtual seconds, a whole number of 10 ms ticks."""

    seconds: Annotated[float, AfterValidator(_whole_ticks)]


class Until(_Body):
    """An event of a market, or the end of the day in UTC. `interval` is the venue's own word; a minute if left out."""

    event: Literal["funding", "kline_close", "day"]
    venue: str = ""
    symbol: str = ""
    interval: str = ""


def _pace(speed: object) -> object:
    try:
        return SPEED.parse(speed)
    except (TypeError, OverflowError, ValueError):
        raise ValueError(f"{speed!r} is not allowed; allowed: {SPEED.allowed}") from None


_PACE = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": SPEED_LIMIT}, {"const": "max"}]}


class Speed(_Body):
    """Virtual seconds per second; "max" goes as fast as clients read."""

    speed: Annotated[float, BeforeValidator(_pace), WithJsonSchema(_PACE)]


# ---------------------------------------------------------------- routes
BLOCKED: dict[int | str, dict[str, Any]] = {
    409: {"description": "A reader with a full outbox held the step up."}
}


@health.get("/health", response_model_exclude_none=True)
async def read_health(run: Run) -> Health:
    """Whether it runs, and where."""
    now_ns, _ = run.driver.stamp()
    ca = str(run.ca) if run.ca else None
    return Health(status="ok", seed=run.config.seed, now_ns=now_ns, venues=run.urls, ca=ca)


@clock.get("")
async def read_clock(run: Run) -> Clock:
    """What time it is."""
    now_ns, _ = run.driver.stamp()
    whole, rest = divmod(now_ns, SECOND_NS)
    now = f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
    driver = run.driver
    return Clock(
        now_ns=now_ns,
        now=now,
        paused=driver.paused,
        speed="max" if driver.speed == FASTEST else driver.speed,
        start_ns=run.start_ns,
        origin_ns=run.origin_ns,
    )


@clock.post("/pause")
async def pause(run: Run) -> Clock:
    """Stand still. Idempotent."""
    run.driver.pause()
    return await read_clock(run)


@clock.post("/resume")
async def resume(run: Run) -> Clock:
    """Run on from here. Idempotent."""
    run.driver.resume()
    return await read_clock(run)


@clock.post("/advance", responses=BLOCKED)
async def advance(run: Run, step: Advance) -> Clock:
    """Step, paused or not; answered when every frame was accepted by its socket or outbox."""
    await run.driver.advance(step.seconds)
    return await read_clock(run)


@clock.post("/advance_until", responses=BLOCKED)
async def advance_until(run: Run, until: Until) -> Clock:
    """Step likewise to the next such event, past what is sent at its very instant."""
    asked = until.event, until.venue, until.symbol, until.interval
    try:
        await run.driver.advance_until(lambda now_ns: run.next_instant(*asked, now_ns))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return await read_clock(run)


@clock.post("/speed")
async def speed(run: Run, pace: Speed) -> Clock:
    """Change the pace."""
    run.driver.set_speed(pace.speed)
    return await read_clock(run)
