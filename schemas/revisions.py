"""Which revision of a conversation a record is: the analyzer and the sink must agree."""

from schemas.codec import RawRecord
from schemas.envelope import Envelope
from schemas.event import Revision


def revision_of(record: RawRecord, envelope: Envelope) -> Revision:
    """What the header of a copy says (replay, redrive), else where the broker put the record.

    A copy without the header would be a newer revision than its original and hide what was posted since; for a
    record that somebody wrote to the replay topic by hand there is nothing better to go by.
    """
    if envelope.revision is not None:
        return envelope.revision
    return Revision(record.timestamp_ms, record.offset)
