"""The command line of a service: `--help`, and nothing that is not understood."""

import argparse
from collections.abc import Iterator

from services.runtime.settings import SharedSettings, variable_name

_SHARED_LINES = "Kafka, keys, logs and the rest that all services share: docs/configuration.md."


def service_parser(service: str, description: str, settings_class: type[SharedSettings]) -> argparse.ArgumentParser:
    """A parser whose help lists the variables that the service reads; it ends the process at unknown arguments."""
    return argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=description,
        epilog="\n".join(["settings, from the environment or .env:", *_variables(settings_class), "", _SHARED_LINES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _variables(settings_class: type[SharedSettings]) -> Iterator[str]:
    shared = set(SharedSettings.model_fields) - {"host", "port", "instance_id"}
    for name, field in settings_class.model_fields.items():
        if name not in shared:
            yield f"  {variable_name(settings_class, name)}\n      {field.description or ''}"
