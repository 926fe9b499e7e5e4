"""What the environment tells the ingress."""

from typing import Annotated

from pydantic import AnyHttpUrl, Field
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


class IngressSettings(SharedSettings):
    """Settings of the ingress, with the prefix INGRESS_."""

    model_config = SettingsConfigDict(env_prefix="INGRESS_")

    port: Port = Field(default=8000, description="Port to listen on.")
    read_api_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8002"), description="Where clients find the read API; GET is sent there."
    )
    requests_per_second: Annotated[float, Field(ge=0)] = Field(
        default=100, description="Posts that this instance takes, on average; 0: as many as come."
    )
    burst: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Posts that may come at once. Default: those of one second."
    )
    client_limit: WindowText = Field(default="off", description=f"Posts of one API key, {WINDOW_MEANING}.")
    anonymous_limit: WindowText = Field(
        default="off", description=f"Posts of one address without a key, {WINDOW_MEANING}."
    )
    redis_url: RedisUrl
    trusted_proxies: ProxiesText = Field(default="", description=PROXIES_MEANING)
    cors_origins: OriginsText = Field(default="", description=ORIGINS_MEANING)
    ack_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=1.8, description="How long a request waits for Kafka before it is answered 503."
    )
    max_waiting_sends: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Conversations that may wait for Kafka; beyond, posts are answered 503 at once."
    )
    max_waiting_bytes: Annotated[int, Field(ge=1024 * 1024)] = Field(
        default=64 * 1024 * 1024, description="Bytes of conversations that may wait for Kafka; as above."
    )
    max_body_bytes: Annotated[int, Field(ge=1024, le=4 * 1024 * 1024)] = Field(
        default=1024 * 1024, description="The largest body of a request."
    )
    read_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=8.0, description="How long a request may take to arrive; slower ones are cut off."
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(default=12_000, description="Connections open at once.")
    drain_seconds: Annotated[float, Field(ge=0)] = Field(
        default=20.0, description="How long requests in flight may take to end after SIGTERM."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Processes that serve; each has its share of the limits."
    )
    shares_port: bool = Field(
        default=False, description="Set by the ingress itself for its workers: others listen on the same port."
    )

    @property
    def allowed_burst(self) -> int:
        """Posts that may come at once."""
        return self.burst or max(1, round(self.requests_per_second))
