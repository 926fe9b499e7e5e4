"""Ids of conversations that come without one."""

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import ID_PATTERN
from services.ingress.identifiers import new_conversation_id, repeatable_conversation_id

milliseconds = st.integers(0, 2**48 - 1)


@given(milliseconds, st.text("0123456789abcdef", min_size=19, max_size=19))
def test_a_new_id_is_a_uuid_7_that_the_contract_allows(unix_ms: int, noise: str) -> None:
    identifier = new_conversation_id(unix_ms, lambda _: noise)
    assert re.match(ID_PATTERN, identifier)
    parsed = uuid.UUID(identifier.removeprefix("conv_"))
    assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, uuid.RFC_4122, unix_ms)


@given(milliseconds, milliseconds)
def test_ids_sort_by_the_millisecond_they_were_made_in(one: int, other: int) -> None:
    if one < other:
        assert new_conversation_id(one) < new_conversation_id(other)


def test_a_repeatable_id_depends_on_caller_key_and_place_and_on_nothing_else() -> None:
    ids = {
        repeatable_conversation_id(caller, key, index)
        for caller in ("shop", "board")
        for key in ("a", "b")
        for index in (None, 0, 1)
    }
    assert len(ids) == 12
    assert repeatable_conversation_id("shop", "a", 0) in ids


def test_a_repeatable_id_never_changes_between_releases() -> None:
    assert repeatable_conversation_id("shop", "order-4711", None) == "conv_2f86428100ce56ea94bd8d08767dafa1"
