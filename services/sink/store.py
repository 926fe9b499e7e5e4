"""Storing a batch: rows, rollups and offsets in one transaction, under the epochs that were claimed.

Guaranteed: a batch is stored whole or not at all, and only by the owner of all its partitions; storing it again
changes nothing. Every writer takes its locks in the order that sql/outcomes.py states.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.sink.batch import Batch, Claim, Claimed, Claims, Place
from services.sink.columns import (
    VersionIds,
    call_columns,
    conversation_columns,
    dead_letter_values,
    failure_usage_columns,
    insight_columns,
    is_paid,
    outcome_columns,
    started_columns,
    usage_columns,
)
from services.sink.failures import SERIALIZATION, Fenced
from services.sink.merge import newest_postings, standings
from services.sink.metrics import TRANSACTION_RETRIES
from services.sink.sql import conversations, dead_letters, offsets, outcomes, versions
from services.sink.versions import ForgottenVersion, KnownVersions, VersionRegistry, note_seen, read_versions

_ATTEMPTS = 10
"""How often a transaction is run that meets another one; each time one of the two gets through."""


class Store:
    """Writes for one consumer group."""

    def __init__(self, pool: asyncpg.Pool, group: str, owner: str) -> None:
        self._pool = pool
        self._group = group
        self._owner = owner
        self._versions = VersionRegistry(pool)

    async def claim(self, beginnings: Mapping[Place, int], cluster_id: str) -> dict[Place, Claimed]:
        """Take partitions over from whoever had them; a first claim starts at the log's beginning."""
        places = sorted(beginnings)
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(
                offsets.CLAIM,
                self._group,
                [place.topic for place in places],
                [place.partition for place in places],
                [beginnings[place] for place in places],
                cluster_id,
                self._owner,
            )
        return {
            Place(row["topic"], row["partition"]): Claimed(Claim(row["epoch"], row["next_offset"]), row["cluster_id"])
            for row in rows
        }

    async def store(self, batch: Batch, claims: Claims) -> None:
        """Store a batch: either conversations, outcomes and dead letters, or started events.

        Started events are keyed by batch, so they touch other sinks' conversations: apart, no transaction locks the
        status counts twice, and two sinks cannot deadlock on them.
        Raises Fenced, and what asyncpg raises (`failures` says what it means).
        """
        for attempt in range(1, _ATTEMPTS + 1):
            await self._versions.add_unknown(batch.versions())
            try:
                await self._store(batch, claims)
            except (ForgottenVersion, *SERIALIZATION):
                TRANSACTION_RETRIES.inc()
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    async def _store(self, batch: Batch, claims: Claims) -> None:
        async with self._transaction(batch, claims) as connection:
            known = await read_versions(connection)
            self._versions.refuse_forgotten(batch, known)
            if known.awaited:
                await note_seen(connection, known, batch)
            await _write_outcomes(connection, batch, known)
            await _write_conversations(connection, batch, known.followed)
            await _write_started(connection, batch, known.all_ids)
            for row in batch.dead_letters:
                await connection.execute(dead_letters.KEEP, *dead_letter_values(row))

    @asynccontextmanager
    async def _transaction(self, batch: Batch, claims: Claims) -> AsyncIterator[Any]:
        """A transaction that has moved the batch's offsets; leaving it without an error commits."""
        places = sorted(batch.next_offsets)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(versions.LOCK_SHARED)
            moved = await connection.fetchval(
                offsets.ADVANCE,
                self._group,
                [place.topic for place in places],
                [place.partition for place in places],
                [claims[place].epoch for place in places],
                [claims[place].next_offset for place in places],
                [batch.next_offsets[place] for place in places],
            )
            if moved != len(places):
                raise Fenced
            yield connection


async def _write_outcomes(connection: Any, batch: Batch, known: KnownVersions) -> None:
    """What came under a retired version is left out, because its rows are leaving; what it took is counted."""
    insights, rows = batch.insights, batch.outcomes
    if known.retired:
        insights = [one for one in insights if one.analysis_version not in known.retired]
        rows = [one for one in rows if one.version not in known.retired]
    stored = 0
    if insights:
        stored = await connection.fetchval(outcomes.INSIGHTS, *insight_columns(insights, known.ids, batch.places))
    if stored < len(batch.insights) and (paid := [one for one in batch.insights if is_paid(one)]):
        await connection.execute(outcomes.SPENT_IN_VAIN, *usage_columns(paid, known.all_ids))
    if failures := [one for one in batch.outcomes if is_paid(one)]:
        await connection.execute(outcomes.SPENT_ON_FAILURES, *failure_usage_columns(failures, known.all_ids))
    if rows:
        await connection.fetchval(outcomes.OUTCOMES, *outcome_columns(standings(rows), known.ids))


async def _write_conversations(connection: Any, batch: Batch, followed: Sequence[int]) -> None:
    postings = newest_postings(batch.conversations)
    finished = sorted({row.conversation_id for row in batch.outcomes})
    if postings or finished:
        changed = [one.row.conversation_id for one in postings if one.has_changed]
        await connection.fetchval(
            conversations.CONVERSATIONS, *conversation_columns(postings), changed, finished, followed
        )


async def _write_started(connection: Any, batch: Batch, ids: VersionIds) -> None:
    if batch.started:
        await connection.execute(outcomes.CALLS, *call_columns(batch.started, ids))
        await connection.fetchval(conversations.STARTED, *started_columns(batch.started))
