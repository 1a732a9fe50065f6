"""The settings of a run: `Config` is their single list, and this module the only reader of YAML.

A field of `Config` carries its default, its help and what it may be. Command line, files and SDK all go through
`load`, so a value is judged alike wherever it was written; what is wrong with it is a `ConfigError`, one line.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, fields, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypeVar

from reactor.clock import FASTEST, LATENCY_FORMS, LatencyModel
from reactor.exchange.orders import E8
from reactor.manifest import ASSET_PARAMETERS, ManifestError, SimulationManifest
from reactor.profiles import known_with
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, FundingProfile
from reactor.values import dataclass
from venues.base import ApiKey, KeyKind, Listing, VenueProtocol
from venues.limits import OFF

PRESETS = Path(__file__).with_name("configs")
SCENARIOS = PRESETS / "scenarios"
SPEED_LIMIT = 10_000
NEVER = math.inf
AT_ONCE, OF_MARKET = "none", "market"  # latencies without a model, and with that of each market
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")
# A market, and the parameters in which it differs from the manifest of its venue's card; or likewise an asset.
Change: TypeAlias = tuple[str, tuple[tuple[str, object], ...]]
Month: TypeAlias = tuple[str, str]  # a venue, "" for all others, and the month as of which it behaves
Switches: TypeAlias = tuple[str, tuple[tuple[str, bool], ...]]  # a venue, and some of its quirks, on or off


@dataclass(frozen=True, slots=True)
class Account:
    """An account of every venue: its keys, and what it begins with, as (wallet, asset, amount in 1e-8); None for what
    the venue gives.
    """

    name: str
    keys: tuple[ApiKey, ...]
    balances: tuple[tuple[str, str, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A rule of chaos as it is written at `place`; the rules say what its words may be."""

    place: str
    items: tuple[tuple[str, object], ...]
    id: str = ""

    @property
    def words(self) -> dict[str, object]:
        """Its words and their values."""
        return dict(self.items)


class ConfigError(Exception):
    """The operator's fault: where it stands, what is wrong, what would be right."""


# ---------------------------------------------------------------- what a value may be
@dataclass(frozen=True, slots=True)
class Kind:
    """What is `allowed`, in words, and `parse`: what YAML or a command line holds -> the value.

    `parse` raises TypeError, ValueError or OverflowError on anything else.
    """

    allowed: str
    parse: Callable[[object], object]


def judge(place: str, kind: Kind, raw: object) -> object:
    """The value of what was written; ConfigError, by its place, when it is not allowed."""
    try:
        return kind.parse(raw)
    except ManifestError as error:
        raise ConfigError(f"{place}: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{place}: {raw!r} is not allowed; allowed: {kind.allowed}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _host(value: object) -> str:
    host = _text(value)
    if not host or set(host) & set(" /@"):
        raise ValueError
    return host


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def whole(low: int, high: int) -> Kind:
    """Whole numbers in a range."""

    def parse(value: object) -> int:
        number = int(value if type(value) is int else _text(value))
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", parse)


def _positive(high: float) -> Kind:
    def parse(value: object) -> float:
        number = float(value if type(value) in (int, float) else _text(value))  # type: ignore[arg-type]
        if not 0 < number <= high:
            raise ValueError
        return number

    return Kind(f"a number above 0, at most {high:g}", parse)


def _or(kind: Kind, words: Mapping[str, object]) -> Kind:
    """Of this kind, or one of a few words that stand for a value."""

    def parse(value: object) -> object:
        return words[value] if isinstance(value, str) and value in words else kind.parse(value)

    return Kind(f"{kind.allowed}, or {', '.join(words)}", parse)


def _one_of(*words: str) -> Kind:
    def parse(value: object) -> str:
        if _text(value).lower() not in words:
            raise ValueError
        return _text(value).lower()

    return Kind(f"one of {', '.join(words)}", parse)


def _names(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise TypeError
    names = tuple(_text(item).strip() for item in items)
    if not all(names) or len(set(names)) < len(names):
        raise ValueError
    return names


def _tree(value: object) -> object:
    """What a text holds as YAML; anything else stays what it is."""
    if not isinstance(value, str):
        return value
    import yaml  # noqa: PLC0415  # most runs have nothing for it to read, and it takes its time to import

    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError from error


def _changes(value: object) -> tuple[Change, ...]:
    """Parameters by market or asset; which there are and what they may be is the manifest's to say."""
    by_name = _tree(value)
    if not isinstance(by_name, dict) or not all(isinstance(row, dict) for row in by_name.values()):
        raise TypeError
    return tuple(
        (str(name), tuple((str(parameter), _number(number)) for parameter, number in row.items()))
        for name, row in by_name.items()
    )


def _number(value: object) -> object:
    """The number of a text, which is what YAML makes of 1e-4; anything else stays what it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _month(value: object) -> str:
    if not re.fullmatch(r"2\d{3}-(0[1-9]|1[0-2])", _text(value)):
        raise ValueError
    return _text(value)


def _profiles(value: object) -> tuple[Month, ...]:
    """A month for every venue, or one for each that is named."""
    by_venue = _tree(value)
    if not isinstance(by_venue, dict):
        return (("", _month(by_venue)),)
    return tuple((_text(venue), _month(month)) for venue, month in by_venue.items())


def _switches(value: object) -> tuple[Switches, ...]:
    by_venue = _tree(value)
    if not isinstance(by_venue, dict) or not all(isinstance(row, dict) for row in by_venue.values()):
        raise TypeError
    return tuple(
        (_text(venue), tuple((_text(name), _flag(on)) for name, on in row.items()))
        for venue, row in by_venue.items()
    )


def _limits(value: object) -> object:
    """The scale of limits. YAML reads a bare "off" as false."""
    return OFF if value is False else SCALE.parse(value)


def _assets(value: object) -> tuple[Change, ...]:
    rows = _changes(value)
    known_with(rows)
    return rows


def _accounts(value: object) -> tuple[Account, ...]:
    """Accounts by name; a key with all that is said of it, and balances by wallet and asset."""
    by_name = _tree(value)
    if not isinstance(by_name, dict):
        raise TypeError
    accounts = tuple(account_of(_text(name), row) for name, row in by_name.items())
    keys = [key.key for account in accounts for key in account.keys]
    if len(set(keys)) < len(keys):
        raise ValueError
    return accounts


def account_of(name: str, row: object) -> Account:
    """An account as it is written; ValueError or TypeError where that is none."""
    if not isinstance(row, dict) or not name or row.keys() - {"keys", "balances"}:
        raise TypeError
    keys = tuple(_api_key(name, key) for key in row.get("keys", ()))
    if "balances" not in row:
        return Account(name, keys)
    wallets = row["balances"]
    if not isinstance(wallets, dict) or not all(isinstance(amounts, dict) for amounts in wallets.values()):
        raise TypeError
    rows = [
        (wallet, asset, amount) for wallet, amounts in wallets.items() for asset, amount in amounts.items()
    ]
    return Account(name, keys, tuple((_text(w), _text(a), _amount_e8(amount)) for w, a, amount in rows))


def _api_key(account: str, row: object) -> ApiKey:
    if not isinstance(row, dict) or row.keys() - KEY_FIELDS:
        raise TypeError
    addresses = tuple(str(ipaddress.ip_address(address)) for address in row.get("addresses", ()))
    return ApiKey(
        key=_text(row.get("key")),
        account=account,
        secret=_text(row.get("secret")),
        kind=KeyKind(row.get("kind", KeyKind.HMAC)),
        passphrase=_text(row.get("passphrase", "")),
        read_only=_flag(row.get("read_only", False)),
        addresses=addresses,
    )


def _amount_e8(value: object) -> int:
    amount = Fraction(str(value)) * E8
    if isinstance(value, bool) or amount.denominator != 1 or not 0 <= amount < 1 << 62:
        raise ValueError
    return int(amount)


def _faults(value: object) -> tuple[Given, ...]:
    """Rules, or the name of a file of them."""
    if isinstance(value, str):
        return read_rules(read_yaml(Path(value), value), value)
    return read_rules(value, "faults")


def read_rules(document: object, place: str) -> tuple[Given, ...]:
    """A list of rules as YAML holds it; ConfigError, by its number, for what is no rule."""
    if document is None:
        return ()
    if not isinstance(document, list):
        raise ConfigError(f"{place}: expected a list of rules, as in '- {{kind: md.drop, channel: trade}}'")
    return tuple(_given(row, f"{place}: rule {number}") for number, row in enumerate(document, 1))


def _given(row: object, place: str) -> Given:
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: {row!r} is no rule; a rule has a kind, as in '{{kind: md.drop}}'")
    words = {str(name): value for name, value in row.items()}
    name = words.pop("id", "")
    if not isinstance(name, str):
        raise ConfigError(f"{place}: id: {name!r} is not allowed; allowed: a text")
    return Given(place, tuple(words.items()), name)


def _instant(value: object) -> int | None:
    """Nanoseconds since the epoch, floored to the tick; None for "now". A time without a zone is UTC."""
    if value == "now":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):  # YAML reads 2026-01-01 as a date
        value = value.isoformat()
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    if not 2000 <= (EPOCH + since).year < 2200:
        raise ValueError
    since_ns = (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000
    return since_ns - since_ns % TICK_NS


def _latency(value: object) -> str:
    text = _text(value)
    if text not in (AT_ONCE, OF_MARKET):
        LatencyModel.parse(text)
    return text


KEY_FIELDS = frozenset(row.name for row in fields(ApiKey)) - {"account"}
DEMO = Account("demo", (ApiKey("test-key", "demo", "test-secret", passphrase="test-pass"),))  # noqa: S106  # known to all

ACCOUNTS = Kind(
    "accounts by name, as in {bot: {keys: [{key: k, secret: s}], balances: {spot: {USDT: 1000}}}}", _accounts
)
FAULTS = Kind("a YAML file with a list of rules, or the list", _faults)
FLAG = Kind("true or false", _flag)
FUNDING = _one_of(*FundingProfile)
HOST = Kind("a host name or address", _host)
INSTANT = Kind("now or an ISO 8601 time from 2000 to 2199", _instant)
ASSETS = Kind("parameters by asset, as in {DOGE: {initial_price: 0.2}}", _assets)
DELIVERY = _one_of("realtime", "lossless")
LATENCY = Kind(f"{AT_ONCE}, {OF_MARKET}, or {LATENCY_FORMS}", _latency)
GAP = _one_of("skip", "live")
LEVEL = _one_of("debug", "info", "warning", "error")
SCALE = _or(_positive(10_000), {"venue": 1.0, "off": OFF})
LIMITS = Kind(SCALE.allowed, _limits)
LIFETIME = _or(whole(1, 10 * 365 * 86_400), {"venue": None, "never": NEVER})
MANIFEST = Kind("parameters by market, as in {venue:symbol: {volatility: 0.6}}", _changes)
NAMES = Kind("a list of different names", _names)
PORT = whole(0, 65_500)
PROFILE = Kind("a month, as in 2026-11, or one by venue, as in {venue: 2026-11}", _profiles)
QUIRKS = Kind("true or false by quirk and venue, as in {venue: {quirk: true}}", _switches)
SEED = whole(0, 2**63 - 1)
SPEED = _or(_positive(SPEED_LIMIT), {"max": FASTEST})
TEXT = Kind("a text", _text)


# ---------------------------------------------------------------- the settings
@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the list: what the setting does, what it may be, and what it is when left out."""

    help: str
    kind: Kind
    default: object


def _setting(default: T, kind: Kind, text: str) -> T:
    """A field of `Config`, declared as its default so that the type checker holds the two together."""
    row: T = field(default=default, metadata={"setting": Setting(text, kind, default)})
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one run, each within its range. Instants are ns since the epoch."""

    venues: tuple[str, ...] = _setting((), NAMES, "Venues to serve; all of them when left out.")
    markets: tuple[str, ...] = _setting(
        (), NAMES, "Markets to list, as venue:symbol, of any asset there is; the usual ones when left out."
    )
    assets: tuple[Change, ...] = _setting(
        (), ASSETS, "Assets of your own, by name, or other prices and volatilities of known ones."
    )
    manifest: tuple[Change, ...] = _setting(
        (), MANIFEST, "Parameters of markets that differ from those of the venue's card."
    )
    base_port: int = _setting(
        9000, PORT, "The control port; each venue adds its own offset. 0 takes any free ports."
    )
    host: str = _setting("127.0.0.1", HOST, "Address the venues listen on.")
    control_host: str = _setting(
        "127.0.0.1", HOST, "Address the control API listens on; beyond loopback only with an API key."
    )
    tls: bool = _setting(
        False,
        FLAG,
        "Serve each venue over TLS too, ten ports higher, with a certificate of a local authority.",
    )
    tls_cert: str = _setting("", TEXT, "A certificate of your own for that, in PEM, with its chain.")
    tls_key: str = _setting("", TEXT, "The certificate's key, in PEM; may be in the same file.")
    limits: float = _setting(
        1.0,
        LIMITS,
        "What clients may do: as much as the venue lets them, that times a factor, or anything (off).",
    )
    profile: tuple[Month, ...] = _setting(
        (), PROFILE, "The month as of which venues behave, or one by venue; as they do now when left out."
    )
    quirks: tuple[Switches, ...] = _setting(
        (), QUIRKS, "Ways of venues that can be switched, by venue; `exchange-emulator profiles` lists them."
    )
    api_key: str = _setting("", TEXT, "Key that control requests must carry as X-API-Key.")
    seed: int = _setting(1, SEED, "Seed of the synthetic world.")
    start: int | None = _setting(None, INSTANT, "Where the virtual clock starts.")
    origin: int | None = _setting(
        None,
        INSTANT,
        "Where the tape starts, at its initial price; start, floored to the minute, when left out.",
    )
    funding: str = _setting(
        "real",
        FUNDING,
        "Whose rules perpetuals are funded by: real are their venues' own, classic are simpler ones.",
    )
    speed: float = _setting(1.0, SPEED, "Virtual seconds per second; max goes as fast as clients read.")
    paused: bool = _setting(False, FLAG, "Start with the clock standing still.")
    delivery: str = _setting(
        "realtime",
        DELIVERY,
        "Towards clients that read too slowly: realtime closes them as the venue does, lossless waits.",
    )
    latency: str = _setting(
        AT_ONCE,
        LATENCY,
        "How much later than it happens a stream tells of it; market is each market's own staleness.",
    )
    socket_lifetime: float | None = _setting(
        None,
        LIFETIME,
        "Virtual seconds after which sockets end where the venue ends them; never, or as the venue has it.",
    )
    accounts: tuple[Account, ...] = _setting(
        (),
        ACCOUNTS,
        "Who trades: accounts of every venue with their keys; demo with test-key when left out.",
    )
    auto_fund: bool = _setting(
        True,
        FLAG,
        "Open and fund an account for whoever signs rightly, on venues where an address is an account.",
    )
    fee_tier: int = _setting(
        0,
        whole(0, 9),
        "Tier of fees that every account has, from the venue's first (0) on; a venue with fewer has its last one.",
    )
    strict_time: bool | None = _setting(
        None,
        _or(FLAG, {"auto": None, "true": True, "false": False}),
        "Judge clients' timestamps by the virtual clock; or take each account's clock as it is (false). With auto, "
        "false where start is fixed.",
    )
    journal: str = _setting(
        "",
        TEXT,
        "File in which every command is kept before it counts; a restart with it goes on where it ended.",
    )
    fsync: bool = _setting(False, FLAG, "Wait until the disk has what the journal keeps.")
    resume_gap: str = _setting(
        "skip",
        GAP,
        "After a restart, go on from where virtual time stood (skip), or live through the gap (live).",
    )
    faults: tuple[Given, ...] = _setting(
        (),
        FAULTS,
        "Rules of chaos in force from the start, or a YAML file of them; `exchange-emulator faults` lists the kinds.",
    )
    scenario: str = _setting(
        "",
        TEXT,
        "A timeline of rules, from the start on: one that `exchange-emulator scenarios` lists, or a YAML file.",
    )
    lazy_history: bool = _setting(
        False, FLAG, "Make candles of the past when they are asked for, not ahead while there is time."
    )
    log_level: str = _setting("info", LEVEL, "What is logged, and anything worse.")


SETTINGS: Mapping[str, Setting] = {row.name: row.metadata["setting"] for row in fields(Config)}


def resolve(config: Config, wall_ns: int) -> tuple[int, int]:
    """The run's start and origin in ns, "now" being wall_ns."""
    start_ns = wall_ns - wall_ns % TICK_NS if config.start is None else config.start
    origin_ns = start_ns if config.origin is None else config.origin
    return start_ns, origin_ns - origin_ns % BLOCK_NS


# ---------------------------------------------------------------- where settings are written
@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place. `place` names a setting of it as the operator would: "x.yaml: seed", "--seed"."""

    place: Callable[[str], str]
    values: Mapping[str, object]


def load(
    layers: Iterable[Layer], registry: Sequence[VenueProtocol], listed: Mapping[str, Listing] | None = None
) -> Config:
    """The layers merged, later ones over earlier ones, and judged against the venues there are.

    `listed` are markets by id, for an error that tells a venue that is only generated from one that nobody knows.
    """
    config, places = merge(layers)
    _check_control(config, places)
    _check_ways(config, registry, places)
    _check_tls(config, places)
    ids = [venue.id for venue in registry]
    _check_served(config, ids, listed or {}, places)
    _check_names(config.venues, ids, places.get("venues"), "venue")
    served = [row for venue in chosen(config, stocked(config, registry)) for row in venue.listings]
    names = [row.instrument.market for row in served]
    _check_names(config.markets, names, places.get("markets"), "market")
    _check_names([market for market, _ in config.manifest], names, places.get("manifest"), "market")
    changed(served, config.manifest, places.get("manifest", "manifest"))
    return config


def written(layers: Iterable[Layer]) -> dict[str, object]:
    """What the layers say, merged, as it is written."""
    return {name: raw for layer in layers for name, raw in layer.values.items()}


def merge(layers: Iterable[Layer]) -> tuple[Config, Mapping[str, str]]:
    """The layers merged, each value judged by itself, and the places where what was given stands."""
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for layer in layers:
        for name, raw in layer.values.items():
            if name not in SETTINGS:
                raise ConfigError(f"{layer.place(name)}: unknown setting{nearest(name, SETTINGS)}")
            kind, places[name] = SETTINGS[name].kind, layer.place(name)
            values[name] = judge(places[name], kind, raw)
    return Config(**values), places  # type: ignore[arg-type]  # each was parsed by its own kind


def changed(listings: Iterable[Listing], changes: Iterable[Change], place: str = "manifest") -> list[Listing]:
    """The listings with these changes. What belongs to an asset changes in all its markets, or it would have two
    prices; ConfigError where two of them ask for different values.
    """
    listings, by_market = list(listings), {market: dict(row) for market, row in changes}
    by_asset: dict[str, dict[str, object]] = {}
    for listing in listings:
        market, of_asset = listing.instrument.market, by_asset.setdefault(listing.instrument.asset, {})
        for name, value in by_market.setdefault(market, {}).items():
            if name in ASSET_PARAMETERS and of_asset.setdefault(name, value) != value:
                raise ConfigError(
                    f"{place}: {market}: {name}: another market of the asset has {of_asset[name]}"
                )
    values = [by_market[row.instrument.market] | by_asset[row.instrument.asset] for row in listings]
    return [with_values(row, own, place) if own else row for row, own in zip(listings, values, strict=True)]


def funded(listings: Iterable[Listing], profile: str) -> list[Listing]:
    """The listings, perpetuals being funded by these rules."""
    rules = FundingProfile(profile)
    return [replace(row, instrument=replace(row.instrument, funding=rules)) for row in listings]


def with_values(listing: Listing, values: Mapping[str, object], place: str) -> Listing:
    """The listing with other values in its manifest, and the ticks and lots that go with them; ConfigError when one is
    unknown or out of range.
    """
    contract, usual = listing.instrument, listing.manifest
    try:
        manifest = SimulationManifest.from_dict(usual.to_dict() | dict(values))
    except ManifestError as error:
        raise ConfigError(f"{place}: {contract.market}: {error}") from None
    own = replace(
        contract, tick_size=contract.tick_size // usual.tick, lot_size=contract.lot_size // usual.lot
    )
    return replace(listing, instrument=manifest.contract(own), manifest=manifest)


def chosen(config: Config, registry: Sequence[VenueProtocol]) -> list[VenueProtocol]:
    """The venues this run serves, in port order."""
    return [venue for venue in registry if not config.venues or venue.id in config.venues]


def stocked(config: Config, registry: Sequence[VenueProtocol]) -> list[VenueProtocol]:
    """The same venues, each as it was at its profile, with its quirks, listing every market that may be asked for."""
    assets, months, switches = known_with(config.assets), dict(config.profile), dict(config.quirks)
    return [
        venue.with_profile(profile_at(venue, months.get(venue.id) or months.get("")))
        .with_quirks(dict(switches.get(venue.id, ())))
        .with_assets(assets)
        for venue in registry
    ]


def profile_at(venue: VenueProtocol, month: str | None) -> str:
    """The venue's profile as of a month, the newest without one: what it was last said to be, or first."""
    names = list(venue.profiles)
    return ([names[0], *(name for name in names if name <= month)] if month else names)[-1]


def read_file(path: Path, shown: str | None = None) -> Layer:
    """A YAML file as a layer; `shown` is what to call it, its path when left out."""
    shown = shown or str(path)
    document = read_yaml(path, shown)
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise ConfigError(f"{shown}: expected one setting a line, as in 'seed: 7'")
    return Layer(lambda name: f"{shown}: {name}", {str(key): value for key, value in document.items()})


def read_yaml(path: Path, shown: str) -> object:
    """What a YAML file holds."""
    import yaml  # noqa: PLC0415  # as above

    try:
        document: object = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{shown}: {error.strerror or error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError(f"{shown}{line}: this is not YAML: {why}") from None
    return document


@cache
def presets() -> tuple[str, ...]:
    """The names of the presets that come with the product."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def read_preset(name: str) -> Layer:
    """A preset by its name."""
    if name not in presets():
        raise ConfigError(f"--preset: there is no preset {name!r}{nearest(name, presets())}")
    return read_file(PRESETS / f"{name}.yaml", f"preset {name}")


# ---------------------------------------------------------------- what one value alone cannot tell
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_control(config: Config, places: Mapping[str, str]) -> None:
    """Whoever reaches the control API rules the run, so strangers need a key."""
    if not config.api_key and not is_loopback(config.control_host):
        place = places["control_host"]
        raise ConfigError(f"{place}: {config.control_host} is no loopback address; that takes an api_key")


def _check_tls(config: Config, places: Mapping[str, str]) -> None:
    if config.tls_key and not config.tls_cert:
        raise ConfigError(f"{places['tls_key']}: a key takes its tls_cert")
    if config.tls_cert and not config.tls:
        raise ConfigError(f"{places['tls_cert']}: a certificate takes tls")


def _check_ways(config: Config, registry: Sequence[VenueProtocol], places: Mapping[str, str]) -> None:
    """Profiles and quirks are of venues there are, and quirks of those that have them."""
    ids = [venue.id for venue in registry]
    for place, rows in (("profile", config.profile), ("quirks", config.quirks)):
        _check_names([venue for venue, _ in rows if venue], ids, places.get(place), "venue")
    switches = dict(config.quirks)
    for venue in registry:
        wanted = [name for name, _ in switches.get(venue.id, ())]
        _check_names(wanted, list(venue.quirks), f"{places.get('quirks')}: {venue.id}", "quirk")


def _check_served(
    config: Config, ids: Sequence[str], listed: Mapping[str, Listing], places: Mapping[str, str]
) -> None:
    for name in config.venues:
        if name not in ids and any(market.startswith(f"{name}:") for market in listed):
            raise ConfigError(f"{places['venues']}: {name} is not served yet; `generate` makes its data")


def _check_names(names: Sequence[str], known: Sequence[str], place: str | None, noun: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{place}: unknown {noun} {name!r}{nearest(name, known)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """What to add to an error about a name that is none of these."""
    known = {each.lower(): each for each in names}
    import difflib  # noqa: PLC0415  # only what fails needs it

    close = difflib.get_close_matches(name.lower(), known, 1, 0.5)
    if close:
        return f"; did you mean {known[close[0]]}?"
    return f"; known: {', '.join(list(known.values())[:12]) or 'none'}"
