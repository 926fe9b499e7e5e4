"""What a replay sends and what it never sends, and what it says when it was asked for something that cannot be."""

import json
import signal

from tests.builders import a_conversation
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import LaneEnds, accept, copies, ids_of, stored
from tests.waiting import eventually


async def test_erased_conversations_are_never_sent_and_a_dry_run_sends_nothing_at_all(
    terminal: Terminal, deployment: Deployment
) -> None:
    placed = await accept(deployment, (a_conversation(f"c{number}") for number in range(20)))
    await accept(deployment, [a_conversation("c3", "It came back once more.")])
    await stored(deployment, 20)
    assert (await terminal.run("erase", "c7")).code == 0

    dry = await terminal.run(
        "replay", "--since", "1h", "--analysis-version", "v2", "--new-version", "--dry-run", "--json"
    )
    assert dry.code == 0, dry.err
    estimate = json.loads(dry.out)
    assert (estimate["conversations"], estimate["left_out"], estimate["known"]) == (19, {"erased": 1}, 0)
    assert (estimate["equal_content"], estimate["to_analyse"]) == (17, 2)
    assert await copies(deployment, committed=False) == []

    sent = await terminal.run("replay", "--since", "1h", "--analysis-version", "v2", "--new-version", "--yes")
    assert sent.code == 0, sent.err
    assert "Left out: 1 erased." in sent.out
    lane = await copies(deployment)
    assert ids_of(lane) == {one: 1 for one in placed if one != "c7"}
    assert {dict(record.headers)["undertone_analysis_version"] for record in lane} == {b"v2"}
    again = next(record for record in lane if record.key == b"c3")
    assert dict(again.headers)["undertone_revision"] != f"{placed['c3'].timestamp}-{placed['c3'].offset}".encode()


async def test_what_was_erased_or_posted_again_after_a_replay_began_is_left_out_when_it_goes_on(
    terminal: Terminal, deployment: Deployment, lane: LaneEnds
) -> None:
    await accept(deployment, (a_conversation(f"c{number}") for number in range(200)))
    await stored(deployment, 200)
    begin = ("replay", "--since", "1h", "--name", "late", "--rate", "5", "--yes")
    paused = await terminal.run_until(lambda: lane.reached(1), signal.SIGINT, *begin)
    assert paused.code == 130, paused.err
    sent = ids_of(await copies(deployment))
    erased, newer, *_ = (f"c{number}" for number in range(200) if f"c{number}" not in sent)
    assert (await terminal.run("erase", erased)).code == 0
    known = await deployment.conversation(newer)
    await accept(deployment, [a_conversation(newer, "It came back once more.")])

    async def is_newer() -> bool:
        return bool((await deployment.conversation(newer))["revision"] != known["revision"])

    await eventually(is_newer, what="the newer revision is stored")
    ended = await terminal.run("replay", "resume", "late", "--rate", "0")
    assert ended.code == 0, ended.err
    assert "Left out: 1 erased, 1 superseded." in ended.out
    assert ids_of(await copies(deployment)) == {f"c{n}": 1 for n in range(200) if f"c{n}" not in {erased, newer}}


async def test_selections_by_id_channel_and_status(terminal: Terminal, deployment: Deployment) -> None:
    mails = [a_conversation(f"mail{number}", channel="mail") for number in range(5)]
    chats = [a_conversation(f"chat{number}", channel="chat") for number in range(5)]
    await accept(deployment, [*mails, *chats])
    await stored(deployment, 10)
    for selection, expected in (
        (("--conversation", "mail1", "--conversation", "chat2"), {"mail1", "chat2"}),
        (("--since", "1h", "--channel", "mail"), {f"mail{number}" for number in range(5)}),
        (("--status", "queued", "--channel", "chat"), {f"chat{number}" for number in range(5)}),
    ):
        before = await copies(deployment)
        ended = await terminal.run("replay", *selection, "--yes")
        assert ended.code == 0, ended.err
        assert ids_of(await copies(deployment)) - ids_of(before) == dict.fromkeys(expected, 1)
    some = await terminal.run("replay", "--conversation", "mail1", "--conversation", "nope", "--yes")
    assert some.code == 0, some.err
    assert "Not found, 1 of 2: nope." in some.err
    assert "1 of 1 conversation is on the replay lane" in some.out
    none = await terminal.run("replay", "--status", "failed", "--yes")
    assert (none.code, none.out) == (1, "")
    assert "Nothing to replay: of the 10 records" in none.err
    assert "fits --status failed" in none.err


async def test_what_the_system_does_not_have_is_one_sentence_and_nothing_is_sent(
    terminal: Terminal, deployment: Deployment
) -> None:
    await accept(deployment, [a_conversation("c1")])
    await stored(deployment, 1)
    for arguments, code, said in (
        (("--since", "1h", "--analysis-version", "v9"), 2, "Nothing is known under the analysis version v9"),
        (("--since", "2h", "--until", "1h"), 1, "Kafka received no conversation"),
        (("--since", "1h"), 2, "add --yes"),
    ):
        ended = await terminal.run("replay", *arguments)
        assert (ended.code, said in ended.err) == (code, True), (arguments, ended)
        assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert await copies(deployment, committed=False) == []
