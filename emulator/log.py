"""Logging: structured events, handed to the standard library's logging, where whoever embeds us may collect them."""

from __future__ import annotations

import logging

import structlog
from structlog.typing import EventDict, WrappedLogger

ROOT = "exchange_emulator"


def get_logger(part: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part of the emulator: `log.info("what happened", key=value)`."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT}.{part}"),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, _as_one_line],
    )
    return logger


def configure(level: str) -> None:
    """Send the log to standard error, from this level on; of the libraries, only what is worth a warning."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())


def _as_one_line(
    _logger: WrappedLogger, _method: str, event: EventDict
) -> tuple[tuple[str], dict[str, object]]:
    """what happened key='value': the message; a traceback is the standard library's business."""
    said, exc_info = event.pop("event"), event.pop("exc_info", None)
    return (" ".join([said, *(f"{key}={value!r}" for key, value in event.items())]),), {"exc_info": exc_info}
