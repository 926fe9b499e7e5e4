"""Load on the pipeline, measured honestly: what was asked for, what came back, and whether Kafka really has it.

Latency counts from the moment at which a request was meant to be sent. A 202 is believed when its id is in Kafka once.
"""
