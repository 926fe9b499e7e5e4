"""A report never destroys what a person has, and a place that cannot be written is named before anything is sent."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingress.reading import read_one
from services.ingress.refusals import Refusal
from undertone.errors import UsageProblem
from undertone.ingest.batches import Rejection
from undertone.ingest.kafka_sender import refusal_problems
from undertone.ingest.report import Report, check_report_path, first_problem


def test_a_new_place_and_an_earlier_report_are_fine(tmp_path: Path) -> None:
    check_report_path(tmp_path / "new.jsonl", [tmp_path / "in.jsonl"])
    (tmp_path / "earlier.jsonl").write_text('{"line": 1, "problem": "is not JSON"}\n')
    check_report_path(tmp_path / "earlier.jsonl", [])


def test_what_would_be_destroyed_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    conversations = tmp_path / "in.jsonl"
    conversations.write_text('{"text": "the only copy"}\n')
    (tmp_path / "notes.txt").write_text("mine")
    for place, says in (
        (conversations, "one of the files to ingest"),
        (tmp_path, "is a folder"),
        (tmp_path / "missing" / "report.jsonl", "does its folder exist"),
        (tmp_path / "notes.txt", "no earlier report"),
    ):
        with pytest.raises(UsageProblem, match=says):
            check_report_path(place, [conversations])


def reported(path: Path, *bodies: bytes) -> str:
    """The first problem of a report on entries that the ingress refuses."""
    report = Report(path, Path("in.json"), "entry")
    for number, body in enumerate(bodies, 1):
        refusal = read_one(body, datetime(2026, 3, 2, tzinfo=UTC))
        assert isinstance(refusal, Refusal)
        report.write([Rejection(number, None, refusal_problems(refusal))])
    report.close()
    return first_problem(path)


def test_the_first_problem_is_the_member_that_is_not_known_rather_than_what_is_missing_for_it(tmp_path: Path) -> None:
    said = reported(tmp_path / "report.jsonl", b'{"conversations": [{"text": "late again"}]}')
    assert said.startswith("in.json, entry 1, conversations: is not a known member here; known are ")


def test_the_first_problem_is_of_the_first_entry_that_has_one(tmp_path: Path) -> None:
    said = reported(tmp_path / "report.jsonl", b'{"channel": "chat"}', b'{"txt": "late again"}')
    assert said == "in.json, entry 1, turns: is required"
