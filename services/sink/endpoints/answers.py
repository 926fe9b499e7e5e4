"""Answers as JSON, with weak ETags where a client may ask again whether anything has changed."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic_core import to_json
from starlette.responses import Response

from services.runtime.problems import Problem

_MOVING = {"start_time", "end_time", "time_window", "next_cursor", "previous"}
"""Members that move with the clock when no window is given: alone they are no change."""


def json_answer(members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The members as JSON."""
    return Response(to_json(members), media_type="application/json", headers=dict(headers or {}))


def tagged_answer(request: Request, members: Mapping[str, Any]) -> Response:
    """The members as JSON, or 304 when the client has them already."""
    tag = f'W/"{hashlib.sha256(to_json(_without_clock(members))).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    asked = request.headers.get("if-none-match", "")
    if asked == "*" or tag.removeprefix("W/") in {one.strip().removeprefix("W/") for one in asked.split(",")}:
        return Response(status_code=304, headers=headers)
    return json_answer(members, headers)


def _without_clock(members: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in members.items() if name not in _MOVING}
    if kept.get("metadata"):
        kept["metadata"] = _without_clock(kept["metadata"])
    if kept.get("series"):  # the first bucket starts with the window
        first, *others = kept["series"]
        kept["series"] = [{**first, "start": None}, *others]
    return kept


def not_found(what: str) -> Problem:
    """A 404."""
    return Problem(404, "not_found", what)
