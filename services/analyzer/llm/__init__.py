"""The LLM engine. In: a batch of conversations; out: findings that hold the contract whatever the model said.

One call a batch to an OpenAI-compatible Chat Completions endpoint. Nothing a model says is believed unchecked:
ids are random per call, evidence must stand in its conversation and in no other, values are bounded one by one.
"""
