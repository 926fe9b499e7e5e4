"""Taking the records of a lane in: decode each, and see under which versions it is to be analysed.

One intake a lane. It waits for room (that is the back-pressure), for the control log to be read, and, at a record that
a person must look at, for that person; it never waits for an analysis.
"""

from collections.abc import Awaitable, Callable

from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Envelope
from schemas.event import Lane
from schemas.revisions import revision_of
from schemas.topics import RECEIVED, REPLAY, Topic
from services.analyzer.accepting import Accepting
from services.analyzer.arrivals import Arrival
from services.analyzer.gaps import Gaps, Verdict
from services.analyzer.ledger import Ledger, RecordPlace
from services.analyzer.live_versions import LiveVersions, describe_missing
from services.analyzer.metrics import GIVEN_UP
from services.analyzer.outbox import Outbox
from services.analyzer.task_set import Tasks
from services.analyzer.undecodable_limit import UndecodableLimit
from services.runtime.logs import get_logger

_log = get_logger(__name__)

TOPIC_OF_LANE: dict[Lane, Topic] = {Lane.LIVE: RECEIVED, Lane.REPLAY: REPLAY}
_LOG_UNREAD = "the control log, which says what live traffic is analysed under, is not read yet"


class Intake:
    """Takes the records of one lane."""

    def __init__(
        self,
        lane: Lane,
        *,
        ledger: Ledger,
        gaps: Gaps[tuple[Lane, int]],
        read_again: Callable[[Lane, int, int], Awaitable[None]],
        accepting: Accepting,
        outbox: Outbox,
        versions: LiveVersions,
        is_log_read: Callable[[], bool],
        tasks: Tasks,
    ) -> None:
        self.lane = lane
        self.undecodable = UndecodableLimit()
        self.is_taking = False
        """Whether a record is on its way in, be it that it waits for room."""
        self._topic = TOPIC_OF_LANE[lane]
        self._ledger = ledger
        self._gaps = gaps
        self._read_again = read_again
        self._accepting = accepting
        self._outbox = outbox
        self._versions = versions
        self._is_log_read = is_log_read
        self._tasks = tasks
        self._let_go_of: set[tuple[str, ...]] = set()
        """Retired versions that the log was told of: copies may be a million."""

    async def take(self, record: RawRecord, acknowledge: Callable[[], object]) -> None:
        """Take a record in. It comes again when a rebalance or the end of the process comes first."""
        self.is_taking = True
        try:
            await self._take(record, acknowledge)
        finally:
            self.is_taking = False

    async def _take(self, record: RawRecord, acknowledge: Callable[[], object]) -> None:
        if not self._ledger.is_open or not await self._follows(record):
            return
        size = len(record.value or b"")
        place = await self._ledger.admit(self.lane, record.partition, record.offset, size, acknowledge)
        if place is None:
            return
        try:
            decoded = decode(record, self._topic)
        except UndecodableRecord as error:
            await self._put_aside(record, place, error)
            return
        self.undecodable.note(is_undecodable=False)
        assert isinstance(decoded.event, ConversationReceived)
        if self.lane is Lane.LIVE and decoded.envelope.lane == Lane.REPLAY:
            self._ledger.done(place)  # a bulk import: its copy on the replay lane is analysed in its place
            return
        versions = await self._versions_for(record, decoded.envelope, place)
        if versions:
            event, envelope, revision = decoded.event, decoded.envelope, revision_of(record, decoded.envelope)
            self._ledger.expect(place, versions)
            self._accepting.accept(
                [Arrival(self.lane, record, place, event, envelope, revision, version) for version in versions]
            )

    async def _follows(self, record: RawRecord) -> bool:
        """Whether nothing is missing before the record; else the partition is read again, and the record comes then."""
        partition = (self.lane, record.partition)
        verdict = self._gaps.judge(partition, record.offset)
        if verdict is Verdict.SEEK:
            expected = self._gaps.expected(partition)
            _log.warning(
                "offsets_missing",
                lane=self.lane.value,
                partition=record.partition,
                expected=expected,
                found=record.offset,
            )
            await self._read_again(self.lane, record.partition, expected)
        return verdict is Verdict.NEXT

    async def _put_aside(self, record: RawRecord, place: RecordPlace, error: UndecodableRecord) -> None:
        self.undecodable.note(is_undecodable=True)
        while self.undecodable.is_exceeded:
            if not await self._hold(record, place, self.undecodable.describe()):
                return
        self._tasks.spawn(self._outbox.bury_undecodable(record, place, error.reason, error.detail))

    async def _versions_for(self, record: RawRecord, envelope: Envelope, place: RecordPlace) -> tuple[str, ...]:
        """The versions to analyse under; none when the record comes again, or is let go.

        Holds the lane for what is not to be had.
        """
        while not self._is_log_read():
            if not await self._ledger.block(place, _LOG_UNREAD):
                return ()
        while True:
            wanted = self._wanted(envelope)
            if self.lane is Lane.REPLAY and self._versions.retired.issuperset(wanted):
                self._let_go(place, wanted)
                return ()
            missing = [version for version in wanted if version not in self._versions.known]
            if not missing:
                return wanted
            # Neither the active version nor one on trial can be retired: there only its engine helps.
            way_out = Lane.LIVE if set(missing).intersection(self._versions.all) else self.lane
            if not await self._hold(record, place, describe_missing(missing, self._versions.known, way_out)):
                return ()

    def _let_go(self, place: RecordPlace, wanted: tuple[str, ...]) -> None:
        """A copy for a retired version is not analysed: it would be paid for, and nobody keep what is found."""
        GIVEN_UP.inc()
        if wanted not in self._let_go_of:
            self._let_go_of.add(wanted)
            _log.warning("copies_let_go", retired=wanted[0], reason="what is found under a retired version is not kept")
        self._ledger.done(place)

    def _wanted(self, envelope: Envelope) -> tuple[str, ...]:
        if self.lane is Lane.LIVE:
            return self._versions.all
        return (envelope.analysis_version or self._versions.active,)

    async def _hold(self, record: RawRecord, place: RecordPlace, reason: str) -> bool:
        """Stop the lane at a record until somebody acts; False when it comes again."""
        _log.error("lane_held", lane=self.lane.value, reason=reason, partition=record.partition, offset=record.offset)
        return await self._ledger.block(place, reason)
