"""`python -m undertone.embedded.settings_check`: the settings of the three services, as they read them themselves.

Run by `services.check_settings` in the environment that they will get. It exits with 2 and a line for each variable
that is wrong, and takes well under a second: it imports of the services no more than what it checks.
"""

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING

from services.runtime.settings import WRONG_SETTING_EXIT_CODE, SharedSettings, load_settings

if TYPE_CHECKING:
    from services.analyzer.settings import AnalyzerSettings

_SETTINGS = {"ingress": "IngressSettings", "analyzer": "AnalyzerSettings", "sink": "SinkSettings"}


def main() -> int:
    """Load the settings of every service; each says on standard error what it does not accept."""
    codes = [_check(service, name) for service, name in _SETTINGS.items()]
    return max(codes)


def _check(service: str, name: str) -> int:
    settings_class: type[SharedSettings] = getattr(importlib.import_module(f"services.{service}.settings"), name)
    try:
        settings = load_settings(settings_class)
        if settings.api_keys.get_secret_value():
            _check_keys(settings)
        if service == "analyzer":
            _check_engines(settings)  # type: ignore[arg-type]  # it is the analyzer's class
    except SystemExit as refusal:
        return int(refusal.code or 0)
    return 0


def _check_keys(settings: SharedSettings) -> None:
    from services.runtime.api_keys import refuse_open_bind  # noqa: PLC0415 - costs half a second, and most have no keys

    refuse_open_bind(settings)


def _check_engines(settings: "AnalyzerSettings") -> None:
    """Open what judges and close it again; nothing is asked. Ends the process for what no engine can be made of."""
    if not settings.uses_llm and not settings.named_further_engines:
        return
    from services.analyzer.engine import EngineMisconfigured  # noqa: PLC0415 - these cost a second
    from services.analyzer.resources import open_engines  # noqa: PLC0415

    async def open_and_close() -> None:
        async with open_engines(settings, warm_connections=0):
            pass

    try:
        asyncio.run(open_and_close())
    except EngineMisconfigured as error:
        print(error.reason, file=sys.stderr)  # noqa: T201 - as the analyzer says it
        sys.exit(WRONG_SETTING_EXIT_CODE)


if __name__ == "__main__":
    sys.exit(main())
