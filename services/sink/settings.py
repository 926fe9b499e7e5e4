"""The sink's settings: `SINK_…`, `DATABASE_URL`, and what all services share."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.inbound import (
    ORIGINS_MEANING,
    PROXIES_MEANING,
    WINDOW_MEANING,
    OriginsText,
    ProxiesText,
    RedisUrl,
    WindowText,
)
from services.runtime.settings import Port, SharedSettings

DatabaseUrl = Annotated[
    SecretStr,
    Field(
        default=SecretStr("postgresql://undertone@127.0.0.1:15432/undertone"),
        validation_alias="DATABASE_URL",
        description="Where Postgres is: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
    ),
]


class SinkSettings(SharedSettings):
    """What the consumer and the read API need."""

    model_config = SettingsConfigDict(env_prefix="SINK_")

    port: Port = Field(default=8002, description="Port of the read API, its health and its metrics.")
    database_url: DatabaseUrl
    batch_records: int = Field(
        default=2_000, ge=1, le=20_000, description="The most records that one transaction stores."
    )
    batch_age_seconds: float = Field(
        default=0.1, ge=0, le=10, description="How long a record may wait for its batch to fill, in seconds."
    )
    session_timeout_seconds: float = Field(
        default=8.0, ge=6, le=300, description="Silence after which Kafka gives a sink's partitions to another one."
    )
    read_connections: int = Field(
        default=8, ge=1, le=200, description="Connections to Postgres that the read API shares among its requests."
    )
    query_timeout_seconds: float = Field(
        default=5.0, gt=0, le=300, description="A query of the read API that takes longer is given up (503)."
    )

    client_limit: WindowText = Field(
        default="600/60s", description=f"Reads of one API key, or of one address without a key, {WINDOW_MEANING}."
    )
    redis_url: RedisUrl
    trusted_proxies: ProxiesText = Field(default="", description=PROXIES_MEANING)
    cors_origins: OriginsText = Field(default="", description=ORIGINS_MEANING)

    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after its last posting that a finished conversation, or after its failure a dead letter, "
        "leaves Postgres. Not set: nothing leaves.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        try:
            urlsplit(url.get_secret_value()).port  # noqa: B018 - reading it checks it
        except ValueError as error:
            raise ValueError("has a host or port that cannot be read; special characters must be escaped") from error
        return url
