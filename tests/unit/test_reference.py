"""The generated documents are what the code says."""

from pathlib import Path

import pytest

from undertone.reference import metrics, reference_files


@pytest.mark.parametrize("path", list(reference_files()), ids=lambda path: str(path.name))
def test_the_reference_is_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == reference_files()[path], "run `make generate`"


def test_every_metric_that_operators_were_promised_is_there() -> None:
    promised = {
        "undertone_http_request_seconds",
        "undertone_conversations_accepted_total",
        "undertone_conversations_refused_total",
        "undertone_analysis_calls_total",
        "undertone_analysis_cache_hits_total",
        "undertone_analysis_skipped_total",
        "undertone_analysis_tokens_total",
        "undertone_analysis_cost_estimated_usd_total",
        "undertone_analysis_cost_usd_total",
        "undertone_analysis_batch_size",
        "undertone_analysis_in_flight_records",
        "undertone_analysis_queue_depth",
        "undertone_analysis_breaker_state",
        "undertone_analysis_repeated_total",
        "undertone_sink_pool_in_use",
    }
    listed = {line.split("`")[1] for line in metrics().splitlines() if line.startswith("| `")}
    assert promised <= listed
