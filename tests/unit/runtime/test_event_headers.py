"""The headers that senders of many fill into a template are those that the contract's writer writes."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import headers_of_original
from services.runtime.event_headers import event_headers
from services.runtime.record_batches import encoded_headers

words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=130)


@given(event_type=words, source=words, event_id=words, time=words, traceparent=words, correlation_id=words)
def test_a_filled_template_is_what_the_contract_writes(
    *, event_type: str, source: str, event_id: str, time: str, traceparent: str, correlation_id: str
) -> None:
    expected = headers_of_original(
        event_type,
        event_id=event_id,
        source=source,
        time=time,
        correlation_id=correlation_id,
        traceparent=traceparent,
    )
    varying = (event_id.encode(), time.encode(), traceparent.encode(), correlation_id.encode())
    assert event_headers(event_type, source).filled(*varying) == encoded_headers(expected)
