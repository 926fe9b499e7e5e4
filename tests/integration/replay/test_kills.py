"""A replay that is killed, fenced or stopped in the middle never sends a conversation twice, and loses none."""

import asyncio
import json
import signal
import time

import pytest

from services.runtime.kafka import KafkaConnection
from tests.builders import a_conversation, a_record
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import LaneEnds, accept, copies, ids_of
from tests.waiting import eventually
from undertone.replay.checkpoint import find_written
from undertone.replay.copies import copy_of
from undertone.replay.pacing import Pacer
from undertone.replay.plans import Plans, State
from undertone.replay.writing import ShutOut, open_writer

COUNT = 1_200
RATE = "50"


async def test_a_replay_killed_twice_while_it_sends_has_each_conversation_on_the_lane_once(
    terminal: Terminal, deployment: Deployment, lane: LaneEnds
) -> None:
    accepted = await accept(deployment, (a_conversation(f"c{number}") for number in range(COUNT)))
    begin = ("replay", "--since", "1h", "--name", "again", "--rate", RATE, "--yes")
    killed = await terminal.run_until(lambda: lane.reached(150), signal.SIGKILL, *begin)
    assert killed.code == -signal.SIGKILL
    first = await state(terminal)
    assert (first["state"], first["selected"]) == ("interrupted", COUNT)

    # Behind one whole transaction, in the middle of the next one.
    at_kill = await lane.count()
    killed = await terminal.run_until(lambda: lane.reached(at_kill + 250), signal.SIGKILL, "replay", "resume", "again")
    assert killed.code == -signal.SIGKILL
    assert (await state(terminal))["state"] == "interrupted"

    ended = await terminal.run("replay", "resume", "again", "--rate", "0", within_seconds=120)
    assert ended.code == 0, ended.err
    assert "1,200 of 1,200 conversations are on the replay lane" in ended.out
    visible = await copies(deployment)
    assert ids_of(visible) == dict.fromkeys(accepted, 1)
    for record in visible:
        original = accepted[record.key.decode()]
        headers = dict(record.headers)
        assert headers["undertone_revision"] == f"{original.timestamp}-{original.offset}".encode()
        assert headers["undertone_replay_source"] == f"{original.partition}-{original.offset}".encode()
    assert (await state(terminal))["state"] == "done"


async def test_ctrl_c_pauses_and_says_how_to_go_on_and_cancel_ends_it(
    terminal: Terminal, deployment: Deployment, lane: LaneEnds
) -> None:
    await accept(deployment, (a_conversation(f"c{number}") for number in range(400)))
    stopped = await terminal.run_until(
        lambda: lane.reached(1), signal.SIGINT, "replay", "--since", "1h", "--name", "slow", "--rate", "5", "--yes"
    )
    assert stopped.code == 130, stopped.err
    assert "`undertone replay resume slow` goes on" in " ".join(stopped.out.split())
    paused = await state(terminal)
    assert paused["state"] == "paused"
    assert sum(ids_of(await copies(deployment)).values()) == paused["written"]

    cancelled = await terminal.run("replay", "cancel", "slow")
    assert cancelled.code == 0
    again = await terminal.run("replay", "resume", "slow")
    assert again.code == 2
    assert "has ended: it is cancelled" in again.err


async def test_another_process_pauses_a_replay_and_it_goes_on_later(
    terminal: Terminal, deployment: Deployment, lane: LaneEnds
) -> None:
    await accept(deployment, (a_conversation(f"c{number}") for number in range(500)))
    plans = Plans(terminal.folder / ".undertone" / "replays")
    sending = asyncio.create_task(
        terminal.run("replay", "--since", "1h", "--name", "slow", "--rate", "5", "--yes", within_seconds=120)
    )
    await eventually(lambda: lane.reached(1), what="it sends")
    assert (await terminal.run("replay", "pause", "slow")).code == 0
    assert (await sending).code == 130
    assert plans.load("slow").state is State.PAUSED
    ended = await terminal.run("replay", "resume", "slow", "--rate", "0", within_seconds=120)
    assert ended.code == 0, ended.err
    assert ids_of(await copies(deployment)) == {f"c{number}": 1 for number in range(500)}


async def test_several_replays_at_once_each_send_everything_once(terminal: Terminal, deployment: Deployment) -> None:
    await accept(deployment, (a_conversation(f"c{number}") for number in range(300)))
    ended = await asyncio.gather(
        *(terminal.run("replay", "--since", "1h", "--name", name, "--rate", "150", "--yes") for name in ("a", "b"))
    )
    assert [one.code for one in ended] == [0, 0], [one.err for one in ended]
    assert ids_of(await copies(deployment)) == {f"c{number}": 2 for number in range(300)}


async def test_what_a_killed_writer_had_not_committed_is_gone_and_it_can_write_no_more(deployment: Deployment) -> None:
    connection = KafkaConnection(deployment.bootstrap_servers, deployment.topic_prefix)
    records = [a_record(a_conversation(), offset=offset) for offset in range(3)]
    first, second, third = (copy_of(record, "r-1", None) for record in records)
    transactional_id = f"{deployment.topic_prefix}undertone-replay-r-1"
    stands_still = StandsStill()
    async with open_writer(connection, transactional_id) as older:
        await older.write([first], Pacer(0, time.monotonic))
        writing = asyncio.create_task(older.write([second, third], stands_still))
        await stands_still.is_reached.wait()
        async with open_writer(connection, transactional_id) as newer:
            found = await find_written(connection, "r-1", {})
            assert found.offsets == {0: {0}}
            stands_still.goes_on.set()
            with pytest.raises(ShutOut, match="goes on with this replay"):
                await writing
            await newer.write([second, third], Pacer(0, time.monotonic))
            found = await find_written(connection, "r-1", {})
            assert found.offsets == {0: {0, 1, 2}}
    assert len(await copies(deployment)) == 3
    assert len(await copies(deployment, committed=False)) == 4


class StandsStill:
    """Lets one record pass, and the next one when it is told."""

    step = 1

    def __init__(self) -> None:
        self.is_reached = asyncio.Event()
        self.goes_on = asyncio.Event()
        self._passed = 0

    async def wait(self, count: int) -> None:
        self._passed += count
        if self._passed > 1:
            self.is_reached.set()
            await self.goes_on.wait()


async def state(terminal: Terminal) -> dict[str, object]:
    """The only replay, as `undertone replays --json` has it."""
    listed = await terminal.run("replays", "--json")
    assert listed.code == 0, listed.err
    (one,) = json.loads(listed.out)["replays"]
    assert isinstance(one, dict)
    return one
