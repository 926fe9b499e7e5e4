"""Decisions on analysis versions: trial, promotion, rollback, retirement."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from schemas.event import refuse_unstorable_text
from services.runtime.api_keys import ANONYMOUS, ApiKey
from services.runtime.client_limits import admit_within_limits
from services.runtime.problem_schema import problem_answer
from services.runtime.problems import Problem
from services.sink.endpoints import documented
from services.sink.endpoints.answers import json_answer, not_found
from services.sink.endpoints.versions import PREFIX, VersionName
from services.sink.failures import SERIALIZATION, is_unavailable
from services.sink.versioning.announcing import Announcer
from services.sink.versioning.deciding import By, Decided, Decisions, Refused, UnknownVersion

_ANNOUNCE_SECONDS = 2.0
"""How long an answer waits for Kafka; afterwards it is announced all the same."""

_Words = Annotated[str, Field(pattern=r"^[^\x00]*$"), AfterValidator(refuse_unstorable_text)]
_MayOperate = Annotated[ApiKey, Depends(admit_within_limits("operate"))]
_RETRY_SECONDS = 2


class Decision(BaseModel):
    """Who decides, and why."""

    model_config = ConfigDict(extra="forbid")

    note: _Words = Field(default="", max_length=200, description="Why; kept, and told to the analyzers.")
    done_by: _Words | None = Field(
        default=None, min_length=1, max_length=128, description="Who; the API key's name counts when one is shown."
    )

    def by(self, caller: ApiKey) -> By:
        """The decision with the name of who made it."""
        name = (self.done_by or caller.name) if caller.name == ANONYMOUS else caller.name
        return By(name, self.note)


class Promotion(Decision):
    """A decision that waits for full coverage unless it says `now`."""

    now: bool = Field(default=False, description="Although conversations are missing under the version.")


_AS_IT_IS = Decision()
_WHEN_COMPLETE = Promotion()
_ERRORS: dict[int | str, dict[str, Any]] = {
    **documented.errors(404),
    409: problem_answer(
        "It cannot be done now; with `coverage_incomplete` the member `missing` says how many conversations lack."
    ),
}


def version_decisions_router(decisions: Decisions, announcer: Announcer) -> APIRouter:
    """Routes under /api/v1/versions that change something."""
    router = APIRouter(prefix=PREFIX, tags=["versions"])

    async def answer(work: Callable[[], Awaitable[Decided]]) -> Response:
        async with _explained():
            done = await work()
            is_announced = done.decision is None or await announcer.announced(done.decision, _ANNOUNCE_SECONDS)
        members = {"analysis_version": done.version, "changed": done.decision is not None, "missing": done.missing}
        return json_answer({**members, **done.members, "announced": is_announced})

    @router.post("/rollback", summary="Promote the version that was active before", responses=_ERRORS)
    async def roll_back(caller: _MayOperate, asked: Promotion = _WHEN_COMPLETE) -> Response:
        return await answer(lambda: decisions.roll_back(asked.by(caller), now=asked.now))

    @router.post("/{version}/trial", summary="Analyse live traffic under it, too", responses=_ERRORS)
    async def begin_trial(version: VersionName, caller: _MayOperate, asked: Decision = _AS_IT_IS) -> Response:
        return await answer(lambda: decisions.begin_trial(version, asked.by(caller)))

    @router.post("/{version}/trial-end", summary="Analyse live traffic under it no more", responses=_ERRORS)
    async def end_trial(version: VersionName, caller: _MayOperate, asked: Decision = _AS_IT_IS) -> Response:
        return await answer(lambda: decisions.end_trial(version, asked.by(caller)))

    @router.post("/{version}/promotion", summary="Show it by default", responses=_ERRORS)
    async def promote(version: VersionName, caller: _MayOperate, asked: Promotion = _WHEN_COMPLETE) -> Response:
        return await answer(lambda: decisions.promote(version, asked.by(caller), now=asked.now))

    @router.post(
        "/{version}/retirement",
        summary="Hide it, and delete what it found",
        description="A version that never had anything leaves the list: `removed`. With `now` it is retired instead, "
        "also if nothing is known under it: copies that wait for it on the replay lane are let go.",
        responses=_ERRORS,
    )
    async def retire(version: VersionName, caller: _MayOperate, asked: Promotion = _WHEN_COMPLETE) -> Response:
        return await answer(lambda: decisions.retire(version, asked.by(caller), now=asked.now))

    return router


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """What stands in the way, as problems."""
    try:
        yield
    except Refused as error:
        raise Problem(409, error.error, error.details, members=error.members) from error
    except UnknownVersion as error:
        raise not_found("Nothing is known under this analysis version; put it on trial first.") from error
    except SERIALIZATION as error:
        details = "Another writer was in the way; try again."
        raise Problem(503, "database_busy", details, retry_after=_RETRY_SECONDS) from error
    except Exception as error:
        if not is_unavailable(error):
            raise
        details = "Postgres does not answer, or is busy; try again."
        raise Problem(503, "database_unavailable", details, retry_after=_RETRY_SECONDS) from error
