"""The control API as a FastAPI application: its routes, the key that guards them, and errors in one shape, {"error": one line}."""

from __future__ import annotations

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from emulator.api.control import clock, guard, health
from emulator.driver import AdvanceBlocked
from emulator.gateway.server import Gateway


def create_app(gateway: Gateway) -> FastAPI:
    """The control API of one run."""
    app = FastAPI(title="Exchange emulator: control")
    app.state.gateway = gateway
    app.include_router(health)
    app.include_router(clock, dependencies=[Depends(guard)])
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(AnyHTTPException)(_refused)
    app.exception_handler(AdvanceBlocked)(_blocked)
    return app


async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    said = [f"{'.'.join(map(str, row['loc'][1:])) or 'body'}: {row['msg']}" for row in error.errors()]
    return JSONResponse({"error": "; ".join(said)}, 422)


async def _refused(_request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _blocked(_request: Request, error: AdvanceBlocked) -> JSONResponse:
    return JSONResponse(
        {"error": str(error), "connection": error.connection, "reached_ns": error.reached_ns}, 409
    )
