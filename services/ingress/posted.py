"""What clients may post: three shapes of a conversation, each refused if it holds a member that it does not have.

1. a conversation with turns, 2. one text, 3. one text with the sender's own id. The models read JSON in one pass
and name every problem by the member that the sender wrote (`messages.0.content`).
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
)

from schemas.conversation_received import (
    MAX_METADATA_BYTES,
    MAX_RAW_BYTES,
    MAX_TEXT_CHARACTERS,
    MAX_TURNS,
    Role,
    Turn,
)
from schemas.event import ConversationId, StorableJson, Text, refuse_unstorable_text, to_utc
from services.ingress.blank import BLANK_CLASS

_ISO_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
ROLES = {
    "customer": Role.CUSTOMER,
    "user": Role.CUSTOMER,
    "agent": Role.AGENT,
    "assistant": Role.AGENT,
    "bot": Role.AGENT,
    "system": Role.SYSTEM,
}


def _role_of(word: Any) -> Role:
    role = ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise ValueError(f"must be one of {', '.join(ROLES)}")
    return role


def _iso_time(value: Any) -> Any:
    """Times are text: a bare number could be seconds or milliseconds."""
    if not isinstance(value, str) or _ISO_TIME.match(value) is None:
        raise ValueError("must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z")
    return value


def _bounded(limit_bytes: int) -> AfterValidator:
    def check(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(value, ensure_ascii=False).encode()) > limit_bytes:
            raise ValueError(f"is larger than {limit_bytes // 1024} KiB as JSON")
        return value

    return AfterValidator(check)


PostedRole = Annotated[
    Role,
    BeforeValidator(_role_of),
    WithJsonSchema({"type": "string", "enum": list(ROLES), "default": "customer"}),
]
PostedTime = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_time),
    AfterValidator(to_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"^2\d{3}-\d\d-\d\dT.*([Zz]|[+-]\d\d:\d\d)$"}),
]
_Storable = AfterValidator(refuse_unstorable_text)
_NO_NUL: dict[str, JsonValue] = {"pattern": r"^[^\u0000]*$"}
_SAYS_SOMETHING: dict[str, JsonValue] = {"pattern": rf"^[^\u0000]*[^{BLANK_CLASS}][^\u0000]*$"}
_IN_ONE_OF_THEM: dict[str, JsonValue] = {
    "contains": {"anyOf": [{"required": [name], "properties": {name: _SAYS_SOMETHING}} for name in ("text", "content")]}
}
"""Says of turns that one of them must say something."""
_LATE = "My parcel is late again."
_BoundedText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, examples=[_LATE]), _Storable]
TurnText = Annotated[_BoundedText, Field(json_schema_extra=_NO_NUL)]
OnlyText = Annotated[_BoundedText, Field(json_schema_extra=_SAYS_SOMETHING)]
"""Of a conversation that has no other; `reading` sees to it that it says something."""
Author = Annotated[str, Field(max_length=200, json_schema_extra=_NO_NUL), _Storable]
Metadata = Annotated[dict[Text, StorableJson], _bounded(MAX_METADATA_BYTES)]
Raw = Annotated[dict[Text, StorableJson], _bounded(MAX_RAW_BYTES)]


def _with_other_names(names: dict[str, str]) -> Callable[[dict[str, Any]], None]:
    """Describe members that may be written under another name, of which only one may be given."""

    def describe(schema: dict[str, Any]) -> None:
        members, required = schema["properties"], schema.get("required", [])
        rules: list[dict[str, Any]] = []
        for other, name in names.items():
            members[other] = {**members[name], "description": f"Another name of `{name}`."}
            if name in required:
                rules.append({"oneOf": [{"required": [name]}, {"required": [other]}]})
            else:
                rules.append({"not": {"required": [name, other]}})
        schema["allOf"] = rules
        schema["required"] = [name for name in required if name not in names.values()]

    return describe


class PostedTurn(Turn):
    """One utterance: `content` is read as `text`, `timestamp` as `at`, `user` as customer, `assistant` as agent."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=_with_other_names({"content": "text", "timestamp": "at"})
    )

    role: PostedRole = Role.CUSTOMER
    author: Author | None = None
    text: Annotated[TurnText, Field(validation_alias=AliasChoices("text", "content"))]
    at: Annotated[PostedTime | None, Field(validation_alias=AliasChoices("at", "timestamp"))] = None


class PostedConversation(BaseModel):
    """A conversation with its turns; `messages` is read as `turns`."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, json_schema_extra=_with_other_names({"messages": "turns"})
    )

    conversation_id: ConversationId | None = None
    turns: Annotated[
        tuple[PostedTurn, ...],
        Field(
            min_length=1,
            max_length=MAX_TURNS,
            validation_alias=AliasChoices("turns", "messages"),
            examples=[[{"role": "customer", "text": _LATE}]],
            json_schema_extra=_IN_ONE_OF_THEM,
        ),
    ]
    channel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")] | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{2,35}$")] | None = None
    metadata: Metadata | None = None
    raw: Raw | None = None


class PostedSingleText(BaseModel):
    """One text: a conversation of one turn."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    text: OnlyText
    author: Author | None = None
    timestamp: PostedTime | None = None
    raw_data: Raw | None = None


class PostedExternalText(BaseModel):
    """One text under the sender's own id."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    external_id: ConversationId
    text: OnlyText
    raw: Raw | None = None


Posted = PostedConversation | PostedSingleText | PostedExternalText

ALIASES = {"messages": "turns", "content": "text", "timestamp": "at"}
"""Members that have two names in the first shape; writing both is a contradiction."""

_OF_CONVERSATIONS = frozenset({"turns", "messages", "conversation_id", "channel", "language", "metadata"})


def shape_of(members: dict[str, Any]) -> type[Posted]:
    """The shape that an object means to be, whether or not it is a good one."""
    if "turns" in members or "messages" in members:
        return PostedConversation
    if "external_id" in members:
        return PostedExternalText
    if "text" in members or _OF_CONVERSATIONS.isdisjoint(members):
        return PostedSingleText
    return PostedConversation


def likely_shape(text: bytes) -> type[Posted]:
    """The shape to try first; a wrong guess costs time only, since no text is good in two shapes."""
    if text.startswith(b'{"text"'):
        return PostedSingleText
    if b'"turns"' in text or b'"messages"' in text:
        return PostedConversation
    return PostedExternalText if b'"external_id"' in text else PostedSingleText
