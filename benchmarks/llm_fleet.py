"""Real analyzers under the fleet's limit of calls, as a simulated LLM counts the arrivals in each sliding second.

    python -m benchmarks.llm_fleet [SCENARIO …] [--seconds 60] [--kafka HOST:PORT]

Each scenario has topics of its own with more conversations than can be sent in its time (a full backlog), a simulated
LLM in a process of its own that answers 429 above the limit, and analyzers as processes. `--seconds 600` is what the
figures are stated for; a machine that does other things at the same time delays what the LLM counts.

steady: one analyzer. slow: one, with answers that take 10 s. rebalance: a second joins and leaves in order. lowered:
the LLM lowers its limit to 8/s. two, three: so many under the same limit. hold: one joins while all calls are held.
frozen: one of two is stopped with SIGSTOP for a third of the time, a minute at the most.
"""

import argparse
import asyncio
import math
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.llm_fleet_parts import Calls, Fleet, fill, fleet_on
from benchmarks.llm_pace import simulator
from benchmarks.measure import Report, arguments, run, topics_on

LIMIT = 10.0
LOWERED_LIMIT = 8.0
SLOW_SECONDS = 10.0
ASSIGNMENT_SECONDS = 10.0
SESSION_SECONDS = 10.0
_SPARE = 1.2
"""Of the backlog: what is more than the limit lets through."""
_FROZEN_SECONDS = 60.0


@dataclass(frozen=True)
class Scenario:
    """What happens, and how long the LLM takes for an answer."""

    play: Callable[[Report, Fleet, float], Awaitable[None]]
    answer_seconds: float = 0.5


def judge(report: Report, calls: Calls, *, limit: float = LIMIT, least: float | None, most_refused: float) -> None:
    """Hold what was counted against the bars."""
    if least is not None:
        report.at_least(f"part of {limit:g} calls/s that was used", calls.used(limit), least)
    else:
        report.note(f"part of {limit:g} calls/s that was used: {calls.used(limit):.3f}")
    report.at_most("part of the calls answered 429", calls.refused / max(1, calls.total), most_refused)
    report.note(f"{calls.total} calls in {calls.seconds:.1f} s, {calls.answered_again} conversations answered again")


def busiest(report: Report, calls: Calls) -> None:
    report.at_most("calls in the busiest sliding second", calls.in_busiest_second, LIMIT)
    if calls.in_busiest_second > LIMIT:
        report.note(f"it ended with call {calls.busiest_call} of {calls.total}")


async def started(fleet: Fleet, count: int) -> None:
    """So many analyzers at work, counted from now on."""
    for _ in range(count):
        await fleet.join()
    await fleet.dealt(*fleet.analyzers)
    await fleet.called(20)
    await fleet.count_anew()


async def at_work(report: Report, fleet: Fleet, seconds: float, count: int, least: float | None = 0.93) -> None:
    """So many analyzers, undisturbed."""
    await started(fleet, count)
    await asyncio.sleep(seconds)
    calls = await fleet.counted()
    busiest(report, calls)
    judge(report, calls, least=least, most_refused=0.001)


async def steady(report: Report, fleet: Fleet, seconds: float) -> None:
    await at_work(report, fleet, seconds, 1)


async def two(report: Report, fleet: Fleet, seconds: float) -> None:
    await at_work(report, fleet, seconds, 2, least=None)


async def three(report: Report, fleet: Fleet, seconds: float) -> None:
    await at_work(report, fleet, seconds, 3, least=None)


async def rebalance(report: Report, fleet: Fleet, seconds: float) -> None:
    await started(fleet, 1)
    await asyncio.sleep(seconds / 3)
    second = await fleet.join()
    await fleet.dealt(*fleet.analyzers)
    await asyncio.sleep(seconds / 3)
    await second.child.stop()
    await fleet.dealt(fleet.analyzers[0])
    await asyncio.sleep(seconds / 3)
    calls = await fleet.counted()
    busiest(report, calls)
    judge(report, calls, least=0.9, most_refused=0.001)


async def lowered(report: Report, fleet: Fleet, seconds: float) -> None:
    await started(fleet, 1)
    await fleet.change_conduct(calls_per_second=LOWERED_LIMIT)
    await fleet.count_anew()
    await asyncio.sleep(seconds)
    judge(report, await fleet.counted(), limit=LOWERED_LIMIT, least=0.85, most_refused=0.01)


async def hold(report: Report, fleet: Fleet, seconds: float) -> None:
    await started(fleet, 1)
    await fleet.hold(600)
    await asyncio.sleep(2)  # the log is read
    held = (await fleet.counted()).total
    await fleet.join()
    report.at_most(
        "new assignment", await fleet.dealt(*fleet.analyzers, within_seconds=30), ASSIGNMENT_SECONDS, unit="s"
    )
    await asyncio.sleep(seconds / 4)
    sent = (await fleet.counted()).total - held
    report.holds("no call during the hold", is_met=sent == 0, found=f"{sent} calls")
    await fleet.hold(0)
    await fleet.called(held + 1)
    await asyncio.sleep(seconds)
    calls = await fleet.counted()
    busiest(report, calls)
    judge(report, calls, least=None, most_refused=0.001)


async def frozen(report: Report, fleet: Fleet, seconds: float) -> None:
    await started(fleet, 2)
    victim, other = fleet.analyzers
    await asyncio.sleep(seconds / 3)
    victim.child.signal(signal.SIGSTOP)
    report.note(f"its partitions were the other's after {await fleet.dealt(other):.1f} s")
    before = await fleet.counted()
    await asyncio.sleep(min(seconds / 3, _FROZEN_SECONDS))
    alone = await fleet.counted()
    rate = (alone.total - before.total) / (alone.seconds - before.seconds)
    report.at_least("part of the limit that the other used meanwhile", rate / LIMIT, 0.9)
    victim.child.signal(signal.SIGCONT)
    await fleet.dealt(*fleet.analyzers)
    await asyncio.sleep(seconds / 3)
    calls = await fleet.counted()
    busiest(report, calls)
    judge(report, calls, least=None, most_refused=0.001)


SCENARIOS = {
    "steady": Scenario(steady),
    "slow": Scenario(steady, SLOW_SECONDS),
    "rebalance": Scenario(rebalance),
    "lowered": Scenario(lowered),
    "two": Scenario(two),
    "three": Scenario(three),
    "hold": Scenario(hold),
    "frozen": Scenario(frozen),
}


async def main(report: Report, options: argparse.Namespace) -> None:
    """Play the scenarios, each with a backlog of its own."""
    for name in options.scenarios or SCENARIOS:
        scenario = SCENARIOS[name]
        count = math.ceil((options.seconds * 1.5 + 60) * LIMIT * options.batch * _SPARE)
        report.note(f"{name}: {options.seconds:g} s, batches of {options.batch}, a backlog of {count:,} conversations")
        more = {"ANALYZER_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)}
        async with (
            topics_on(options.kafka) as connection,
            simulator(LIMIT, scenario.answer_seconds) as llm,
            fleet_on(connection, llm, LIMIT, options.batch, more) as fleet,
        ):
            await fill(connection, count)
            await scenario.play(report, fleet, options.seconds)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", choices=[*SCENARIOS, []], help="default: all")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--batch", type=int, default=5)
    run(main, parser.parse_args())
