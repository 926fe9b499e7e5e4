"""The registry of subjects: what conversations can be about, under names that stay.

Engines name clusters freely; the registry maps them to subjects by slug or alias, and what it does not know
counts as `other` (the cluster itself is kept as named). Slugs are stable: trends and filters hang on them. A
subject may gain aliases or a better title, a new one may be added; each such change raises the version.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

OTHER = "other"
_NOT_IN_A_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that conversations are about."""

    slug: str
    title: str
    """How it is called before people."""
    aliases: tuple[str, ...] = ()
    """Other slugs that mean it."""


@dataclass(frozen=True, slots=True)
class SubjectRegistry:
    """All subjects of one version, and the look-up by every name they have."""

    version: int
    subjects: tuple[Subject, ...]
    by_name: dict[str, Subject]

    def subject_of(self, cluster: str) -> str | None:
        """The slug of the subject that a cluster means; None when the registry does not know it."""
        subject = self.by_name.get(cluster) or self.by_name.get(slug_of(cluster))
        return subject.slug if subject else None

    def topics_of(self, clusters: Iterable[str]) -> tuple[str, ...]:
        """The subjects of an insight's clusters, each once, in their order; unknown ones count as `other`."""
        topics = dict.fromkeys(self.subject_of(cluster) or OTHER for cluster in clusters)
        return tuple(topics) or (OTHER,)

    def title_of(self, slug: str) -> str:
        """The title of a subject; a slug that is not in the registry is its own title."""
        subject = self.by_name.get(slug)
        return subject.title if subject else slug


def slug_of(name: str) -> str:
    """A free name as a slug: "Late Delivery!" becomes `late_delivery`; at most 64 characters, `other` if empty."""
    return _NOT_IN_A_SLUG.sub("_", name.lower()).strip("_")[:64].strip("_") or OTHER


@cache
def subject_registry() -> SubjectRegistry:
    """The registry of this release, read once a process.

    Raises ValueError when two subjects share a name: a cluster must mean one subject.
    """
    document = json.loads((files("schemas") / "subjects.json").read_text(encoding="utf-8"))
    subjects = tuple(Subject(entry["slug"], entry["title"], tuple(entry["aliases"])) for entry in document["subjects"])
    by_name: dict[str, Subject] = {}
    for subject in subjects:
        for name in (subject.slug, *subject.aliases):
            if by_name.setdefault(name, subject) is not subject:
                raise ValueError(f"subjects.json: {name!r} names both {by_name[name].slug} and {subject.slug}")
    return SubjectRegistry(document["version"], subjects, by_name)
