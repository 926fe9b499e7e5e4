"""Where the command line finds the services: options first, then the environment, then a stack that runs here."""

import httpx
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import SharedSettings, load_settings
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.state import read_state
from undertone.errors import UsageProblem

DEFAULT_API_URL = "http://127.0.0.1:8000"
DEFAULT_READ_API_URL = "http://127.0.0.1:8002"


class CommandLineSettings(SharedSettings):
    """What the environment says to the command line, beside the connection to Kafka."""

    model_config = SettingsConfigDict(env_prefix="UNDERTONE_CLI_")

    api_url: str | None = Field(
        default=None, validation_alias="UNDERTONE_API_URL", description="Address of the ingress, for the command line."
    )
    read_api_url: str | None = Field(
        default=None,
        validation_alias="UNDERTONE_READ_API_URL",
        description="Address of the read API, for the command line.",
    )
    api_key: SecretStr | None = Field(
        default=None, validation_alias="UNDERTONE_API_KEY", description="The key that the command line shows."
    )


def load_kafka_settings() -> CommandLineSettings:
    """The settings, with the Kafka of the stack that runs from this folder unless they name another."""
    settings = load_settings(CommandLineSettings)
    state = read_state(load_stack_settings().home)
    if state is None or "kafka" not in state.survivors or "kafka_bootstrap_servers" in settings.model_fields_set:
        return settings
    ours = {"kafka_bootstrap_servers": state.addresses["kafka"], "kafka_security_protocol": "PLAINTEXT"}
    return settings.model_copy(update=ours)


def ingress_url(option: str | None, settings: CommandLineSettings) -> str:
    """The ingress to send to. Raises UsageProblem."""
    return _http_url(option or settings.api_url or _running("ingress") or DEFAULT_API_URL, "--api-url")


def read_api_url(option: str | None, settings: CommandLineSettings) -> str:
    """The read API to ask. Raises UsageProblem."""
    found = option or settings.read_api_url or _running("read_api") or DEFAULT_READ_API_URL
    return _http_url(found, "--read-api-url")


def api_key(option: str | None, settings: CommandLineSettings) -> str | None:
    """The key to show, if any."""
    return option or (settings.api_key.get_secret_value() if settings.api_key else None)


def key_headers(key: str | None) -> dict[str, str]:
    """The header that shows a key. Raises UsageProblem for what cannot stand in a header."""
    if key is None:
        return {}
    if not key.isascii() or not key.isprintable():
        raise UsageProblem("The API key holds characters that no key has; copy it again (--api-key).")
    return {"Authorization": f"Bearer {key}"}


def _http_url(url: str, option: str) -> str:
    """Refuse what is no address, before a client stumbles over it."""
    scheme, separator, rest = url.partition("://")
    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        scheme = ""
    if scheme not in {"http", "https"} or not separator or not rest or any(character.isspace() for character in rest):
        raise UsageProblem(f"{option} is {url[:80]!r}; an address such as http://127.0.0.1:8000 is needed.")
    return url.rstrip("/")


def _running(service: str) -> str | None:
    """The service's address in the stack that runs from this folder, if one does."""
    state = read_state(load_stack_settings().home)
    return state.addresses.get(service) if state is not None and state.is_alive else None


def asks_proxy(url: str) -> bool:
    """Whether a proxy of the environment may be asked for this address: never for this machine's own."""
    return httpx.URL(url).host not in {"127.0.0.1", "localhost", "::1"}
