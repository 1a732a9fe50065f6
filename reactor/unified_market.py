"""MarketOrchestrationCore: the world of a run.

It holds what markets share, one path per asset, and makes each market the first time it is asked for. A market's tape
depends on the seed, the origin and its own manifest alone: not on which others exist, nor on who asked first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

from reactor.bends import NONE, Bends
from reactor.manifest import SimulationManifest
from reactor.single_asset import HyperSynthReactor
from reactor.skeleton import AssetPath, MarketSkeleton
from reactor.types import Instrument
from reactor.values import dataclass
from reactor.veils import Closing, Opening, Phase, Veil, phase_of, step_of, turns_of


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls a market beyond its own life: bends of its tape, and veils over it, the first lowest."""

    bends: Bends = NONE
    veils: tuple[Veil, ...] = ()


UNTOUCHED = Fate()


class MarketOrchestrationCore:
    """All markets of a run, by market id; a market costs nothing until it is asked for.

    `origin_ns` (a whole minute) is where every asset stands at its initial price and minute 0 begins. Markets of one
    asset share its path, whose parameters are those of the first of them in `markets`.
    """

    def __init__(
        self, seed: int, origin_ns: int, markets: Sequence[tuple[Instrument, SimulationManifest]]
    ) -> None:
        self.seed, self.origin_ns = seed, origin_ns
        self._listed = {instrument.market: (instrument, manifest) for instrument, manifest in markets}
        self._asset_manifests = {instrument.asset: manifest for instrument, manifest in reversed(markets)}
        self._assets: dict[str, AssetPath] = {}
        self._markets: dict[str, HyperSynthReactor] = {}
        self._fates: dict[str, Fate] = {}
        self._lock = Lock()

    def instrument(self, market: str) -> Instrument:
        """Its contract. KeyError if the run has none."""
        return self._listed[market][0]

    def market(self, market: str) -> HyperSynthReactor:
        """The market of this id, from any thread. KeyError if the run has none."""
        with self._lock:
            if market not in self._markets:
                instrument, manifest = self._listed[market]
                asset, fate = self._asset(instrument.asset), self._fates.get(market, UNTOUCHED)
                skeleton = MarketSkeleton(self.seed, instrument, manifest, self.origin_ns, asset, fate.bends)
                made = HyperSynthReactor(skeleton, self.seed)
                for veil in fate.veils:
                    made = veil.laid(made)
                self._markets[market] = made
            return self._markets[market]

    def befall(self, market: str, fate: Fate) -> None:
        """Have this befall a market, in the place of what was to: it is another one from now on. Whoever holds the one
        that it was keeps a market without a future.
        """
        with self._lock:
            self._fates[market] = fate
            self._markets.pop(market, None)

    def closes_ns(self, market: str) -> int | None:
        """When a market closes for good; None for never."""
        fate = self._fates.get(market, UNTOUCHED)
        return min((veil.start_ns for veil in fate.veils if isinstance(veil, Closing)), default=None)

    def opens_ns(self, market: str) -> int | None:
        """When a market that is not listed yet will be; None where it has ever been."""
        fate = self._fates.get(market, UNTOUCHED)
        return max((veil.start_ns for veil in fate.veils if isinstance(veil, Opening)), default=None)

    def phase(self, market: str, at_ns: int) -> Phase:
        """What may be done on a market at an instant."""
        fate = self._fates.get(market)
        return Phase.TRADING if fate is None else phase_of(fate.veils, at_ns)

    def turns_ns(self, market: str) -> list[int]:
        """When what may be done on a market may change, ascending."""
        fate = self._fates.get(market)
        return [] if fate is None else turns_of(fate.veils)

    def step_ticks(self, market: str, at_ns: int) -> int:
        """Of how many of its ticks a market's prices are multiples at an instant."""
        fate = self._fates.get(market)
        return 1 if fate is None else step_of(fate.veils, at_ns)

    def __iter__(self) -> Iterator[str]:
        """The ids of all markets, in the order of listing."""
        return iter(self._listed)

    def _asset(self, asset: str) -> AssetPath:
        if asset not in self._assets:
            self._assets[asset] = AssetPath(self.seed, asset, self.origin_ns, self._asset_manifests[asset])
        return self._assets[asset]
