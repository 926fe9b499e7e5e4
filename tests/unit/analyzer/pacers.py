"""A pacer, and the calls that start when it always has work."""

from bisect import bisect_left

from services.analyzer.pacing import Pacer
from tests.unit.analyzer.fakes import FakeClock

TICK = 0.002


def a_pacer(clock: FakeClock, calls_per_second: float = 10, *, tokens_per_minute: float = 0, share: int = 12) -> Pacer:
    pacer = Pacer(calls_per_second=calls_per_second, tokens_per_minute=tokens_per_minute, clocks=clock.clocks)
    pacer.set_share(range(share), 12)
    pacer.note_heartbeat(clock.now)
    return pacer


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max((bisect_left(times, start + 1.0) - place for place, start in enumerate(times)), default=0)


def calls_of(clock: FakeClock, pacers: list[Pacer], seconds: float, *, step: float = TICK) -> list[float]:
    """When calls start if every pacer always has work."""
    times: list[float] = []
    end = clock.now + seconds
    while clock.now < end:
        for pacer in pacers:
            pacer.note_heartbeat(clock.now)
            if pacer.take():
                times.append(clock.now)
        clock.advance(step)
    return times
