"""The value of a record, written straight from what was posted.

Most conversations are roles and texts and nothing else. Theirs is written here, at a third of the cost of building the
event and serialising it; all others go that way. Tests hold that both ways give the same event.
"""

from datetime import datetime
from json.encoder import encode_basestring

from schemas.codec import encode_value
from schemas.conversation_received import Role, content_hash_of_utterances
from services.ingress.normalise import normalise, to_event
from services.ingress.posted import Posted, PostedConversation, PostedSingleText

Utterances = list[tuple[Role, str]]


def value_of(posted: Posted, conversation_id: str, received_at: datetime) -> bytes:
    """The JSON of the ConversationReceived of a validated conversation."""
    utterances = _utterances_alone(posted)
    if utterances is None:
        return encode_value(to_event(normalise(posted), conversation_id, received_at))
    time = received_at.isoformat()
    # An id, a role, a time and a hash hold nothing that JSON would escape.
    turns = ",".join([f'{{"role":"{role}","text":{encode_basestring(text)}}}' for role, text in utterances])
    return (
        f'{{"conversation_id":"{conversation_id}","received_at":"{time}","occurred_at":"{time}","turns":[{turns}],'
        f'"content_hash":"{content_hash_of_utterances(utterances)}"}}'
    ).encode()


def _utterances_alone(posted: Posted) -> Utterances | None:
    """Roles and texts, when that is all that was posted: no times, authors or anything else."""
    if isinstance(posted, PostedConversation):
        if posted.channel or posted.language or posted.metadata is not None or posted.raw is not None:
            return None
        utterances = []
        for turn in posted.turns:
            if turn.at is not None or turn.author is not None:
                return None
            utterances.append((turn.role, turn.text))
        return utterances
    if isinstance(posted, PostedSingleText):
        is_alone = posted.author is None and posted.timestamp is None and posted.raw_data is None
    else:
        is_alone = posted.raw is None
    return [(Role.CUSTOMER, posted.text)] if is_alone else None
