"""How a client behaved, by what the witness saw: each judgement is None where all was well, or a sentence that says
who did what when.

Seconds that a client may take are of the wall clock, by which its timers run. While it may still do what is asked of
it, the verdict is `open`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from emulator.chaos.rules import USER
from emulator.truth import TrueOrder, instant
from emulator.witness import Held, Placed, Socket, Witness
from reactor.types import SECOND_NS
from reactor.values import dataclass
from venues.limits import Moment

Tell: TypeAlias = Callable[[Placed], TrueOrder]  # an order as it now stands


@dataclass(frozen=True, slots=True)
class Verdict:
    """None, or what was wrong; `open` while time may yet mend it."""

    wrong: str | None = None
    open: bool = False


WELL = Verdict()


def _first(found: Sequence[Verdict]) -> Verdict:
    """One verdict of many: the first that nothing can mend, or else the first; how many more there are is said."""
    if not found:
        return WELL
    first = next((each for each in found if not each.open), found[0])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Verdict(f"{first.wrong}{more}", first.open)


# ---------------------------------------------------------------- sockets
def reconnected(witness: Witness, within_s: float) -> Verdict:
    """Every socket that was lost has had another in its place soon enough: of the same venue and path, or, where paths
    hold keys or streams, of a path that begins with the same word.
    """
    lost = _lost(witness)
    if not lost:
        return Verdict("no socket of a client was cut, so that there was nothing to reconnect")
    followed = _followers(lost, witness.sockets)
    found = []
    for socket, at in lost:
        next_one = followed.get(socket)
        until = next_one.opened if next_one else witness.now()
        took_ns = until.wall_ns - at.wall_ns
        if next_one is None:
            late = took_ns > within_s * SECOND_NS
            found.append(
                Verdict(f"{_said(socket, at)} and has not reconnected after {_s(took_ns)} s", not late)
            )
        elif took_ns > within_s * SECOND_NS:
            what = f"{_said(socket, at)} and reconnected after {_s(took_ns)} s, not {within_s:g}"
            found.append(Verdict(what))
    return _first(found)


def resubscribed(witness: Witness, within_s: float) -> Verdict:
    """Whatever a lost socket listened to, another has been told to listen to since, soon enough."""
    lost = [(socket, at) for socket, at in _lost(witness) if socket.held]
    if not lost:
        return Verdict("no socket that listened to anything was cut, so that there was nothing to subscribe")
    found = []
    for socket, at in lost:
        others = [other for other in witness.sockets if other.venue == socket.venue and other is not socket]
        missing: list[Held] = []
        for what in socket.held:
            since = (other.took[what].wall_ns for other in others if what in other.took)
            until_ns = at.wall_ns + within_s * SECOND_NS
            if not any(at.wall_ns <= wall_ns <= until_ns for wall_ns in since):
                missing.append(what)
        if missing:
            took_ns = witness.now().wall_ns - at.wall_ns
            said = f"{_said(socket, at)} and {_topics(missing)} not subscribed again"
            over = took_ns > within_s * SECOND_NS
            found.append(Verdict(f"{said} within {within_s:g} s" if over else said, not over))
    return _first(found)


def answered_pings(witness: Witness, within_s: float) -> Verdict:
    """Every ping of the exchange's has had its pong soon enough, unless the socket ended before."""
    pings = [(socket, ping) for socket in witness.sockets for ping in socket.pings]
    if not pings:
        return Verdict("no socket of a client was sent a ping, so that there was nothing to answer")
    found = []
    for socket, ping in pings:
        until = ping.answered or socket.ended or witness.now()
        took_ns = until.wall_ns - ping.at.wall_ns
        late = took_ns > within_s * SECOND_NS
        if late or not (ping.answered or socket.ended):
            did = f"answered after {_s(took_ns)} s" if ping.answered else f"not answered for {_s(took_ns)} s"
            what = f"{socket.venue}: the ping of {instant(ping.at.now_ns)} to {_name(socket)} was {did}"
            found.append(Verdict(what, not late))
    return _first(found)


def _lost(witness: Witness) -> list[tuple[Socket, Moment]]:
    return [(socket, socket.lost) for socket in witness.sockets if socket.lost is not None]


def _followers(lost: Sequence[tuple[Socket, Moment]], sockets: Sequence[Socket]) -> dict[Socket, Socket]:
    """Which socket took the place of which, each of at most one: the same path first, then one of its kind."""
    followed: dict[Socket, Socket] = {}
    kinds: tuple[Callable[[Socket], object], ...] = (
        lambda socket: socket.endpoint,
        lambda socket: socket.endpoint.split("/")[1:2],
    )
    for alike in kinds:
        for socket, at in lost:
            free = (
                other
                for other in sockets
                if other.opened.wall_ns >= at.wall_ns
                and other is not socket
                and other.venue == socket.venue
                and alike(other) == alike(socket)
                and other not in followed.values()
            )
            if socket not in followed and (found := next(free, None)):
                followed[socket] = found
    return followed


def _name(socket: Socket) -> str:
    return f"{socket.id} ({socket.endpoint}, {socket.client})"


def _said(socket: Socket, at: Moment) -> str:
    return f"{socket.venue}: {_name(socket)} {socket.how} at {instant(at.now_ns)}"


def _topics(topics: Sequence[Held]) -> str:
    said = [f"the news of {what[1]}" if what[0] == USER else " ".join(filter(None, what)) for what in topics]
    return f"{', '.join(said)} {'is' if len(said) == 1 else 'are'}"


def _s(ns: int) -> str:
    return f"{ns / SECOND_NS:.1f}"


# ---------------------------------------------------------------- orders
def no_duplicate_orders(witness: Witness, tell: Tell) -> Verdict:
    """No order whose answer never came whole was placed again before an answer to a later question named it."""
    found = []
    for first, again in witness.twice:
        if not first.lost:
            continue
        one, other = tell(first), tell(again)
        same = one.client_id == other.client_id
        under = "under the same client id" if same else f"as {_ids(other)}"
        found.append(
            Verdict(
                f"{first.venue}: {one.account} placed {one} at {instant(first.at.now_ns)} by {first.by}, {first.lost}, "
                f"and placed it again at {instant(again.at.now_ns)} by {again.by} {under} without having asked "
                f"what had become of {_ids(one)}, now {one.status}"
            )
        )
    return _first(found)


def no_orphan_orders(witness: Witness, tell: Tell) -> Verdict:
    """No order is open that nothing has ever named to a client: no answer, no event, no list."""
    found = []
    for placed in witness.untold:
        order = tell(placed)
        if order.open:
            found.append(
                Verdict(
                    f"{placed.venue}: {order} of {order.account} has been open since {instant(placed.at.now_ns)} and "
                    f"nothing has told a client of {_ids(order)}: placed by {placed.by}, "
                    f"{placed.lost or 'its answer is on its way'}",
                    open=not placed.lost,
                )
            )
    return _first(found)


def _ids(order: TrueOrder) -> str:
    return f"order {order.id}" + (f" ({order.client_id})" if order.client_id else "")


# ---------------------------------------------------------------- limits
def respected_limits(witness: Witness) -> Verdict:
    """No limit of a venue was exceeded, and nobody came back before the time it was told to wait was over, on whichever
    clock went further.
    """
    return _first([Verdict(wrong) for wrong in _offences(witness)])


def _offences(witness: Witness) -> list[str]:
    """What was done wrong, in order."""
    rows: list[tuple[int, str]] = []
    for row in witness.refusals:
        banned = row.charge.banned_until_ns is not None
        used = "while banned" if banned else f"with {row.charge.used} of {row.charge.allowed} used"
        who = f"{row.venue}: {row.client} exceeded the limit {row.limit}"
        rows.append((row.at.wall_ns, f"{who} at {instant(row.at.now_ns)}, {used}"))
    for hasty in witness.hasty:
        wait, passed_ns = hasty.wait, hasty.at.possibly_since(hasty.wait.at)
        who = f"{hasty.venue}: {hasty.client} asked {hasty.asked} at {instant(hasty.at.now_ns)}"
        told = f"a {wait.status} to {wait.asked} had told it to wait {wait.lasts_ns // SECOND_NS} s"
        rows.append((hasty.at.wall_ns, f"{who}, {_s(passed_ns)} s after {told}"))
    return [wrong for _, wrong in sorted(rows)]
