"""Who may import what, where import-linter's contracts cannot say it: allow-lists, and rules by a module's name."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ_SETTINGS = {"__main__", "app", "resources", "settings"}
"""Modules of a service that may know its settings; to all others plain values are given."""


def _module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Every module that the source imports, also inside functions; of `from a import b` both `a` and `a.b`."""
    own_package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = own_package.split(".")
                base = ".".join(filter(None, [*parents[: len(parents) - node.level + 1], node.module]))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _imports_by_module(folder: str) -> dict[str, set[str]]:
    return {
        _module_of(path): set(_imports(path.read_text("utf-8"), _module_of(path), is_package=path.stem == "__init__"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def _foreign_to_the_contract(imported: set[str]) -> set[str]:
    allowed = sys.stdlib_module_names | {"pydantic", "schemas"}
    return {name for name in imported if name.partition(".")[0] not in allowed}


def _settings_among(imported: set[str]) -> set[str]:
    return {name for name in imported if name.startswith("services.") and name.endswith(".settings")}


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import asyncpg.pool", {"asyncpg.pool"}),
        ("def f():\n    from services.sink import settings", {"services.sink", "services.sink.settings"}),
        ("from .settings import A", {"services.sink.settings", "services.sink.settings.A"}),
        ("from ..runtime import kafka", {"services.runtime", "services.runtime.kafka"}),
        ("from . import settings", {"services.sink", "services.sink.settings"}),
    ],
)
def test_every_way_to_import_is_seen(source: str, imported: set[str]) -> None:
    assert set(_imports(source, "services.sink.erase")) == imported


def test_what_breaks_a_rule_is_found() -> None:
    assert _foreign_to_the_contract({"json", "pydantic.fields", "schemas.event", "httpx", "pydantic_settings"}) == {
        "httpx",
        "pydantic_settings",
    }
    assert _settings_among({"services.sink.settings", "services.sink.settings.SinkSettings", "undertone.settings"}) == {
        "services.sink.settings"
    }


def test_the_contract_imports_pydantic_and_the_standard_library_only() -> None:
    found = {module: _foreign_to_the_contract(imported) for module, imported in _imports_by_module("schemas").items()}
    assert len(found) > 10
    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize("service", ["ingress", "analyzer", "sink"])
def test_settings_are_read_where_a_service_is_put_together_and_nowhere_else(service: str) -> None:
    found = {
        module: names
        for module, imported in _imports_by_module(f"services/{service}").items()
        if module.rpartition(".")[2] not in READ_SETTINGS and (names := _settings_among(imported))
    }
    assert found == {}
