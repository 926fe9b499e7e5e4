"""What to say of a server that does not answer, or lacks what a command needs: the same words everywhere."""

from schemas.topics import Topic
from services.runtime.kafka import KafkaConnection
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.state import read_state
from undertone.errors import CommandError


def stack_advice() -> str:
    """Where a stack was looked for, and what to do; the folder depends on the working directory."""
    home = load_stack_settings().home
    state = read_state(home)
    if state is not None and state.is_alive:
        return f"`undertone status` says how the stack in {home} is"
    return f"no stack runs in {home}: start one with `undertone up`"


def no_answer(url: str, reason: str, service: str, option: str) -> CommandError:
    """A service of ours that cannot be reached."""
    return CommandError(f"Nothing answers at {url} ({reason}); {stack_advice()}, or name the {service} with {option}.")


def no_kafka(connection: KafkaConnection, error: BaseException | None = None) -> CommandError:
    """A Kafka that cannot be reached."""
    reason = f" ({type(error).__name__})" if error is not None else ""
    return CommandError(
        f"Kafka does not answer at {connection.bootstrap_servers}{reason}; {stack_advice()}, or set "
        f"KAFKA_BOOTSTRAP_SERVERS."
    )


def no_topic(connection: KafkaConnection, topic: Topic) -> CommandError:
    """A Kafka without a topic of the contract."""
    return CommandError(f"Kafka has no topic {connection.topic_name(topic)}: create it with `undertone topics apply`.")
