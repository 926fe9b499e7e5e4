"""Dead letters are sent again byte for byte, each once, whatever is stopped in the middle."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.dead_letter import REDRIVEN_FROM, DeadLetterReason
from schemas.event import Revision
from schemas.topics import ANALYZED, RECEIVED
from services.runtime.kafka import KafkaUnavailable
from services.runtime.publisher import EventPublisher
from services.sink.redriving.actions import Action, ForeignAction, drop, preview
from services.sink.redriving.redriver import AlreadyRunning, Redriver, Unsettled
from services.sink.redriving.selection import Selection
from services.sink.resources import Resources, open_resources
from services.sink.sql import redrives as sql
from tests.infrastructure import Infrastructure
from tests.integration.sink.letters import a_letter, keep, read_topic, states
from tests.integration.sink.running import sink_settings

WAITING = Selection(state="waiting")


@pytest.fixture
async def resources(infrastructure: Infrastructure, kafka_topics: str, database_url: str) -> AsyncIterator[Resources]:
    async with open_resources(sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics)) as opened:
        yield opened


def redriver_of(resources: Resources, publisher: Any = None, *, settle_seconds: float = 0) -> Redriver:
    return Redriver(
        resources.write_pool,
        publisher or resources.publisher,
        resources.connection,
        settle_seconds=settle_seconds,
    )


def an_action(selection: Selection = WAITING, action_id: UUID | None = None) -> Action:
    return Action(action_id or uuid4(), "redrive", selection, "kim", "the model answers again")


def sent_from(record: Any) -> list[str]:
    return [content.decode() for name, content in record.headers if name == REDRIVEN_FROM]


async def test_a_letter_goes_back_byte_for_byte_with_its_key_and_headers_and_says_what_it_was(
    resources: Resources,
) -> None:
    headers = [("ce_type", b"\xff\x00"), ("own", b"1"), ("own", b"2"), (REDRIVEN_FROM, str(UUID(int=7)).encode())]
    letter = a_letter(3, value=b"\xff\x00 not an event", key=b"\xfe key", headers=headers)
    await keep(resources.write_pool, [letter])
    done = await redriver_of(resources).redrive(an_action(), 100)
    assert (done.sent, done.remaining, done.refused) == (1, 0, {})
    (record,) = await read_topic(resources.connection, RECEIVED)
    assert (record.key, record.value) == (b"\xfe key", b"\xff\x00 not an event")
    revision = Revision(letter.letter.origin.timestamp_ms, 3)
    added = [("undertone_revision", str(revision).encode()), (REDRIVEN_FROM, str(letter.letter.id).encode())]
    assert list(record.headers) == headers + added


async def test_a_copy_keeps_the_revision_that_it_already_had(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(3, headers=[("undertone_revision", b"5-6")])])
    await redriver_of(resources).redrive(an_action(), 100)
    (record,) = await read_topic(resources.connection, RECEIVED)
    assert [content for name, content in record.headers if name == "undertone_revision"] == [b"5-6"]


async def test_an_outcome_goes_back_to_the_outcomes(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(1, topic=ANALYZED)])
    await redriver_of(resources).redrive(an_action(), 100)
    (record,) = await read_topic(resources.connection, ANALYZED)
    assert "undertone_revision" not in [name for name, _ in record.headers]
    assert await read_topic(resources.connection, RECEIVED) == []


async def test_500_letters_are_sent_once_in_steps_and_a_second_redrive_does_nothing(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(500)])
    redriver, action = redriver_of(resources), an_action()
    steps = [await redriver.redrive(action, 200) for _ in range(3)]
    assert [(step.sent, step.remaining) for step in steps] == [(200, 300), (200, 100), (100, 0)]
    for again in (action, an_action()):
        done = await redriver.redrive(again, 200)
        assert (done.sent, done.remaining) == (0, 0)
    records = await read_topic(resources.connection, RECEIVED)
    assert len(records) == len({tuple(sent_from(record)) for record in records}) == 500
    assert await states(resources.write_pool) == {"redriven": 500}
    actions = await resources.write_pool.fetch("SELECT done_by, note FROM dead_letter_actions")
    assert [tuple(row) for row in actions] == [("kim", "the model answers again")]


async def test_what_fails_again_during_a_redrive_is_not_sent_by_it(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(10)])
    redriver, action = redriver_of(resources), an_action()
    assert (await redriver.redrive(action, 5)).remaining == 5
    await keep(resources.write_pool, [a_letter(number) for number in range(100, 105)])
    done = await redriver.redrive(action, 100)
    assert (done.sent, done.remaining) == (5, 0)
    assert await states(resources.write_pool) == {"redriven": 10, "waiting": 5}


class Interrupting(EventPublisher):
    """Sends so many records, then the process is as good as killed."""

    def __init__(self, real: EventPublisher, after: int) -> None:
        self._real = real
        self._left = after

    async def enqueue(self, *record: Any) -> Any:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        future = await self._real.enqueue(*record)
        await future
        return future


@pytest.mark.parametrize("after", [0, 1, 30, 59])
async def test_an_interrupted_redrive_is_finished_without_sending_anything_twice(
    resources: Resources, after: int
) -> None:
    keyless = [replace(a_letter(number), key=None) for number in range(100, 110)]
    await keep(resources.write_pool, [a_letter(number) for number in range(50)] + keyless)
    action = an_action()
    with pytest.raises(asyncio.CancelledError):
        await redriver_of(resources, Interrupting(resources.publisher, after)).redrive(action, 100)
    assert await states(resources.write_pool) == {"sending": 60}
    done = await redriver_of(resources).redrive(action, 100)
    assert (done.found, done.sent, done.remaining) == (after, 60 - after, 0)
    counts = Counter(sent_from(record)[-1] for record in await read_topic(resources.connection, RECEIVED))
    assert len(counts) == 60
    assert set(counts.values()) == {1}
    assert await states(resources.write_pool) == {"redriven": 60}


async def test_what_the_network_may_still_hold_is_waited_for(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(1)])
    with pytest.raises(asyncio.CancelledError):
        await redriver_of(resources, Interrupting(resources.publisher, 0)).redrive(an_action(), 100)
    with pytest.raises(Unsettled):
        await redriver_of(resources, settle_seconds=3600).redrive(an_action(), 100)


class Unsure(EventPublisher):
    """Kafka has the record, and does not say so."""

    def __init__(self, real: EventPublisher) -> None:
        self._real = real

    async def enqueue(self, *record: Any) -> Any:
        await (await self._real.enqueue(*record))
        unsure: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        unsure.set_exception(KafkaUnavailable("Kafka did not acknowledge"))
        return unsure


async def test_what_kafka_did_not_acknowledge_is_looked_for_before_it_is_sent_again(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(3)])
    action = an_action()
    done = await redriver_of(resources, Unsure(resources.publisher)).redrive(action, 100)
    assert (done.sent, done.unknown) == (0, 3)
    done = await redriver_of(resources).redrive(action, 100)
    assert (done.found, done.sent, done.unknown) == (3, 0, 0)
    assert len(await read_topic(resources.connection, RECEIVED)) == 3


async def test_one_redrive_runs_at_a_time(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(1)])
    async with resources.write_pool.acquire() as other:
        assert await other.fetchval(sql.LOCK)
        with pytest.raises(AlreadyRunning):
            await redriver_of(resources).redrive(an_action(), 100)
    assert (await redriver_of(resources).redrive(an_action(), 100)).sent == 1


async def test_what_cannot_be_sent_whole_is_counted_and_left(resources: Resources) -> None:
    large = a_letter(1, value=b"x" * (6 * 1024 * 1024 + 1))
    damaged = a_letter(2)
    await keep(resources.write_pool, [large, damaged, a_letter(3)])
    await resources.write_pool.execute(
        "UPDATE dead_letters SET sha256 = 'other' WHERE dead_letter_id = $1", damaged.letter.id
    )
    redriver, action = redriver_of(resources), an_action()
    done = await redriver.redrive(action, 100)
    assert (done.sent, list(done.refused), done.unsendable, done.remaining) == (1, [damaged.letter.id], 1, 0)
    assert await states(resources.write_pool) == {"redriven": 1, "waiting": 2}
    again = await redriver.redrive(action, 100)
    assert (again.sent, again.refused) == (0, {}), "what was refused is not tried again by the same action"


SELECTIONS: Sequence[tuple[Selection, int]] = (
    (Selection(state="waiting", reason="undecodable"), 2),
    (Selection(state="waiting", topic=ANALYZED.name), 1),
    (Selection(state="waiting", conversation_id="c0001"), 1),
    (Selection(state="waiting", service="nobody"), 0),
)


@pytest.mark.parametrize(("selection", "count"), SELECTIONS)
async def test_only_what_is_selected_is_sent_and_a_preview_says_how_many(
    resources: Resources, selection: Selection, count: int
) -> None:
    poison = [a_letter(number, reason=DeadLetterReason.UNDECODABLE) for number in (8, 9)]
    await keep(resources.write_pool, [a_letter(1), a_letter(2, topic=ANALYZED), *poison])
    action = an_action(selection)
    async with resources.write_pool.acquire() as connection:
        _, piles = await preview(connection, action)
        assert sum(pile.letters for pile in piles) == count
    assert await states(resources.write_pool) == {"waiting": 4}
    assert (await redriver_of(resources).redrive(action, 100)).sent == count


async def test_an_action_is_not_gone_on_with_under_another_selection(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(1), a_letter(2)])
    action = an_action()
    await redriver_of(resources).redrive(action, 1)
    with pytest.raises(ForeignAction):
        await redriver_of(resources).redrive(an_action(Selection(reason="undecodable"), action.action_id), 1)


async def test_what_was_dropped_is_sent_only_when_it_is_asked_for(resources: Resources) -> None:
    await keep(resources.write_pool, [a_letter(number) for number in range(4)])
    one = Selection(state="waiting", conversation_id="c0001")
    dropping = Action(uuid4(), "drop", one, "kim")
    assert (await drop(resources.write_pool, dropping)).dropped == 1
    assert (await drop(resources.write_pool, dropping)).dropped == 0
    assert (await redriver_of(resources).redrive(an_action(), 100)).sent == 3
    assert await states(resources.write_pool) == {"redriven": 3, "dropped": 1}
    assert (await redriver_of(resources).redrive(an_action(Selection(state="dropped")), 100)).sent == 1


async def test_an_erased_conversation_is_not_sent_again(resources: Resources) -> None:
    letter = a_letter(1)
    await keep(resources.write_pool, [letter])
    await resources.write_pool.execute(
        "INSERT INTO erasures VALUES ('c0001', $1, $2)", letter.letter.origin.timestamp_ms, letter.letter.origin.offset
    )
    done = await redriver_of(resources).redrive(an_action(), 100)
    assert (done.sent, done.remaining) == (0, 0)
    assert await read_topic(resources.connection, RECEIVED) == []


async def test_letters_of_one_cause_have_one_fingerprint(resources: Resources) -> None:
    details = ("turns.0.text: 'abc' is wrong", "turns.12.text: 'def' is wrong", "turns.1.role: 'abc' is wrong")
    letters = [a_letter(number, detail=detail) for number, detail in enumerate(details)]
    await keep(resources.write_pool, letters)
    rows = await resources.write_pool.fetch("SELECT dead_letter_id, fingerprint FROM dead_letters")
    found = {row["dead_letter_id"]: row["fingerprint"] for row in rows}
    first, second, third = (found[letter.letter.id] for letter in letters)
    assert first == second != third
