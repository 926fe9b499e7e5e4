"""Text to tokens, in one regular-expression pass and linear time.

Handles, links, mark-up and placeholders (`__company__`) are cut first: they name things and feel nothing.
"""

import re

HEAD_CHARACTERS = 1_600
TAIL_CHARACTERS = 800
"""Of a longer turn only this much of its beginning and end is read: complaints are stated early or concluded late."""

_MARKS_OF_NOISE = ("@", "http", "__", "&", "^", "www.")
_NOISE = re.compile(
    r"https?://\S+|www\.\S+|@\w+"
    r"|__(?!num__|money__|time__)\w{1,32}?__"  # placeholders of anonymised text; the excepted ones are numbers
    r"|&\w{1,8};|\^\w{1,3}\b"  # HTML entities, the initials that agents sign with
)
_HASHTAG = re.compile(r"#(\w+)")
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)?"  # words, with one inner apostrophe
    r"|\d+|__\w{1,32}?__"
    r"|[!?]+|[.,;:](?=\s|$)|\n"  # what ends a clause
    r"|[:;=]['\-]?[()\[\]DPp/\\|*]|<3|</3"  # emoticons
    r"|[\u2600-\u27bf\U0001f300-\U0001faff]"  # emoji
)
_NUMBER_STARTS = frozenset("0123456789_")
NUMBER = "#"
"""Every number is read as this token."""


def considered(text: str) -> str:
    """The part of a turn that is read: all of it, or its head and tail."""
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"


def tokens_of(text: str) -> list[str]:
    """The tokens of a text as written (capitals kept): words, numbers, stops, emoticons and emoji.

    "n't" becomes "nt" ("can't" and "cant" are one word) and a possessive "'s" is dropped.
    """
    if not text.isascii():
        text = text.replace("\u2019", "'")
    text = without_noise(text)
    if "#" in text:
        text = _HASHTAG.sub(_words_of_hashtag, text)
    if "'" in text:
        text = text.replace(" n't", "n't").replace("n't", "nt").replace("N'T", "NT").replace("'s", "")
    return _TOKEN.findall(text)


def without_noise(text: str) -> str:
    """The text without handles, links, HTML entities, placeholders and agents' initials."""
    for mark in _MARKS_OF_NOISE:
        if mark in text:
            return _NOISE.sub(" ", text)
    return text


def as_read(tokens: list[str]) -> list[str]:
    """Tokens in the form in which word lists are written: lower case, each number as `#`."""
    if not tokens:
        return []
    lowered = "\x00".join(tokens).lower().split("\x00")  # one call instead of one a token
    return [NUMBER if token[0] in _NUMBER_STARTS else token for token in lowered]


def _words_of_hashtag(hashtag: re.Match[str]) -> str:
    return _INNER_CAPITAL.sub(" ", hashtag[1])
