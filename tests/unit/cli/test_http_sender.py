import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from undertone.errors import CommandError, UsageProblem
from undertone.ingest.http_sender import HttpSender, retry_after_seconds
from undertone.ingest.outgoing import Outgoing

Answer = Callable[[list[str]], httpx.Response]


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeIngress:
    """Answers each request by the next of its answers, then accepts all; remembers what it was sent."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[list[str]] = []
        self.times: list[float] = []
        self.clock = FakeTime()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        ids = [json.loads(line)["conversation_id"] for line in request.content.splitlines()]
        self.requests.append(ids)
        self.times.append(self.clock.now)
        answer = self.answers.pop(0) if self.answers else accept
        if isinstance(answer, Exception):
            raise answer
        return answer(ids)

    def sender(self, give_up_seconds: float = 60) -> HttpSender:
        client = httpx.AsyncClient(base_url="http://ingress", transport=httpx.MockTransport(self))
        return HttpSender(client, clock=self.clock, sleep=self.clock.sleep, give_up_seconds=give_up_seconds)


def _results(ids: Sequence[str], statuses: dict[str, str]) -> list[dict[str, Any]]:
    error = {"error": "invalid_schema", "details": "d", "errors": [{"field": "turns", "problem": "is required"}]}
    return [
        {"index": index, "status": statuses.get(one, "accepted")}
        | ({"error": error} if statuses.get(one) == "rejected" else {"conversation_id": one})
        for index, one in enumerate(ids)
    ]


def answering(code: int, headers: dict[str, str] | None = None, **statuses: str) -> Answer:
    """An answer that says for each conversation what became of it."""
    return lambda ids: httpx.Response(code, headers=headers, json={"results": _results(ids, statuses)})


def plain(code: int, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    """An answer about the request as a whole."""
    return lambda _: httpx.Response(code, headers=headers, json=members)


accept = answering(202)
BATCH = [Outgoing(number, name, json.dumps({"conversation_id": name}).encode()) for number, name in enumerate("abcd")]


async def test_all_are_accepted_with_one_request() -> None:
    ingress = FakeIngress()
    assert (await ingress.sender().send(BATCH)).rejected == {}
    assert ingress.requests == [["a", "b", "c", "d"]]


async def test_a_rejected_one_is_reported_with_its_fields_and_never_sent_again() -> None:
    ingress = FakeIngress(answering(202, b="rejected"))
    assert (await ingress.sender().send(BATCH)).rejected == {1: [("turns", "is required")]}
    assert len(ingress.requests) == 1


async def test_only_what_is_unknown_is_sent_again_and_with_the_same_ids() -> None:
    ingress = FakeIngress(answering(202, b="unknown", d="unknown"), answering(202, d="unknown"))
    assert (await ingress.sender().send(BATCH)).rejected == {}
    assert ingress.requests == [["a", "b", "c", "d"], ["b", "d"], ["d"]]


async def test_a_503_that_says_what_became_of_each_is_believed() -> None:
    ingress = FakeIngress(answering(503, a="rejected", b="unknown", c="unknown", d="unknown"))
    assert list((await ingress.sender().send(BATCH)).rejected) == [0]
    assert ingress.requests[1] == ["b", "c", "d"]


async def test_a_400_that_rejects_all_is_final() -> None:
    ingress = FakeIngress(answering(400, a="rejected", b="rejected", c="rejected", d="rejected"))
    assert len((await ingress.sender().send(BATCH)).rejected) == 4
    assert len(ingress.requests) == 1


async def test_429_waits_as_long_as_it_is_asked_to() -> None:
    ingress = FakeIngress(plain(429, {"Retry-After": "7"}), plain(429, {"Retry-After": "3"}))
    await ingress.sender().send(BATCH)
    assert ingress.times[0] == 0
    assert ingress.times[1] == pytest.approx(7)
    assert ingress.times[2] == pytest.approx(10)


async def test_a_limit_is_obeyed_however_long_it_lasts() -> None:
    ingress = FakeIngress(*[plain(429, {"Retry-After": "30"})] * 20)
    assert (await ingress.sender(give_up_seconds=60).send(BATCH)).rejected == {}


async def test_a_limit_that_one_request_meets_holds_the_next_one_too() -> None:
    ingress = FakeIngress(plain(429, {"Retry-After": "7"}))
    sender = ingress.sender()
    await sender.send(BATCH[:2])
    sender._held_until = ingress.clock.now + 5
    await sender.send(BATCH[2:])
    assert ingress.times[-1] == pytest.approx(12)


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), plain(502)])
async def test_an_outage_is_waited_out(failure: Answer | Exception) -> None:
    ingress = FakeIngress(*[failure] * 5)
    assert (await ingress.sender().send(BATCH)).rejected == {}
    assert ingress.requests == [["a", "b", "c", "d"]] * 6
    pauses = [later - earlier for earlier, later in zip(ingress.times, ingress.times[1:], strict=False)]
    assert all(0.05 <= pause <= 5 for pause in pauses)
    assert sum(pauses[2:]) > sum(pauses[:2])


async def test_an_outage_without_end_gives_up_and_says_that_it_can_be_continued() -> None:
    ingress = FakeIngress(*[httpx.ConnectError("refused")] * 1000)
    with pytest.raises(CommandError, match=r"accepted nothing for 60 s.*the same command continues"):
        await ingress.sender(give_up_seconds=60).send(BATCH)
    assert 60 <= ingress.clock.now < 75


async def test_too_large_a_request_is_cut_until_only_the_one_at_fault_is_left() -> None:
    def refuse_d(ids: list[str]) -> httpx.Response:
        too_large = plain(413, details="The body is larger than 1 MiB")
        return too_large(ids) if "d" in ids else accept(ids)

    ingress = FakeIngress(*[refuse_d] * 10)
    assert (await ingress.sender().send(BATCH)).rejected == {3: [("", "The body is larger than 1 MiB")]}


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_key_ends_the_ingest_at_once(code: int) -> None:
    ingress = FakeIngress(plain(code, details="The key is unknown"))
    with pytest.raises(UsageProblem, match="refuses the API key: The key is unknown"):
        await ingress.sender().send(BATCH)
    assert len(ingress.requests) == 1


async def test_nothing_at_the_address_is_said_before_anything_is_sent() -> None:
    ingress = FakeIngress()

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = httpx.AsyncClient(base_url="http://127.0.0.1:9", transport=httpx.MockTransport(refuse))
    with pytest.raises(CommandError, match=r"Nothing answers at http://127.0.0.1:9.*--api-url") as error:
        await HttpSender(client).check()
    assert error.value.exit_code == 1
    assert ingress.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("5", 5), (" 5 ", 5), ("Sat, 21 Nov 2026 09:00:30 GMT", 30), ("Sat, 21 Nov 2026 08:00:00 GMT", 0),
     ("soon", 0), ("-3", 0), ("", 0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, datetime(2026, 11, 21, 9, 0, tzinfo=UTC)) == pytest.approx(seconds)
