"""The quickest way to read: posts that are ids, roles and texts and nothing else, which most are.

What is not surely such a post is not read here (None), and goes the way that knows all members. What is read here
would be read there, and means the same.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from msgspec import UNSET, UnsetType

from schemas.conversation_received import MAX_TEXT_CHARACTERS, MAX_TURNS, Role
from services.ingress.blank import SURELY_SEEN, says_something
from services.ingress.body_structure import surely_has_few_parts
from services.ingress.posted import ROLES

_RoleWord: TypeAlias = Literal["customer", "user", "agent", "assistant", "bot", "system"]
_PlainText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
_PLAIN_IDS = re.compile(r"(?:[A-Za-z0-9._:-]{1,128}\n)*")
"""Ids, each with a line end after it: matching them together costs a tenth of matching each."""
_SHORTEST = len('{"text":"a"}')
ROLE_NAMES: dict[str | UnsetType, str] = {UNSET: Role.CUSTOMER.value}
ROLE_NAMES.update({word: role.value for word, role in ROLES.items()})

Utterances = list[tuple[str, str]]
"""Roles and texts. Roles as plain strings: an enumeration's member is a slow one."""


class PlainTurn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A turn that is a text and perhaps a role."""

    text: _PlainText
    role: _RoleWord | UnsetType = UNSET


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A post in any of the three shapes. No cycle can start here, so the garbage collector need not look."""

    turns: Annotated[list[PlainTurn], msgspec.Meta(min_length=1, max_length=MAX_TURNS)] | UnsetType = UNSET
    text: _PlainText | UnsetType = UNSET
    conversation_id: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET

    @property
    def given_id(self) -> str | None:
        """What the sender calls the conversation."""
        return self.conversation_id or self.external_id or None

    @property
    def id_field(self) -> str:
        """The member that says so."""
        return "conversation_id" if self.conversation_id else "external_id"

    def utterances(self) -> Utterances:
        """Who said what."""
        if self.turns is UNSET:
            return [("customer", cast("str", self.text))]  # it has none of the shapes else, and was not read
        return [(ROLE_NAMES[turn.role], turn.text) for turn in self.turns]


_decode_one: Callable[[bytes], Plain] = msgspec.json.Decoder(Plain).decode
_decode_many: Callable[[bytes], list[Plain]] = msgspec.json.Decoder(list[Plain]).decode


def read_plain(text: bytes) -> Plain | None:
    """The post, when it is plain and good."""
    if _may_hold_nul(text):
        return None
    try:
        post = _decode_one(text)
    except ValueError:  # also what is not UTF-8
        return None
    ids: list[str] = []
    quotes = _quotes_of(post, ids)
    return post if quotes and quotes == text.count(b'"') and _are_ids(ids) else None


def read_plain_array(text: bytes, most: int) -> Sequence[Plain] | None:
    """The posts of a JSON array, when there are at most so many and all of them are plain and good."""
    if _may_hold_nul(text) or not surely_has_few_parts(text, arrays=1 + most, shortest_object=_SHORTEST):
        return None
    try:
        posts = _decode_many(text)
    except ValueError:
        return None
    if len(posts) > most:
        return None
    ids: list[str] = []
    quotes = 0
    for post in posts:
        found = _quotes_of(post, ids)
        if not found:
            return None
        quotes += found
    return posts if quotes == text.count(b'"') and _are_ids(ids) else None


def _may_hold_nul(text: bytes) -> bool:
    """Whether U+0000 may be among it, which nothing behind the front door can hold."""
    return b"\\" in text and b"\\u0000" in text


def _quotes_of(post: Plain, ids: list[str]) -> int:
    """The quotes that surely stand in the JSON of a post, whose id is added to `ids`; 0 if it is not good.

    When a text has no more than these, no member was dropped because it stood twice.
    """
    turns = post.turns
    if turns is UNSET:
        return _quotes_of_text(post, ids)
    if post.text is not UNSET or post.external_id is not UNSET:
        return 0
    quotes = 2
    for turn in turns:
        quotes += 4 if turn.role is UNSET else 8
    if not (turns[0].text[0] in SURELY_SEEN or any(says_something(turn.text) for turn in turns)):
        return 0
    if post.conversation_id is UNSET:
        return quotes
    ids.append(post.conversation_id)
    return quotes + 4


def _quotes_of_text(post: Plain, ids: list[str]) -> int:
    if post.text is UNSET or post.conversation_id is not UNSET or not says_something(post.text):
        return 0
    if post.external_id is UNSET:
        return 4
    ids.append(post.external_id)
    return 8


def _are_ids(texts: list[str]) -> bool:
    lines = "\n".join([*texts, ""])
    return _PLAIN_IDS.fullmatch(lines) is not None and lines.count("\n") == len(texts)
