"""Rows of the "Customer Support on Twitter" CSV: columns, times and links between tweets. Pure.

https://www.kaggle.com/datasets/thoughtvector/customer-support-on-twitter
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone

from services.runtime.counting import counted
from undertone.ingest.opening import CONVERT

COLUMNS = ("tweet_id", "author_id", "inbound", "created_at", "text", "response_tweet_id", "in_response_to_tweet_id")
_REQUIRED = ("tweet_id", "inbound", "created_at", "text", "in_response_to_tweet_id")
_TWEET_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_INBOUND = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Tweet:
    """One row. `parent` is the tweet that it answers, `answers` the tweets that answer it, as far as it says."""

    id: str
    author: str
    is_from_customer: bool
    at: datetime
    text: str
    parent: str | None
    answers: tuple[str, ...]


class BadRow(ValueError):  # noqa: N818 - it names what was met, as house style asks
    """A row that is no tweet; `field` is its column."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


class Columns:
    """Where each column stands in the rows of a file."""

    def __init__(self, header: Sequence[str]) -> None:
        """Raises ValueError with a sentence that names the missing columns."""
        names = [name.strip() for name in header]
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise ValueError(
                f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: the only CSV that can be "
                f'read is "Customer Support on Twitter" of Kaggle, with {", ".join(COLUMNS)}'
            )
        self.count = len(names)
        self._id, self._inbound, self._created, self._text, self._parent = (names.index(name) for name in _REQUIRED)
        self._author = names.index("author_id") if "author_id" in names else None
        self._answers = names.index("response_tweet_id") if "response_tweet_id" in names else None

    def read(self, row: Sequence[str]) -> Tweet:
        """The row as a tweet. Raises BadRow."""
        if len(row) != self.count:
            raise BadRow("", f"has {counted(len(row), 'column')} instead of {self.count}")
        identifier = row[self._id].strip()
        if not _TWEET_ID.fullmatch(identifier):
            raise BadRow("tweet_id", "is not an id (letters, digits and . _ : - only)")
        is_from_customer = _INBOUND.get(row[self._inbound].strip().lower())
        if is_from_customer is None:
            raise BadRow("inbound", "is neither True nor False")
        return Tweet(
            id=identifier,
            author=row[self._author].strip() if self._author is not None else "",
            is_from_customer=is_from_customer,
            at=_read_time(row[self._created].strip()),
            text=_read_text(row[self._text]),
            parent=_read_parent(row[self._parent], identifier),
            answers=tuple(_read_ids(row[self._answers])) if self._answers is not None else (),
        )


def _read_text(text: str) -> str:
    if not text.strip():
        raise BadRow("text", "is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow("text", f"is not UTF-8; {CONVERT}") from error
    # Twitter's API escapes exactly these three.
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text


def _read_parent(cell: str, identifier: str) -> str | None:
    """The tweet answered; exports that went through a spreadsheet or pandas write 3 as 3.0."""
    parent = cell.strip().removesuffix(".0")
    return None if parent in {"", identifier} else parent


def _read_ids(cell: str) -> Iterator[str]:
    for part in cell.split(","):
        identifier = part.strip().removesuffix(".0")
        if identifier:
            yield identifier


def _read_time(text: str) -> datetime:
    try:
        moment = _parse_time(text)
    except ValueError as error:
        raise BadRow("created_at", "is not a time such as Tue Oct 31 22:10:47 +0000 2017") from error
    if moment.tzinfo is None:
        raise BadRow("created_at", "has no time zone")
    if not MINYEAR < moment.year < MAXYEAR:  # in UTC such a time may be none
        raise BadRow("created_at", "is out of the range of times")
    return moment


def _parse_time(text: str) -> datetime:
    """`Tue Oct 31 22:10:47 +0000 2017`, or ISO 8601. strptime would take 20 times as long. Raises ValueError."""
    if len(text) == 30 and text[4:7] in _MONTHS:
        return datetime(
            int(text[26:]),
            _MONTHS[text[4:7]],
            int(text[8:10]),
            int(text[11:13]),
            int(text[14:16]),
            int(text[17:19]),
            tzinfo=UTC if text[20:25] == "+0000" else _read_zone(text[20:25]),
        )
    return datetime.fromisoformat(text)


def _read_zone(text: str) -> timezone:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
