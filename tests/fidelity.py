"""The fidelity table: what venues send over real sockets, against shapes written by hand from their documents.

`tests/venues/golden/VENUE/shapes.yaml` lists every channel and endpoint: how it is asked for, its shape, the source of
that, in what it `differs` and why, or why it is `absent`. A shape is the text of a message with placeholders, and so
holds keys, their order, types and decimals:

    <ms> <us> times      <int>  <bool>  <sym> capitals and digits  <text>  <hash>  <A|B> one of these words
    <8> a decimal with eight places  <dec> with any  <min1> with at least one, and no zero at the end but of "1.0"
    [*X*] a list of X  (?X?) X or nothing  <map:min1> pairs of a JSON object  <rest> anything

`python -m tests.fidelity` writes docs/fidelity.md; with --golden DIR it also counts samples of the real thing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S
from tests.patience import told as sent
from tests.venues import test_hyperliquid_real
from tests.venues.test_binance_real import ABSENT, DIFFERENT, PRIVATE, PRODUCED
from tests.venues.test_contract import DIALOGUES

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "venues" / "golden"
PAGE = ROOT / "docs" / "fidelity.md"
SECONDS = (
    61  # of virtual time are listened to: a kline closes, and whatever has a cadence comes several times
)

# ---------------------------------------------------------------- shapes
NUMBER = r"-?\d+"
ATOMS: Mapping[str, str] = {
    "ms": r"\d{13}",
    "us": r"\d{16}",
    "int": NUMBER,
    "bool": "(?:true|false)",
    "sym": "[A-Z0-9]+",
    "text": r'[^"\\]*',
    "hash": "0x[0-9a-f]+",
    "dec": rf"{NUMBER}(?:\.\d+)?",
    "min1": rf"{NUMBER}\.(?:0|\d*[1-9])",
    "rest": ".*",
}
TOKEN = re.compile(r"\[\*|\*\]|\(\?|\?\)|<([^<>\"]+)>")


def pattern(shape: str) -> str:
    """The shape as a regular expression."""
    found, end = _pattern(shape, 0, "")
    assert end == len(shape), shape[end:]
    return found


def _pattern(shape: str, start: int, closing: str) -> tuple[str, int]:
    parts = []
    while True:
        token = TOKEN.search(shape, start)
        parts.append(re.escape(shape[start : token.start() if token else len(shape)]))
        if token is None:
            assert not closing, shape
            return "".join(parts), len(shape)
        start = token.end()
        match token[0]:
            case "*]" | "?)":
                assert token[0] == closing, shape
                return "".join(parts), start
            case "[*":
                inner, start = _pattern(shape, start, "*]")
                parts.append(rf"\[(?:{inner}(?:,{inner})*)?\]")
            case "(?":
                inner, start = _pattern(shape, start, "?)")
                parts.append(f"(?:{inner})?")
            case _:
                parts.append(_atom(token[1]))


def _atom(name: str) -> str:
    if name.isdigit():
        return rf"{NUMBER}\.\d{{{name}}}"
    if name.startswith("map:"):
        pair = f'"[^"]*":"{_atom(name[4:])}"'
        return f"(?:{pair}(?:,{pair})*)?"
    return f"(?:{name})" if "|" in name else ATOMS.get(name) or re.escape(f"<{name}>")


# ---------------------------------------------------------------- rows
@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A channel or endpoint. `kind` is where it is in its file."""

    venue: str
    kind: str
    name: str
    source: str
    shape: str = ""
    ask: Any = None
    say: str = ""
    path: str = ""
    status: int = 200
    key: bool = False  # it takes an API key
    rare: bool = False  # it may have nothing to say for long
    prefix: bool = False  # the shape is of how it begins
    differs: str = ""
    absent: str = ""

    def misshapen(self, told: Sequence[str]) -> list[str]:
        """What was told and is not of the shape."""
        of = re.compile(pattern(self.shape), re.DOTALL)
        return [text for text in told if not (of.match if self.prefix else of.fullmatch)(text)]


@cache
def rows() -> tuple[Row, ...]:
    """All of them, venue by venue in the order of the product."""
    return tuple(row for venue in DIALOGUES for row in _rows(venue))


def _rows(venue: str) -> Iterator[Row]:
    document = yaml.safe_load((GOLDEN / venue.replace("-", "_") / "shapes.yaml").read_text())
    sources = document.pop("sources")
    for kind, listed in document.items():
        for fields in listed:
            source = fields.pop("source", "")
            yield Row(venue, kind, source=sources[source] if source else "", **fields)


# ---------------------------------------------------------------- captures
def capture(emulator: Emulator) -> dict[Row, list[str]]:
    """What each row's socket or endpoint says, acknowledgements and envelopes of streams aside."""
    told: dict[Row, list[str]] = {}
    with ExitStack() as stack:
        dialled = {}
        for row in rows():
            if row.absent:
                continue
            if row.kind == "rest":
                told[row] = [_asked(emulator, row)]
            elif row.kind == "said":
                told[row] = [_answer(emulator, row)]
            else:
                dialled[row] = stack.enter_context(_listener(emulator, row))
        emulator.clock.advance(SECONDS)
        for row, socket in dialled.items():
            told[row] = [payload.decode() for payload in sent(socket)]
    return told


def _asked(emulator: Emulator, row: Row) -> str:
    url, body, headers = emulator.url(row.venue), None, {}
    if isinstance(row.ask, str):
        url += row.ask
    else:
        url, body, headers = f"{url}/info", json.dumps(row.ask).encode(), {"content-type": "application/json"}
    if row.key:
        headers["X-MBX-APIKEY"] = "a" * 64
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=PATIENCE_S) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    said = str(text.decode())
    return said if status == row.status else f"{status}: {said}"


def _answer(emulator: Emulator, row: Row) -> str:
    with _dial(emulator, row.venue, row.path or DIALOGUES[row.venue].path) as socket:
        socket.send(row.say)
        return _text(socket.recv(timeout=PATIENCE_S))


@contextmanager
def _listener(emulator: Emulator, row: Row) -> Iterator[ClientConnection]:
    """A socket that has asked for the row's stream alone."""
    dialogue = DIALOGUES[row.venue]
    with _dial(emulator, row.venue, row.path or dialogue.path) as socket:
        if not row.path:
            socket.send(json.dumps(dialogue.subscribe(row.ask)))
            socket.recv(timeout=PATIENCE_S)
        yield socket


def _dial(emulator: Emulator, venue: str, path: str) -> AbstractContextManager[ClientConnection]:
    url = emulator.ws_url(venue) + path
    return connect(url, compression=None, max_queue=None, max_size=None, ping_interval=None, proxy=None)


def _text(message: str | bytes) -> str:
    assert isinstance(message, str)
    return message


# ---------------------------------------------------------------- the page
HEAD = """# Fidelity

What each venue sends, against its documents: every message was compared with a shape written by hand from the source,
keys and their order, types and decimals. `scripts/fidelity` writes this page from what a running emulator sends.

"""


def status(row: Row, told: Sequence[str]) -> str:
    """How the row stands, in words."""
    if row.absent:
        return f"absent: {row.absent}"
    wrong = row.misshapen(told)
    if wrong:
        return f"**not so**: {wrong[0][:400]}"
    if not told and not row.rare:
        return "**silent**"
    return f"differs: {row.differs}" if row.differs else "exact"


def page(told: Mapping[Row, Sequence[str]]) -> str:
    """docs/fidelity.md."""
    parts = [HEAD]
    for venue in DIALOGUES:
        parts.append(f"## {venue}\n\n")
        sources = GOLDEN / venue.replace("-", "_") / "SOURCES.md"
        if sources.exists():
            parts.append(f"The evidence, row by row: [SOURCES.md](../{sources.relative_to(ROOT)}).\n\n")
        parts.append("| what | where | how it stands | source |\n|---|---|---|---|\n")
        for row in rows():
            if row.venue == venue:
                where = {"streams": "stream", "said": "socket", "rest": "HTTP", "absent": ""}[row.kind]
                cells = (f"`{row.name}`", where, status(row, told.get(row, ())), row.source)
                parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def captured() -> dict[Row, list[str]]:
    """What an emulator of its own says."""
    with Emulator({"socket_lifetime": "never"}) as emulator:
        emulator.clock.advance(SECONDS)
        return capture(emulator)


def main() -> int:
    """1 when a row is not so."""
    parser = argparse.ArgumentParser(prog="scripts/fidelity", description="Write docs/fidelity.md.")
    parser.add_argument("--golden", type=Path, help="count samples of the real thing in this directory, too")
    asked = parser.parse_args()
    told = captured()
    text = page(told)
    PAGE.write_text(text)
    wrong = [row for row in told if "**" in status(row, told[row])]
    for row in wrong:
        sys.stdout.write(f"{row.venue} {row.name}: {status(row, told[row])}\n")
    sys.stdout.write(f"{len(rows())} rows, {len(wrong)} not so: {PAGE.relative_to(ROOT)}\n")
    if asked.golden:
        sys.stdout.write("".join(f"{line}\n" for line in counts(asked.golden)))
    return int(bool(wrong))


# ---------------------------------------------------------------- samples of the real thing
def counts(directory: Path) -> Iterator[str]:
    """A line for each set of samples: of its public keys, how many are produced, pass as they are, differ for a reason
    that is told, and are absent; and a line for every difference that is not told of.
    """
    spec = importlib.util.spec_from_file_location("shape", directory / "shape.py")
    assert spec is not None
    assert spec.loader is not None
    checker: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    samples = checker.load_all(str(directory))
    checker.SINCE[0] = "2024"
    for real in (BINANCE_SPOT, BINANCE_USDM, HYPERLIQUID):
        keys = [key for key in samples if key.startswith(f"{real.name}/") and real.public(key)]
        passing = explained = 0
        wrong: list[str] = []
        for key in keys:
            if key in real.produced:
                shape = checker.infer_group(samples[key])
                found = {
                    line
                    for text in real.produced[key]()
                    for line in checker.check_message(shape, checker.loads(text))
                }
                untold = [
                    line for line in sorted(found) if not re.search(real.differences.get(key, "(?!)"), line)
                ]
                passing += not found
                explained += bool(found) and not untold
                wrong += [f"  {key}: {line}" for line in untold]
        absent = [key for key in keys if key not in real.produced]
        produced = len(keys) - len(absent)
        yield (
            f"{real.name}: {len(keys)} public keys; produced {produced} / passing {passing} / "
            f"explained {explained} / absent {len(absent)}"
        )
        yield from wrong
        yield from (f"  absent: {key}: {real.absent.get(key, '**unexplained**')}" for key in absent)


@dataclass(frozen=True, slots=True)
class Real:
    """What is made of a set of samples: messages by key, differences that are told of, and what is absent and why."""

    name: str
    public: Callable[[str], bool]
    produced: Mapping[str, Callable[[], Iterable[str]]]
    differences: Mapping[str, str]
    absent: Mapping[str, str]


def _texts(told: Callable[..., Iterable[bytes]], *of: str) -> Callable[[], Iterable[str]]:
    return lambda: (text.decode() for text in told(*of))


def _binance(name: str) -> Real:
    return Real(
        name,
        public=lambda key: not PRIVATE.match(key.partition("/")[2]) and "/user/" not in key,
        produced={key: _texts(told, name) for key, (venue, told) in PRODUCED.items() if venue == name},
        differences={key: tolerated for key, (tolerated, _) in DIFFERENT.items()},
        absent=ABSENT,
    )


BINANCE_SPOT, BINANCE_USDM = map(_binance, ("binance_spot", "binance_usdm"))
HYPERLIQUID = Real(
    "hyperliquid",
    public=lambda key: not test_hyperliquid_real.PRIVATE.match(key.partition("/")[2]) and "/user/" not in key,
    produced={f"hyperliquid/{key}": _texts(told) for key, told in test_hyperliquid_real.PRODUCED.items()},
    differences={
        f"hyperliquid/{key}": tolerated for key, (tolerated, _) in test_hyperliquid_real.DIFFERENT.items()
    },
    absent={},
)


if __name__ == "__main__":
    sys.exit(main())
