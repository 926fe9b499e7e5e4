"""What happens to limits while the place that counts them for everybody is away; the clock is the test's."""

import asyncio

import pytest

from services.runtime.rate_limits import SlidingWindows, Verdict, WindowLimit
from services.runtime.shared_windows import SharedWindows, StoreAway
from tests.unit.runtime.test_rate_limits import Clock
from tests.waiting import eventually

LIMIT = WindowLimit(3, 60)


class FakeStore:
    """Counts like Redis would, for every instance that asks; may be away."""

    description = "Redis at far:6379"

    def __init__(self, clock: Clock) -> None:
        self.windows = SlidingWindows(clock)
        self.is_away = False
        self.asked = 0
        self.is_closed = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise StoreAway("no answer within 100 ms")
        return self.windows.count(client, limit)

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1020.0  # where a window begins
    return clock


@pytest.fixture
def store(clock: Clock) -> FakeStore:
    return FakeStore(clock)


def an_instance(store: FakeStore, clock: Clock) -> SharedWindows:
    return SharedWindows(store, SlidingWindows(clock), clock)


async def allowed(windows: SharedWindows, times: int) -> list[bool]:
    return [(await windows.take("a", LIMIT)).is_allowed for _ in range(times)]


async def test_two_instances_share_a_clients_window(store: FakeStore, clock: Clock) -> None:
    one, other = an_instance(store, clock), an_instance(store, clock)
    assert await allowed(one, 2) + await allowed(other, 2) == [True, True, True, False]


async def test_while_the_store_is_away_each_instance_goes_on_from_what_it_let_in(
    store: FakeStore, clock: Clock
) -> None:
    windows = an_instance(store, clock)
    assert await allowed(windows, 2) == [True, True]
    store.is_away = True
    assert await allowed(windows, 2) == [True, False]


async def test_a_store_that_is_away_is_asked_once_a_second_whatever_comes(store: FakeStore, clock: Clock) -> None:
    windows = an_instance(store, clock)
    store.is_away = True
    await allowed(windows, 50)
    assert store.asked == 1
    clock.now += 1.01
    await allowed(windows, 50)
    assert store.asked == 2


async def test_health_says_where_is_counted_and_why(store: FakeStore, clock: Clock) -> None:
    windows = an_instance(store, clock)
    assert windows.description == "Redis at far:6379"
    store.is_away = True
    await allowed(windows, 1)
    assert windows.description == "memory, because Redis at far:6379 does not answer"


async def test_the_store_is_used_again_as_soon_as_it_answers(store: FakeStore, clock: Clock) -> None:
    windows = an_instance(store, clock)
    store.is_away = True
    await allowed(windows, 1)
    store.is_away = False
    clock.now += 1.01
    other = an_instance(store, clock)
    assert await allowed(windows, 2) + await allowed(other, 2) == [True, True, True, False]
    assert windows.description == "Redis at far:6379"


async def test_its_going_and_its_coming_are_one_line_each(
    store: FakeStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    windows = an_instance(store, clock)
    with caplog.at_level("INFO"):
        store.is_away = True
        for _ in range(5):
            await allowed(windows, 3)
            clock.now += 2
        store.is_away = False
        await allowed(windows, 3)
    assert [record.message.split()[0] for record in caplog.records] == ["limits_unshared", "limits_shared_again"]


async def test_what_is_refused_by_the_store_is_not_counted_here(store: FakeStore, clock: Clock) -> None:
    one, other = an_instance(store, clock), an_instance(store, clock)
    await allowed(one, 3)
    assert await allowed(other, 5) == [False] * 5
    store.is_away = True
    clock.now += 1.01
    assert await allowed(other, 4) == [True, True, True, False]


async def test_closing_closes_the_store(store: FakeStore, clock: Clock) -> None:
    await an_instance(store, clock).aclose()
    assert store.is_closed


async def test_a_flood_of_a_refused_client_asks_the_store_once_a_moment(store: FakeStore, clock: Clock) -> None:
    windows = an_instance(store, clock)
    assert await allowed(windows, 1000) == [True] * 3 + [False] * 997
    assert store.asked == 4
    clock.now += 0.61
    await allowed(windows, 1000)
    assert store.asked == 5


async def test_a_refused_client_is_told_less_the_longer_it_waits_and_is_let_in_when_due(
    store: FakeStore, clock: Clock
) -> None:
    windows = an_instance(store, clock)
    await allowed(windows, 3)
    told = (await windows.take("a", LIMIT)).wait_seconds
    clock.now += 0.5
    assert (await windows.take("a", LIMIT)).wait_seconds == pytest.approx(told - 0.5)
    clock.now += told - 0.5 + 0.01
    assert await allowed(windows, 1) == [True]


async def test_refused_clients_are_forgotten_from_the_oldest_on(store: FakeStore, clock: Clock) -> None:
    windows, limit = an_instance(store, clock), WindowLimit(1, 60)
    for number in range(10_050):
        await windows.take(str(number), limit)
        await windows.take(str(number), limit)
    assert len(windows._refused) == 10_000


async def test_beyond_a_number_of_waiting_requests_the_rest_is_counted_here_and_nothing_is_declared_away(
    store: FakeStore, clock: Clock
) -> None:
    windows, limit = an_instance(store, clock), WindowLimit(100, 60)
    store.answers.clear()
    waiting = [asyncio.create_task(windows.take("a", limit)) for _ in range(150)]
    await eventually(lambda: store.asked == 128)
    assert sum(task.done() for task in waiting) == 22
    store.answers.set()
    verdicts = await asyncio.gather(*waiting)
    assert [verdict.is_allowed for verdict in verdicts].count(True) == 122
    assert windows.description == "Redis at far:6379"
    assert await allowed(windows, 3) == [True] * 3  # nobody is left waiting, so that the store is asked again
