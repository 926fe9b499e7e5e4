"""A record on its way through the analyzer, decoded and with its place in the order of acknowledgement."""

from dataclasses import dataclass

from schemas.codec import RawRecord
from schemas.conversation_received import ConversationReceived
from schemas.envelope import Envelope
from schemas.event import Lane, Revision
from services.analyzer.engine import Task
from services.analyzer.ledger import RecordPlace


@dataclass(slots=True, eq=False)
class Arrival:
    """One revision of a conversation that waits for its outcome."""

    lane: Lane
    record: RawRecord
    place: RecordPlace
    conversation: ConversationReceived
    envelope: Envelope
    revision: Revision
    analysis_version: str

    @property
    def conversation_id(self) -> str:
        return self.conversation.conversation_id

    def task(self) -> Task:
        """What an engine is handed."""
        conversation = self.conversation
        return Task(conversation.conversation_id, conversation.content_hash, conversation.turns, conversation.language)
