"""What the ingress counts."""

from services.runtime.metrics import Counter

ACCEPTED = Counter("undertone_conversations_accepted", "Conversations that Kafka acknowledged, by route.", ["route"])
REFUSED = Counter(
    "undertone_conversations_refused",
    "Conversations that were not accepted, by reason; a refused bulk request counts once.",
    ["reason"],
)
