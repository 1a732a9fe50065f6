"""Logging: structured events, handed to the standard library's logging so that whoever embeds us decides
where they go.
"""

from __future__ import annotations

import logging

import structlog

ROOT = "exchange_emulator"


def get_logger(part: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part of the emulator: `log.info("what happened", key=value)`."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT}.{part}"),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
    )
    return logger


def configure(level: str) -> None:
    """Send the log to standard error, from this level on; of the libraries, only what is worth a warning."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s %(message)s", level=logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
