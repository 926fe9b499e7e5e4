"""Problem documents (RFC 9457): the one form in which every service tells a client what went wrong.

Beside the members of the RFC they carry `error` (a code), `details` (one sentence), `errors` (each field with its
problem) and, where it fits, `retry_after`. They never hold internals, and never a value that a client sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from schemas.envelope import new_correlation_id
from services.runtime.findings import in_words
from services.runtime.logs import correlation_id

MEDIA_TYPE = "application/problem+json"
_MAX_FIELD_PROBLEMS = 100
"""How many fields a document names at most: an answer must stay smaller than what caused it."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field, named as the client wrote it, such as `messages.0.content`."""

    field: str
    problem: str


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A refusal with its reason; raise it anywhere under an endpoint.

    `retry_after` is in seconds; `members` extend the document.
    """

    def __init__(
        self,
        status: int,
        error: str,
        details: str,
        *,
        title: str | None = None,
        errors: Sequence[FieldProblem] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(details)
        self.status = status
        self.error = error
        self.details = details
        self.title = title or HTTPStatus(status).phrase
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def document(self, *, instance: str | None, correlation: str | None) -> dict[str, Any]:
        """The members of the document."""
        members: dict[str, Any] = {
            "type": f"urn:undertone:problem:{self.error}",
            "title": self.title,
            "status": self.status,
            "detail": self.details,
            "instance": instance,
            "correlation_id": correlation,
            "error": self.error,
            "details": self.details,
        }
        if self.errors:
            shown = self.errors[:_MAX_FIELD_PROBLEMS]
            members["errors"] = [{"field": one.field, "problem": one.problem} for one in shown]
        if self.retry_after is not None:
            members["retry_after"] = self.retry_after
        members |= self.members
        return {name: value for name, value in members.items() if value is not None}

    def body(self, *, instance: str | None = None, correlation: str | None = None) -> bytes:
        """The document as JSON in UTF-8."""
        text = json.dumps(self.document(instance=instance, correlation=correlation), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace")  # a field's name may hold lone surrogates


def internal_error() -> Problem:
    """What a client hears of a bug: nothing but the correlation id under which it is in the log."""
    return Problem(500, "internal_error", "Something unexpected happened here. Quote the correlation id.")


def stopping() -> Problem:
    """What a client hears whose request outlasts the time that a service has to stop."""
    details = "The service stops before it knows what became of this: send it again, with the same id if it has one"
    return Problem(503, "stopping", details, retry_after=2)


def problem_response(problem: Problem, request: Request) -> Response:
    """The problem as an HTTP response."""
    correlation = correlation_id.get() or new_correlation_id()
    body = problem.body(instance=request.scope.get("path"), correlation=correlation)
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem document. The edge logs what is unexpected."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error, request)


async def _on_bug(request: Request, error: Exception) -> Response:  # noqa: ARG001 - a client hears nothing of it
    return problem_response(internal_error(), request)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(problem_of_validation(error.errors()), request)


def problem_of_validation(problems: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem for what pydantic found wrong with a query, a path, headers or a body."""
    in_body = any(problem["loc"][:1] == ("body",) for problem in problems)
    errors = [
        FieldProblem(".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0]), in_words(problem))
        for problem in problems
    ]
    details = f"{errors[0].field}: {errors[0].problem}" if errors else "The request is not valid."
    if problems and problems[0]["type"] == "missing":
        details = f"Missing required {'field' if in_body else 'parameter'}: {errors[0].field}"
    return Problem(400, "invalid_schema" if in_body else "invalid_parameter", details, errors=errors)


_CODES = {404: "not_found", 405: "method_not_allowed"}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    path = request.scope.get("path", "")
    details = {404: f"Nothing is served at {path}", 405: f"{request.method} is not possible at {path}"}
    code = _CODES.get(status, phrase.lower().replace(" ", "_"))
    headers = {"Allow": ", ".join(_methods_at(request))} if status == 405 else error.headers
    problem = Problem(status, code, details.get(status, str(error.detail)), headers=headers)
    return problem_response(problem, request)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _methods_at(request: Request) -> list[str]:
    """The methods of every route at this path; the framework names those of the first one only."""
    scopes = [{**request.scope, "method": method} for method in _METHODS]
    return [scope["method"] for scope in scopes if any(_serves(route, scope) for route in request.app.routes)]


def _serves(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL
