"""The rights that each service needs on Kafka, derived from the contract: what to grant where ACLs are on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.topics import CONSUMER_GROUPS, TOPICS, Topic

SERVICES = ("ingress", "analyzer", "sink", "operator")
"""`operator` is the person at the command line."""


@dataclass(frozen=True, slots=True)
class Acl:
    """One grant: `service` may do `operations` on a topic, a group, the cluster or a transactional id."""

    service: str
    resource_type: str
    resource: str
    operations: tuple[str, ...]
    is_prefix: bool = False

    def as_arguments(self) -> str:
        """The same grant for Kafka's own `kafka-acls.sh --add`."""
        operations = " ".join(f"--operation {operation}" for operation in self.operations)
        pattern = " --resource-pattern-type prefixed" if self.is_prefix else ""
        resource = "--cluster" if self.resource_type == "cluster" else f"--{self.resource_type} {self.resource}"
        return f"--allow-principal User:{self.service} {operations} {resource}{pattern}"


def acls(topic_name: Callable[[Topic], str], group_name: Callable[[str], str]) -> list[Acl]:
    """Every grant, service by service; no service needs more."""
    return [acl for service in SERVICES for acl in _acls_of(service, topic_name, group_name)]


def _acls_of(service: str, topic_name: Callable[[Topic], str], group_name: Callable[[str], str]) -> Iterator[Acl]:
    for topic in TOPICS:
        operations = _operations_on(topic, service)
        if operations:
            yield Acl(service, "topic", topic_name(topic), operations)
    if service in CONSUMER_GROUPS:
        yield Acl(service, "group", group_name(service), ("Read",))
    if service == "sink":
        # GET /api/v1/status counts the analyzer's members.
        yield Acl(service, "group", group_name("analyzer"), ("Describe",))
    if service == "operator":
        yield from (Acl(service, "group", group_name(reader), ("Describe",)) for reader in CONSUMER_GROUPS)
        # A replay writes in transactions, under an id of its own.
        yield Acl(service, "transactional-id", "undertone-replay-", ("Describe", "Write"), is_prefix=True)
        yield Acl(service, "cluster", "kafka-cluster", ("Create", "Describe"))


def _operations_on(topic: Topic, service: str) -> tuple[str, ...]:
    operations = []
    if service in topic.readers:
        operations.append("Read")
    if service in topic.writers:
        operations.append("Write")
    if service == "operator":
        operations += ["AlterConfigs", "DescribeConfigs"]
    return tuple(operations)  # Describe comes with Read and Write
