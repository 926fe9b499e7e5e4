"""What the server has said about each conversation, to be held against what Kafka has."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from undertone.bench.posts import Post

ACCEPTED_STATUS = 202
UNKNOWN_STATUS = 503
"""Kafka did not acknowledge in time: the record may be there, now or later."""


@dataclass(frozen=True)
class Audit:
    """Kafka beside the answers; all four numbers of a good run but `unknown_but_stored` are 0."""

    accepted: int
    missing: int
    """Answered 202, not in Kafka."""
    stored_twice: int
    """Answered 202, in Kafka more than once for one id."""
    refused_but_stored: int
    """Answered with a refusal, in Kafka nevertheless."""
    unknown_but_stored: int
    """Answered 503 or not at all, in Kafka: allowed, since a 503 says "unknown"."""
    examples: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return self.missing == self.stored_twice == self.refused_but_stored == 0


@dataclass(slots=True)
class Ledger:
    """Ids by what became of them; `contradictions` counts answers that cannot be right in themselves."""

    accepted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    contradictions: int = 0

    def answered(self, post: Post, status: int, body: bytes) -> None:
        """Note the answer to a request."""
        if status != ACCEPTED_STATUS:
            (self.unknown if status == UNKNOWN_STATUS else self.refused).update(post.ids)
        elif post.is_bulk:
            self._bulk(post, _members(body).get("results"))
        else:
            self._accept(_members(body).get("conversation_id"), post.ids[0] if post.ids else None)

    def unanswered(self, post: Post) -> None:
        """Note that a request was sent and never answered."""
        self.unknown.update(post.ids)

    def _accept(self, said: object, sent: str | None) -> None:
        if not isinstance(said, str) or said in self.accepted or (sent is not None and said != sent):
            self.contradictions += 1
            return
        self.accepted.add(said)

    def _bulk(self, post: Post, results: object) -> None:
        if not isinstance(results, list) or len(results) != len(post.ids):
            self.contradictions += 1
            return
        for sent, result in zip(post.ids, results, strict=True):
            if result["status"] == "accepted":
                self._accept(result.get("conversation_id"), sent)
            else:
                (self.unknown if result["status"] == "unknown" else self.refused).add(sent)

    def audit(self, stored: Mapping[str, int]) -> Audit:
        """Hold the answers against the number of records that Kafka has of each id."""
        missing = [one for one in self.accepted if not stored.get(one)]
        twice = [one for one in self.accepted if stored.get(one, 0) > 1]
        refused = [one for one in self.refused if stored.get(one)]
        return Audit(
            accepted=len(self.accepted),
            missing=len(missing),
            stored_twice=len(twice),
            refused_but_stored=len(refused),
            unknown_but_stored=sum(1 for one in self.unknown if stored.get(one)),
            examples=tuple((missing + twice + refused)[:5]),
        )


def count_ids(keys: Iterable[bytes | None]) -> Counter[str]:
    """How often each id is the key of a record."""
    return Counter(key.decode(errors="replace") for key in keys if key is not None)


def _members(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
