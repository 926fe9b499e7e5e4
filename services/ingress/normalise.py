"""Posted conversations to the event: three shapes become one, with an id, times and a hash. Pure."""

from datetime import datetime
from typing import Any

from schemas.conversation_received import ConversationReceived, content_hash_of, occurred_at_of
from services.ingress.building import built
from services.ingress.posted import Posted, PostedConversation, PostedExternalText, PostedTurn


def normalise(posted: Posted) -> PostedConversation:
    """The same conversation in the first shape; one in the first shape is returned as it is."""
    if isinstance(posted, PostedConversation):
        return posted
    if isinstance(posted, PostedExternalText):
        turn = built(PostedTurn, role=_CUSTOMER, author=None, text=posted.text, at=None)
        return _conversation(posted.external_id, turn, posted.raw)
    turn = built(PostedTurn, role=_CUSTOMER, author=posted.author, text=posted.text, at=posted.timestamp)
    return _conversation(None, turn, posted.raw_data)


_CUSTOMER = PostedTurn.model_fields["role"].default


def _conversation(conversation_id: str | None, turn: PostedTurn, raw: dict[str, Any] | None) -> PostedConversation:
    return built(
        PostedConversation,
        conversation_id=conversation_id,
        turns=(turn,),
        channel=None,
        language=None,
        metadata=None,
        raw=raw,
    )


def to_event(posted: PostedConversation, conversation_id: str, received_at: datetime) -> ConversationReceived:
    """The event of a validated conversation. What was validated on reading is not validated again."""
    return built(
        ConversationReceived,
        conversation_id=conversation_id,
        received_at=received_at,
        occurred_at=occurred_at_of(posted.turns, received_at),
        turns=posted.turns,
        channel=posted.channel,
        language=posted.language,
        metadata=posted.metadata,
        raw=posted.raw,
        content_hash=content_hash_of(posted.turns),
    )
