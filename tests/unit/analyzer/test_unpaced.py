"""An engine that costs nothing: bounded by batches at once, not by a pace."""

from services.analyzer.unpaced import Unpaced


def test_an_engine_that_spends_nothing_is_bounded_by_batches_at_once() -> None:
    permits = Unpaced(2)
    assert permits.delay() is None
    permits.set_share((), 12)
    permits.note_heartbeat(0)
    permits.slow_down()
    permits.limit_stated(1, 1)
    assert permits.take()
    permits.charge(5)
    assert permits.take()
    assert not permits.take()
    permits.settle(0, 0)
    permit = permits.take()
    assert permit is not None
    assert permits.start(permit) == 0
    permits.sent(permit)
    permits.stop()
    assert permits.start(permit) is None
    assert permits.delay() is None
