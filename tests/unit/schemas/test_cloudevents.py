"""Our records are CloudEvents to the world's own SDK."""

import json

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from schemas.conversation_received import ConversationReceived
from tests.builders import a_conversation, a_record


def test_the_cloudevents_sdk_reads_what_we_write() -> None:
    conversation = a_conversation("conv_1")
    record = a_record(conversation)
    event = from_binary_event(KafkaMessage(dict(record.headers), record.key, record.value or b""))
    assert event.get_type() == ConversationReceived.type
    assert event.get_source() == "/undertone/test"
    data = event.get_data()
    body = data if isinstance(data, dict) else json.loads(data or b"")
    assert ConversationReceived.model_validate(body) == conversation
