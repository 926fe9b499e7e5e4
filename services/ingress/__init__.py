"""In: conversations over HTTP. Out: conversations.received.v1, and nothing else; it reads no data.

A 202 is sent only after all in-sync replicas of Kafka have the conversation.
"""
