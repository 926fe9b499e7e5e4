"""Analysis versions as people decide on them: compared, on trial, promoted, rolled back, retired.

Comes in: decisions through the API. Goes out: what readers are shown, and ActiveVersionChanged for the analyzers.
Guaranteed: a decision and the wish to announce it are one transaction; any reader sees the state before it or after it.
"""
