"""The control API as a FastAPI application: its routes, their guard, and errors in one shape, {"error": one line}."""

from __future__ import annotations

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from emulator.api.accounts import accounts, log, orders
from emulator.api.chaos import connections, faults, scenarios
from emulator.api.control import clock, guard, health
from emulator.api.market import market
from emulator.api.truth import truth
from emulator.driver import AdvanceBlocked
from emulator.gateway.server import Gateway


def create_app(gateway: Gateway) -> FastAPI:
    """The control API of one run."""
    app = FastAPI(title="Exchange emulator: control")
    app.state.gateway = gateway
    app.include_router(health)
    for router in (clock, faults, scenarios, connections, truth, accounts, orders, market, log):
        app.include_router(router, dependencies=[Depends(guard)])
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(AdvanceBlocked)(_blocked)
    for refused in (HTTPException, 404, 405):  # the router's own errors are no HTTPException of FastAPI
        app.exception_handler(refused)(_refused)
    return app


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    in_body = any(row["loc"][0] == "body" for row in error.errors())
    if in_body and "json" not in request.headers.get("content-type", ""):
        return JSONResponse({"error": "send JSON, with content-type: application/json"}, 415)
    said = [
        f"{'.'.join(map(str, row['loc'][1:]))}: {row['msg']}".removeprefix(": ") for row in error.errors()
    ]
    return JSONResponse({"error": "; ".join(said)}, 422)


async def _refused(_request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _blocked(_request: Request, error: AdvanceBlocked) -> JSONResponse:
    said = {"error": str(error), "connection": error.connection, "reached_ns": error.reached_ns}
    return JSONResponse(said, 409)
