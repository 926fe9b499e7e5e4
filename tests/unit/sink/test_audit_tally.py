from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from services.sink.audit.tally import MOST_NAMED, Standing, Tally, Verdict, verdict_of, verdict_without_row

HOUR = datetime(2026, 3, 2, 9, tzinfo=UTC)
READ, UNREAD = Standing(is_read=True, is_old=False), Standing(is_read=False, is_old=False)
OLD, COPY = Standing(is_read=True, is_old=True), Standing(is_read=True, is_old=False, is_copy=True)


def _row(**true: bool) -> dict[str, Any]:
    return {"is_stored": False, "is_newest": False, "is_erased": False, "is_buried": False} | true


@pytest.mark.parametrize(
    ("row", "standing", "verdict"),
    [
        (_row(is_stored=True, is_newest=True), READ, Verdict.STORED),
        (_row(is_stored=True), READ, Verdict.SUPERSEDED),
        (_row(is_stored=True, is_newest=True), COPY, Verdict.COPIED),
        (_row(is_erased=True), READ, Verdict.ERASED),
        (_row(is_buried=True), READ, Verdict.BURIED),
        (_row(), UNREAD, Verdict.WAITING),
        (_row(), OLD, Verdict.REMOVED),
        (_row(), READ, Verdict.MISSING),
        (_row(), COPY, Verdict.MISSING),
    ],
)
def test_every_record_gets_one_verdict(row: dict[str, Any], standing: Standing, verdict: Verdict) -> None:
    assert verdict_of(row, standing) is verdict


def test_what_cannot_be_read_is_not_accounted_for_by_a_row_of_the_same_key() -> None:
    assert verdict_without_row(_row(is_stored=True, is_newest=True), READ) is Verdict.MISSING


def test_a_tally_is_clean_until_something_is_named_and_names_no_more_than_a_person_can_read() -> None:
    tally = Tally(conversations={HOUR: Counter(completed=2, queued=1)})
    tally.count("topic", HOUR, Verdict.STORED)
    assert tally.is_clean
    assert "  2026-03-02 09h           3 = 2 completed + 1 queued" in list(tally.lines())
    for number in range(MOST_NAMED + 5):
        tally.name("stuck", f"c{number}")
    assert not tally.is_clean
    assert list(tally.lines())[-1] == "  and 5 more"
    assert tally.as_members()["problems"]["stuck"]["count"] == MOST_NAMED + 5
