"""A client of Hyperliquid with a key, without a socket: it signs as in production and reads what it is told.

The exchange is the real one: a floor over synthetic markets, the card's own house.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coincurve import PrivateKey

from reactor.exchange.orders import Command, Outcome
from reactor.exchange.trading import TradingFloor
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS
from tests import worlds
from tests.worlds import ORIGIN_NS
from venues.base import Action, Exchange, HttpRequest, HttpResponse, Listen, Reply, Trading, Unlisten
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid.session import HyperliquidSession
from venues.hyperliquid.signing import USER_SIGNED, agent_digest, connection_id, keccak, user_digest

START_NS = ORIGIN_NS + 3 * BLOCK_NS


@dataclass(frozen=True)
class Wallet:
    """A private key."""

    secret: str

    @property
    def key(self) -> PrivateKey:
        return PrivateKey.from_hex(self.secret)

    @property
    def address(self) -> str:
        return "0x" + keccak(self.key.public_key.format(compressed=False)[1:])[12:].hex()

    def sign(self, digest: bytes) -> dict[str, Any]:
        packed = self.key.sign_recoverable(digest, hasher=None)
        return {"r": "0x" + packed[:32].hex(), "s": "0x" + packed[32:64].hex(), "v": 27 + packed[64]}


ALICE, BOB, CAROL = (Wallet(digit * 64) for digit in "123")


@dataclass(eq=False)
class Venue:
    """The exchange, its clock, and its sockets."""

    auto_fund: bool = True
    strict: bool = False
    now_ns: int = START_NS
    exchange: Exchange = field(init=False)
    sockets: list[Socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        plain = worlds.exchange(HYPERLIQUID)
        house = HYPERLIQUID.house(plain)
        assert house is not None
        self.floor = TradingFloor(house, plain.world, self.now_ns)
        trading = Trading(self.floor, self._execute, {}, self.strict, self.auto_fund, house)
        self.exchange = replace(plain, trading=trading)
        self.nonce = self.now_ns // MS_NS

    def _execute(self, command: Command, now_ns: int) -> Outcome:
        return self.floor.apply(command, now_ns)

    # ---- requests
    def post(self, path: str, body: object, client: str = "c") -> HttpResponse:
        request = HttpRequest(
            "POST", path, "", {"content-type": "application/json"}, json.dumps(body).encode(), client
        )
        answer = HYPERLIQUID.handle(request, self.exchange, self.now_ns)
        self.tell()
        return answer

    def info(self, kind: str, client: str = "c", **fields: object) -> Any:
        answer = self.post("/info", {"type": kind, **fields}, client)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def signed(
        self,
        wallet: Wallet,
        action: Mapping[str, Any],
        *,
        nonce: int | None = None,
        source: str = "b",
        expires: int | None = None,
        vault: str | None = None,
    ) -> dict[str, Any]:
        self.nonce += 1
        nonce = self.nonce if nonce is None else nonce
        if action["type"] in USER_SIGNED:
            action = {**action, "hyperliquidChain": "Testnet", "signatureChainId": "0x66eee"}
            digest = user_digest(action)
        else:
            digest = agent_digest(connection_id(action, nonce, vault, expires), source)
        body = {"action": action, "nonce": nonce, "signature": wallet.sign(digest), "vaultAddress": vault}
        return body if expires is None else {**body, "expiresAfter": expires}

    def act(self, wallet: Wallet, action: Mapping[str, Any], client: str = "c", **how: Any) -> Any:
        """The answer to an action."""
        answer = self.post("/exchange", self.signed(wallet, action, **how), client)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def order(self, wallet: Wallet, *orders: dict[str, Any], **how: Any) -> Any:
        """What became of an order, or of several."""
        answer = self.act(wallet, {"type": "order", "orders": list(orders), "grouping": "na"}, **how)
        assert answer["status"] == "ok", answer
        statuses = answer["response"]["data"]["statuses"]
        return statuses if len(orders) > 1 else statuses[0]

    # ---- time
    def step(self, ns: int) -> None:
        end_ns = self.now_ns + ns
        while (next_ns := self.floor.next_ns()) is not None and next_ns <= end_ns:
            self.floor.advance(next_ns)
            self.now_ns = next_ns
            self.tell()
        self.now_ns = end_ns
        self.floor.advance(end_ns)
        self.tell()

    def tell(self) -> None:
        told = list(self.floor.news())
        for socket in self.sockets:
            mine = [each for each in told if each.account in socket.accounts]
            if mine:
                socket.hear(socket.session.hear(mine, self.now_ns))

    def connect(self, client: str = "c") -> Socket:
        request = HttpRequest("GET", "/ws", client=client)
        session = HYPERLIQUID.session(request, self.exchange)
        assert isinstance(session, HyperliquidSession)
        self.sockets.append(Socket(self, session))
        return self.sockets[-1]


@dataclass(eq=False)
class Socket:
    """A socket of a client."""

    venue: Venue
    session: HyperliquidSession
    accounts: set[str] = field(default_factory=set)
    heard: list[Any] = field(default_factory=list)

    def say(self, message: object) -> list[Any]:
        """What is answered at once."""
        actions = self.session.receive(json.dumps(message), self.venue.now_ns, 5 * SECOND_NS)
        before = len(self.heard)
        self.hear(actions)
        answers, self.heard[before:] = self.heard[before:], []
        self.venue.tell()
        return answers

    def subscribe(self, kind: str, **fields: object) -> list[Any]:
        return self.say({"method": "subscribe", "subscription": {"type": kind, **fields}})

    def hear(self, actions: list[Action] | tuple[Action, ...] | Any) -> None:
        for action in actions:
            match action:
                case Reply(payload):
                    self.heard.append(json.loads(payload))
                case Listen(account):
                    self.accounts.add(account)
                case Unlisten(account):
                    self.accounts.discard(account)

    def news(self) -> list[Any]:
        """What was told since last asked."""
        told, self.heard = self.heard, []
        return told


def limit(
    price: str, size: str = "0.01", *, buy: bool = True, tif: str = "Gtc", asset: int = 0, **more: Any
) -> dict[str, Any]:
    """An order as the SDK writes it."""
    order = {"a": asset, "b": buy, "p": price, "s": size, "r": more.pop("reduce", False)}
    return {**order, "t": {"limit": {"tif": tif}}, **more}
