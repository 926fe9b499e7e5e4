"""How often a finding like this one has the right sentiment.

Measured, not felt: on labelled support texts a negative finding is right nine times in ten, a positive one two
times in three, a neutral one half the time, each the more often the further its score is from the thresholds.
The knots below are those shares, rounded to 0.01 and drawn in between; benchmarks/offline_engine.py prints how far
they are off (expected calibration error).
"""

from bisect import bisect_right

from schemas.insight_produced import Sentiment, sentiment_of

UNREADABLE = 0.1
"""For a language the word lists do not know: neutral because nothing was understood."""
UNHEARD = 0.2
"""Neutral because only the company speaks: how the customer feels stands nowhere."""
NOTHING_SAID = 0.64
"""Neutral, and no word with a feeling was found: most such texts ask or inform."""
UNDECIDED = 0.42
"""Neutral because what was found is weak or cancels out."""
NEXT_TO_NOTHING = 0.05

_KNOTS = {
    Sentiment.NEGATIVE: ((0.20, 0.57), (0.25, 0.65), (0.30, 0.76), (0.35, 0.88), (0.40, 0.94), (0.50, 0.96)),
    Sentiment.POSITIVE: ((0.20, 0.48), (0.25, 0.55), (0.30, 0.60), (0.35, 0.68), (0.40, 0.80), (0.50, 0.94)),
}


def confidence_of(score: float, *, is_found: bool) -> float:
    """0 to 1; `is_found` tells whether any word with a feeling was found."""
    sentiment = sentiment_of(score)
    if sentiment is Sentiment.NEUTRAL:
        return NOTHING_SAID if not is_found and abs(score) < NEXT_TO_NOTHING else UNDECIDED
    return round(_interpolated(_KNOTS[sentiment], abs(score)), 3)


def _interpolated(knots: tuple[tuple[float, float], ...], x: float) -> float:
    after = bisect_right(knots, (x, 1.0))
    if after == len(knots):
        return knots[-1][1]
    (x0, y0), (x1, y1) = knots[max(after - 1, 0)], knots[after]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if after else y0
