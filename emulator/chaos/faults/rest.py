"""Faults of HTTP requests: refused, unanswered, late, cut short, or answered by something in front of the venue."""

from __future__ import annotations

import http.client
from dataclasses import replace
from typing import ClassVar

from emulator.chaos.answer import Answer, Asked, RequestFault
from emulator.chaos.rules import Draw, Fault, integer, number, option
from emulator.config import FLAG, TEXT, Kind
from reactor.types import MS_NS, SECOND_NS
from reactor.values import dataclass
from venues.base import HttpResponse
from venues.limits import Charge

WALL_SECONDS = number(0, 3_600)
RETRY_AFTER = "retry-after"


def _header(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ValueError
    return value


def _header_name(value: object) -> str:
    name = _header(value)
    if set(name) & set('"(),/:;<=>?@[\\]{} '):
        raise ValueError
    return name


HEADER_NAME = Kind("the name of a header", _header_name)
HEADER_VALUE = Kind("printable ASCII", _header)


@dataclass(frozen=True, slots=True)
class Unanswered(RequestFault):
    """A fault in whose place the venue's answer never comes; whether the venue did what was asked is an option."""

    carried_out: bool = option(
        FLAG, "Whether the venue has done what was asked before the answer is lost.", False
    )

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        if self.carried_out:
            asked.ask()
        return self.instead(asked)

    def instead(self, asked: Asked) -> Answer:
        """What the client gets."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Status(Unanswered):
    """A request is answered with a status and a body of one's own."""

    kind: ClassVar[str] = "http.status"
    about: ClassVar[str] = "A request is answered with an error status, whether or not it was carried out."

    status: int = option(integer(200, 599), "The status.", 500)
    body: str = option(TEXT, "The body.", "")
    content_type: str = option(HEADER_VALUE, "And what it is.", "application/json")

    def instead(self, asked: Asked) -> Answer:
        return Answer(HttpResponse(self.status, self.body.encode(), self.content_type))


@dataclass(frozen=True, slots=True)
class HtmlBody(Unanswered):
    """What a load balancer says when nobody behind it answers."""

    kind: ClassVar[str] = "http.html_body"
    about: ClassVar[str] = "A gateway's HTML page comes where JSON was expected."

    status: int = option(integer(200, 599), "Its status.", 502)

    def instead(self, asked: Asked) -> Answer:
        said = f"{self.status} {http.client.responses.get(self.status, 'Error')}"
        page = (
            f"<html>\r\n<head><title>{said}</title></head>\r\n<body>\r\n<center><h1>{said}</h1></center>\r\n"
            "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        )
        return Answer(HttpResponse(self.status, page.encode(), "text/html"))


@dataclass(frozen=True, slots=True)
class Hang(RequestFault):
    """An answer does not come until the client has lost patience."""

    kind: ClassVar[str] = "http.hang"
    about: ClassVar[str] = (
        "The answer does not come for so long that clients time out; the request is carried out."
    )

    wait_s: float = option(WALL_SECONDS, "How long, in wall time; then the answer comes.", 3_600.0)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        answer = asked.ask()
        return replace(answer, wait_s=answer.wait_s + self.wait_s)


@dataclass(frozen=True, slots=True)
class Dropped(Unanswered):
    """The connection ends in the place of an answer."""

    kind: ClassVar[str] = "http.drop"
    about: ClassVar[str] = (
        "The connection ends without an answer, whether or not the request was carried out."
    )

    def instead(self, asked: Asked) -> Answer:
        return Answer(HttpResponse(500, b""), cut=True)


@dataclass(frozen=True, slots=True)
class TruncatedJson(RequestFault):
    """A body ends in its middle."""

    kind: ClassVar[str] = "http.truncated_json"
    about: ClassVar[str] = "The body ends in its middle, though the HTTP around it is whole."

    fraction: float = option(number(0, 1), "How much of it comes.", 0.5)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        answer = asked.ask()
        body = answer.response.body
        return replace(answer, response=replace(answer.response, body=body[: int(len(body) * self.fraction)]))


@dataclass(frozen=True, slots=True)
class Empty(RequestFault):
    """There is no body."""

    kind: ClassVar[str] = "http.empty"
    about: ClassVar[str] = "The answer has the venue's status and no body."

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        answer = asked.ask()
        return replace(answer, response=replace(answer.response, body=b""))


@dataclass(frozen=True, slots=True)
class SlowBody(RequestFault):
    """A body trickles."""

    kind: ClassVar[str] = "http.slow_body"
    about: ClassVar[str] = "The head comes at once, the body trickles."

    over_s: float = option(WALL_SECONDS, "In how much wall time.", 5.0)
    pieces: int = option(integer(2, 1_000), "In how many pieces.", 10)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        return replace(asked.ask(), pieces=self.pieces, spread_s=self.over_s)


@dataclass(frozen=True, slots=True)
class Header(RequestFault):
    """A header of the answer says something else."""

    kind: ClassVar[str] = "http.header"
    about: ClassVar[str] = "A header of the answer lies: a used weight, a time, a length of patience."

    name: str = option(HEADER_NAME, "Which; it is added where the venue does not send it.")
    value: str = option(HEADER_VALUE, "What it says.")

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        answer = asked.ask()
        return replace(answer, response=_with_header(answer.response, self.name, self.value))


@dataclass(frozen=True, slots=True)
class TooMany(RequestFault):
    """A request is refused as one too many, in the venue's own words; the venue does not carry it out."""

    kind: ClassVar[str] = "http.429"
    about: ClassVar[str] = "A request is refused as one too many, with Retry-After."

    retry_after_s: int = option(integer(0, 86_400), "What Retry-After says, in seconds.", 1)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        refusal = asked.refuse(Charge(used=1, allowed=0, retry_ns=self.retry_after_s * SECOND_NS))
        return Answer(_with_header(replace(refusal, status=429), RETRY_AFTER, str(self.retry_after_s)))


@dataclass(frozen=True, slots=True)
class Banned(RequestFault):
    """A client is told that its address is shut out, in the venue's own words."""

    kind: ClassVar[str] = "http.418"
    about: ClassVar[str] = (
        "A request is refused with 418, as by a venue that has banned the address, with Retry-After."
    )

    retry_after_s: int = option(integer(0, 7 * 86_400), "What Retry-After says, in seconds.", 120)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        left_ns = self.retry_after_s * SECOND_NS
        refusal = asked.refuse(Charge(0, 0, left_ns, asked.event.at_ns + left_ns))
        return Answer(_with_header(replace(refusal, status=418), RETRY_AFTER, str(self.retry_after_s)))


def _with_header(response: HttpResponse, name: str, value: str) -> HttpResponse:
    """The response with this header in the place of what it had by that name."""
    rows = [(each, said) for each, said in response.headers if each.lower() != name.lower()]
    content_type = "" if name.lower() == "content-type" else response.content_type
    return replace(response, content_type=content_type, headers=(*rows, (name, value)))


@dataclass(frozen=True, slots=True)
class Repeated(RequestFault):
    """Something in front of the venue loses an answer and asks again."""

    kind: ClassVar[str] = "http.repeated"
    about: ClassVar[str] = (
        "A request reaches the venue twice, as by a proxy that tries again; the client gets the second answer."
    )

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        asked.ask()
        return asked.ask()


@dataclass(frozen=True, slots=True)
class Skew(RequestFault):
    """The venue's clock is off."""

    kind: ClassVar[str] = "time.skew"
    about: ClassVar[str] = (
        "The venue's clock is off for a request: what it tells of its time, and what it holds signed times against."
    )

    ahead_ms: int = option(integer(-86_400_000, 86_400_000), "By how much; below 0 it is behind.", 5_000)

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        return asked.ask_ahead(self.ahead_ms * MS_NS)


FAULTS: tuple[type[Fault], ...] = (
    Status,
    HtmlBody,
    Hang,
    Dropped,
    TruncatedJson,
    Empty,
    SlowBody,
    Header,
    TooMany,
    Banned,
    Repeated,
    Skew,
)
