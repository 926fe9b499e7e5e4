"""Strategies: conversations as senders write them, in all three shapes and any mix of names."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

NOW = datetime(2026, 3, 2, 9, 17, 13, tzinfo=UTC)


def can_be_seen(text: str) -> bool:
    """Whether a letter, number, punctuation mark or symbol is in it, by what Python knows of Unicode."""
    return any(unicodedata.category(one)[0] in "LNPS" and one not in UNSEEN for one in text)


UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that look like a space."""
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60).filter(
    can_be_seen
)
ids = st.text("abcXYZ019._:-", min_size=1, max_size=128)
roles = st.sampled_from(["customer", "user", "agent", "assistant", "bot", "system"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=4)


def _iso(moment: datetime) -> str:
    return moment.isoformat()


zones = st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours)))
times = st.datetimes(datetime(2000, 1, 2), datetime(2026, 3, 1), timezones=zones).map(_iso)  # noqa: DTZ001 - bounds are naive


@st.composite
def turns(draw: st.DrawFn) -> dict[str, Any]:
    """One turn, with either name of each member."""
    turn: dict[str, Any] = {draw(st.sampled_from(["text", "content"])): draw(texts)}
    if draw(st.booleans()):
        turn["role"] = draw(roles)
    if draw(st.booleans()):
        turn["author"] = draw(texts)
    if draw(st.booleans()):
        turn[draw(st.sampled_from(["at", "timestamp"]))] = draw(times)
    return turn


@st.composite
def whole_conversations(draw: st.DrawFn) -> dict[str, Any]:
    """The first shape."""
    posted: dict[str, Any] = {
        draw(st.sampled_from(["turns", "messages"])): draw(st.lists(turns(), min_size=1, max_size=4))
    }
    optional = {
        "conversation_id": ids,
        "channel": st.sampled_from(["chat", "e-mail", "twitter"]),
        "language": st.sampled_from(["en", "pt-BR"]),
        "metadata": objects,
        "raw": objects,
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            posted[name] = draw(values)
    return posted


single_texts = st.fixed_dictionaries(
    {"text": texts}, optional={"author": texts, "timestamp": times, "raw_data": objects}
)
external_texts = st.fixed_dictionaries({"external_id": ids, "text": texts}, optional={"raw": objects})
good_posts = whole_conversations() | single_texts | external_texts
