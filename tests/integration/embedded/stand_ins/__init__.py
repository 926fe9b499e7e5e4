"""Three services that only say that they are ready: what the stack's own tests start in place of ours.

On PYTHONPATH before the checkout, this folder's `services` shadows the real one; `services.runtime` stays real.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
