"""Arguments and options that the commands on versions share, and the API that they speak to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from undertone.errors import UsageProblem
from undertone.settings import api_key, load_kafka_settings, read_api_url
from undertone.versions.api import VersionsApi

_VERSION = re.compile(r"[A-Za-z0-9._:-]{1,64}")

Version = Annotated[str, typer.Argument(metavar="VERSION", show_default=False)]
Rate = Annotated[float, typer.Option(min=0, max=1e6, help="Most conversations a second replayed; 0: no limit.")]
Now = Annotated[bool, typer.Option("--now", help="At once, although it lacks conversations.")]
NewVersion = Annotated[bool, typer.Option("--new-version", help="Nothing is known under it yet; that is no mistake.")]


def checked_name(version: str) -> str:
    """A name that a version can have. Raises UsageProblem."""
    if not _VERSION.fullmatch(version):
        raise UsageProblem(f"{version[:40]!r} is no analysis version; 1 to 64 of A-Z a-z 0-9 . _ : - are needed.")
    return version


@contextmanager
def open_api(url: str | None, key: str | None) -> Iterator[VersionsApi]:
    settings = load_kafka_settings()
    with VersionsApi(read_api_url(url, settings), api_key(key, settings)) as api:
        yield api
