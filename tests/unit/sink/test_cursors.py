from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sink.cursors import Cursor, InvalidCursor, micros_of, moment_of, question_of, read_cursor, write_cursor
from services.sink.windows import Window

START = datetime(2026, 3, 1, tzinfo=UTC)
CURSOR = Cursor(Window(START, START + timedelta(days=1)), 1_795_252_800_123_456, "conv_1")
QUESTION = question_of({"order": "newest", "sentiment": None})


@given(st.timedeltas(timedelta(), timedelta(days=84_000)).map(lambda since: datetime(1970, 1, 1, tzinfo=UTC) + since))
def test_moments_survive_to_the_microsecond(moment: datetime) -> None:
    assert moment_of(micros_of(moment)) == moment


@given(st.one_of(st.integers(-(2**60), 2**60), st.floats(0, 1)), st.text("abcXYZ019._:-", min_size=1, max_size=128))
def test_a_cursor_reads_back_as_it_was_written(after: float, conversation_id: str) -> None:
    cursor = Cursor(CURSOR.window, after, conversation_id)
    assert read_cursor(write_cursor(cursor, QUESTION, "key"), QUESTION, "key") == cursor


@given(st.data())
def test_a_cursor_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    text = write_cursor(CURSOR, QUESTION, "key")
    # The last character may hold bits that base64 ignores, so it is left alone.
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda one: one != text[place]))
    with pytest.raises(InvalidCursor):
        read_cursor(text[:place] + letter + text[place + 1 :], QUESTION, "key")


@given(st.text(max_size=100))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(text, QUESTION, "key")


def test_a_cursor_of_another_installation_is_refused() -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(write_cursor(CURSOR, QUESTION, "key"), QUESTION, "another key")


def test_a_cursor_of_another_question_is_refused() -> None:
    with pytest.raises(InvalidCursor, match="another question"):
        read_cursor(write_cursor(CURSOR, QUESTION, "key"), question_of({"order": "most_negative"}), "key")
