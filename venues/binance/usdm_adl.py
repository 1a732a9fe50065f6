"""The queue of those on Binance USD-M whose positions in profit are reduced for others' losses.

https://www.binance.com/en/support/faq/360033525471, 2026-08: they queue by their return times the leverage they have of
what the account, or an isolated position, is worth. Those of the accounts here are all there are.
"""

from __future__ import annotations

from fractions import Fraction

from reactor.exchange.terms import PERP
from venues.binance.rest import Call

GRADES = 5  # 0 is the last to be reduced


def _score(call: Call, account: str, market: str) -> Fraction:
    floor, asset = call.floor, call.terms[market].margin_asset
    gain_e8, margin_e8 = floor.unrealized_e8(account, market), floor.position_margin_e8(account, market)
    own_e8 = floor.position(account, market).isolated_e8
    worth_e8 = (floor.balance(account, PERP, asset).free_e8 if own_e8 is None else own_e8) + gain_e8
    if gain_e8 <= 0 or margin_e8 <= 0 or worth_e8 <= 0:
        return Fraction(0)
    notional_e8 = margin_e8 * floor.leverage(account, market)
    return Fraction(gain_e8, margin_e8) * Fraction(notional_e8, worth_e8)


def grade(call: Call, market: str) -> int:
    """Where the account's position in a market stands in that queue; one that is not in profit is in none."""
    floor, mine = call.floor, _score(call, call.account, market)
    if not mine:
        return 0
    side = floor.position(call.account, market).lots > 0
    held = [a for a in floor.accounts() if floor.position(a, market).lots]
    rivals = [_score(call, a, market) for a in held if (floor.position(a, market).lots > 0) is side]
    queue = [score for score in rivals if score]
    return (GRADES * sum(score <= mine for score in queue) - 1) // len(queue)
