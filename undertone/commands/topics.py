"""`undertone topics`: Kafka's topics against the contract."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from services.runtime.kafka import KafkaConnection
from undertone import topics
from undertone.acls import SERVICES, Acl, acls
from undertone.console import output
from undertone.settings import load_kafka_settings
from undertone.topic_changes import Change

_JSON = Annotated[bool, typer.Option("--json", help="For programs.")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(
        help="Compare Kafka's topics with the contract, and bring them about. KAFKA_BOOTSTRAP_SERVERS says where.",
        no_args_is_help=True,
    )
    group.command("plan")(plan)
    group.command("apply")(apply)
    app.add_typer(group, name="topics")


def plan(
    as_json: _JSON = False,
    acl_arguments: Annotated[
        bool, typer.Option("--acl-arguments", help="Print the rights as arguments of kafka-acls.sh --add.")
    ] = False,
) -> None:
    """Show what `apply` would change, and the rights that each service needs. Changes nothing."""
    connection = _connection()
    grants = acls(connection.topic_name, connection.group_name)
    if acl_arguments:
        for grant in grants:
            output().print(grant.as_arguments(), markup=False, soft_wrap=True)
        return
    changes = asyncio.run(topics.plan(connection))
    if as_json:
        _print_json(changes, grants)
        return
    _print_changes(changes, "Nothing to change: all topics are as the contract says.")
    output().print(_rights(grants))


def apply(as_json: _JSON = False) -> None:
    """Create missing topics and mend settings; never lowers a retention, never changes a partition count."""
    connection = _connection()
    changes = asyncio.run(topics.apply(connection))
    if as_json:
        _print_json(changes, None)
        return
    _print_changes(changes, "Nothing to do: all topics are as the contract says.")


def _connection() -> KafkaConnection:
    return KafkaConnection.from_settings(load_kafka_settings())


def _print_changes(changes: Sequence[Change], nothing: str) -> None:
    for change in changes:
        output().print(str(change), markup=False, soft_wrap=True)
    if not changes:
        output().print(nothing)


def _rights(grants: Sequence[Acl]) -> Table:
    """A table that fits 80 columns: what is alike for several resources stands once."""
    table = Table(title="\nRights that each service needs, where Kafka checks them", title_justify="left", box=None)
    table.add_column("service")
    table.add_column("may")
    table.add_column("on", overflow="fold")
    for service in SERVICES:
        by_operations: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for grant in grants:
            if grant.service == service:
                by_operations.setdefault((grant.resource_type, grant.operations), []).append(grant.resource)
        name = service
        for (resource_type, operations), resources in by_operations.items():
            table.add_row(name, "\n".join(operations), f"{resource_type} " + f"\n{resource_type} ".join(resources))
            name = ""
    return table


def _print_json(changes: Sequence[Change], grants: Sequence[Acl] | None) -> None:
    document: dict[str, object] = {
        "changes": [
            {
                "topic": change.name,
                "creates": change.creates,
                "partitions": change.topic.partitions,
                "replicas": change.replicas,
                "config": dict(change.config),
                "was": dict(change.was),
            }
            for change in changes
        ]
    }
    if grants is not None:
        document["rights"] = [
            {
                "service": grant.service,
                "resource_type": grant.resource_type,
                "resource": grant.resource,
                "operations": list(grant.operations),
            }
            for grant in grants
        ]
    print(json.dumps(document, indent=2))  # noqa: T201 - JSON for programs goes out as it is
