"""The log that the whole fleet of analyzers obeys: holds, granted money, the active analysis version.

It also says which analysis versions the fleet has engines for, which the sink shows to whoever decides on versions.
Every analyzer reads it whole, without a group; its order is the order of events, and times are the broker's.
"""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.event import AnalysisVersion, Event, Lane

Reason = Annotated[str, Field(max_length=300)]
Writer = Annotated[str, Field(min_length=1, max_length=128)]
"""The instance or the person that wrote the event."""


class HoldDeclared(Event):
    """No call starts for `hold_seconds` from the broker's timestamp of this record."""

    type: ClassVar[str] = "undertone.hold.declared.v1"

    hold_seconds: Annotated[float, Field(ge=0, le=7 * 86_400)]
    """Zero ends the hold."""
    lane: Lane | None = None
    """The lane that is held; none means all."""
    paid_only: bool = False
    """Only engines that cost are held: their provider asked for it, and others have nothing to do with it."""
    reason: Reason
    declared_by: Writer


class SpendReserved(Event):
    """An instance asks for money; it may spend it only if the day's sum at this position is within its budget."""

    type: ClassVar[str] = "undertone.spend.reserved.v1"

    reservation_id: UUID
    amount_usd: Annotated[float, Field(gt=0)]
    reserved_by: Writer
    daily_budget_usd: Annotated[float, Field(ge=0)] | None = None
    """The day's budget under which it was asked for: every reader judges by it, whatever its own budget is by then.
    None from older instances: then each reader's own budget decides."""


class SpendSettled(Event):
    """A reservation is closed: this much of it was spent, the rest is given back."""

    type: ClassVar[str] = "undertone.spend.settled.v1"

    reservation_id: UUID
    spent_usd: Annotated[float, Field(ge=0)]
    settled_by: Writer


class ActiveVersionChanged(Event):
    """Live traffic is analysed under this version from here on. Repeated while it holds: the log is kept for days."""

    type: ClassVar[str] = "undertone.active-version.changed.v1"

    analysis_version: AnalysisVersion
    also_analysed_under: tuple[AnalysisVersion, ...] = ()
    """Candidate versions that live traffic is analysed under as well."""
    retired: tuple[AnalysisVersion, ...] = ()
    """Versions whose results nobody keeps any more: what is asked for under them is not analysed."""
    serial: Annotated[int, Field(ge=0)] | None = None
    """Rises with every decision: a record that states a lower one than a record before it is an old one, repeated,
    and changes nothing. None where nobody counts: then the order of the log decides."""
    reason: Reason = ""
    changed_by: Writer


class EnginesOffered(Event):
    """An instance says which analysis versions it has engines for; of several such words its newest counts.

    It is said again while the instance runs, so that the word of one that was killed comes to its end by itself.
    """

    type: ClassVar[str] = "undertone.engines.offered.v1"

    analysis_versions: tuple[AnalysisVersion, ...]
    """None when the instance stops."""
    stands_seconds: Annotated[float, Field(gt=0, le=7 * 86_400)]
    """From the broker's timestamp of this record; it is said again after a third of that."""
    offered_by: Writer
