"""Two versions compared: where both completed the newest revision of a conversation of the window."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from services.sink.reads.members import Row, time_text
from services.sink.reads.routes import SENTIMENTS
from services.sink.rows import SCORE_UNIT
from services.sink.sql import version_diffs as sql
from services.sink.windows import Window

DIFF_SECONDS = 60.0
"""A comparison may take so long: a million conversations are some seconds."""
_TOPICS = 30


@dataclass(frozen=True, slots=True)
class Sums:
    """What a correlation is made of: integers, so that it is the same however the rows are added up."""

    count: int
    sum_a: int
    sum_b: int
    squares_a: int
    squares_b: int
    products: int

    @property
    def correlation(self) -> float | None:
        """Pearson's r of the scores; none of fewer than two, and where one side never differs."""
        of_a = self.count * self.squares_a - self.sum_a**2
        of_b = self.count * self.squares_b - self.sum_b**2
        if self.count < 2 or not of_a or not of_b:
            return None
        r = (self.count * self.products - self.sum_a * self.sum_b) / (math.sqrt(of_a) * math.sqrt(of_b))
        return round(max(-1.0, min(1.0, r)), 4)

    @property
    def mean_a(self) -> float | None:
        return self._mean(self.sum_a)

    @property
    def mean_b(self) -> float | None:
        return self._mean(self.sum_b)

    def _mean(self, total: int) -> float | None:
        return round(total / SCORE_UNIT / self.count, 4) if self.count else None


async def read_diff(connection: Any, ids: tuple[int, int], window: Window, limit: int) -> dict[str, JsonValue]:
    """Sentiments, scores, topics and the most disagreeing conversations with quotes of both versions, `a` and `b`."""
    await connection.execute(sql.WHOLE_TABLES)
    rows = await connection.fetch(sql.DIFF, *ids, window.start, window.end, limit, _TOPICS, timeout=DIFF_SECONDS)
    sentiments = [row for row in rows if row["part"] == "sentiments"]
    sums = sums_of(sentiments)
    alike = sum(row["total"] for row in sentiments if row["name"] == row["other"])
    apart = [row["name"] for row in rows if row["part"] == "conversations"]
    quotes = await connection.fetch(sql.QUOTES, apart, list(ids))
    return {
        "compared": sums.count,
        "sentiments": _table(sentiments),
        "agreement": round(alike / sums.count, 4) if sums.count else None,
        "scores": {"n": sums.count, "correlation": sums.correlation, "average": {"a": sums.mean_a, "b": sums.mean_b}},
        "topics": [
            {"topic": row["name"], "a": int(row["total"]), "b": int(row["total_b"])}
            for row in rows
            if row["part"] == "topics" and row["total"] != row["total_b"]
        ],
        "most_disagreeing": _disagreeing(apart, quotes, ids),
    }


def sums_of(rows: Sequence[Row]) -> Sums:
    """The sums over all pairs of sentiments."""
    parts = ("total", "sum_a", "sum_b", "squares_a", "squares_b", "products")
    return Sums(*(sum(int(row[part]) for row in rows) for part in parts))


def _table(rows: Sequence[Row]) -> dict[str, JsonValue]:
    """From → to, every cell."""
    counts = {(row["name"], row["other"]): row["total"] for row in rows}
    return {a: {b: counts.get((a, b), 0) for b in SENTIMENTS} for a in SENTIMENTS}


def _disagreeing(apart: Sequence[str], quotes: Sequence[Row], ids: tuple[int, int]) -> list[JsonValue]:
    found = {(row["conversation_id"], row["version_id"]): row for row in quotes}
    pairs = [(one, found.get((one, ids[0])), found.get((one, ids[1]))) for one in apart]
    return [_pair(one, a, b) for one, a, b in pairs if a is not None and b is not None]


def _pair(conversation_id: str, a: Row, b: Row) -> dict[str, JsonValue]:
    return {
        "conversation_id": conversation_id,
        "timestamp": time_text(a["occurred_at"]),
        "channel": a["channel"],
        "difference": round(abs(a["sentiment_score"] - b["sentiment_score"]), 4),
        "a": _side(a),
        "b": _side(b),
    }


def _side(row: Row) -> dict[str, JsonValue]:
    return {
        "insight_id": str(row["insight_id"]),
        "sentiment": row["sentiment"],
        "sentiment_score": row["sentiment_score"],
        "evidence": row["evidence"],
        "reasoning": row["reasoning"],
        "topics": list(row["topics"]),
    }
