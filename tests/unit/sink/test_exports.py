import csv
import io
import json
from typing import Any

import pytest

from services.sink.exports import COLUMNS, csv_header, csv_line, ndjson_line

INSIGHT: dict[str, Any] = {
    "insight_id": "6f0c7a3e-6d0e-5f0b-9a55-0f4a7f6a1c11",
    "conversation_id": "c1",
    "timestamp": "2026-03-02T09:17:13Z",
    "text": 'Where is it?\nI said "now", please.',
    "sentiment": "negative",
    "grok_analysis": {
        "sentiment_score": -0.65,
        "clusters": ["late_parcel"],
        "confidence": 0.9,
        "reasoning": "It says so.",
    },
    "topics": ["delivery", "refund"],
    "summary": "A parcel is late.",
    "evidence": "Where is it",
    "channel": None,
    "analysis_version": "offline-2",
    "path": "offline",
    "model": "offline-2",
    "analyzed_at": "2026-03-02T09:17:14Z",
    "stale": False,
}


def row_of(insight: dict[str, Any]) -> dict[str, str]:
    table = io.StringIO((csv_header() + csv_line(insight)).decode(), newline="")
    return next(iter(csv.DictReader(table)))


def test_a_row_reads_back_as_it_was() -> None:
    row = row_of(INSIGHT)
    assert list(row) == list(COLUMNS)
    assert row["text"] == INSIGHT["text"]
    assert (row["topics"], row["channel"], row["stale"]) == ("delivery refund", "", "false")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "  ="])
def test_what_a_customer_wrote_never_runs_as_a_formula(start: str) -> None:
    assert row_of({**INSIGHT, "text": f"{start}HYPERLINK(1)"})["text"].startswith("'")


def test_a_negative_score_stays_a_number() -> None:
    assert float(row_of(INSIGHT)["sentiment_score"]) == -0.65


def test_a_line_of_ndjson_is_the_insight() -> None:
    line = ndjson_line(INSIGHT)
    assert line.count(b"\n") == 1
    assert json.loads(line) == INSIGHT
