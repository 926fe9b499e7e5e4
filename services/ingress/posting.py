"""The two routes that take conversations, as plain ASGI: their cost is the cost of the service.

FastAPI describes them (OpenAPI) and would call the same code; the edge calls it without the framework in between.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Protocol, cast

from starlette.types import Receive, Scope, Send

from services.ingress.body_structure import refuse_too_many_parts
from services.ingress.front_door import FrontDoor
from services.ingress.intake import Intake, Outcome, Sender, unavailable
from services.ingress.metrics import REFUSED
from services.ingress.reading import MAX_CONVERSATIONS, Reading, read_array, read_lines, read_post
from services.ingress.refusals import CONVERSATION, Refusal, refused_body
from services.ingress.request_body import (
    JSON,
    NDJSON,
    ClientGone,
    media_type_of,
    read_body,
    read_headers,
)
from services.runtime.client_limits import RawHeaders
from services.runtime.logs import correlation_id
from services.runtime.problems import MEDIA_TYPE, FieldProblem, Problem

_JSON_HEADER = (b"content-type", b"application/json")


@dataclass(slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    headers: RawHeaders = field(default_factory=lambda: [_JSON_HEADER])


class Counter(Protocol):
    """Where posts are handed in; opened with the service's resources."""

    @property
    def intake(self) -> Intake: ...


@dataclass(frozen=True, slots=True)
class Posting:
    """What both routes need."""

    door: FrontDoor
    counter: Callable[[], Counter]
    max_body_bytes: int
    read_api_url: str

    async def one(self, _: str, body: bytes, sender: Sender) -> Answer:
        """Accept one conversation, as JSON."""
        intake = self.counter().intake
        refuse_too_many_parts(body)
        reading = read_post(body, intake.clock())
        if isinstance(reading, Refusal):
            raise reading.problem()
        identifier = await intake.accept(reading, sender)
        # The id holds no character that JSON or a URL would escape.
        text = f'{{"status":"accepted","conversation_id":"{identifier}","message":"Conversation queued for analysis"}}'
        location = f"{self.read_api_url}/api/v1/conversations/{identifier}"
        return Answer(202, text.encode(), [_JSON_HEADER, (b"location", location.encode())])

    async def many(self, media_type: str, body: bytes, sender: Sender) -> Answer:
        """Accept up to 500 conversations, each for itself."""
        intake = self.counter().intake
        readings = (read_lines if media_type == NDJSON else read_array)(body, intake.clock())
        if not readings:
            raise refused_body("There is no conversation in the body")
        if all(isinstance(reading, Refusal) for reading in readings):
            raise _nothing_readable(readings)
        outcomes = await intake.accept_many(readings, sender)
        return _bulk_answer(outcomes)


_ACCEPTED_AT = tuple(f'{{"index":{index},"status":"accepted","conversation_id":"' for index in range(MAX_CONVERSATIONS))
"""Of each place in a request; numbers are slow to write."""


def _bulk_answer(outcomes: Sequence[str | Outcome]) -> Answer:
    others = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    accepted, rejected = len(outcomes) - len(others), sum(other.status == "rejected" for other in others)
    if not accepted:
        raise _nothing_accepted(others, rejected)
    # An id holds no character that JSON would escape.
    if others:
        results = ",".join(
            [
                f'{_ACCEPTED_AT[index]}{outcome}"}}' if isinstance(outcome, str) else outcome.json(index)
                for index, outcome in enumerate(outcomes)
            ]
        )
    else:  # nearly always; then no loop of ours is needed
        results = '"},'.join(map(add, _ACCEPTED_AT, cast("Sequence[str]", outcomes))) + '"}'
    counts = f'"ingested":{len(outcomes) - rejected},"enqueued":{accepted},"rejected":{rejected}'
    return Answer(202, f'{{{counts},"results":[{results}]}}'.encode("utf-8", "backslashreplace"))


def _nothing_accepted(outcomes: Sequence[Outcome], rejected: int) -> Problem:
    members = {
        "ingested": len(outcomes) - rejected,
        "enqueued": 0,
        "rejected": rejected,
        "results": [outcome.members(index) for index, outcome in enumerate(outcomes)],
    }
    if rejected < len(outcomes):
        return unavailable(members)
    errors = [FieldProblem(str(index), one.error["details"]) for index, one in enumerate(outcomes) if one.error]
    details = "No conversation was accepted; `results` says why"
    return Problem(400, "invalid_schema", details, errors=errors, members=members)


def _nothing_readable(readings: Sequence[Reading]) -> Problem:
    refusals = [reading for reading in readings if isinstance(reading, Refusal)]
    errors = [
        FieldProblem(str(index) if problem.field == CONVERSATION else f"{index}.{problem.field}", problem.problem)
        for index, refusal in enumerate(refusals)
        for problem in refusal.named_problems(CONVERSATION)
    ]
    results = [Outcome("rejected", error=one.members()).members(index) for index, one in enumerate(refusals)]
    members = {"ingested": 0, "enqueued": 0, "rejected": len(refusals), "results": results}
    details = f"No conversation could be read. The first: {refusals[0].details}"
    return Problem(400, "invalid_schema", details, errors=errors, members=members)


Handle = Callable[[str, bytes, Sender], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class PostRoute:
    """One of the two routes as an ASGI application."""

    posting: Posting
    handle: Handle
    media_types: tuple[str, ...] = (JSON,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Problem as problem:
            answer = _problem_answer(problem, scope)
        except ClientGone:
            return
        answer.headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        entrance = await self.posting.door.enter(scope)
        try:
            headers = read_headers(scope)
            media_type = media_type_of(headers, *self.media_types)
            body = await read_body(headers, receive, self.posting.max_body_bytes)
            sender = Sender(
                entrance.caller.name, correlation_id.get() or "", headers.idempotency_key, headers.traceparent
            )
            answer = await self.handle(media_type, body, sender)
        except Problem as problem:
            problem.headers |= {name.decode(): value.decode() for name, value in entrance.headers}
            raise
        answer.headers += entrance.headers
        return answer


def _problem_answer(problem: Problem, scope: Scope) -> Answer:
    REFUSED.labels(problem.error).inc()
    body = problem.body(instance=scope["path"], correlation=correlation_id.get())
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return Answer(problem.status, body, [(b"content-type", MEDIA_TYPE.encode()), *headers])
