"""`python -m services.analyzer`: read the environment, start."""

import asyncio
import sys

from services.analyzer.allocator import keep_large_buffers_apart
from services.analyzer.app import run_analyzer
from services.analyzer.engine import EngineMisconfigured
from services.analyzer.settings import AnalyzerSettings
from services.runtime.api_keys import refuse_open_bind
from services.runtime.arguments import service_parser
from services.runtime.garbage import collect_rarely
from services.runtime.logs import configure_logging
from services.runtime.server import run
from services.runtime.settings import WRONG_SETTING_EXIT_CODE, load_settings


def main() -> None:
    """Exit 0 after SIGTERM or SIGINT, 2 for a wrong setting or a taken port, 70 for what was not expected."""
    service_parser("analyzer", "Analyse conversations from Kafka until SIGTERM.", AnalyzerSettings).parse_args()
    settings = load_settings(AnalyzerSettings)
    configure_logging(settings, "analyzer")
    refuse_open_bind(settings)
    keep_large_buffers_apart()
    collect_rarely()

    async def analyze(stop: asyncio.Event) -> int:
        try:
            return await run_analyzer(settings, stop)
        except EngineMisconfigured as error:
            print(error.reason, file=sys.stderr)  # noqa: T201 - the one line that ends the start
            return WRONG_SETTING_EXIT_CODE

    run(analyze)


if __name__ == "__main__":
    main()
