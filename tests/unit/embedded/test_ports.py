"""Which ports the stack takes, and what it says when one is taken."""

from dataclasses import replace

import pytest

from undertone.embedded import ports as ports_module
from undertone.embedded.errors import StackError
from undertone.embedded.ports import Ports, settle_ports
from undertone.embedded.settings import StackSettings

WANTED = Ports(8000, 8001, 8002, 19092, 19093, 15432)
ALL = {
    "ingress_port",
    "analyzer_port",
    "read_api_port",
    "kafka_port",
    "kafka_controller_port",
    "postgres_port",
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that somebody holds; the rest of the machine is free."""
    held: set[int] = set()
    monkeypatch.setattr(ports_module, "_holder", lambda _: "")
    monkeypatch.setattr(ports_module, "is_free", lambda port: port not in held)
    return held


def test_kafkas_controller_takes_the_next_port_unless_told_otherwise() -> None:
    assert Ports.of(StackSettings(kafka_port=20000)).kafka_controller_port == 20001
    assert Ports.of(StackSettings(kafka_port=20000, kafka_controller_port=7)).kafka_controller_port == 7


def test_free_ports_are_taken_as_wanted(taken: set[int]) -> None:
    assert settle_ports(WANTED, ALL, pick_free=False) == WANTED


def test_every_taken_port_is_named_with_its_setting_and_its_option(taken: set[int]) -> None:
    taken |= {8000, 15432, 19093}
    with pytest.raises(StackError) as refused:
        settle_ports(WANTED, ALL, pick_free=False)
    said = str(refused.value)
    assert said.startswith(
        "3 ports are taken: 8000 (--ingress-port), 15432 (--postgres-port), 19093 (UNDERTONE_KAFKA_CONTROLLER_PORT). "
    )
    assert "--free-ports" in said


def test_a_single_taken_port_is_named_with_its_setting_and_its_option(taken: set[int]) -> None:
    taken.add(8000)
    with pytest.raises(StackError, match=r"^Port 8000 is taken.*UNDERTONE_INGRESS_PORT \(or --ingress-port\)"):
        settle_ports(WANTED, ALL, pick_free=False)


def test_a_taken_port_of_a_server_that_is_not_started_does_not_matter(taken: set[int]) -> None:
    taken.add(15432)
    assert settle_ports(WANTED, ALL - {"postgres_port"}, pick_free=False) == WANTED


def test_picking_moves_only_the_taken_ones_and_never_onto_another_of_ours(taken: set[int]) -> None:
    taken |= {8000, 19093}
    settled = settle_ports(WANTED, ALL, pick_free=True)
    assert settled.ingress_port != 8000
    assert settled.kafka_controller_port != 19093
    assert replace(settled, ingress_port=8000, kafka_controller_port=19093) == WANTED
    assert len({settled.ingress_port, settled.kafka_controller_port, 8001, 8002, 19092, 15432}) == 6


def test_one_port_for_two_parts_is_refused_with_both_names(taken: set[int]) -> None:
    with pytest.raises(StackError, match=r"UNDERTONE_ANALYZER_PORT and UNDERTONE_INGRESS_PORT are both 8000"):
        settle_ports(replace(WANTED, analyzer_port=8000), ALL, pick_free=False)
