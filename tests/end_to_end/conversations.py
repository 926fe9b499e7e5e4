"""Conversations as clients post them, in numbers."""

from typing import Any

_COMPLAINTS = (
    "My parcel number {n} was due on Monday and it still has not arrived. Where is it?",
    "I was charged twice for order {n} and nobody answers my emails.",
    "The app crashes every time I open invoice {n}. This is useless.",
    "Thank you so much, the replacement for order {n} works perfectly!",
    "How do I change the address of subscription {n}?",
)


def numbered(count: int, prefix: str = "e2e", start: int = 0) -> list[dict[str, Any]]:
    """Distinct conversations of three turns, with ids of their own."""
    return [
        {
            "conversation_id": f"{prefix}-{number:05}",
            "channel": "chat",
            "turns": [
                {"role": "customer", "text": _COMPLAINTS[number % len(_COMPLAINTS)].format(n=number)},
                {"role": "agent", "text": "I am sorry to hear that. Let me look into it for you."},
                {"role": "customer", "text": "Please do, I have been waiting for a week."},
            ],
        }
        for number in range(start, start + count)
    ]
