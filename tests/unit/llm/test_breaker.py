"""The circuit breaker, on a clock that the tests turn."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.llm.breaker import Cause, Circuit, CircuitBreaker, Permit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def a_breaker(threshold: int = 5) -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, threshold=threshold, cooldown_seconds=10, misconfigured_cooldown_seconds=60)
    return breaker, clock


def started(breaker: CircuitBreaker) -> Permit:
    permit = breaker.start()
    assert permit is not None
    return permit


def opened(threshold: int = 5) -> tuple[CircuitBreaker, Clock]:
    breaker, clock = a_breaker(threshold)
    for _ in range(threshold):
        breaker.failed(started(breaker), "timeout")
    return breaker, clock


def test_it_opens_after_the_threshold_of_outages_in_a_row() -> None:
    breaker, _ = a_breaker()
    for _ in range(4):
        breaker.failed(started(breaker), "timeout")
    assert breaker.circuit is Circuit.CLOSED

    breaker.failed(started(breaker), "timeout")

    assert (breaker.circuit, breaker.cause, breaker.reason) == (Circuit.OPEN, Cause.OUTAGE, "timeout")
    assert breaker.start() is None
    assert breaker.seconds_until_call() == 10


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker, _ = a_breaker()
    for _ in range(4):
        breaker.failed(started(breaker), "timeout")
    breaker.answered(started(breaker))
    for _ in range(4):
        breaker.failed(started(breaker), "timeout")

    assert breaker.circuit is Circuit.CLOSED


def test_after_the_cooldown_exactly_one_probe_starts() -> None:
    breaker, clock = opened()
    clock.now += 10

    assert breaker.seconds_until_call() == 0
    assert started(breaker).is_probe
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.start() is None
    assert breaker.seconds_until_call() is None


def test_a_probe_that_is_answered_closes_it_and_one_that_fails_opens_it_again() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.failed(started(breaker), "still away")
    assert (breaker.circuit, breaker.seconds_until_call()) == (Circuit.OPEN, 10)

    clock.now += 10
    breaker.answered(started(breaker))

    assert (breaker.circuit, breaker.cause, breaker.reason) == (Circuit.CLOSED, None, None)


def test_a_probe_that_is_abandoned_makes_room_for_another() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.abandoned(started(breaker))

    assert started(breaker).is_probe


def test_a_wrong_setting_opens_it_at_once_and_is_probed_after_the_longer_cooldown() -> None:
    breaker, clock = a_breaker()
    breaker.misconfigured(started(breaker), "the API key is refused")

    assert (breaker.circuit, breaker.cause) == (Circuit.OPEN, Cause.MISCONFIGURATION)
    clock.now += 59
    assert breaker.start() is None
    clock.now += 1
    breaker.answered(started(breaker))
    assert breaker.circuit is Circuit.CLOSED


def test_a_probe_may_find_another_cause() -> None:
    breaker, clock = opened()
    clock.now += 10
    breaker.misconfigured(started(breaker), "no credit")

    assert (breaker.cause, breaker.seconds_until_call()) == (Cause.MISCONFIGURATION, 60)


def test_stragglers_neither_prolong_an_outage_nor_end_it() -> None:
    breaker, clock = a_breaker()
    stragglers = [started(breaker) for _ in range(3)]
    for _ in range(5):
        breaker.failed(started(breaker), "timeout")
    clock.now += 6

    breaker.failed(stragglers[0], "timeout")
    breaker.answered(stragglers[1])
    breaker.abandoned(stragglers[2])

    assert (breaker.circuit, breaker.seconds_until_call()) == (Circuit.OPEN, 4)


def test_stragglers_of_before_the_outage_do_not_open_it_again() -> None:
    breaker, clock = a_breaker()
    stragglers = [started(breaker) for _ in range(5)]
    for _ in range(5):
        breaker.failed(started(breaker), "timeout")
    clock.now += 10
    breaker.answered(started(breaker))

    for permit in stragglers:
        breaker.failed(permit, "timeout")

    assert breaker.circuit is Circuit.CLOSED


@given(st.lists(st.sampled_from(["start", "answered", "failed", "misconfigured", "abandoned", "wait"]), max_size=200))
def test_it_never_lets_two_probes_out_and_always_comes_back(steps: list[str]) -> None:
    breaker, clock = a_breaker(threshold=2)
    out: list[Permit] = []
    for step in steps:
        if step == "start":
            permit = breaker.start()
            out += [permit] if permit else []
        elif step == "wait":
            clock.now += 7
        elif out:
            permit = out.pop(0)
            if step in {"failed", "misconfigured"}:
                getattr(breaker, step)(permit, "a reason")
            else:
                getattr(breaker, step)(permit)
        probes = [permit for permit in out if permit.is_probe and permit is breaker._probe]
        assert len(probes) == (breaker.circuit is Circuit.HALF_OPEN)
        assert (breaker.cause is None) == (breaker.circuit is Circuit.CLOSED) == (breaker.reason is None)

    for permit in out:
        breaker.abandoned(permit)
    clock.now += 60
    assert breaker.start() is not None
