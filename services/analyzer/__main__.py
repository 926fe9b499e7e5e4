"""`python -m services.analyzer`: read the environment, start."""

import sys

from services.analyzer.app import run_analyzer
from services.analyzer.resources import EngineNotAvailable, open_engine
from services.analyzer.settings import AnalyzerSettings
from services.runtime.api_keys import refuse_open_bind
from services.runtime.logs import configure_logging
from services.runtime.server import run
from services.runtime.settings import WRONG_SETTING_EXIT_CODE, load_settings


def main() -> None:
    """Exit 0 after SIGTERM or SIGINT, 2 for a wrong setting or a taken port, 70 for what was not expected."""
    settings = load_settings(AnalyzerSettings)
    configure_logging(settings, "analyzer")
    refuse_open_bind(settings)
    try:
        engine = open_engine(settings)
    except EngineNotAvailable as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that ends the start
        sys.exit(WRONG_SETTING_EXIT_CODE)
    run(lambda stop: run_analyzer(settings, engine, stop))


if __name__ == "__main__":
    main()
