from datetime import UTC, datetime

import pytest

from undertone.ingest.tweets import COLUMNS, BadRow, Columns

ROW = ["8", "115712", "True", "Tue Oct 31 21:45:10 +0000 2017", "It broke.", "9,6,10", ""]


def _row(**cells: str) -> list[str]:
    return [cells.get(column, cell) for column, cell in zip(COLUMNS, ROW, strict=True)]


def test_a_row_is_read_with_its_links_in_both_directions() -> None:
    tweet = Columns(COLUMNS).read(_row(in_response_to_tweet_id="7"))
    assert (tweet.id, tweet.author, tweet.is_from_customer, tweet.text) == ("8", "115712", True, "It broke.")
    assert tweet.at == datetime(2017, 10, 31, 21, 45, 10, tzinfo=UTC)
    assert tweet.parent == "7"
    assert tweet.answers == ("9", "6", "10")


def test_columns_may_stand_in_any_order_and_unneeded_ones_may_be_missing() -> None:
    names = ["text", "in_response_to_tweet_id", "tweet_id", "created_at", "inbound"]
    tweet = Columns(names).read(["It broke.", "", "8", "Tue Oct 31 21:45:10 +0000 2017", "False"])
    assert (tweet.id, tweet.is_from_customer, tweet.answers) == ("8", False, ())


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(ValueError, match="lacks the columns inbound, text: the only CSV that can be read is"):
        Columns(["tweet_id", "created_at", "in_response_to_tweet_id"])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Tue Oct 31 21:45:10 +0130 2017", datetime(2017, 10, 31, 20, 15, 10, tzinfo=UTC)),
        ("Tue Oct 31 21:45:10 -0130 2017", datetime(2017, 10, 31, 23, 15, 10, tzinfo=UTC)),
        ("2017-10-31T21:45:10Z", datetime(2017, 10, 31, 21, 45, 10, tzinfo=UTC)),
    ],
)
def test_times_are_read_with_their_zone(text: str, moment: datetime) -> None:
    assert Columns(COLUMNS).read(_row(created_at=text)).at == moment


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"tweet_id": ""}, "tweet_id"),
        ({"tweet_id": "8 9"}, "tweet_id"),
        ({"inbound": "maybe"}, "inbound"),
        ({"created_at": "Tue Okt 31 21:45:10 +0000 2017"}, "created_at"),
        ({"created_at": "Tue Oct 32 21:45:10 +0000 2017"}, "created_at"),
        ({"created_at": "2017-10-31T21:45:10"}, "created_at"),
        ({"created_at": "9999-12-31T23:59:59-05:00"}, "created_at"),
        ({"created_at": "Fri Dec 31 23:59:59 -0500 9999"}, "created_at"),
        ({"created_at": "0001-01-01T00:00:00+05:00"}, "created_at"),
        ({"text": "  "}, "text"),
        ({"text": "a\udcffb"}, "text"),
    ],
)
def test_a_bad_row_is_refused_by_its_column_without_quoting_it(cells: dict[str, str], field: str) -> None:
    with pytest.raises(BadRow) as error:
        Columns(COLUMNS).read(_row(**cells))
    assert error.value.field == field
    assert all(value not in error.value.problem for value in cells.values() if value.strip())


def test_a_row_with_too_few_cells_says_how_many_it_has() -> None:
    with pytest.raises(BadRow, match="has 6 columns instead of 7"):
        Columns(COLUMNS).read(ROW[:-1])


def test_links_that_pandas_wrote_as_floats_and_links_to_oneself_are_understood() -> None:
    assert Columns(COLUMNS).read(_row(in_response_to_tweet_id="7.0")).parent == "7"
    assert Columns(COLUMNS).read(_row(in_response_to_tweet_id="8")).parent is None


def test_the_three_escapes_of_twitters_api_are_undone() -> None:
    tweet = Columns(COLUMNS).read(_row(text="AT&amp;T &lt;3 &gt; &amp;lt; &copy;"))
    assert tweet.text == "AT&T <3 > &lt; &copy;"
