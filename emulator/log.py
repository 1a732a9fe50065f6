"""Logging: events with their facts, a line each, handed to the standard library's logging, where whoever embeds us may
collect them.
"""

from __future__ import annotations

import logging

ROOT = "exchange_emulator"


class Log:
    """The logger of one part of the emulator: `log.info("what happened", key=value)`."""

    def __init__(self, part: str) -> None:
        self._log = logging.getLogger(f"{ROOT}.{part}")

    def debug(self, event: str, **facts: object) -> None:
        """For whoever looks into the emulator itself."""
        self._say(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: object) -> None:
        """What an operator may want to know."""
        self._say(logging.INFO, event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """What failed, with the traceback of what is being handled."""
        self._say(logging.ERROR, event, facts, traceback=True)

    def _say(self, level: int, event: str, facts: dict[str, object], *, traceback: bool = False) -> None:
        """what happened key='value'."""
        if self._log.isEnabledFor(level):
            line = " ".join([event, *(f"{key}={value!r}" for key, value in facts.items())])
            self._log.log(level, line, exc_info=traceback)


def configure(level: str) -> None:
    """Send the log to standard error, from this level on; of the libraries, only what is worth a warning."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
