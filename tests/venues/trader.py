"""A client of Binance with a key, without a socket: it signs as in production and reads what it is told.

The exchange is the real one: a floor over synthetic markets, the card's own house, accounts with its opening balances.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from reactor.exchange.orders import Command, Deposit, Outcome, Told
from reactor.exchange.trading import TradingFloor
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS
from tests import worlds
from tests.worlds import ORIGIN_NS
from venues.base import (
    Action,
    ApiKey,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listen,
    Reply,
    Session,
    Trading,
    Unlisten,
)
from venues.binance import Binance

START_NS = ORIGIN_NS + 3 * BLOCK_NS
KEY = ApiKey("test-key", "demo", "test-secret")
OTHERS = (
    ApiKey("read-key", "demo", "read-secret", read_only=True),
    ApiKey("home-key", "demo", "home-secret", addresses=("192.0.2.7",)),
    ApiKey("other-key", "other", "other-secret"),
)


def signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


@dataclass(eq=False)
class Trader:
    """One client of a card; `strict` is whether its clock is judged by the exchange's."""

    venue: Binance
    strict: bool = False
    extra_keys: tuple[ApiKey, ...] = ()
    now_ns: int = START_NS
    wall_ns: int = 5 * SECOND_NS
    key: ApiKey = KEY
    exchange: Exchange = field(init=False)
    sockets: list[Socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        plain = worlds.exchange(self.venue)
        house = self.venue.house(plain)
        assert house is not None
        floor = TradingFloor(house, plain.world, self.now_ns)
        for account in ("demo", "other"):
            for (wallet, asset), amount_e8 in house.opening.items():
                floor.apply(Deposit(account, wallet, asset, amount_e8), self.now_ns)
        floor.news()
        keys = {key.key: key for key in (KEY, *OTHERS, *self.extra_keys)}
        trading = Trading(floor, self._execute, keys, self.strict, house=house)
        self.exchange = replace(plain, trading=trading)

    @property
    def floor(self) -> TradingFloor:
        assert self.exchange.trading is not None
        floor = self.exchange.trading.floor
        assert isinstance(floor, TradingFloor)
        return floor

    def _execute(self, command: Command, now_ns: int) -> Outcome:
        return self.floor.apply(command, now_ns)

    # ---- requests
    def sign(self, params: Mapping[str, object]) -> str:
        query = urlencode({**params, "timestamp": params.get("timestamp", self.now_ns // MS_NS)})
        return f"{query}&signature={signature(self.key.secret, query)}"

    def send(self, method: str, path: str, query: str = "", body: bytes = b"", **more: Any) -> HttpResponse:
        headers = {"x-mbx-apikey": self.key.key, **more.pop("headers", {})}
        request = HttpRequest(method, path, query, headers, body, wall_ns=self.wall_ns, **more)
        answer = self.venue.handle(request, self.exchange, self.now_ns)
        self.tell()
        return answer

    def ask(self, method: str, path: str, **params: object) -> Any:
        """The JSON of an answer that is no error."""
        answer = self.send(method, path, self.sign(params))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def error(self, method: str, path: str, **params: object) -> tuple[int, int, str]:
        """Status, code and text of an error."""
        answer = self.send(method, path, self.sign(params))
        body = json.loads(answer.body)
        return answer.status, body["code"], body["msg"]

    # ---- time and news
    def step(self, ns: int) -> None:
        self.now_ns += ns
        self.wall_ns += ns
        self.floor.advance(self.now_ns)
        self.tell()

    def tell(self) -> None:
        told = list(self.floor.news())
        for socket in self.sockets:
            socket.hear(told)

    def connect(self, path: str, query: str = "") -> Socket:
        session = self.venue.session(HttpRequest("GET", path, query), self.exchange)
        assert not isinstance(session, HttpResponse), session
        socket = Socket(self, session)
        self.sockets.append(socket)
        socket.act(session.open(self.now_ns, self.wall_ns))
        return socket


@dataclass(eq=False)
class Socket:
    """One socket of a trader: what it was sent, as JSON, since last asked."""

    trader: Trader
    session: Session
    accounts: set[str] = field(default_factory=set)
    inbox: list[Any] = field(default_factory=list)

    def act(self, actions: Any) -> None:
        action: Action
        for action in actions:
            match action:
                case Reply(payload):
                    self.inbox.append(json.loads(payload))
                case Listen(account):
                    self.accounts.add(account)
                case Unlisten(account):
                    self.accounts.discard(account)

    def hear(self, told: list[Told]) -> None:
        mine = [each for each in told if each.account in self.accounts]
        if mine:
            self.act(self.session.hear(mine, self.trader.now_ns))

    def say(self, message: Any) -> Any:
        """The answer to a message; what follows it is in the inbox."""
        first = len(self.inbox)
        self.act(self.session.receive(json.dumps(message), self.trader.now_ns, self.trader.wall_ns))
        answer = self.inbox.pop(first)
        self.trader.tell()
        return answer

    def call(self, method: str, **params: object) -> Any:
        """The answer to a method without a signature."""
        return self.say({"id": 1, "method": method, "params": params})

    def signed(self, method: str, **params: object) -> Any:
        """The answer to a method signed with the trader's key."""
        full = {"apiKey": self.trader.key.key, "timestamp": self.trader.now_ns // MS_NS, **params}
        payload = "&".join(f"{name}={_text(full[name])}" for name in sorted(full))
        return self.call(method, **full, signature=signature(self.trader.key.secret, payload))

    def take(self) -> list[Any]:
        taken, self.inbox = self.inbox, []
        return taken


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
