"""The edge: two routes that take conversations, and redirects for clients that know one address only."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message

from services.ingress.openapi import (
    BODY_OF_MANY,
    BODY_OF_ONE,
    PARAMETERS,
    RESPONSES_OF_MANY,
    RESPONSES_OF_ONE,
)
from services.ingress.posting import Posting, PostRoute
from services.ingress.request_body import JSON, NDJSON
from services.runtime.http_edge import FastRoutes

ONE = "/api/v1/conversations"
MANY = "/api/v1/conversations/bulk"
_READ_PATHS = (
    "/api/v1/insights",
    "/api/v1/insights/{rest:path}",
    "/api/v1/trends",
    ONE,
    MANY,  # to the read API it is a conversation like any other
    "/api/v1/conversations/{rest:path}",
    "/api/v1/status",
)


def post_routes(posting: Posting) -> tuple[PostRoute, PostRoute]:
    """The routes for one and for many conversations."""
    return PostRoute(posting, posting.one), PostRoute(posting, posting.many, (JSON, NDJSON))


def fast_routes(posting: Posting) -> FastRoutes:
    """The same routes, for the edge to call before the framework."""
    return {
        ("POST", spelling): route
        for path, route in zip((ONE, MANY), post_routes(posting), strict=True)
        for spelling in _spellings(path)
    }


def _spellings(path: str) -> tuple[str, str]:
    """A path and its twin with a slash at the end, which means the same: a redirect would make clients GET."""
    return path, f"{path}/"


def conversations_router(posting: Posting) -> APIRouter:
    """The routes as FastAPI knows them."""
    router = APIRouter(tags=["conversations"])
    one, many = post_routes(posting)

    @router.post(f"{ONE}/", include_in_schema=False)
    @router.post(
        ONE,
        summary="Post one conversation",
        status_code=202,
        responses=RESPONSES_OF_ONE,
        response_class=Response,
        openapi_extra=_extra(BODY_OF_ONE),
    )
    async def post_conversation(request: Request) -> Response:
        """Accepts a conversation, one text, or one text under your own id. 202 means: Kafka has it, replicated."""
        return await _respond(one, request)

    @router.post(f"{MANY}/", include_in_schema=False)
    @router.post(
        MANY,
        summary="Post up to 500 conversations",
        status_code=202,
        responses=RESPONSES_OF_MANY,
        response_class=Response,
        openapi_extra=_extra(BODY_OF_MANY),
    )
    async def post_conversations(request: Request) -> Response:
        """As a JSON array, or as NDJSON. Each has its own result: a bad one never sinks its neighbours."""
        return await _respond(many, request)

    return router


def _extra(body: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": body, "parameters": PARAMETERS, "security": [{}, {"bearer": []}, {"header": []}]}


async def _respond(route: PostRoute, request: Request) -> Response:
    """What the route answers, as FastAPI wants it."""
    sent: list[Message] = []

    async def collect(message: Message) -> None:
        sent.append(message)

    await route(request.scope, request.receive, collect)
    if not sent:
        return Response(status_code=499)  # the client has gone; nobody reads this
    start, body = sent
    response = Response(body["body"], start["status"])
    response.raw_headers = start["headers"]
    return response


def redirects_router(read_api_url: str) -> APIRouter:
    """GET on the read API's paths is answered with its address."""
    router = APIRouter(tags=["reads"])

    async def redirect(request: Request) -> Response:
        """Reads belong to the read API: this says where it is, for this very path and query."""
        target = read_api_url + str(request.scope["raw_path"], "ascii", "replace")
        query = str(request.scope["query_string"], "ascii", "replace")
        return RedirectResponse(f"{target}?{query}" if query else target, 307)

    for path in _READ_PATHS:
        router.add_api_route(
            path,
            redirect,
            methods=["GET"],
            status_code=307,
            summary="Ask the read API",
            response_class=RedirectResponse,
            include_in_schema="{" not in path,
        )
    return router
