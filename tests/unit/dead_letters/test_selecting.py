from datetime import UTC, datetime
from uuid import uuid4

import pytest

from undertone.dead_letters.selecting import Filters, selection_of
from undertone.errors import UsageProblem

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ID = str(uuid4())


def _selection(
    *names: str, filters: Filters | None = None, everything: bool = False, is_dropped: bool = False
) -> dict[str, object]:
    return selection_of(names, filters or Filters(), everything=everything, is_dropped=is_dropped, now=NOW)


def test_names_are_ids_or_one_fingerprint() -> None:
    assert _selection(ID) == {"dead_letter_ids": [ID]}
    assert _selection("0123456789ab") == {"fingerprint": "0123456789ab"}


def test_options_narrow_it_down() -> None:
    found = _selection(filters=Filters(reason="undecodable", since="24h"), is_dropped=True)
    assert found == {"reason": "undecodable", "since": "2026-03-01T12:00:00+00:00", "state": "dropped"}


@pytest.mark.parametrize("names", [("abc",), (ID, "0123456789ab"), ("0123456789ab", "0123456789ac"), (ID,) * 1_001])
def test_what_cannot_be_meant_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageProblem):
        _selection(*names)


def test_every_letter_is_meant_only_when_it_is_said() -> None:
    with pytest.raises(UsageProblem, match="Which dead letters"):
        _selection()
    assert _selection(everything=True) == {"everything": True}
    with pytest.raises(UsageProblem, match="--all"):
        _selection(ID, everything=True)
