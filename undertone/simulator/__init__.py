"""A local server that speaks Chat Completions, as well or as badly as it is told.

In: requests of the LLM engine; out: plausible results drawn from the conversations, or faults on demand. Equal
seeds and scripts give equal conduct, and it counts its own calls: tests and benchmarks believe its count.
"""
