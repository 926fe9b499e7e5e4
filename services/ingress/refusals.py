"""Why a conversation was not accepted: every problem with its field, in words that a sender can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ValidationError

from services.ingress.posted import ALIASES, Posted, PostedConversation, PostedSingleText
from services.runtime.findings import in_words
from services.runtime.problems import FieldProblem, Problem

BODY = "body"
CONVERSATION = "conversation"
"""What is named as the field when no member is at fault, but the whole: of a request, or one of its conversations."""

_MAX_NAME_CHARACTERS = 100
_MAX_PROBLEMS_OF_ONE_OF_MANY = 20
_PATTERNS = {
    "conversation_id": "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -",
    "external_id": "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -",
    "channel": "must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -",
    "language": "must be a language tag such as en or pt-BR",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one conversation was not accepted."""

    problems: tuple[FieldProblem, ...] = ()
    sentence: str | None = None
    """Said instead of the first problem, when no single field is at fault."""
    missing: str | None = None
    """The first field, when what is wrong with it is that it is not there."""

    @classmethod
    def of_whole(cls, sentence: str) -> Self:
        """A refusal that no single field explains."""
        return cls(sentence=sentence)

    @property
    def details(self) -> str:
        """One sentence."""
        if self.sentence is not None:
            return self.sentence
        if self.missing is not None:
            return f"Missing required field: {self.missing}"
        return f"{self.problems[0].field}: {self.problems[0].problem}"

    def named_problems(self, whole: str) -> tuple[FieldProblem, ...]:
        """Every problem with its field; `whole` names what the sentence is about when no single field is at fault."""
        return self.problems or (FieldProblem(whole, self.details),)

    def problem(self) -> Problem:
        """The refusal as an answer."""
        return Problem(400, "invalid_schema", self.details, errors=self.named_problems(BODY))

    def members(self) -> dict[str, Any]:
        """The refusal as the `error` of one conversation of many."""
        named = self.named_problems(CONVERSATION)
        errors = [{"field": one.field, "problem": one.problem} for one in named[:_MAX_PROBLEMS_OF_ONE_OF_MANY]]
        return {"error": "invalid_schema", "details": self.details, "errors": errors}


def refused_body(sentence: str, error: str = "invalid_schema") -> Problem:
    """The answer to a body that is at fault as a whole."""
    return Problem(400, error, sentence, errors=(FieldProblem(BODY, sentence),))


def refusal_of(error: ValidationError, value: dict[str, Any], shape: type[Posted]) -> Refusal:
    """Every problem that pydantic found, with its field as the sender wrote it."""
    found = [one for one in error.errors(include_url=False) if not _is_consequence(one)]
    problems = tuple(FieldProblem(_field(one["loc"]), _sentence(one, value, shape)) for one in found)
    first = found[0]
    missing = str(first["loc"][-1]) if first["type"] == "missing" and first["loc"] else None
    return Refusal(problems, missing=missing)


def _is_consequence(problem: Any) -> bool:
    """Turns that could not be read are not counted, so that a list of them looks empty to pydantic."""
    return problem["type"] == "too_short" and bool(problem["input"])


_FREE_FORM = frozenset({"metadata", "raw", "raw_data"})


def _field(location: Sequence[int | str]) -> str:
    if location and location[0] in _FREE_FORM:  # what follows are pydantic's own words for JSON values
        return str(location[0])
    return ".".join(str(part)[:_MAX_NAME_CHARACTERS] for part in location) or CONVERSATION


def _sentence(problem: Any, value: dict[str, Any], shape: type[Posted]) -> str:
    kind, location = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        return _about_unknown(location, value, shape)
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(location[-1]), "has characters that are not allowed")
    if kind == "finite_number":  # in `metadata` or `raw`; nothing else here is a number
        return "contains NaN or an infinity, which JSON does not have"
    if kind == "too_long":
        return f"is longer than {problem['ctx']['max_length']:,} turns"
    return in_words(problem)


_NEEDS_TURNS = 'stands beside `turns` only: write `"turns": [{"text": "…"}]` in place of `text`'
_OR_EXTERNAL_ID = ", or call the id `external_id`"


def _about_unknown(location: Sequence[int | str], value: dict[str, Any], shape: type[Posted]) -> str:
    name = str(location[-1])
    around: Any = value
    for part in location[:-1]:
        around = around[part]
    for one, other in ALIASES.items():
        if name in {one, other} and one in around and other in around:
            return f"is given twice: as `{other}` and as `{one}`"
    if len(location) == 1 and shape is not PostedConversation and name in PostedConversation.model_fields:
        return _NEEDS_TURNS + _OR_EXTERNAL_ID * (name == "conversation_id" and shape is PostedSingleText)
    known = sorted(shape.model_fields) if len(location) == 1 else ["role", "author", "text", "at"]
    return f"is not a known member here; known are {', '.join(known)}"
