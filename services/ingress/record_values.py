"""The value of a record, written straight from what was posted.

Most conversations are roles and texts and nothing else. Theirs is written here, at a third of the cost of building the
event and serialising it; all others go that way. Tests hold that both ways give the same event.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Self, cast

import msgspec
from msgspec import UNSET

from schemas.codec import encode_value
from schemas.conversation_received import content_hash_of_utterance, content_hash_of_utterances
from services.ingress.normalise import normalise, to_event
from services.ingress.plain import ROLE_NAMES, Plain, Utterances
from services.ingress.posted import Posted, PostedConversation, PostedSingleText

_json = msgspec.json.Encoder().encode
_OPENING, _TEXT, _NEXT_TURN, _CONTENT_HASH, _END = (
    b'{"conversation_id":"',
    b'","text":',
    b'},{"role":"',
    b'}],"content_hash":"',
    b'"}',
)


class Receipt(NamedTuple):
    """When a request came, also as it is written: writing a time costs as much as hashing a conversation."""

    at: datetime
    text: str
    members: bytes
    """What stands between the id and the first role when no turn states a time."""

    @classmethod
    def of(cls, moment: datetime) -> Self:
        text = moment.isoformat()
        return cls(moment, text, f'","received_at":"{text}","occurred_at":"{text}","turns":[{{"role":"'.encode())


def value_of(posted: Posted | Plain, conversation_id: bytes, receipt: Receipt) -> bytes:
    """The JSON of the ConversationReceived of a validated conversation."""
    if isinstance(posted, Plain):
        turns = posted.turns
        if turns is UNSET:
            return _value_of_one(conversation_id, receipt, "customer", cast("str", posted.text))
        if len(turns) == 1:
            turn = turns[0]
            return _value_of_one(conversation_id, receipt, ROLE_NAMES[turn.role], turn.text)
        return _value_of_some(conversation_id, receipt, posted.utterances())
    utterances = _utterances_alone(posted)
    if utterances is None:
        return encode_value(to_event(normalise(posted), conversation_id.decode(), receipt.at))
    return _value_of_some(conversation_id, receipt, utterances)


def writer_of_plain(receipt: Receipt) -> Callable[[Plain, bytes], bytes]:
    """Writes the same of plain conversations of one request, for which what they have in common is joined once."""
    common = {word: (role, receipt.members + role.encode() + _TEXT) for word, role in ROLE_NAMES.items()}
    join, json, hash_of = b"".join, _json, content_hash_of_utterance

    def write(post: Plain, identifier: bytes) -> bytes:
        turns = post.turns
        if turns is UNSET:
            role, opening = common[UNSET]
            text = cast("str", post.text)
        elif len(turns) == 1:
            turn = turns[0]
            role, opening = common[turn.role]
            text = turn.text
        else:
            return _value_of_some(identifier, receipt, post.utterances())
        return join((_OPENING, identifier, opening, json(text), _CONTENT_HASH, hash_of(role, text).encode(), _END))

    return write


# An id, a role, a time and a hash hold nothing that JSON would escape. Joining is quicker than formatting.


def _value_of_one(conversation_id: bytes, receipt: Receipt, role: str, text: str) -> bytes:
    return b"".join(
        (
            _OPENING,
            conversation_id,
            receipt.members,
            role.encode(),
            _TEXT,
            _json(text),
            _CONTENT_HASH,
            content_hash_of_utterance(role, text).encode(),
            _END,
        )
    )


def _value_of_some(conversation_id: bytes, receipt: Receipt, utterances: Utterances) -> bytes:
    turns = _NEXT_TURN.join([b"".join((role.encode(), _TEXT, _json(text))) for role, text in utterances])
    content_hash = content_hash_of_utterances(utterances).encode()
    return b"".join((_OPENING, conversation_id, receipt.members, turns, _CONTENT_HASH, content_hash, _END))


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
