import io

from schemas.topics import RECEIVED
from undertone.topic_tools.producing import Report, checked, numbered_lines


def test_lines_are_numbered_as_editors_number_them_and_empty_ones_are_no_event() -> None:
    stream = io.BytesIO(b"one\n\n  \r\nfour\nfive")
    assert list(numbered_lines(stream, 100)) == [(1, b"one\n"), (4, b"four\n"), (5, b"five")]


def test_a_line_that_no_record_holds_is_passed_over_without_being_kept() -> None:
    stream = io.BytesIO(b"x" * 10 + b"\n" + b"y" * 11 + b"\n" + b"z" * 1_000 + b"\nlast\n" + b"w" * 50)
    assert list(numbered_lines(stream, 10)) == [(1, b"x" * 10 + b"\n"), (2, None), (3, None), (4, b"last\n"), (5, None)]


def test_each_refusal_is_told_with_its_line_and_its_neighbours_pass() -> None:
    told: list[tuple[int, str]] = []
    report = Report(tell=lambda number, problem: told.append((number, problem)))
    good = b'{"conversation_id": "c1", "turns": [{"text": "x"}]}'
    lines = [(1, good), (2, b"nonsense"), (3, None), (4, good)]
    assert [number for number, _ in checked(lines, RECEIVED, None, report)] == [1, 4]
    assert [number for number, _ in told] == [2, 3]
    assert report.refused == 2
