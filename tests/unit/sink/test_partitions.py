import pytest

from services.sink.batch import Batch, Claim, Claimed, Place
from services.sink.partitions import LogRange, Partitions, reason_to_stop

PLACE, OTHER = Place("received", 3), Place("received", 4)


@pytest.mark.parametrize("position", [10, 15, 20])
def test_a_position_within_the_log_is_read(position: int) -> None:
    assert reason_to_stop(PLACE, Claimed(Claim(1, position), "c1"), LogRange(10, 20), "c1") is None


@pytest.mark.parametrize("position", [9, 21])
def test_a_position_outside_the_log_stops_the_partition_and_names_both(position: int) -> None:
    why = reason_to_stop(PLACE, Claimed(Claim(1, position), "c1"), LogRange(10, 20), "c1")
    assert why is not None
    assert all(word in why for word in ("received/3", str(position), "10 to 20", "undertone offsets reset"))


def test_an_offset_of_another_cluster_stops_the_partition() -> None:
    why = reason_to_stop(PLACE, Claimed(Claim(1, 15), "c1"), LogRange(10, 20), "c2")
    assert why is not None
    assert "c1" in why
    assert "c2" in why


def test_what_a_claim_found_counts_only_for_what_is_still_assigned() -> None:
    partitions = Partitions()
    partitions.assign([PLACE])
    partitions.settle({PLACE: Claim(1, 5), OTHER: Claim(1, 6)}, {})
    assert partitions.claims == {PLACE: Claim(1, 5)}
    assert not partitions.unsettled


def test_a_rebalance_takes_all_claims_away() -> None:
    partitions = Partitions()
    partitions.assign([PLACE])
    partitions.settle({PLACE: Claim(1, 5)}, {})
    partitions.revoke()
    assert partitions.claims == {}
    assert not partitions.is_assigned
    partitions.advance(Batch({PLACE: 9}))
    assert partitions.claims == {}


def test_a_stored_batch_moves_the_claim_and_keeps_its_epoch() -> None:
    partitions = Partitions()
    partitions.assign([PLACE, OTHER])
    partitions.settle({PLACE: Claim(7, 5)}, {OTHER: "outside the log"})
    partitions.advance(Batch({PLACE: 9}))
    assert partitions.claims == {PLACE: Claim(7, 9)}
    assert partitions.stopped == {OTHER: "outside the log"}


def test_a_stopped_partition_is_claimed_no_more() -> None:
    partitions = Partitions()
    partitions.assign([PLACE])
    partitions.settle({PLACE: Claim(7, 5)}, {})
    partitions.stop(PLACE, "the log no longer holds offset 5")
    assert PLACE not in partitions.claims
    assert PLACE in partitions.stopped


def test_claiming_anew_gives_up_every_claim_and_what_stands_still_stays_so() -> None:
    partitions = Partitions()
    partitions.assign([PLACE, OTHER])
    partitions.settle({PLACE: Claim(1, 10)}, {OTHER: "gone"})
    partitions.reclaim()
    assert partitions.claims == {}
    assert partitions.unsettled == {PLACE}
    assert partitions.stopped == {OTHER: "gone"}
    partitions.settle({PLACE: Claim(2, 10)}, {})
    assert partitions.claims == {PLACE: Claim(2, 10)}
