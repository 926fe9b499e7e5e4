"""In: conversations (live and replay lane) and the control log. Out: one outcome for every revision, dead letters.

An offset is acknowledged only after its outcome is durable in Kafka, so nothing is lost; work may come again after a
kill or a rebalance, and gives the same insight id. No call starts above the fleet's limits. Holds never drop anything.
"""
