"""What is sent when, with a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertone.bench.ledger import Ledger
from undertone.bench.posts import Post
from undertone.bench.run import Plan, Run


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeConnection:
    """Remembers what was sent on it."""

    def __init__(self) -> None:
        self.post: Post | None = None
        self.intended_at = self.sent_at = 0.0

    def send(self, post: Post, *, intended_at: float, now: float) -> None:
        self.post, self.intended_at, self.sent_at = post, intended_at, now


def new_run(plan: Plan, clock: Clock) -> Run:
    return Run(plan, lambda: Post(b"", ("a",)), Ledger(), clock)


def send(run: Run) -> FakeConnection | None:
    connection = FakeConnection()
    return connection if run.send_next(connection) else None  # type: ignore[arg-type]


def test_a_closed_loop_sends_whenever_a_connection_is_idle() -> None:
    clock = Clock()
    run = new_run(Plan(requests=2), clock)
    assert send(run)
    assert send(run)
    assert run.has_ended
    assert send(run) is None
    assert run.in_flight == 2


def test_an_open_loop_sends_nothing_before_it_falls_due() -> None:
    clock = Clock()
    run = new_run(Plan(rate=10, seconds=1), clock)
    assert send(run)
    assert send(run) is None
    assert run.seconds_until_due == pytest.approx(0.1)
    clock.now += 0.1
    assert send(run)


def test_a_request_that_is_sent_late_counts_from_when_it_fell_due() -> None:
    clock = Clock()
    run = new_run(Plan(rate=10, seconds=5), clock)
    clock.now += 2.0
    sent = [send(run) for _ in range(3)]
    assert [round(one.intended_at - 100, 3) for one in sent if one] == [0, 0.1, 0.2]
    clock.now += 0.5
    run.answered(sent[0], 202, b'{"conversation_id": "a"}')  # type: ignore[arg-type]
    assert run.recorder.accepted_latency.largest_ms == pytest.approx(2500)
    assert run.recorder.service_time.largest_ms == pytest.approx(500)


def test_what_fell_due_and_was_never_sent_counts_with_the_time_it_waited() -> None:
    clock = Clock()
    run = new_run(Plan(rate=10, seconds=1), clock)
    connection = send(run)
    clock.now += 3.0
    assert run.has_ended
    run.unanswered(connection, "timeout")  # type: ignore[arg-type]
    recorder = run.finish()
    assert (recorder.sent, recorder.never_sent) == (1, 9)
    assert recorder.answers == {"timeout": 1}
    assert recorder.latency.count == 10
    assert recorder.latency.percentile_ms(50) >= 2000
    assert run.ledger.unknown == {"a"}


@given(rate=st.floats(1, 300), seconds=st.floats(0.1, 2), pace=st.floats(0.01, 0.5))
def test_an_open_loop_owes_the_same_number_of_requests_however_fast_the_server_is(
    rate: float, seconds: float, pace: float
) -> None:
    clock = Clock()
    run = new_run(Plan(rate=rate, seconds=seconds), clock)
    while not run.has_ended:
        send(run)
        clock.now += pace
    recorder = run.finish()
    assert recorder.sent + recorder.never_sent == pytest.approx(rate * seconds, abs=1.01)


def test_a_plan_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="ends after"):
        Plan(rate=1)
