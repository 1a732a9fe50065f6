"""Routes of chaos: rules as they are written anywhere and what they hit, scenarios, what is true, clients' sockets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel

from emulator.api.control import Run
from emulator.chaos.faults import KINDS
from emulator.chaos.guide import link
from emulator.chaos.rules import Hit, Rule, Scope, When, Where, words
from emulator.chaos.scenarios import read_scenario
from emulator.chaos.scenarios import scenarios as known_scenarios
from emulator.config import ConfigError, nearest
from emulator.gateway.connection import Row
from emulator.gateway.server import Gateway

faults = APIRouter(prefix="/faults", tags=["faults"])
scenarios = APIRouter(prefix="/scenarios", tags=["faults"])
connections = APIRouter(prefix="/connections", tags=["connections"])

Words = Annotated[
    dict[str, Any], Body(examples=[{"kind": "md.gap", "channel": "depth", "after_n": 3, "count": 1}])
]
NO_SUCH: dict[int | str, dict[str, Any]] = {404: {"description": "There is none of this id."}}


# ---------------------------------------------------------------- what is said
class Option(BaseModel):
    """A word of a rule: what is allowed, what it does, and what holds when it is left out, unless it is needed."""

    name: str
    allowed: str
    help: str
    default: Any = None
    needed: bool = False


class KindRow(BaseModel):
    """A kind of fault: what it is done to, what a client sees, its own options, and where more is said of it."""

    kind: str
    scope: Scope
    about: str
    options: list[Option]
    docs: str


class Kinds(BaseModel):
    """The kinds there are, and the words that a rule of any kind may have."""

    kinds: list[KindRow]
    words: list[Option]


class Hits(BaseModel):
    """Hits in order, at most as many as were asked for; `last` is the number of the newest there is. `identity` is of
    the message or the input: equal runs hit equal ones.
    """

    hits: list[Hit]
    last: int


def _options(part: type[Any]) -> list[Option]:
    return [
        Option(name=row.name, allowed=row.allowed, help=row.help, default=row.default, needed=row.needed)
        for row in words(part)
    ]


def _told(run: Gateway, rule: Rule) -> dict[str, Any]:
    """A rule as it was written, with its id, since when it holds and how often it has hit; and, of one about markets,
    when what it does to them begins.
    """
    starts_ns = run.markets.starts(rule.id)
    return {
        "id": rule.id,
        **rule.values(),
        "added_ns": rule.added_ns,
        "hits": run.chaos.rules.hit_count(rule.id),
        **({} if starts_ns is None else {"starts_ns": starts_ns}),
    }


def _found(run: Gateway, name: str) -> Rule:
    rule = run.chaos.rules.get(name)
    if rule is None:
        raise HTTPException(404, f"there is no rule {name!r}")
    return rule


def _put(run: Gateway, values: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return _told(run, run.chaos.add(values, run.driver.stamp()[0], "fault", name))
    except ConfigError as error:
        raise HTTPException(422, str(error)) from None


# ---------------------------------------------------------------- rules
@faults.get("")
async def list_faults(run: Run) -> list[dict[str, Any]]:
    """The rules in force, in the order in which they were added."""
    return [_told(run, rule) for rule in run.chaos.rules]


@faults.post("", status_code=201)
async def add_fault(run: Run, rule: Words) -> dict[str, Any]:
    """Put a rule into force now; under an id of its own, if it has one, and then in the place of the one there was."""
    values = dict(rule)
    name = values.pop("id", "")
    if not isinstance(name, str):
        raise HTTPException(422, f"fault: id: {name!r} is not allowed; allowed: a text")
    return _put(run, values, name)


@faults.delete("")
async def clear_faults(run: Run) -> list[dict[str, Any]]:
    """Take all out of force; answered with what is left, nothing."""
    run.chaos.clear()
    return []


@faults.get("/kinds")
async def list_kinds() -> Kinds:
    """What can be done, and the words of a rule."""
    return Kinds(
        kinds=[
            KindRow(kind=kind, scope=fault.scope, about=fault.about, options=_options(fault), docs=link(kind))
            for kind, fault in KINDS.items()
        ],
        words=[*_options(Where), *_options(When)],
    )


@faults.get("/hits")
async def list_hits(
    run: Run,
    rule: Annotated[str, Query(description="Of this rule only.")] = "",
    after: Annotated[int, Query(ge=0, description="Those of higher numbers.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Hits:
    """What faults were done to, the oldest first; the newest 10,000 are kept."""
    kept = run.chaos.rules.hits
    found = [hit for hit in kept if hit.number > after and rule in ("", hit.rule)][:limit]
    return Hits(hits=found, last=kept[-1].number if kept else 0)


@faults.get("/{name}", responses=NO_SUCH)
async def read_fault(run: Run, name: str) -> dict[str, Any]:
    """One rule."""
    return _told(run, _found(run, name))


@faults.put("/{name}")
async def change_fault(run: Run, name: str, rule: Words) -> dict[str, Any]:
    """Put a rule in the place of the one of this id, if there is one; its counts begin anew."""
    values = dict(rule)
    if values.pop("id", name) != name:
        raise HTTPException(422, "fault: id: it is another in the path")
    return _put(run, values, name)


@faults.delete("/{name}", responses=NO_SUCH)
async def remove_fault(run: Run, name: str) -> dict[str, Any]:
    """Take a rule out of force; answered with what it was."""
    told = _told(run, _found(run, name))
    run.chaos.remove(name)
    return told


# ---------------------------------------------------------------- scenarios
class ScenarioRow(BaseModel):
    """A timeline of rules: what it is, and what it copies."""

    name: str
    about: str
    source: str
    rules: list[dict[str, Any]]


@scenarios.get("")
async def list_scenarios() -> list[ScenarioRow]:
    """Those that come along."""
    rows = [read_scenario(name) for name in known_scenarios()]
    return [
        ScenarioRow(
            name=row.name, about=row.about, source=row.source, rules=[rule.words for rule in row.rules]
        )
        for row in rows
    ]


@scenarios.post("/{name}/start", responses=NO_SUCH)
async def start_scenario(run: Run, name: str) -> list[dict[str, Any]]:
    """Begin one now; answered with its rules, whose seconds count from here."""
    if name not in known_scenarios():
        raise HTTPException(404, f"there is no scenario {name!r}{nearest(name, known_scenarios())}")
    try:
        rules = run.chaos.start(read_scenario(name).rules, run.driver.stamp()[0])
    except ConfigError as error:
        raise HTTPException(422, str(error)) from None
    return [_told(run, rule) for rule in rules]


# ---------------------------------------------------------------- sockets
@connections.get("")
async def list_connections(run: Run) -> list[Row]:
    """The open sockets; of a venue, in the order in which they came."""
    return run.connections


@connections.delete("/{name}", responses=NO_SUCH)
async def kick(
    run: Run,
    name: str,
    code: Annotated[
        int | None, Query(ge=1000, le=4999, description="Of a closing handshake; cut if left out.")
    ] = None,
    reason: Annotated[str, Query(max_length=40, description="Said with the code.")] = "",
) -> Row:
    """End a socket; answered with what it was."""
    row = run.kick(name, code, reason)
    if row is None:
        raise HTTPException(404, f"there is no connection {name!r}")
    return row
