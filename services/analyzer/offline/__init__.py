"""The offline engine: judges conversations by word lists and rules, without a model, a key or a network.

The same conversation gives the same finding, on every platform and under every hash seed.
"""
