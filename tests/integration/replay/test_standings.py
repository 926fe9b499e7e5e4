"""What the sink says of conversations that somebody is about to send again."""

import httpx

from schemas.event import Revision
from tests.builders import a_conversation
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import accept, stored
from undertone.replay.api import ReplayApi


async def test_newest_revisions_and_erasures_of_those_that_are_known(
    terminal: Terminal, deployment: Deployment
) -> None:
    placed = await accept(deployment, [a_conversation("kept"), a_conversation("erased")])
    await stored(deployment, 2)
    assert (await terminal.run("erase", "erased")).code == 0
    with ReplayApi(deployment.the("sink").url, None) as api:
        found = api.standings(["kept", "erased", "kept", "unknown"])
    assert found.keys() == {"kept", "erased"}
    revision = Revision(placed["kept"].timestamp, placed["kept"].offset)
    assert found["kept"].newest == revision
    assert found["kept"].objection(revision) is None
    assert found["kept"].objection(Revision(revision.timestamp_ms, revision.offset - 1)) == "superseded"
    erased = found["erased"]
    assert erased.newest is None
    assert erased.erased_up_to is not None
    assert erased.erased_up_to.timestamp_ms >= placed["erased"].timestamp


async def test_too_many_at_once_are_refused(deployment: Deployment) -> None:
    async with httpx.AsyncClient(base_url=deployment.the("sink").url) as client:
        answer = await client.post(
            "/internal/v1/conversations/standings", json={"conversation_ids": [f"c{number}" for number in range(1_001)]}
        )
    assert answer.status_code == 400, answer.text
