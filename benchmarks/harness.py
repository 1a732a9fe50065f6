"""What measures are made with: rows of figures, processes beside this one, the opening of a WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and the same of a reference from the same run where there is one."""

    measure: str
    subject: str
    value: float
    unit: str
    reference: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the reference's."""
        return None if self.reference is None else self.value / self.reference


@contextmanager
def beside(work: Callable[[Connection], None]) -> Iterator[Connection]:
    """A process that does this work with the other end of a pipe, until it is sent None."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child: BaseProcess = context.Process(target=work, args=(theirs,), daemon=True)
    child.start()
    theirs.close()  # if it fails, whoever waits for it is told
    yield ours
    ours.send(None)
    child.join()


def cpu_time_s(pipe: Connection) -> float:
    """The CPU time of a process that tells it when asked."""
    pipe.send("CPU time?")
    told: float = pipe.recv()
    return told
