"""The sink. In: accepted conversations, started batches, outcomes and dead letters, from Kafka.

Out: rows in Postgres and the read API. Guaranteed: each record has its effect exactly once, in any order of arrival.
"""
