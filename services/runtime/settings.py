"""Settings from the environment, a `.env` file and `NAME_FILE` variants; one class a service inherits these.

A shared name is read as it stands (`KAFKA_BOOTSTRAP_SERVERS`), a service's own with its prefix (`SINK_PORT`).
For every variable NAME, NAME_FILE may give a file that holds the value, as secrets are mounted in containers;
NAME_FILE too may stand in `.env`.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from services.runtime.bootstrap_servers import BootstrapServers
from services.runtime.findings import in_words
from services.runtime.kafka_security import refuse_incomplete_security

WRONG_SETTING_EXIT_CODE = 2

Port = Annotated[int, Field(ge=1, le=65535)]


class SharedSettings(BaseSettings):
    """What all services read. Subclasses set `env_prefix` and add their own."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on. Others than loopback need API keys.")
    instance_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Fixed name of this process in its consumer group: a restart then resumes in seconds.",
    )
    kafka_bootstrap_servers: BootstrapServers = Field(
        default="127.0.0.1:19092",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="Where Kafka is: HOST:PORT, several separated by commas.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL", description="How to speak to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        default="PLAIN", validation_alias="KAFKA_SASL_MECHANISM", description="How to show who we are."
    )
    kafka_sasl_username: str | None = Field(
        default=None, validation_alias="KAFKA_SASL_USERNAME", description="For PLAIN and SCRAM."
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, validation_alias="KAFKA_SASL_PASSWORD", description="For PLAIN and SCRAM."
    )
    kafka_sasl_oauth_token: SecretStr | None = Field(
        default=None,
        validation_alias="KAFKA_SASL_OAUTH_TOKEN",
        description="For OAUTHBEARER.",
    )
    kafka_sasl_oauth_token_file: Path | None = Field(
        default=None,
        validation_alias="KAFKA_SASL_OAUTH_TOKEN_FILE",
        description="A file that holds the token, read anew at each connection.",
    )
    kafka_ssl_cafile: FilePath | None = Field(
        default=None, validation_alias="KAFKA_SSL_CAFILE", description="Certificates to trust, as PEM."
    )
    kafka_ssl_certfile: FilePath | None = Field(
        default=None, validation_alias="KAFKA_SSL_CERTFILE", description="Our certificate, as PEM."
    )
    kafka_ssl_keyfile: FilePath | None = Field(
        default=None, validation_alias="KAFKA_SSL_KEYFILE", description="The key of our certificate, as PEM."
    )
    kafka_topic_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        validation_alias="KAFKA_TOPIC_PREFIX",
        description="Put in front of every topic's name, for several Undertones on one Kafka.",
    )
    kafka_group_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        validation_alias="KAFKA_GROUP_PREFIX",
        description="Put in front of every consumer group's name.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias="LOG_LEVEL", description="The least severe log events to write."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", validation_alias="LOG_FORMAT", description="JSON lines, or text for people."
    )
    metrics_port: Port | None = Field(
        default=None,
        validation_alias="METRICS_PORT",
        description="Serve metrics and the details of readiness on this port too, for scrapers without a key.",
    )
    api_keys: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="API_KEYS",
        description="Digests of API keys with their scopes, as `undertone keys new` prints them, separated by spaces.",
    )
    allow_anonymous: bool = Field(
        default=False,
        validation_alias="ALLOW_ANONYMOUS",
        description="Serve without keys on an address that is not loopback. Whoever reaches it reads everything.",
    )

    @model_validator(mode="after")
    def _can_reach_kafka(self) -> Self:
        refuse_incomplete_security(self)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then files that it or `.env` names, then `.env`."""
        return init_settings, env_settings, _FileVariants(settings_cls, _in_dotenv(dotenv_settings)), dotenv_settings


def variable_name(settings_class: type[BaseSettings], name: str) -> str:
    """The environment variable that a field is read from."""
    alias = settings_class.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{settings_class.model_config.get('env_prefix', '')}{name}".upper()


def _in_dotenv(source: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """The variables of the `.env` files that this source reads; of several files the last one wins."""
    files = source.env_file if isinstance(source, DotEnvSettingsSource) else None
    paths = [Path(name) for name in ([files] if isinstance(files, str | os.PathLike) else files or [])]
    return {name: value for path in paths if path.is_file() for name, value in dotenv_values(path).items()}


class _FileVariants(PydanticBaseSettingsSource):
    """NAME_FILE, in the environment or in `.env`: the value of NAME stands in that file. The environment wins."""

    def __init__(self, settings_class: type[BaseSettings], in_dotenv: Mapping[str, str | None]) -> None:
        super().__init__(settings_class)
        self._variables = {**in_dotenv, **{name: value for name, value in os.environ.items() if value}}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = variable_name(self.settings_cls, field_name)
        path = self._variables.get(f"{variable}_FILE")
        if not path:
            return None, field_name, False
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}_FILE: cannot read {path}: {_reason(error)}") from error
        return value, field.validation_alias if isinstance(field.validation_alias, str) else field_name, False

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {key: value for value, key, _ in found if value is not None}


def _reason(error: OSError | UnicodeDecodeError) -> str:
    """What the system says of a file, without its path."""
    return str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8"


def unreadable_dotenv(error: OSError | UnicodeDecodeError) -> str:
    """What to say when reading settings raises this: other files than `.env` are named by their variables."""
    return f"{Path('.env').absolute()} cannot be read: {_reason(error)}"


S = TypeVar("S", bound=SharedSettings)


def load_settings(settings_class: type[S]) -> S:
    """Read the settings, or end the process with exit code 2 and one line for each wrong variable."""
    try:
        settings = settings_class()
    except ValidationError as error:
        lines = list(_describe(settings_class, error))
    except SettingsError as error:
        lines = [str(error)]
    except (OSError, UnicodeDecodeError) as error:
        lines = [unreadable_dotenv(error)]
    else:
        for name in _unread_variables(settings_class):
            print(f"{name}: no setting has this name; it is ignored", file=sys.stderr)  # noqa: T201 - before logging
        return settings
    print("\n".join(lines), file=sys.stderr)  # noqa: T201 - the log is not configured yet
    sys.exit(WRONG_SETTING_EXIT_CODE)


def _describe(settings_class: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    """A line for each wrong variable; one that may be of several kinds has a problem with each of them."""
    by_alias = {field.validation_alias: name for name, field in settings_class.model_fields.items()}
    problems: dict[str, list[str]] = {}
    shown: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        location = problem["loc"][0] if problem["loc"] else None
        if location is None:
            yield in_words(problem)
            continue
        name = by_alias.get(str(location), str(location))
        variable = variable_name(settings_class, name)
        problems.setdefault(variable, []).append(in_words(problem))
        is_secret = "Secret" in str(settings_class.model_fields[name].annotation)
        shown[variable] = "" if is_secret else f" (it is {str(problem['input'])[:60]!r})"
    for variable, (first, *others) in problems.items():
        sentence = " or ".join((first, *(other.removeprefix("must be ") for other in others)))
        yield f"{variable}: {sentence}{shown[variable]}"


def _unread_variables(settings_class: type[BaseSettings]) -> list[str]:
    """Variables with the service's prefix that no field reads: most likely a slip of the pen."""
    prefix = str(settings_class.model_config.get("env_prefix", "")).upper()
    known = {variable_name(settings_class, name) for name in settings_class.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in os.environ if prefix and name.startswith(prefix) and name not in known)
