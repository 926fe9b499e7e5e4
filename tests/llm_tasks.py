"""Conversations for tests of the LLM engine."""

from schemas.conversation_received import Role, Turn, content_hash_of
from services.analyzer.engine import Task


def a_task(*texts: str, role: Role = Role.CUSTOMER) -> Task:
    turns = tuple(Turn(role=role, text=text) for text in texts)
    content_hash = content_hash_of(turns)
    return Task(conversation_id=f"conv_{content_hash[:8]}", content_hash=content_hash, turns=turns)


TASKS = [
    a_task("My parcel has still not arrived and I am furious.", "It is late again, this is unacceptable."),
    a_task("Thank you so much, the refund arrived quickly.", "You were wonderful and very helpful."),
    a_task("I cannot log in to the app since the update.", "It shows an error and then it crashed."),
    a_task("Which documents do I need for the flight to Lisbon?"),
]
