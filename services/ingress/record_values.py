"""The value of a record, written straight from what was posted.

Most conversations are roles and texts and nothing else. Theirs is written here, at a third of the cost of building the
event and serialising it; all others go that way. Tests hold that both ways give the same event.
"""

from datetime import datetime
from typing import NamedTuple, Self, cast

import msgspec

from schemas.codec import encode_value
from schemas.conversation_received import content_hash_of_utterances
from services.ingress.normalise import normalise, to_event
from services.ingress.plain import Plain, Utterances
from services.ingress.posted import Posted, PostedConversation, PostedSingleText

_json = msgspec.json.Encoder().encode
_NEXT_TURN = b'},{"role":"'


class Receipt(NamedTuple):
    """When a request came, also as it is written: writing a time costs as much as hashing a conversation."""

    at: datetime
    text: str
    members: bytes
    """What stands between the id and the first role when no turn states a time. Joining what is written anyway is
    quicker than formatting it."""

    @classmethod
    def of(cls, moment: datetime) -> Self:
        text = moment.isoformat()
        return cls(moment, text, f'","received_at":"{text}","occurred_at":"{text}","turns":[{{"role":"'.encode())


def value_of(posted: Posted | Plain, conversation_id: bytes, receipt: Receipt) -> bytes:
    """The JSON of the ConversationReceived of a validated conversation."""
    utterances = posted.utterances() if isinstance(posted, Plain) else _utterances_alone(posted)
    if utterances is None:
        return encode_value(to_event(normalise(cast("Posted", posted)), conversation_id.decode(), receipt.at))
    # An id, a role, a time and a hash hold nothing that JSON would escape.
    content_hash = content_hash_of_utterances(utterances).encode()
    role, text = utterances[0]
    said = _json(text)
    if len(utterances) > 1:
        others = [b'%b","text":%b' % (role.encode(), _json(text)) for role, text in utterances[1:]]
        said = _NEXT_TURN.join([said, *others])
    return b"".join(
        (
            b'{"conversation_id":"',
            conversation_id,
            receipt.members,
            role.encode(),
            b'","text":',
            said,
            b'}],"content_hash":"',
            content_hash,
            b'"}',
        )
    )


def _utterances_alone(posted: Posted) -> Utterances | None:
    """Roles and texts, when that is all that was posted: no times, authors or anything else."""
    if isinstance(posted, PostedConversation):
        if posted.channel or posted.language or posted.metadata is not None or posted.raw is not None:
            return None
        utterances: Utterances = []
        for turn in posted.turns:
            if turn.at is not None or turn.author is not None:
                return None
            utterances.append((turn.role, turn.text))
        return utterances
    if isinstance(posted, PostedSingleText):
        is_alone = posted.author is None and posted.timestamp is None and posted.raw_data is None
    else:
        is_alone = posted.raw is None
    return [("customer", posted.text)] if is_alone else None
