"""A plan counts by the offsets of one Kafka: another one at the same address is refused."""

from tests.builders import a_conversation
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import Terminal
from tests.integration.replay.lane import accept, copies
from undertone.replay.plans import Plans, State


async def test_a_replay_that_was_begun_on_another_cluster_is_refused_and_one_that_does_not_say_goes_on(
    terminal: Terminal, deployment: Deployment
) -> None:
    await accept(deployment, (a_conversation(f"c{number}") for number in range(5)))
    begun = await terminal.run("replay", "--since", "1h", "--name", "early", "--yes")
    assert begun.code == 0, begun.err
    sent = len(await copies(deployment))
    plans = Plans(terminal.folder / ".undertone" / "replays")
    replay = plans.load("early")
    here = replay.cluster
    assert here

    replay.state, replay.cluster = State.PAUSED, "purged"
    plans.save(replay)
    refused = await terminal.run("replay", "resume", "early")
    said = " ".join(refused.err.split())
    assert refused.code == 2, said
    assert f"another Kafka (cluster purged) than the one that answers at {deployment.bootstrap_servers} now" in said
    assert "`undertone replay cancel early`" in said
    assert len(await copies(deployment, committed=False)) == sent

    for known in (here, None):
        replay.cluster = known
        plans.save(replay)
        assert (await terminal.run("replay", "resume", "early")).code == 0
