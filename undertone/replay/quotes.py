"""What a quote says: for a person in lines, for programs in members."""

import math
from typing import Any

from services.runtime.counting import counted
from undertone.console import harmless
from undertone.replay.beside import LIVE_MINUTES
from undertone.replay.pricing import Beside, Price, Tariff, Waits, room_today
from undertone.replay.quoting import Quote
from undertone.replay.views import reasons
from undertone.times import describe_seconds

QUOTE_INDENT = 16
"""Where what is said of a name begins."""


def quote_lines(quote: Quote) -> list[str]:
    """A dry run for a person."""
    tally = quote.tally
    named = quote.version or "the version that is active when they are analysed"
    lines = [f"{counted(tally.conversations, 'conversation')} would be sent, to be analysed under {named}."]
    if quote.left_out:
        lines.append(f"  left out      {reasons(quote.left_out)}")
    if quote.version is not None:
        lines.append(f"  known already {tally.known:,}: they cost nothing")
    if tally.repeated:
        lines.append(f"  equal content {tally.repeated:,}: sent once together, and paid for once")
    lines.append(f"  to analyse    {tally.to_analyse:,}")
    if quote.cost is None:
        lines.append("  money         none: the engine runs on the analyzers' own processors")
        if quote.waits.held_seconds and tally.to_analyse:
            lines.append(f"  time          it begins in {_hold(quote.waits)}")
    elif tally.to_analyse:
        tariff, beside, price = quote.cost.tariff, quote.cost.beside, quote.cost.price
        lines += [
            f"  calls         about {price.calls:,}, {tariff.first_batch} to {tariff.largest_batch} conversations each",
            f"  tokens        about {price.tokens:,}",
            f"  money         {_money(tariff, price)}",
            f"  time          {_time(beside, price)}{_waits(tariff, price, quote.waits)}",
            *_budget(tariff, price),
            f"  assumed       {_assumed(tariff, beside)}",
        ]
    return lines


def _money(tariff: Tariff, price: Price) -> str:
    if price.cost_usd is None or price.most_usd is None:
        return f"not known: no price is known for the model {tariff.model}; {tariff.price_from} give it"
    return (
        f"about ${_dollars(price.cost_usd)} by {tariff.price_from} for {tariff.model}, nothing as cached; at most "
        f"${_dollars(price.most_usd)}, if every answer is as long as it may be"
    )


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 0.1 else f"{amount:,.4f}"


def _time(beside: Beside, price: Price) -> str:
    live = f"live traffic as in the last {LIVE_MINUTES} minutes ({beside.live_per_second:,.1f} a second)"
    if price.hours is None:
        return f"nobody can say: {live} leaves next to nothing of the permitted calls, and goes first"
    if math.isinf(price.hours):
        return "it never ends: the daily budget permits no call"
    first = f", with {live} going first" if beside.live_per_second else ", when nothing live is waiting"
    return f"about {describe_seconds(price.hours * 3600)} at the permitted rate{first}"


def _waits(tariff: Tariff, price: Price, waits: Waits) -> str:
    """What of the time is waiting, in the same line."""
    told = f"; it begins in {_hold(waits)}" if waits.held_seconds else ""
    if price.days_of_budget and tariff.daily_budget_usd and price.days_of_budget > room_today(tariff, waits):
        room = room_today(tariff, waits)
        what = "is used up for replays" if not room else f"has {room:.0%} left for replays"
        told += f"; today's budget {what} until 00:00 UTC"
    return told


def _hold(waits: Waits) -> str:
    held = describe_seconds(waits.held_seconds)
    return f"{held}: the replay lane is held until then ({harmless(waits.hold_reason)}; `undertone release` ends it)"


def _budget(tariff: Tariff, price: Price) -> list[str]:
    days = price.days_of_budget
    if days is None or days <= 1:
        return []
    limit = f"ANALYZER_DAILY_BUDGET_USD (${tariff.daily_budget_usd:,g})"
    if not tariff.daily_budget_usd:
        return [f"  budget        none: {limit} permits no call"]
    return [f"  budget        {days:,.1f} days of what {limit} leaves to replays: raise it to be faster"]


def _assumed(tariff: Tariff, beside: Beside) -> str:
    analyzers = counted(beside.instances, "analyzer")
    per_second = tariff.calls_per_second
    rate = f"{per_second:,g} {'call' if per_second == 1 else 'calls'} a second" if per_second else "no limit on calls"
    return (
        f"{analyzers} with the ANALYZER_… settings of this shell ({rate}); calls that fail and are repeated come on top"
    )


def quote_members(quote: Quote) -> dict[str, Any]:
    """The same for programs."""
    tally, cost = quote.tally, quote.cost
    members: dict[str, Any] = {
        "conversations": tally.conversations,
        "analysis_version": quote.version,
        "left_out": dict(quote.left_out),
        "known": tally.known,
        "equal_content": tally.repeated,
        "to_analyse": tally.to_analyse,
        "model": None,
        "calls": None,
        "tokens": 0,
        "cost_usd": 0.0,
        "most_usd": 0.0,
        "hours": None,
        "days_of_budget": None,
        "assumed": None,
        "held_seconds": round(quote.waits.held_seconds, 1),
        "hold_reason": quote.waits.hold_reason or None,
        "spent_today_usd": round(quote.waits.spent_usd, 6),
    }
    if cost is not None:
        price = cost.price
        members |= {
            "model": cost.tariff.model,
            "calls": price.calls,
            "tokens": price.tokens,
            "cost_usd": _rounded(price.cost_usd, 6),
            "most_usd": _rounded(price.most_usd, 6),
            "hours": _rounded(price.hours, 4),
            "days_of_budget": _rounded(price.days_of_budget, 4),
            "assumed": {
                "analyzers": cost.beside.instances,
                "calls_per_second": cost.tariff.calls_per_second,
                "first_batch": cost.tariff.first_batch,
                "largest_batch": cost.tariff.largest_batch,
                "live_per_second": round(cost.beside.live_per_second, 3),
            },
        }
    return members


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None or math.isinf(number) else round(number, digits)
