"""A real Kafka and a real Postgres beside our three services, with no Docker, Java, Postgres or root beforehand.

What it guarantees: data survives restarts, nothing is left running, and a part that dies says why.
"""
