"""Variables that a person may set for `up` and that it would not obey: named with the option that does what they ask.

They are for services started by hand or by docker-compose, which read the same `.env`; the stack sets them itself.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from undertone.embedded.errors import WrongSettingError
from undertone.embedded.settings import StackSettings

EMBEDDED = "embedded"
"""In the place of a server's address: start one here."""
_DOTENV = Path(".env")
_PORTS = {"INGRESS_PORT": "ingress_port", "ANALYZER_PORT": "analyzer_port", "SINK_PORT": "read_api_port"}
_HOSTS = ("INGRESS_HOST", "ANALYZER_HOST", "SINK_HOST")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def given_variables() -> dict[str, str]:
    """The environment and, beneath it, `.env` of the working directory; empty ones are not given."""
    in_file = dotenv_values(_DOTENV) if _DOTENV.is_file() else {}
    in_environment = {name: value for name, value in os.environ.items() if value}
    return {name: value for name, value in {**in_file, **in_environment}.items() if value}


def refuse_unheard(
    settings: StackSettings, kafka: str | None, postgres: str | None, variables: Mapping[str, str]
) -> None:
    """Raise WrongSettingError for a variable that would be passed over in silence, unless an option says otherwise.

    `kafka` and `postgres` are the options as they were given, or None.
    """
    _refuse_server("KAFKA_BOOTSTRAP_SERVERS", "kafka", kafka, variables)
    _refuse_server("DATABASE_URL", "postgres", postgres, variables)
    for variable, field in _PORTS.items():
        stated = variables.get(variable)
        if stated is None or field in settings.model_fields_set or stated == str(getattr(settings, field)):
            continue
        raise WrongSettingError(
            f"{variable} is {stated[:20]!r}, but `undertone up` takes the port from --{field.replace('_', '-')} or "
            f"UNDERTONE_{field.upper()}: set that, or unset {variable}."
        )
    for variable in _HOSTS:
        if variables.get(variable, "127.0.0.1") not in _LOOPBACK:
            raise WrongSettingError(
                f"{variable} is set, but what `undertone up` starts is for this machine alone: unset it, or run the "
                f"services with `docker compose` or by `python -m services.{variable.partition('_')[0].lower()}`."
            )


def _refuse_server(variable: str, option: str, chosen: str | None, variables: Mapping[str, str]) -> None:
    named = next((name for name in (variable, f"{variable}_FILE") if name in variables), None)
    if named is None or chosen is not None:
        return
    raise WrongSettingError(
        f"{named} is set, but `undertone up` takes its {option.capitalize()} from --{option} or "
        f"UNDERTONE_{option.upper()}: give it there, or `--{option} {EMBEDDED}` to start one here all the same."
    )
