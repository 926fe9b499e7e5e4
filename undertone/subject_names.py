"""Subjects as people name them: by slug, by the title that is printed, or by any alias."""

from difflib import SequenceMatcher

from schemas.subjects import OTHER, Subject, slug_of, subject_registry
from undertone.errors import UsageProblem


def subject_named(name: str, option: str) -> str:
    """The slug of the subject that is meant. Raises UsageProblem that lists the known ones, the closest first."""
    registry = subject_registry()
    wanted = slug_of(name)
    by_title = {slug_of(one.title): one for one in registry.subjects}
    subject = registry.by_name.get(wanted) or by_title.get(wanted)
    # A name without Latin letters has the slug of what is left over, and does not mean it.
    if subject is not None and (wanted != OTHER or name.strip().lower() == OTHER):
        return subject.slug
    closest = sorted(registry.subjects, key=lambda one: -_likeness(name, one))
    raise UsageProblem(
        f"{option} is {name[:40]!r}, which is no subject; there are {', '.join(one.slug for one in closest)} "
        f"(`undertone subjects list`)."
    )


def _likeness(name: str, subject: Subject) -> float:
    """How much a name looks like one of the subject's own, from 0 to 1."""
    slug = slug_of(name)
    return max(
        SequenceMatcher(None, slug, own).ratio() for own in (subject.slug, slug_of(subject.title), *subject.aliases)
    )
