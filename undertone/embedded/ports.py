"""The stack's ports: a taken one is named before anything starts, or another is picked when asked."""

import secrets
import socket
from dataclasses import asdict, dataclass, replace

import psutil

from undertone.embedded.errors import StackError
from undertone.embedded.settings import StackSettings

LOOPBACK = "127.0.0.1"
FREE_PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """One field for each port; a field's name is also its setting's and its option's."""

    ingress_port: int
    analyzer_port: int
    read_api_port: int
    kafka_port: int
    kafka_controller_port: int
    postgres_port: int

    @classmethod
    def of(cls, settings: StackSettings) -> "Ports":
        controller = settings.kafka_controller_port or settings.kafka_port + 1
        return cls(
            settings.ingress_port,
            settings.analyzer_port,
            settings.read_api_port,
            settings.kafka_port,
            controller,
            settings.postgres_port,
        )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback address now."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no owner
        try:
            attempt.bind((LOOPBACK, port))
            attempt.listen(1)
        except OSError:
            return False
    return True


def free_port(avoid: frozenset[int] = frozenset()) -> int:
    """Return a port that nobody has at this moment and that is not among `avoid`.

    Below the ports that systems lend to outgoing connections: one of those could take it while a server restarts.
    """
    while True:
        port = secrets.choice(FREE_PORTS)
        if port not in avoid and is_free(port):
            return port


def settle_ports(wanted: Ports, needed: set[str], *, pick_free: bool) -> Ports:
    """Return the ports to use; of those not `needed` nothing is asked.

    Raises StackError that names each taken port, who holds it and the setting that moves it.
    """
    ports = asdict(wanted)
    _refuse_doubles({name: ports[name] for name in sorted(needed)}, pick_free=pick_free)
    taken = [name for name in sorted(needed) if not is_free(ports[name])]
    if taken and not pick_free:
        raise StackError(_complaint({name: ports[name] for name in sorted(taken, key=ports.__getitem__)}))
    settled = wanted
    for name in taken:
        settled = replace(settled, **{name: free_port(frozenset(asdict(settled).values()))})
    return settled


def _refuse_doubles(ports: dict[str, int], *, pick_free: bool) -> None:
    by_port: dict[int, str] = {}
    for name, port in ports.items():
        if port in by_port and not pick_free:
            raise StackError(f"{_setting(by_port[port])} and {_setting(name)} are both {port}: change one of them.")
        by_port[port] = name


def _complaint(taken: dict[str, int]) -> str:
    if len(taken) == 1:
        (name, port), *_ = taken.items()
        option = "" if _option(name) == _setting(name) else f" (or {_option(name)})"
        return f"Port {port} is taken{_holder(port)}: free it, set {_setting(name)}{option}, or let --free-ports pick."
    named = ", ".join(f"{port} ({_option(name)}){_holder(port)}" for name, port in taken.items())
    return (
        f"{len(taken)} ports are taken: {named}. Free them (`undertone down` stops a stack from its own folder), move "
        f"ours by these options, or let --free-ports pick."
    )


def _option(name: str) -> str:
    """What moves a port."""
    return _setting(name) if name == "kafka_controller_port" else f"--{name.replace('_', '-')}"


def _setting(name: str) -> str:
    return f"UNDERTONE_{name.upper()}"


def _holder(port: int) -> str:
    """Name the process that listens there, where the system tells us."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:  # macOS tells root only
        return ""
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f" by pid {connection.pid}"
    return ""
