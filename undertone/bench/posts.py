"""What is posted: conversations whose ids tell which run they belong to, as the bytes of whole HTTP requests.

The requests are made from templates, since a library's request object costs more than the server's whole answer.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult

DEFAULT_TEXT_BYTES = 280
"""A long tweet: what most support conversations begin with."""
_VARIANTS = 64
_SENTENCES = (
    "the parcel never came and support keeps telling me to wait another day while my card was charged twice for an "
    "order that I cancelled last week please check the account and send back what you took because this app logs me "
    "out whenever I open the invoice page thanks for the quick answer yesterday your colleague was kind and helpful"
)


class Shape(StrEnum):
    """The three bodies that the ingress accepts for one conversation, and many at once."""

    TURNS = "turns"
    TEXT = "text"
    EXTERNAL = "external"
    BULK = "bulk"


@dataclass(slots=True)
class Post:
    """One request; `ids` are those of its conversations, empty where the ingress makes the id."""

    request: bytes
    ids: Sequence[str]
    is_bulk: bool = False


NextPost = Callable[[], Post]


def texts_of(length: int, seed: int = 1) -> list[str]:
    """A few texts of exactly `length` characters of ASCII; the same for the same seed."""
    chosen = random.Random(seed)  # noqa: S311 - variety, not secrets
    vocabulary = _SENTENCES.split()
    words_enough = length // 2 + 1  # even if each had one letter
    texts = (" ".join(chosen.choices(vocabulary, k=words_enough)) for _ in range(_VARIANTS))
    return [text[: length - 1] + "." for text in texts]


class PostMaker:
    """Makes the requests of one run, each with new ids that begin with `run`."""

    def __init__(
        self,
        url: SplitResult,
        run: str,
        *,
        shape: Shape = Shape.TURNS,
        text_bytes: int = DEFAULT_TEXT_BYTES,
        bulk_size: int = 500,
        api_key: str | None = None,
        is_distinct: bool = False,
    ) -> None:
        self._run = run
        self._shape = shape
        self._bulk_size = bulk_size
        self._texts = [json.dumps(text).encode() for text in texts_of(text_bytes)]
        self._is_distinct = is_distinct
        self._made = 0
        path = "/api/v1/conversations/bulk" if shape is Shape.BULK else "/api/v1/conversations"
        lines = [
            f"POST {url.path.rstrip('/')}{path} HTTP/1.1",
            f"Host: {url.netloc.rpartition('@')[2]}",
            "Content-Type: application/json",
            *([f"Authorization: Bearer {api_key}"] if api_key else []),
            "Content-Length: ",
        ]
        self._head = "\r\n".join(lines).encode("ascii")

    def __call__(self) -> Post:
        """The next request."""
        numbers = range(self._made + 1, self._made + 1 + (self._bulk_size if self._shape is Shape.BULK else 1))
        self._made = numbers[-1]
        if self._shape is Shape.TEXT:
            return Post(self._request(b'{"text":%b}' % self._text(self._made)), ())
        ids = [f"{self._run}-{number}" for number in numbers]
        bodies = [self._one(identifier.encode(), number) for identifier, number in zip(ids, numbers, strict=True)]
        body = b"[" + b",".join(bodies) + b"]" if self._shape is Shape.BULK else bodies[0]
        return Post(self._request(body), ids, self._shape is Shape.BULK)

    def _one(self, identifier: bytes, number: int) -> bytes:
        if self._shape is Shape.EXTERNAL:
            return b'{"external_id":"%b","text":%b}' % (identifier, self._text(number))
        return b'{"conversation_id":"%b","turns":[{"role":"customer","text":%b}]}' % (identifier, self._text(number))

    def _text(self, number: int) -> bytes:
        text = self._texts[number % _VARIANTS]
        return b'"About order %d: %b' % (number, text[1:]) if self._is_distinct else text

    def _request(self, body: bytes) -> bytes:
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
