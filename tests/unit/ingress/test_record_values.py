"""However a record's value is written, it is the same event."""

import hashlib
import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode_value
from schemas.conversation_received import (
    ConversationReceived,
    Role,
    Turn,
    content_hash_of,
    content_hash_of_utterance,
    content_hash_of_utterances,
)
from schemas.envelope import CE_ID, headers_of_original
from services.ingress.normalise import normalise, to_event
from services.ingress.reading import read_one
from services.ingress.record_values import Receipt, value_of
from services.ingress.refusals import Refusal
from tests.unit.ingress.posts import texts

NOW = datetime(2026, 11, 21, 10, 0, 0, 123456, UTC)
times = st.integers(1_000_000_000, 1_700_000_000).map(lambda one: datetime.fromtimestamp(one, UTC).isoformat())
objects = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3)


def some(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


turns = merged(
    st.fixed_dictionaries({"text": texts}),
    some({"role": st.sampled_from(["customer", "user", "agent", "system"])}),
    st.just({}) | some({"author": texts, "at": times}),
)
conversations = merged(
    st.fixed_dictionaries({"turns": st.lists(turns, min_size=1, max_size=4)}),
    st.just({})
    | some({"channel": st.just("email"), "language": st.just("pt-BR"), "metadata": objects, "raw": objects}),
)
single_texts = merged(
    st.fixed_dictionaries({"text": texts}),
    st.just({}) | some({"author": texts, "timestamp": times, "raw_data": objects}),
)
external_texts = merged(
    st.fixed_dictionaries({"external_id": st.just("order-1"), "text": texts}), st.just({}) | some({"raw": objects})
)


@given(conversations | single_texts | external_texts)
def test_a_value_reads_as_the_event_that_would_have_been_built(members: dict[str, Any]) -> None:
    posted = read_one(json.dumps(members, ensure_ascii=False).encode(), NOW)
    assert not isinstance(posted, Refusal), posted
    expected = encode_value(to_event(normalise(posted), "conv_1", NOW))
    written = value_of(posted, b"conv_1", Receipt.of(NOW))
    assert ConversationReceived.model_validate_json(written) == ConversationReceived.model_validate_json(expected)


@given(texts, st.integers(-600, 600))
def test_the_time_of_receipt_is_kept_to_the_microsecond(text: str, minutes: int) -> None:
    posted = read_one(json.dumps({"text": text}).encode(), NOW)
    assert not isinstance(posted, Refusal)
    moment = NOW + timedelta(minutes=minutes, microseconds=minutes)
    event = ConversationReceived.model_validate_json(value_of(posted, b"conv_1", Receipt.of(moment)))
    assert event.received_at == event.occurred_at == moment


@given(st.lists(st.tuples(st.sampled_from(Role), texts | st.text(" \t\x1f\u3000abe\u0301é", min_size=1)), min_size=1))
def test_a_content_hash_is_over_role_length_and_text_however_it_is_computed(utterances: list[tuple[Role, str]]) -> None:
    parts = [(role.value, unicodedata.normalize("NFC", said).strip().encode()) for role, said in utterances]
    hashed = b"".join(b"%b:%d:%b" % (role.encode(), len(text), text) for role, text in parts)
    expected = hashlib.sha256(hashed).hexdigest()
    turns = [Turn(role=role, text=said) for role, said in utterances]
    assert content_hash_of(turns) == content_hash_of_utterances(utterances) == expected
    if len(utterances) == 1:
        (role, said), *_ = utterances
        assert content_hash_of_utterance(role, said) == content_hash_of_utterance(role.value, said) == expected


def test_the_event_id_stands_where_it_is_looked_for() -> None:
    headers = headers_of_original("t", event_id="an id", source="s", time="now", correlation_id="c", traceparent="p")
    assert headers[CE_ID] == ("ce_id", b"an id")
