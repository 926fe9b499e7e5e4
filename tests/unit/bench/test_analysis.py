from undertone.bench.analysis import Counters, analysis_of

BEFORE = """\
# TYPE undertone_analysis_calls_total counter
undertone_analysis_calls_total{engine="llm",outcome="answered"} 3.0
undertone_analysis_calls_total{engine="llm",outcome="limited"} 1.0
# TYPE undertone_analysis_tokens_total counter
undertone_analysis_tokens_total{direction="input"} 100.0
"""
AFTER = """\
# TYPE undertone_analysis_calls_total counter
undertone_analysis_calls_total{engine="llm",outcome="answered"} 8.0
undertone_analysis_calls_total{engine="llm",outcome="limited"} 1.0
undertone_analysis_calls_total{engine="offline",outcome="answered"} 2.0
# TYPE undertone_analysis_tokens_total counter
undertone_analysis_tokens_total{direction="input"} 350.0
undertone_analysis_tokens_total{direction="output"} 40.0
# TYPE undertone_analysis_batch_size histogram
undertone_analysis_batch_size_bucket{le="+Inf"} 5.0
undertone_analysis_batch_size_sum 100.0
undertone_analysis_batch_size_count 5.0
# TYPE undertone_analysis_cost_usd_total counter
undertone_analysis_cost_usd_total 0.25
"""


def test_only_what_grew_counts() -> None:
    analysis = analysis_of(Counters.parse(AFTER).since(Counters.parse(BEFORE)))
    assert analysis.calls == {"answered": 7}
    assert analysis.tokens == {"input": 250, "output": 40}
    assert analysis.conversations_per_call == 20
    assert analysis.cost_usd == 0.25
    assert (analysis.cache_hits, analysis.skipped, analysis.failed) == (0, {}, {})


def test_an_analyzer_that_did_nothing_divides_by_nothing() -> None:
    assert analysis_of(Counters.parse("")).conversations_per_call == 0
