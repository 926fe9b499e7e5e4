from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.topics import CONSUMER_GROUPS, RECEIVED, TOPICS, Topic
from undertone.acls import Acl, acls
from undertone.topic_changes import Change, ExistingTopic, TopicMismatchError, changes_for, wanted_config


def _name(topic: Topic) -> str:
    return topic.name


def _existing(topic: Topic, **settings: str) -> ExistingTopic:
    config = {**wanted_config(topic, 1), **{name.replace("_", "."): value for name, value in settings.items()}}
    return ExistingTopic(partitions=topic.partitions, replicas=1, config=config)


def _changes(found: ExistingTopic) -> list[Change]:
    return changes_for([RECEIVED], {RECEIVED.name: found}, brokers=1, name_of=_name)


def test_on_an_empty_kafka_every_topic_is_created() -> None:
    changes = changes_for(TOPICS, {}, brokers=1, name_of=_name)
    assert [change.name for change in changes] == [topic.name for topic in TOPICS]
    assert all(change.creates and change.replicas == 1 for change in changes)


@pytest.mark.parametrize(("brokers", "replicas", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")])
def test_replicas_follow_the_brokers_and_two_of_three_must_be_in_sync(
    brokers: int, replicas: int, in_sync: str
) -> None:
    (change,) = changes_for([RECEIVED], {}, brokers=brokers, name_of=_name)
    assert change.replicas == replicas
    assert change.config["min.insync.replicas"] == in_sync


def test_a_topic_as_the_contract_says_needs_no_change() -> None:
    assert _changes(_existing(RECEIVED)) == []


@pytest.mark.parametrize("retention_ms", [str(10**13), "-1"])
def test_a_longer_retention_is_never_lowered(retention_ms: str) -> None:
    assert _changes(_existing(RECEIVED, retention_ms=retention_ms)) == []


def test_a_shorter_retention_is_raised_and_nothing_else_is_touched() -> None:
    (change,) = _changes(_existing(RECEIVED, retention_ms="3600000"))
    assert dict(change.config) == {"retention.ms": str(30 * 86_400_000)}
    assert str(change) == "configure conversations.received.v1: retention.ms 1 hour -> 30 days"


def test_a_larger_record_limit_stays_and_a_smaller_one_is_raised() -> None:
    assert _changes(_existing(RECEIVED, max_message_bytes=str(64 * 1024 * 1024))) == []
    (change,) = _changes(_existing(RECEIVED, max_message_bytes="1000012"))
    assert str(change).endswith("max.message.bytes 1000012 -> 4 MiB")


def test_a_topic_that_takes_producers_times_is_mended() -> None:
    (change,) = _changes(_existing(RECEIVED, message_timestamp_type="CreateTime"))
    assert dict(change.config) == {"message.timestamp.type": "LogAppendTime"}
    assert dict(change.was) == {"message.timestamp.type": "CreateTime"}


@pytest.mark.parametrize("partitions", [1, 11, 13])
def test_another_partition_count_is_refused_with_what_to_do(partitions: int) -> None:
    with pytest.raises(TopicMismatchError, match=r"has \d+ partitions?, the contract says 12.*KAFKA_TOPIC_PREFIX"):
        _changes(replace(_existing(RECEIVED), partitions=partitions))


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_another_cleanup_policy_is_refused_with_what_to_do(policy: str) -> None:
    with pytest.raises(TopicMismatchError, match=f"has cleanup.policy={policy}, the contract says delete.*change it"):
        _changes(_existing(RECEIVED, cleanup_policy=policy))


def test_creation_is_described_with_its_size_and_how_long_it_keeps() -> None:
    (change,) = changes_for([RECEIVED], {}, brokers=3, name_of=lambda topic: f"eu.{topic.name}")
    assert str(change) == "create eu.conversations.received.v1: 12 partitions, 3 replicas, kept 30 days"
    odd = replace(RECEIVED, retention=timedelta(seconds=1))
    assert str(changes_for([odd], {}, brokers=1, name_of=_name)[0]).endswith("kept 1 second")


def test_each_service_gets_exactly_the_rights_that_the_contract_names() -> None:
    grants = acls(lambda topic: f"eu.{topic.name}", lambda service: f"eu.{CONSUMER_GROUPS[service]}")
    on_topics = {
        (grant.service, grant.resource): grant.operations for grant in grants if grant.resource_type == "topic"
    }
    for topic in TOPICS:
        for service in ("ingress", "analyzer", "sink"):
            operations = on_topics.get((service, f"eu.{topic.name}"), ())
            assert ("Read" in operations) == (service in topic.readers)
            assert ("Write" in operations) == (service in topic.writers)
    groups = {(grant.service, grant.resource) for grant in grants if grant.resource_type == "group"}
    assert {("analyzer", "eu.undertone-analyzer"), ("sink", "eu.undertone-sink")} <= groups
    assert Acl("sink", "group", "eu.undertone-analyzer", ("Describe",)) in grants, "the status counts its members"


def test_rights_are_printed_as_kafkas_own_tool_reads_them() -> None:
    grants = acls(_name, CONSUMER_GROUPS.__getitem__)
    assert grants[0].as_arguments() == (
        "--allow-principal User:ingress --operation Write --topic conversations.received.v1"
    )
    assert grants[-1].as_arguments().endswith("--operation Create --operation Describe --cluster")
