"""docs/chaos.md is what the code says: every kind, every word, and examples that are one rule in four spellings."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.chaos.faults import KINDS
from emulator.chaos.guide import PAGE, link
from emulator.chaos.rules import When, Where, read_rule, words
from emulator.chaos.scenarios import read_scenario, scenarios

TEXT = (Path(__file__).parent.parent / PAGE).read_text()
CHAPTERS = dict(re.findall(r"^### (\w+\.\w+)\n\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))


def rows(text: str) -> list[str]:
    return re.findall(r"^\| `.*$", text, re.MULTILINE)


def told(part: type[Any]) -> list[str]:
    """A line for each word: what holds without it, what it does, what it may be."""
    lines = []
    for word in words(part):
        default = word.otherwise if word.needed or not word.otherwise else f"`{word.otherwise}`"
        lines.append(f"| `{word.name}` | {default} | {word.help} | {word.allowed} |")
    return lines


def test_every_kind_has_its_chapter() -> None:
    assert list(CHAPTERS) == list(KINDS)


@pytest.mark.parametrize(("heading", "part"), [("Where", Where), ("When, and for how long", When)])
def test_the_words_of_all_rules_are_told(heading: str, part: type[Any]) -> None:
    assert rows(TEXT.partition(f"### {heading}\n")[2].partition("\n##")[0]) == told(part)


def test_every_scenario_is_told() -> None:
    expected = [f"| `{name}` | {read_scenario(name).about} |" for name in scenarios()]
    assert rows(TEXT.partition("\n## Scenarios\n")[2].partition("\n## ")[0]) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_does_and_why(kind: str) -> None:
    """What a client sees, then what it copies; and every option."""
    chapter = CHAPTERS[kind]
    said, _, _ = chapter.partition("\n")
    assert said.startswith(f"{KINDS[kind].about} ")
    assert len(said) > len(KINDS[kind].about) + 20
    assert rows(chapter) == told(KINDS[kind])


def spellings(example: str) -> Mapping[str, dict[str, Any]]:
    """The words of a rule as each line of an example gives them."""
    lines = dict(line.split(maxsplit=1) for line in example.splitlines())
    call = ast.parse(lines["Python"]).body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    given = {str(each.arg): ast.literal_eval(each.value) for each in call.value.keywords}
    method, path, body = lines["HTTP"].split(maxsplit=2)
    assert (method, path) == ("POST", "/faults")
    return {
        "Python": {"kind": ast.literal_eval(call.value.args[0]), **given},
        "YAML": yaml.safe_load(lines["YAML"])[0],
        "HTTP": json.loads(body),
        "shell": json.loads(shlex.split(lines["shell"])[-1]),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_one_rule_in_four_spellings(kind: str) -> None:
    (example,) = re.findall(r"```text\n(.*?)```", CHAPTERS[kind], re.DOTALL)
    rules = [read_rule(given, KINDS, way) for way, given in spellings(example).items()]
    assert rules[0][0].kind == kind
    assert rules == [rules[0]] * 4


def test_links_are_the_anchors_of_headings() -> None:
    """As GitHub makes them: in lower case, letters, digits, underscores and hyphens alone."""
    anchors = {
        re.sub(r"[^\w-]", "", heading.lower()) for heading in re.findall(r"^### (.*)$", TEXT, re.MULTILINE)
    }
    assert {link(kind).partition("#")[2] for kind in KINDS} <= anchors
