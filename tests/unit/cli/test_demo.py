import json
import shlex
from collections.abc import Callable

import httpx
import pytest

from undertone import demo
from undertone.console import new_output
from undertone.demo import SAMPLE, Result, follow, sample_ids
from undertone.errors import CommandError, UsageProblem
from undertone.views.demo import next_steps

IDS = ["a", "b", "c"]
Answer = Callable[[], httpx.Response]


class FakeReadApi:
    """Finishes one more conversation each time its status is asked for; may fail first."""

    def __init__(self, *failures: httpx.Response | Exception, others_in_flight: int = 0) -> None:
        self.failures = list(failures)
        self.others_in_flight = others_in_flight
        self.finished = 0
        self.reads = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        if request.url.path == "/api/v1/status":
            self.finished = min(self.finished + 1, len(IDS))
            waiting = len(IDS) - self.finished + self.others_in_flight
            return httpx.Response(200, json={"conversations": {"queued": waiting, "completed": self.finished}})
        self.reads += 1
        identifier = request.url.path.rsplit("/", 1)[1]
        if IDS.index(identifier) >= self.finished:
            return httpx.Response(404)
        return httpx.Response(200, json={"conversation_id": identifier, "status": "completed"})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://read-api", transport=httpx.MockTransport(self))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(demo, "_SETTLE_SECONDS", 0.05)


async def test_each_conversation_is_followed_to_its_outcome_and_read_once_when_all_is_settled() -> None:
    api = FakeReadApi()
    seen: list[tuple[int, int]] = []
    done = await follow(api.client(), IDS, lambda count, total: seen.append((count, total)))
    assert list(done) == IDS
    assert api.reads == 3
    assert seen == [(1, 3), (2, 3), (3, 3), (3, 3)]


@pytest.mark.parametrize(
    "failure", [httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(429, headers={"Retry-After": "0"})]
)
async def test_a_read_api_that_is_away_for_a_moment_is_asked_again(failure: httpx.Response | Exception) -> None:
    assert list(await follow(FakeReadApi(failure).client(), IDS, lambda *_: None)) == IDS


async def test_other_traffic_that_never_settles_does_not_keep_the_demo_from_ending() -> None:
    assert list(await follow(FakeReadApi(others_in_flight=5).client(), IDS, lambda *_: None)) == IDS


async def test_a_conversation_without_outcome_is_named_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_PATIENCE_SECONDS", 0.05)
    with pytest.raises(CommandError, match=r"1 conversation without an outcome after .* such as lost"):
        await follow(_without("lost"), [*IDS, "lost"], lambda *_: None)


def _without(missing: str) -> httpx.AsyncClient:
    api = FakeReadApi()

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path.endswith(missing) else api(request)

    return httpx.AsyncClient(base_url="http://read-api", transport=httpx.MockTransport(answer))


async def test_a_missing_key_and_a_bug_of_the_service_end_the_demo_at_once() -> None:
    with pytest.raises(UsageProblem, match="scope read"):
        await follow(FakeReadApi(httpx.Response(401)).client(), IDS, lambda *_: None)
    with pytest.raises(CommandError, match="failed on /api/v1/status"):
        await follow(FakeReadApi(httpx.Response(500)).client(), IDS, lambda *_: None)


def test_the_sample_has_272_conversations_with_ids_of_their_own() -> None:
    assert len(set(sample_ids())) == len(sample_ids()) == 272
    first = json.loads(SAMPLE.read_text(encoding="utf-8").splitlines()[0])
    assert sample_ids()[0] == first["conversation_id"]


@pytest.mark.parametrize(
    ("accepted", "statuses", "is_exact"),
    [
        (3, ["completed", "skipped", "failed"], True),
        (2, ["completed", "skipped", "failed"], False),
        (3, ["completed", "skipped"], False),
        (3, ["completed", "skipped", "queued"], False),
    ],
)
def test_the_demo_is_exact_only_when_every_count_agrees(accepted: int, statuses: list[str], is_exact: bool) -> None:
    conversations = {name: {"status": status} for name, status in zip("abc", statuses, strict=False)}
    assert Result(3, accepted, conversations).is_exact is is_exact


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("home", [None, ".undertone/demo-simulator", "/home/some body/src/undertone/.undertone/demo"])
def test_the_commands_to_go_on_with_are_whole_however_narrow_the_terminal_is(
    width: int, home: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = ("http://127.0.0.1:8000", "http://127.0.0.1:8002")
    engine = [("export ANALYZER_ENGINE=llm", "let it judge again")]
    steps = next_steps("make", *addresses, "a-1", activate=". .venv/bin/activate", home=home, engine=engine)
    new_output(width).print(steps, soft_wrap=True)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert next(n for n, line in enumerate(lines) if line.startswith("export ANALYZER_ENGINE=llm ")) < next(
        n for n, line in enumerate(lines) if line.startswith("make up ")
    )
    for command in (". .venv/bin/activate ", "make up ", "undertone show a-1 "):
        assert any(line.startswith(command) for line in lines)
    if home is not None:
        exported = next(line for line in lines if line.startswith("export "))
        assert shlex.split(exported)[1] == f"UNDERTONE_HOME={home}"
    assert "curl http://127.0.0.1:8002/api/v1/conversations/a-1" in lines
