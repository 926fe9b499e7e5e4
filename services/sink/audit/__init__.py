"""Comes in: what the sink has stored. Goes out: whether its parts agree, each difference by name.

Run as `python -m services.sink.audit rollups`. It reads one moment of the database and changes nothing.
"""
