"""The circuit breaker."""

from services.analyzer.breaker import Breaker, BreakerState
from tests.unit.analyzer.fakes import FakeClock


def _breaker(clock: FakeClock) -> Breaker:
    return Breaker(threshold=3, cooldown_seconds=10, clock=clock.monotonic)


def _open(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.started()
        breaker.failed()


def test_failures_in_a_row_open_it_for_the_cooldown() -> None:
    clock = FakeClock()
    breaker = _breaker(clock)
    assert breaker.delay() == 0
    _open(breaker)
    assert breaker.state is BreakerState.OPEN
    assert breaker.delay() == 10
    clock.advance(4)
    assert breaker.delay() == 6


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = _breaker(FakeClock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_after_the_cooldown_one_call_probes_and_closes_it() -> None:
    clock = FakeClock()
    breaker = _breaker(clock)
    _open(breaker)
    clock.advance(10)
    assert breaker.state.name == "HALF_OPEN"
    assert breaker.delay() == 0
    breaker.started()
    assert breaker.delay() is None
    breaker.succeeded()
    assert breaker.state.name == "CLOSED"


def test_a_failed_probe_opens_it_again() -> None:
    clock = FakeClock()
    breaker = _breaker(clock)
    _open(breaker)
    clock.advance(10)
    breaker.started()
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert breaker.delay() == 10


def test_a_probe_that_says_nothing_lets_another_one_out() -> None:
    clock = FakeClock()
    breaker = _breaker(clock)
    _open(breaker)
    clock.advance(10)
    breaker.started()
    breaker.abandoned()
    assert breaker.delay() == 0
