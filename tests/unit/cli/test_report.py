"""A report never destroys what a person has, and a place that cannot be written is named before anything is sent."""

from pathlib import Path

import pytest

from undertone.errors import UsageProblem
from undertone.ingest.report import check_report_path


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
