"""`/docs`: the OpenAPI document as a page, with everything it needs served from here (no CDN, works offline)."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

_ASSETS = Path(__file__).parent / "docs_assets"
_FILES = {
    "/docs": ("index.html", "text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
}


def docs_router() -> APIRouter:
    """The page and its two assets."""
    router = APIRouter(include_in_schema=False)
    for path, (name, media_type) in _FILES.items():
        router.add_api_route(path, _serve(_ASSETS / name, media_type), methods=["GET"], response_class=Response)
    return router


def _serve(path: Path, media_type: str) -> Callable[[], Awaitable[Response]]:
    content = path.read_bytes()

    async def asset() -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return asset
