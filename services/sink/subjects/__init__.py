"""Comes in: the clusters of stored insights. Goes out: the frequent ones that the registry of subjects lacks.

Run as `python -m services.sink.subjects suggest`. It changes nothing: a person decides what becomes a subject.
"""
