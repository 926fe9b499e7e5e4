"""Ids drawn in blocks are as random and as long as asked for."""

from services.runtime.random_ids import RandomIds


def test_ids_have_their_length_and_never_repeat_across_blocks() -> None:
    ids = RandomIds()
    drawn = [ids.hex(digits) for digits in (32, 16, 19) * 400]
    assert [len(one) for one in drawn] == [32, 16, 19] * 400
    assert len(set(drawn)) == len(drawn)
    assert set("".join(drawn)) == set("0123456789abcdef")
