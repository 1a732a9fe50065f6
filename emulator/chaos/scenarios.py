"""Scenarios: timelines of rules, in seconds from their start; those that come along, and others in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from emulator.config import SCENARIOS, Config, ConfigError, Given, nearest, read_rules, read_yaml
from reactor.values import dataclass

FIELDS = ("about", "source", "rules")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A timeline: what it is, what it copies ("" for nothing of a certain day), and its rules."""

    name: str
    about: str
    source: str
    rules: tuple[Given, ...]


@cache
def scenarios() -> tuple[str, ...]:
    """The names of those that come with the product."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


def read_scenario(name: str, place: str = "scenario") -> Scenario:
    """One of those by its name, or one in a YAML file by its path. ConfigError, of one line, where it is none."""
    if name in scenarios():
        return _read(SCENARIOS / f"{name}.yaml", f"scenario {name}", name)
    if not name.endswith((".yaml", ".yml")):
        raise ConfigError(f"{place}: there is no scenario {name!r}{nearest(name, scenarios())}")
    return _read(Path(name), name, Path(name).stem)


def rules_of(config: Config) -> list[Given]:
    """The rules that a run begins with: its own, and those of its scenario."""
    return [*config.faults, *(read_scenario(config.scenario).rules if config.scenario else ())]


def _read(path: Path, shown: str, name: str) -> Scenario:
    document = read_yaml(path, shown)
    if not isinstance(document, dict):
        raise ConfigError(f"{shown}: expected {', '.join(FIELDS)}")
    for field in document:
        if field not in FIELDS:
            raise ConfigError(f"{shown}: {field}: unknown word{nearest(str(field), FIELDS)}")
    texts = []
    for field in ("about", "source"):
        text = document.get(field, "")
        if not isinstance(text, str):
            raise ConfigError(f"{shown}: {field}: {text!r} is not allowed; allowed: a text")
        texts.append(" ".join(text.split()))
    about, source = texts
    rules = read_rules(document.get("rules"), shown)
    if not rules:
        raise ConfigError(f"{shown}: rules: there are none")
    return Scenario(name, about, source, tuple(_named(rules, name)))


def _named(rules: tuple[Given, ...], name: str) -> Iterator[Given]:
    """A rule without an id is called by the scenario and its number."""
    for number, rule in enumerate(rules, 1):
        yield rule if rule.id else replace(rule, id=f"{name}-{number}")
