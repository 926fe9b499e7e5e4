"""What OpenAPI says of the answers: examples, and every error."""

from typing import Any

from services.runtime.problem_schema import problem_answer

_SENTENCES = {
    304: "Nothing has changed since the ETag that was sent.",
    400: "A parameter is wrong; it is named.",
    401: "An API key is needed, or is not known.",
    403: "The API key lacks the scope.",
    404: "There is nothing under this id.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "More requests than this client may send; see Retry-After.",
    503: "Postgres is away, busy, or the question takes too long; see Retry-After.",
}


def errors(*codes: int, is_limited: bool = True) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route: those every route has, and these; `is_limited`: a client's limit counts."""
    return {code: _documented(code) for code in sorted({400, 401, 403, 503, *([429] if is_limited else []), *codes})}


def _documented(code: int) -> dict[str, Any]:
    if code == 304:
        return {"description": _SENTENCES[code]}
    return problem_answer(_SENTENCES[code])


def example(members: Any, *codes: int) -> dict[int | str, dict[str, Any]]:
    """An example of the answer, and the documented errors."""
    answer = {"description": "The answer.", "content": {"application/json": {"example": members}}}
    return {200: answer, **errors(*codes)}


INSIGHT = {
    "insight_id": "6f0c7a3e-6d0e-5f0b-9a55-0f4a7f6a1c11",
    "conversation_id": "conv_019a9c5e2f7c7d0e",
    "timestamp": "2026-03-02T09:17:13Z",
    "text": "My parcel has still not arrived.",
    "sentiment": "negative",
    "grok_analysis": {
        "sentiment_score": -0.65,
        "clusters": ["delivery_problems"],
        "confidence": 0.9,
        "reasoning": 'The customer reports a missing parcel: "still not arrived".',
    },
    "topics": ["delivery"],
    "summary": "A parcel has not arrived.",
    "evidence": "still not arrived",
    "channel": "chat",
    "analysis_version": "offline-2",
    "path": "offline",
    "model": "offline-2",
    "analyzed_at": "2026-03-02T09:17:14Z",
    "stale": False,
}
_TIMES = {"start_time": "2026-03-01T09:18:00Z", "end_time": "2026-03-02T09:18:00Z"}
_AVAILABLE = {"earliest": "2026-02-20T08:00:00Z", "latest": "2026-03-02T09:17:13Z"}
INSIGHT_PAGE = {
    "insights": [INSIGHT],
    "metadata": {
        "total_count": 523,
        "count_is_exact": True,
        "returned_count": 1,
        **_TIMES,
        "time_window": _TIMES,
        "next_cursor": "q83vEjRWeJA",
        "available": _AVAILABLE,
        "other_versions": {},
        "analysis_version": "offline-2",
        "missing_under_version": 0,
    },
}
TRENDS = {
    "window_days": 1,
    **_TIMES,
    "bucket": "hour",
    "tz": "UTC",
    "analysis_version": "offline-2",
    "missing_under_version": 0,
    "total_insights": 2,
    "sentiment_counts": {"positive": 1, "neutral": 0, "negative": 1},
    "average_sentiment": -0.125,
    "top_topics": [["delivery", 2]],
    "series": [
        {
            "start": "2026-03-02T09:00:00Z",
            "total": 2,
            "positive": 1,
            "neutral": 0,
            "negative": 1,
            "average_sentiment": -0.125,
        }
    ],
    "coverage": {"completed": 2, "skipped": 1, "failed": 0, "in_flight": 0},
    "previous": {
        "total_insights": 0,
        "sentiment_counts": {"positive": 0, "neutral": 0, "negative": 0},
        "average_sentiment": None,
    },
    "available": _AVAILABLE,
    "other_versions": {},
}
STATUS = {
    "conversations": {"queued": 0, "processing": 5, "completed": 260, "skipped": 7, "failed": 0},
    "accepted": 272,
    "oldest_unfinished": {
        "conversation_id": "conv_019a9c5e2f7c7d0e",
        "accepted_at": "2026-03-02T09:17:13Z",
        "age_seconds": 1.2,
    },
    "lag": {"conversations.received.v1": 0, "conversations.analyzed.v1": 3},
    "today": {"calls": 41, "tokens": 0, "cost_usd": 0.0},
    "analysis": {"active_version": "offline-2", "versions": ["offline-2"]},
}
