"""Reply chains put together again, from rows in any order and with whatever is missing."""

import csv
import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertone.errors import CommandError, UsageProblem
from undertone.ingest import twitter_csv
from undertone.ingest.entries import Entry, Unreadable
from undertone.ingest.opening import CONVERT, InputFile
from undertone.ingest.tweets import COLUMNS
from undertone.ingest.twitter_csv import TwitterCsv


@dataclass
class Row:
    """A tweet as a row; `at` is in seconds of one hour."""

    id: str
    parent: str = ""
    answers: Sequence[str] = field(default_factory=tuple)
    at: int = 0
    text: str = "It broke."
    inbound: str = "True"

    def cells(self) -> list[str]:
        at = f"Tue Oct 31 22:{self.at // 60:02d}:{self.at % 60:02d} +0000 2017"
        return [self.id, f"user{self.id}", self.inbound, at, self.text, ",".join(self.answers), self.parent]


def _reader(folder: Path, rows: Sequence[Row], name: str = "a.csv") -> TwitterCsv:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *(row.cells() for row in rows)])
    store = folder / "store.sqlite"
    store.unlink(missing_ok=True)
    return TwitterCsv(InputFile(path), store)


def _threads(folder: Path, rows: Sequence[Row]) -> dict[str, list[str]]:
    """The ids of each conversation's tweets, by conversation id."""
    reader = _reader(folder, rows)
    found = [one.members for one in reader.entries() if isinstance(one, Entry)]
    reader.close(is_finished=True)
    return {
        members["conversation_id"]: [turn["author"].removeprefix("user") for turn in members["turns"]]
        for members in found
    }


def test_a_chain_becomes_a_conversation_named_by_its_first_tweet_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = [Row("3", parent="2", at=30), Row("1", answers=["2"], at=10), Row("2", parent="1", answers=["3"], at=20)]
    assert _threads(tmp_path, rows) == {"twitter-1": ["1", "2", "3"]}


def test_several_answers_to_one_tweet_belong_to_its_conversation_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [Row("1", answers=["2", "4", "3"]), Row("2", "1", at=50), Row("3", "1", at=20), Row("4", "1", at=30)]
    assert _threads(tmp_path, rows) == {"twitter-1": ["1", "3", "4", "2"]}


def test_a_tweet_whose_parent_is_missing_begins_a_conversation(tmp_path: Path) -> None:
    rows = [Row("5", parent="99", at=10), Row("6", parent="5", at=20), Row("7", parent="99", at=30)]
    assert _threads(tmp_path, rows) == {"twitter-5": ["5", "6"], "twitter-7": ["7"]}


def test_a_link_that_only_the_answered_tweet_states_is_followed(tmp_path: Path) -> None:
    assert _threads(tmp_path, [Row("2", at=20), Row("1", answers=["2"], at=10)]) == {"twitter-1": ["1", "2"]}


def test_answers_of_the_same_second_come_after_what_they_answer(tmp_path: Path) -> None:
    rows = [Row("3", parent="2"), Row("2", parent="1"), Row("1")]
    assert _threads(tmp_path, rows) == {"twitter-1": ["1", "2", "3"]}


def test_a_circle_of_answers_is_one_conversation_from_its_earliest_tweet(tmp_path: Path) -> None:
    rows = [Row("1", "3", at=30), Row("2", "1", at=10), Row("3", "2", at=20), Row("4", "3", at=40), Row("9")]
    assert _threads(tmp_path, rows) == {"twitter-2": ["2", "3", "1", "4"], "twitter-9": ["9"]}


def test_a_long_thread_is_cut_into_conversations_that_the_contract_allows(tmp_path: Path) -> None:
    rows = [Row(str(n), parent=str(n - 1) if n else "", at=n) for n in range(1201)]
    threads = _threads(tmp_path, rows)
    assert {name: len(tweets) for name, tweets in threads.items()} == {
        "twitter-0": 500,
        "twitter-500": 500,
        "twitter-1000": 201,
    }


def test_bad_rows_are_named_by_their_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "1,kim,True,Tue Oct 31 22:00:00 +0000 2017,It broke.,,"
    lines = [
        ",".join(COLUMNS),
        good,
        "2,kim,True,yesterday,It broke.,,",
        "3,kim,True",
        good.replace("1,", "4,", 1),
        good,
        '5,kim,True,Tue Oct 31 22:00:01 +0000 2017,"two\nlines",,1',
        "6,kim,True,Tue Oct 31 22:00:02 +0000 2017,caf\xe9,,1",
        "",
    ]
    path.write_bytes("\n".join(lines).encode("latin-1"))
    reader = TwitterCsv(InputFile(path), tmp_path / "store.sqlite")
    found = list(reader.entries())
    reader.close(is_finished=True)
    problems = [(one.number, one.field, one.problem) for one in found if isinstance(one, Unreadable)]
    assert problems == [
        (3, "created_at", "is not a time such as Tue Oct 31 22:10:47 +0000 2017"),
        (4, "", "has 3 columns instead of 7"),
        (6, "tweet_id", "stands in the file a second time"),
        (9, "text", f"is not UTF-8; {CONVERT}"),
    ]
    conversations = [one.members for one in found if isinstance(one, Entry)]
    assert [len(members["turns"]) for members in conversations] == [2, 1]
    assert conversations[0]["turns"][1]["text"] == "two\nlines"


@pytest.mark.parametrize(("until", "newest"), [(20, 20), (15, 10), (5, 20)])
def test_the_newest_tweet_is_the_newest_that_is_not_in_the_future_unless_all_are(
    tmp_path: Path, until: int, newest: int
) -> None:
    reader = _reader(tmp_path, [Row("1", at=20), Row("2", at=10)])
    hour = datetime(2017, 10, 31, 22, tzinfo=UTC)
    assert reader.newest(hour + timedelta(seconds=until)) == hour + timedelta(seconds=newest)
    reader.close(is_finished=True)


_AFTER = [
    Row(str(number), at=number, text=text) for number, text in enumerate(["It broke.", "a, b", '"c"', "d\ne"], 100)
]


@pytest.mark.parametrize(
    ("text", "rows_after"),
    [
        ('"It broke.', _AFTER),
        ('"It broke.', [Row(str(number), text="It broke.") for number in range(100, 3000)]),  # and no quote any more
        ('"It broke.', [Row("100", answers=["a", "b"]), *_AFTER[1:]]),  # whose quote closes the other, with 7 columns
    ],
)
def test_a_quote_that_is_not_closed_costs_its_own_row_only(
    tmp_path: Path, text: str, rows_after: Sequence[Row]
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([COLUMNS, Row("1").cells()])
        stream.write(",".join(Row("2", text=text).cells()) + "\r\n")
        writer.writerows(row.cells() for row in rows_after)
    found = list(TwitterCsv(InputFile(path), tmp_path / "store.sqlite").entries())
    assert [(one.number, one.problem.partition(";")[0]) for one in found if isinstance(one, Unreadable)] == [
        (3, "has a quote that is not closed")
    ]
    ids = {one.members["conversation_id"] for one in found if isinstance(one, Entry)}
    assert ids == {f"twitter-{row.id}" for row in (Row("1"), *rows_after)}


def test_an_interrupted_reading_is_used_again_and_removed_when_all_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _reader(tmp_path, [Row("1"), Row("2", "1")])
    expected = list(first.entries())
    first.close(is_finished=False)
    again = TwitterCsv(InputFile(tmp_path / "a.csv"), tmp_path / "store.sqlite")
    monkeypatch.setattr(again, "_rows", lambda _: pytest.fail("the file was read again"))
    assert list(again.entries()) == expected
    assert again.share_done() == pytest.approx(1.0)
    again.close(is_finished=True)
    assert not (tmp_path / "store.sqlite").exists()


def test_gzip_is_read_and_a_cut_off_one_gives_what_is_whole(tmp_path: Path) -> None:
    rows = [",".join(COLUMNS)]
    rows += [f"{n},kim,True,Tue Oct 31 22:00:00 +0000 2017,{random.Random(n).random()},," for n in range(5000)]
    packed = gzip.compress("\n".join(rows).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    reader = TwitterCsv(InputFile(path), tmp_path / "store.sqlite")
    found = list(reader.entries())
    reader.close(is_finished=True)
    assert sum(isinstance(one, Entry) for one in found) > 1000
    assert any(isinstance(one, Unreadable) and "damaged" in one.problem for one in found)


def test_a_store_that_is_damaged_is_one_sentence(tmp_path: Path) -> None:
    reader = _reader(tmp_path, [Row("1")])
    (tmp_path / "store.sqlite").write_bytes(b"not a database, but long enough to look like one " * 100)
    with pytest.raises(CommandError, match="cannot hold the reply chains: file is not a database"):
        list(reader.entries())


def test_a_full_disk_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader(tmp_path, [Row("1")])
    monkeypatch.setattr(twitter_csv, "_DISK_PER_BYTE", 10**15)
    with pytest.raises(UsageProblem, match=r"needs about .* MB in .* are free; UNDERTONE_HOME"):
        list(reader.entries())


@st.composite
def _forests(draw: st.DrawFn) -> list[Row]:
    """Rows of a random forest in random order; some links stand on the answered side only, some parents are missing."""
    count = draw(st.integers(1, 25))
    rows = []
    for n in range(count):
        parent = draw(st.sampled_from([None, "missing", *range(n)])) if n else None
        name = "" if parent is None else f"gone{n}" if parent == "missing" else str(parent)
        rows.append(Row(str(n), parent=name, at=n))
    for row in rows:
        if row.parent.isdigit() and draw(st.booleans()):
            above = rows[int(row.parent)]
            above.answers = [*above.answers, row.id]
            row.parent = ""
    return draw(st.permutations(rows))


def _expected(rows: Sequence[Row]) -> dict[str, list[str]]:
    parents = {row.id: row.parent for row in rows if row.parent.isdigit()}
    parents |= {answer: row.id for row in rows for answer in row.answers}

    def root(identifier: str) -> str:
        while identifier in parents:
            identifier = parents[identifier]
        return identifier

    threads: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda one: one.at):
        threads.setdefault(f"twitter-{root(row.id)}", []).append(row.id)
    return threads


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(_forests())
def test_any_forest_in_any_order_comes_out_whole(tmp_path: Path, rows: Any) -> None:
    assert _threads(tmp_path, rows) == _expected(rows)
