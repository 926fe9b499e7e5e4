"""What happens to limits while the place that counts them for everybody is away; the clock is the test's."""

import pytest

from services.runtime.rate_limits import SlidingWindows, Verdict, WindowLimit
from services.runtime.shared_windows import SharedWindows, StoreAway
from tests.unit.runtime.test_rate_limits import Clock

LIMIT = WindowLimit(3, 60)


class FakeStore:
    """Counts like Redis would, for every instance that asks; may be away."""

    description = "Redis at far:6379"

    def __init__(self, clock: Clock) -> None:
        self.windows = SlidingWindows(clock)
        self.is_away = False
        self.asked = 0
        self.is_closed = False

    async def take(self, client: str, limit: WindowLimit) -> Verdict:
        self.asked += 1
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
    assert await allowed(other, 4) == [True, True, True, False]


async def test_closing_closes_the_store(store: FakeStore, clock: Clock) -> None:
    await an_instance(store, clock).aclose()
    assert store.is_closed
