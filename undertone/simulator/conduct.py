"""How the simulator is told to behave: latency, limits and faults, as a script or while it runs."""

import random
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from undertone.errors import UsageProblem

MOST_RETRY_AFTER_SECONDS = 1_000_000_000
"""About thirty years: as a date, it has a year that HTTP can write."""


class FaultKind(StrEnum):
    """What can go wrong."""

    # instead of an answer
    RATE_LIMITED = "rate_limited"
    NO_CREDIT = "no_credit"
    BAD_KEY = "bad_key"
    UNKNOWN_MODEL = "unknown_model"
    CONTENT_REFUSED = "content_refused"
    PROMPT_TOO_LONG = "prompt_too_long"
    REQUEST_REFUSED = "request_refused"
    SCHEMA_REFUSED = "schema_refused"
    FORMAT_REFUSED = "format_refused"
    EFFORT_REFUSED = "effort_refused"
    TEMPERATURE_REFUSED = "temperature_refused"
    SIZE_REFUSED = "size_refused"
    SERVER_ERROR = "server_error"
    # on the wire
    RESET = "reset"
    HANG = "hang"
    STALL = "stall"
    CUT_BODY = "cut_body"
    NOT_JSON = "not_json"
    HUGE = "huge"
    COMPRESSED = "compressed"
    # in the completion as a whole
    SLOW = "slow"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    EMPTY = "empty"
    DECLINED = "declined"
    IN_A_FENCE = "in_a_fence"
    # in single results
    MISSING = "missing"
    DUPLICATED = "duplicated"
    SWAPPED = "swapped"
    FOREIGN = "foreign"
    OUT_OF_RANGE = "out_of_range"
    WRONG_TYPES = "wrong_types"
    OVER_LONG = "over_long"
    NO_EVIDENCE = "no_evidence"
    NOT_A_NUMBER = "not_a_number"
    BROKEN_RESULT = "broken_result"
    INJECTED = "injected"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Fault(_Strict):
    """A fault and when it strikes; without conditions, every call."""

    kind: FaultKind
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    when: str | None = None
    """Only in calls with a conversation that contains this text; faults of single results hit just those."""
    first_call: Annotated[int, Field(ge=1)] = 1
    last_call: int | None = None
    """Calls are counted from 1, refused ones too."""
    times: Annotated[int, Field(ge=1)] | None = None
    """Not more often than this."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Of a call's results, for faults of single results without `when`; at least one is hit."""
    status: Annotated[int, Field(ge=500, le=599)] = 503
    seconds: Annotated[float, Field(ge=0)] | None = None
    """How long `hang` and `stall` (for ever by default) and `slow` (10 s) take."""
    retry_after_seconds: Annotated[float, Field(ge=0, le=MOST_RETRY_AFTER_SECONDS)] | None = None
    """Stated with `rate_limited` and `server_error`."""
    as_date: bool = False
    """State Retry-After as an HTTP date."""

    def strikes(self, call: int, used: int, texts: list[str], chance: random.Random) -> bool:
        """Whether it strikes the call with this number, after having been used so often."""
        is_due = self.first_call <= call and (self.last_call is None or call <= self.last_call)
        is_left = self.times is None or used < self.times
        is_met = self.when is None or any(self.when in text for text in texts)
        return is_due and is_left and is_met and chance.random() < self.probability


class Conduct(_Strict):
    """Everything about the simulator that may change while it runs."""

    seed: int = 0
    latency_seconds: Annotated[float, Field(ge=0)] = 0.5
    seconds_per_output_token: Annotated[float, Field(ge=0)] = 0.008
    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    """More calls in any sliding second are answered 429."""
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    """The same for tokens in any sliding minute."""
    api_key: str | None = None
    """The only key that is accepted; every one is when None."""
    model: str | None = None
    """The only model that is known; every one is when None."""
    states_cost: bool = True
    """Whether `usage` has cost_in_usd_ticks."""
    faults: tuple[Fault, ...] = ()
    """The first one that strikes a call is the one that it gets."""

    @model_validator(mode="after")
    def _calls_in_order(self) -> Self:
        for fault in self.faults:
            if fault.last_call is not None and fault.last_call < fault.first_call:
                raise ValueError(f"{fault.kind}: last_call {fault.last_call} is before first_call {fault.first_call}")
        return self


def read_script(path: Path) -> Conduct:
    """A conduct from a JSON file. Raises UsageProblem with one sentence that names what is wrong."""
    try:
        return Conduct.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UsageProblem(f"{path}: {sentence_of(error)}") from error


def sentence_of(error: ValidationError) -> str:
    """The first problem of a validation, with its place."""
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(step) for step in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
