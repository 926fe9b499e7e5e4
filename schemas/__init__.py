"""The contract: every event, topic and header that the services and the world exchange.

Imports pydantic and the standard library only, so that anybody can take part with this package alone.
"""
