"""Where the stack keeps its things and on which ports it answers: the one settings class of `undertone up`."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.findings import in_words
from services.runtime.settings import unreadable_dotenv
from undertone.embedded.errors import WrongSettingError

Port = Annotated[int, Field(ge=1, le=65535)]


def _default_cache_dir() -> Path:
    """Return a folder of the user, shared by all checkouts (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base) / "undertone"


class StackSettings(BaseSettings):
    """Variables with the prefix UNDERTONE_, of the environment or `.env`; an option of the command line wins."""

    model_config = SettingsConfigDict(
        env_file=".env", env_prefix="UNDERTONE_", env_ignore_empty=True, extra="ignore", validate_default=True
    )

    home: Path = Field(Path(".undertone"), description="State of the stack: data, logs, addresses")
    cache_dir: Path = Field(default_factory=_default_cache_dir, description="Where Kafka's jars are kept")
    ingress_port: Port = 8000
    analyzer_port: Port = 8001
    read_api_port: Port = 8002
    kafka_port: Port = 19092
    kafka_controller_port: Port | None = Field(None, description="The port after kafka_port when not given")
    postgres_port: Port = 15432

    @field_validator("home", "cache_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        """Children have working directories of their own."""
        return path.expanduser().absolute()


def load_stack_settings(**options: object) -> StackSettings:
    """Read the environment; options that are None count as not given.

    Raises WrongSettingError with one sentence that names the variable, or `.env` when it cannot be read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return StackSettings(**given)  # type: ignore[arg-type]  # values are checked by pydantic itself
    except ValidationError as error:
        first = error.errors()[0]
        name = "UNDERTONE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise WrongSettingError(f"{name} is wrong: it {in_words(first)}, and is {first['input']!r}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSettingError(f"{unreadable_dotenv(error)}.") from error
