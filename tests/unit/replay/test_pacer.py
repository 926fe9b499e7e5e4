"""No more records a second than a person allows."""

import pytest

from undertone.replay.pacing import Pacer


async def test_no_more_than_the_rate_pass_in_any_second() -> None:
    now = 0.0
    passed: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pacer = Pacer(200, lambda: now, sleep)
    assert pacer.step == 20
    for _ in range(30):
        await pacer.wait(100)
        passed.append((now, 100))
    assert [moment for moment, _ in passed] == pytest.approx([number * 0.5 for number in range(30)])
    now += 60  # an idle minute gives no credit
    await pacer.wait(100)
    before = now
    await pacer.wait(100)
    assert now - before == pytest.approx(0.5)


async def test_a_rate_of_zero_is_no_limit() -> None:
    async def sleep(_: float) -> None:
        raise AssertionError("nobody waits")

    pacer = Pacer(0, lambda: 0.0, sleep)
    await pacer.wait(1_000_000)
