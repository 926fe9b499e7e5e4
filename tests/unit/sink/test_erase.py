from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.topics import CONTROL, STARTED, TOPICS
from services.sink.erase import SEGMENT_SPAN, TOPICS_WITH_WORDS, Erased, remaining, report
from services.sink.erase.__main__ import main
from services.sink.removal import Removed

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_every_topic_but_those_without_words_is_named_with_the_day_of_its_last_copy() -> None:
    assert set(TOPICS_WITH_WORDS) == set(TOPICS) - {STARTED, CONTROL}
    for (name, until), topic in zip(remaining(NOW), TOPICS_WITH_WORDS, strict=True):
        assert name == topic.name
        assert until == NOW + topic.retention + SEGMENT_SPAN


def test_the_report_says_what_left_and_what_remains() -> None:
    lines = report("c1", Erased(Removed(1, 2, 2), 0), NOW)
    assert lines[0] == "c1: erased from Postgres (1 conversation, 2 insights, 2 outcomes, 0 dead letters)."
    assert f"  conversations.dead-letter.v1  {NOW + timedelta(days=97):%Y-%m-%d}" in lines
    assert "nothing of it is stored" in report("c1", Erased(Removed(0, 0, 0), 0), NOW)[0]


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["with space"], ["x" * 129], ["a\n"]])
def test_what_is_no_id_is_refused_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_a_list_of_erasures_that_is_none_is_refused_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "erasures.txt"
    listed.write_text("gone 1793000000000-9223372036854775807\nother words\n")
    assert main(["--again", str(listed)]) == 1
    assert capsys.readouterr().err.startswith("line 2 is none that --list writes")
    assert main(["--again", str(tmp_path / "absent.txt")]) == 1
    assert "cannot be read (FileNotFoundError)" in capsys.readouterr().err
