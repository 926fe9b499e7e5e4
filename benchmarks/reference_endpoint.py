"""The references of `ingress_cost`: FastAPI and pydantic validate a body, and nothing else happens.

A server to be started, not a program that measures. It runs as fast as FastAPI runs: uvloop, httptools, no access
log, and an answer that FastAPI does not validate. With --unread it is no FastAPI either: the server alone, which reads
a body, looks at nothing and answers. Nothing behind this server can cost less.
"""

import argparse
from typing import Annotated

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send


class Body(BaseModel):
    """The members of a single text, as the ingress takes them."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    author: Annotated[str, Field(max_length=200)] | None = None


app = FastAPI()


@app.post("/api/v1/conversations", status_code=202, response_model=None)
async def post(body: Body) -> dict[str, str]:
    """Answer as the ingress does."""
    assert body.text
    return {"status": "accepted", "conversation_id": "conv_0", "message": "Conversation queued for analysis"}


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """Say that it is there."""
    return {"status": "ok"}


UNREAD = b'{"status":"accepted","conversation_id":"conv_0","message":"Conversation queued for analysis"}'
UNREAD_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(UNREAD)).encode())]


async def unread(scope: Scope, receive: Receive, send: Send) -> None:
    """The floor: answer without a look at what came."""
    await receive()
    status = 202 if scope["method"] == "POST" else 200
    await send({"type": "http.response.start", "status": status, "headers": UNREAD_HEADERS})
    await send({"type": "http.response.body", "body": UNREAD})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--unread", action="store_true", help="the server alone")
    options = parser.parse_args()
    uvicorn.run(
        unread if options.unread else app,
        port=options.port,
        access_log=False,
        log_level="warning",
        loop="uvloop",
        http="httptools",
        lifespan="off",
    )


if __name__ == "__main__":
    main()
