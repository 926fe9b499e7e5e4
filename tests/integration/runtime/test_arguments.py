"""The services as commands: what they answer to a person who tries them out."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

SERVICES = ("ingress", "analyzer", "sink")


async def said(service: str, *arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", *arguments, stdout=PIPE, stderr=PIPE
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), error.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_help_names_the_service_and_its_settings(service: str) -> None:
    code, out, _ = await said(service, "--help")
    assert code == 0
    assert out.startswith(f"usage: python -m services.{service} [-h]")
    assert f"\n  {service.upper()}_PORT\n      " in out


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_not_understood_is_refused(service: str) -> None:
    code, _, error = await said(service, "--prot", "9000")
    assert code == 2
    assert error.splitlines()[-1].endswith("error: unrecognized arguments: --prot 9000")


async def test_a_sink_refuses_a_role_that_is_none() -> None:
    code, _, error = await said("sink", "--role", "reader")
    assert code == 2
    assert "--role" in error
