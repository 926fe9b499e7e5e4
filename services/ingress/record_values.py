"""The value of a record, written straight from what was posted.

Most conversations are roles and texts and nothing else. Theirs is written here, at a third of the cost of building the
event and serialising it; all others go that way. Tests hold that both ways give the same event.
"""

from datetime import datetime
from typing import NamedTuple, Self

from pydantic_core import to_json

from schemas.codec import encode_value
from schemas.conversation_received import Role, content_hash_of_utterances
from services.ingress.normalise import normalise, to_event
from services.ingress.posted import Posted, PostedConversation, PostedSingleText

Utterances = list[tuple[Role, str]]


class Receipt(NamedTuple):
    """When a request came, also as text: writing a time costs as much as hashing a conversation."""

    at: datetime
    text: str

    @classmethod
    def of(cls, moment: datetime) -> Self:
        return cls(moment, moment.isoformat())


def value_of(posted: Posted, conversation_id: str, receipt: Receipt) -> bytes:
    """The JSON of the ConversationReceived of a validated conversation."""
    utterances = _utterances_alone(posted)
    if utterances is None:
        return encode_value(to_event(normalise(posted), conversation_id, receipt.at))
    # An id, a role, a time and a hash hold nothing that JSON would escape.
    identifier, time = conversation_id.encode(), receipt.text.encode()
    turns = b",".join([b'{"role":"%b","text":%b}' % (role.encode(), to_json(text)) for role, text in utterances])
    content_hash = content_hash_of_utterances(utterances).encode()
    return (
        b'{"conversation_id":"%b","received_at":"%b","occurred_at":"%b","turns":[%b],"content_hash":"%b"}'
        % (identifier, time, time, turns, content_hash)
    )  # fmt: skip


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
