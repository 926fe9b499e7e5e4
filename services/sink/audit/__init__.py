"""Comes in: what Kafka holds and what the sink has stored. Goes out: whether they agree, each difference by name.

Run as `python -m services.sink.audit flow|rollups`. It reads while everything goes on, and changes nothing.
"""
