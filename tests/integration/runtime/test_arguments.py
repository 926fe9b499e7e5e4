"""The services as commands: what they answer to a person who tries them out."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

import pytest

SERVICES = ("ingress", "analyzer", "sink")


async def said(service: str, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    command = (sys.executable, "-m", f"services.{service}", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, env={**os.environ, **environment}
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


@pytest.mark.parametrize("service", SERVICES)
async def test_an_address_of_kafka_that_is_none_ends_the_start_with_one_line(service: str) -> None:
    code, _, error = await said(service, KAFKA_BOOTSTRAP_SERVERS="nonsense")
    assert code == 2
    (line,) = error.splitlines()
    assert line.startswith("KAFKA_BOOTSTRAP_SERVERS: must be HOST:PORT, or several separated by commas")


async def test_a_sink_refuses_a_role_that_is_none() -> None:
    code, _, error = await said("sink", "--role", "reader")
    assert code == 2
    assert "--role" in error
