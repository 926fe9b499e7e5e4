"""A quote: what a selection would take under a version, with what that assumes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from services.runtime.settings import load_settings
from undertone.replay.beside import look_beside
from undertone.replay.control import read_waits
from undertone.replay.job import Setup, price
from undertone.replay.logs import explained
from undertone.replay.planning import Chosen
from undertone.replay.pricing import NO_WAITS, Beside, Price, Tally, Tariff, Waits, price_of


@dataclass(frozen=True, slots=True)
class Cost:
    """What an engine that costs takes for it."""

    tariff: Tariff
    beside: Beside
    price: Price


@dataclass(frozen=True, slots=True)
class Quote:
    """What was counted, and what it takes."""

    version: str | None
    """None: the one that is active when they are analysed."""
    tally: Tally
    left_out: Mapping[str, int]
    cost: Cost | None
    """None where the engine costs nothing."""
    waits: Waits = NO_WAITS


async def quote(
    setup: Setup, chosen: Chosen, version: str | None, *, rate: float, is_to_be_live: bool = False
) -> Quote:
    """Read and look up what was chosen, to be sent at `rate` conversations a second. Raises CommandError.

    `is_to_be_live`: live traffic is to be analysed under the version, too, from then on.
    """
    from services.analyzer.settings import AnalyzerSettings  # noqa: PLC0415 - needs the analyzer's packages
    from undertone.replay.tariffs import tariff_of  # noqa: PLC0415 - as above

    settings = load_settings(AnalyzerSettings)
    tariff = tariff_of(version, settings)
    found = await price(setup, chosen, version, tariff)
    cost = None
    async with explained(setup.connection):
        budget = None if tariff is None else tariff.daily_budget_usd
        waits = await read_waits(setup.connection, budget, costs=tariff is not None)
    if tariff is not None:
        live = set(await asyncio.to_thread(setup.api.live_versions))
        if is_to_be_live and version is not None:
            live.add(version)
        paid = sum(tariff_of(one, settings) is not None for one in live)
        async with explained(setup.connection):
            beside = await look_beside(setup.connection, paid, rate)
        cost = Cost(tariff, beside, price_of(found.tally, tariff, beside, waits))
    return Quote(version, found.tally, found.left_out, cost, waits)
