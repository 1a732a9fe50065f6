"""Routes of the control API that do something to markets: each is a rule of chaos by a plain word."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from pydantic import BaseModel, ConfigDict

from emulator.api.control import Run
from emulator.api.truth import judged
from emulator.chaos.market import Struck
from emulator.config import ConfigError

market = APIRouter(prefix="/market", tags=["market"])

Words = Annotated[dict[str, Any], Body(examples=[{"symbol": "BTCUSDT", "duration_s": 60}])]


class Halted(BaseModel):
    """Which halted markets are to go on: patterns with * and ?, all where left out."""

    model_config = ConfigDict(extra="forbid")

    venue: str = ""
    symbol: str = ""


class Resumed(BaseModel):
    """The ids of the rules that halted them, which are taken back."""

    rules: list[str]


@market.post("/resume")
async def resume(run: Run, asked: Halted) -> Resumed:
    """Have markets that are halted go on now."""
    run.driver.stamp()
    return Resumed(rules=run.markets.resume(asked.venue, asked.symbol))


@market.post("/{action}", status_code=201)
async def act(run: Run, action: str, words: Words) -> Struck:
    """halt, auction, void, crash, cascade or burst: with the words of the rule that it is, `venue` and `symbol` among
    them. Answered with the rule, the markets, and when it begins.
    """
    try:
        with judged():
            return run.markets.act(action, words, run.driver.stamp()[0])
    except ConfigError as error:
        raise HTTPException(422, str(error)) from None
