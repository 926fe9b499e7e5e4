"""Nothing to migrate, unless the test wants a failure."""

import os
import sys

if complaint := os.environ.get("STAND_IN_MIGRATIONS_SAY"):
    sys.exit(complaint)
