"""The analyzer's settings."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import Port, SharedSettings

MIB = 1024 * 1024
LONGEST_MODEL = 100
"""Characters of a model's name."""
XAI_ADDRESS = "https://api.x.ai/"
OFFLINE = "offline"
"""How the engine without an LLM is named."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AnalyzerSettings(SharedSettings):
    """Read from ANALYZER_… and the shared names."""

    model_config = SettingsConfigDict(env_prefix="ANALYZER_")

    port: Port = Field(default=8001, description="Port of health and metrics.")

    engine: Literal["auto", "llm", "offline"] = Field(
        default="auto", description="Who judges: `llm`, `offline`, or `auto` (llm when XAI_API_KEY is set)."
    )
    llm_base_url: str = Field(
        default="https://api.x.ai/v1",
        pattern=r"^https?://",
        description="Where the LLM is: an endpoint that speaks Chat Completions.",
    )
    llm_model: Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)] = Field(
        default="grok-4.3", description="The model; part of the analysis version."
    )
    llm_timeout_seconds: Seconds = Field(default=60, description="Longest wait for an answer of the LLM.")
    llm_reasoning_effort: Literal["none", "low", "medium", "high"] = Field(
        default="low", description="How long the model may think; left out where the endpoint does not know it."
    )
    llm_price_input_usd: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="US dollars for a million tokens of a prompt, where the model's price is not known."
    )
    llm_price_cached_usd: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="The same for tokens that the provider had cached; by default as the prompt."
    )
    llm_price_output_usd: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="The same for tokens of an answer; needed with the price of a prompt."
    )
    xai_api_key: SecretStr | None = Field(
        default=None, validation_alias="XAI_API_KEY", description="The key of the LLM's provider."
    )
    further_engines: str = Field(
        default="",
        description="Further engines, separated by commas: `offline`, or models at the same endpoint. Each gives an "
        "analysis version, to be tried beside the own one or asked for by a replay.",
    )
    prefilter: Literal["on", "off"] = Field(
        default="on", description="`off` analyses also what is too short, only links, or a mere greeting."
    )
    min_characters: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Letters below which a text without a known word is too short."
    )

    calls_per_second: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = Field(
        default=10, description="Most calls a second of the whole fleet, for engines that cost; 0 is no limit."
    )
    tokens_per_minute: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0, description="Most tokens a minute of the whole fleet; 0 is no limit."
    )
    pace: Annotated[float, Field(ge=0.1, le=1)] = Field(
        default=0.95, description="The part of the limits that is used; the rest absorbs the network's jitter."
    )

    daily_budget_usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | Literal["unlimited"] = Field(
        default=5,
        description="Most US dollars of a UTC day that the whole fleet spends on an engine that costs; 0 makes no "
        "call, `unlimited` sets no limit. The same at every instance.",
    )

    window_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.25, description="Longest wait for companions in a batch while a call may start."
    )
    min_batch: Annotated[int, Field(ge=1, le=500)] = Field(
        default=1, description="Smallest adaptive maximum of a batch."
    )
    start_batch: Annotated[int, Field(ge=1, le=500)] = Field(
        default=5, description="The adaptive maximum at the start."
    )
    max_batch: Annotated[int, Field(ge=1, le=500)] = Field(default=50, description="Largest adaptive maximum.")
    batch_tokens: Annotated[int, Field(ge=500)] = Field(
        default=100_000, description="Most tokens of conversations in one call."
    )
    max_attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5,
        description="Calls with a conversation alone in them that may fail before it does; an outage is a third.",
    )
    backoff_seconds: Seconds = Field(default=0.5, description="First wait after a failed call; doubles, with jitter.")
    breaker_threshold: Annotated[int, Field(ge=1)] = Field(
        default=5, description="Failed calls in a row after which no more are made for a while."
    )
    breaker_cooldown_seconds: Seconds = Field(default=10, description="How long none are made then.")

    lookup_url: str | None = Field(
        default=None,
        pattern=r"^(https?://.+)?$",
        description="Where the sink answers: an engine that costs asks it first what is known already.",
    )
    lookup_api_key: SecretStr | None = Field(
        default=None, description="The key to show there, with the scope operate; none where the sink asks for none."
    )
    lookup_wait_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        default=30, description="Longest wait for a sink that does not answer, or has not stored what was published."
    )
    lookup_required: bool = Field(default=False, description="Wait for the sink for ever instead.")

    in_flight_bytes: Annotated[int, Field(ge=MIB)] = Field(
        default=48 * MIB, description="Most bytes of a lane's records between Kafka and their acknowledgement."
    )
    in_flight_count: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Most records likewise; by default what full use of the limits needs, "
        "at least 8,000 (1,000 where no engine costs anything).",
    )
    cache_size: Annotated[int, Field(ge=0)] = Field(
        default=10_000, description="Findings that are remembered by content, so that equal content is not sent twice."
    )
    session_timeout_seconds: Annotated[float, Field(ge=6, le=300)] = Field(
        default=30, description="After so long without a heartbeat Kafka gives the partitions to others."
    )
    drain_seconds: Seconds | None = Field(
        default=None, description="Longest wait for calls in flight at SIGTERM; by default the call timeout and 5 s."
    )

    @property
    def uses_llm(self) -> bool:
        """Whether the LLM judges."""
        return self.engine == "llm" or (self.engine == "auto" and self.xai_api_key is not None)

    @property
    def named_further_engines(self) -> tuple[str, ...]:
        """`offline` or the name of a model, each."""
        return tuple(name.strip() for name in self.further_engines.split(",")) if self.further_engines.strip() else ()

    @model_validator(mode="after")
    def _further_engines_can_be_opened(self) -> Self:
        for name in self.named_further_engines:
            if not name:
                raise ValueError("ANALYZER_FURTHER_ENGINES has an empty entry: engines are separated by single commas")
            if not _is_model(name):
                raise ValueError(f"ANALYZER_FURTHER_ENGINES: {name[:40]!r} is neither `offline` nor a model")
            if name != OFFLINE and self.xai_api_key is None and self.llm_base_url.startswith(XAI_ADDRESS):
                raise ValueError(f"XAI_API_KEY: ANALYZER_FURTHER_ENGINES names the model {name}, which needs a key")
        return self

    @model_validator(mode="after")
    def _llm_can_be_reached(self) -> Self:
        if not self.uses_llm and set(self.named_further_engines) <= {OFFLINE}:
            return self
        if not _is_model(self.llm_model):
            raise ValueError(f"ANALYZER_LLM_MODEL: {self.llm_model[:40]!r} is no model: it has a space or is blank")
        if not _has_host_and_port(self.llm_base_url):
            raise ValueError("ANALYZER_LLM_BASE_URL has no host, a space, or a port that is not from 1 to 65535")
        key = self.xai_api_key.get_secret_value() if self.xai_api_key is not None else None
        if key is not None and not _can_be_in_a_header(key):
            raise ValueError("XAI_API_KEY is no key: it is blank, or has a space, a line end or a letter beyond ASCII")
        return self

    @model_validator(mode="after")
    def _llm_can_be_called(self) -> Self:
        if self.engine == "llm" and self.xai_api_key is None and self.llm_base_url.startswith(XAI_ADDRESS):
            raise ValueError("XAI_API_KEY: ANALYZER_ENGINE=llm needs a key; set it, or use ANALYZER_ENGINE=offline")
        if (self.llm_price_input_usd is None) != (self.llm_price_output_usd is None):
            raise ValueError("ANALYZER_LLM_PRICE_INPUT_USD and ANALYZER_LLM_PRICE_OUTPUT_USD are set together or not")
        return self

    @model_validator(mode="after")
    def _batches_are_ordered(self) -> Self:
        if not self.min_batch <= self.start_batch <= self.max_batch:
            raise ValueError(
                "ANALYZER_MIN_BATCH, ANALYZER_START_BATCH and ANALYZER_MAX_BATCH must rise: "
                f"they are {self.min_batch}, {self.start_batch} and {self.max_batch}"
            )
        return self


def _is_model(name: str) -> bool:
    return 0 < len(name) <= LONGEST_MODEL and name.isprintable() and " " not in name


def _can_be_in_a_header(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def _has_host_and_port(url: str) -> bool:
    """Whether a URL names a place to connect to; a port that is not stated is right."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:  # of `port`, and of brackets around what is no address
        return False
